package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A misdeed is what a server does instead of taking a login.
type misdeed struct {
	name string
	do   func(caddy, server *net.TCPConn)

	onlyLogin bool // there is no such thing without mysql_login
}

var misdeeds = []misdeed{
	{name: "closes at once", do: func(caddy, _ *net.TCPConn) { _ = caddy.CloseWrite() }},
	{name: "is reset", do: func(caddy, _ *net.TCPConn) { _ = caddy.SetLinger(0) }},
	{name: "ERR for a greeting", do: func(caddy, _ *net.TCPConn) {
		_, _ = caddy.Write(packet(0, "\xff\x10\x04Too many connections"))
		_, _ = io.Copy(io.Discard, caddy)
	}},
	{name: "no greeting", do: func(caddy, _ *net.TCPConn) {
		_, _ = io.WriteString(caddy, "SSH-2.0-OpenSSH_9.2\r\n")
		_, _ = io.Copy(io.Discard, caddy)
	}},
	{name: "half a greeting", do: func(caddy, server *net.TCPConn) {
		_, _ = io.CopyN(caddy, server, 30)
		_ = caddy.CloseWrite()
	}},
	{name: "silent", do: func(caddy, _ *net.TCPConn) { _, _ = io.Copy(io.Discard, caddy) }},
	{name: "silent after the greeting", onlyLogin: true, do: func(caddy, server *net.TCPConn) {
		handGreeting(caddy, server)
		_, _ = io.Copy(io.Discard, caddy)
	}},
	{name: "closes in the TLS handshake", onlyLogin: true, do: func(caddy, server *net.TCPConn) {
		handGreeting(caddy, server)
		_, _ = caddy.Read(make([]byte, 4096))
		_ = caddy.CloseWrite()
	}},
	{name: "ERR for TLS", onlyLogin: true, do: func(caddy, server *net.TCPConn) {
		handGreeting(caddy, server)
		_, _ = caddy.Read(make([]byte, 4096))
		_, _ = caddy.Write(packet(2, "\xff\x10\x04#08004Too many connections"))
		_, _ = io.Copy(io.Discard, caddy)
	}},
	{name: "garbage for TLS", onlyLogin: true, do: func(caddy, server *net.TCPConn) {
		handGreeting(caddy, server)
		_, _ = caddy.Read(make([]byte, 4096))
		_, _ = io.WriteString(caddy, "no TLS at all, but something else")
		_, _ = io.Copy(io.Discard, caddy)
	}},
	{name: "closes after the login", onlyLogin: true, do: func(caddy, server *net.TCPConn) {
		cutAfter(caddy, server, 1)
	}},
}

// packet makes a packet.
func packet(seq uint8, payload string) []byte {
	return append(mysqlwire.AppendHeader(nil, len(payload), seq), payload...)
}

// handGreeting hands the server's first packet on.
func handGreeting(caddy, server *net.TCPConn) {
	payload, seq, err := mysqlproxy.NewConn(server).ReadPacket(1 << 16)
	if err == nil {
		_, _ = caddy.Write(packet(seq, string(payload)))
	}
}

// cutAfter hands on what comes, without TLS, and closes after so many packets of the server.
func cutAfter(caddy, server *net.TCPConn, packets int) {
	go func() { _, _ = io.Copy(server, caddy) }()
	from := mysqlproxy.NewConn(server)
	for range packets {
		payload, seq, err := from.ReadPacket(1 << 16)
		if err != nil {
			return
		}
		_, _ = caddy.Write(packet(seq, string(payload)))
	}
	_, _ = from.Read(make([]byte, 1)) // the next one is there, so the client has sent what it is for
	_ = caddy.CloseWrite()
}

// A faultRig is a server behind a hop that misbehaves, and another one.
type faultRig struct {
	caddy   *Caddy
	addr    string
	first   *hop
	second  *MariaDB
	account Account
}

// startFaults starts two servers of which the first is always tried first.
func startFaults(t *testing.T, login, options string, serverOptions ...string) *faultRig {
	t.Helper()
	p := &pair{servers: [2]*MariaDB{startMariaDB(t, serverOptions...), startMariaDB(t, serverOptions...)}}
	r := &faultRig{addr: local(freePort(t)), first: startHop(t, p.servers[0].Addr, "127.0.0.1"), second: p.servers[1]}
	r.account = p.servers[0].createAccount(t, "%")
	r.second.exec(t, "CREATE DATABASE "+r.account.Database())
	r.second.createSame(t, r.account)
	r.second.exec(t, "GRANT ALL ON "+r.account.Database()+".* TO ?", r.account.User)
	r.caddy = startCaddy(t, oneRoute(r.addr, login, fmt.Sprintf(`mysql_proxy %s %s {
					lb_policy first
					login_timeout 1s
					health_interval 1h
					%s
				}`, r.first.Addr, r.second.Addr, options)))
	served(t, r.addr, r.account, false)
	return r
}

// TestRetries: as long as the client has seen nothing of a server, another one takes its place.
func TestRetries(t *testing.T) {
	tls := tlsOptions(t)
	ways := []struct {
		name, login, options string
		serverOptions        []string
	}{
		{"login-first", "mysql_login", "tls off", nil},
		{"login-first, TLS upstream", "mysql_login", "tls require\n\t\t\t\t\ttls_insecure_skip_verify", tls},
		{"server-first", "", "tls as_client", nil},
		{"PROXY", "mysql_login", "tls off\n\t\t\t\t\tproxy_protocol v2", []string{"--proxy-protocol-networks=127.0.0.0/8"}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			r := startFaults(t, way.login, way.options, way.serverOptions...)
			inTLS := strings.Contains(way.options, "tls require")
			list := misdeeds
			if way.name == "PROXY" {
				list = []misdeed{{name: "refuses the header", do: func(caddy, _ *net.TCPConn) {
					_, _ = caddy.Read(make([]byte, 4096))
					_, _ = caddy.Write(packet(0, "\xff\x6a\x04#HY000Proxy header is not accepted from 127.0.0.1"))
					_, _ = io.Copy(io.Discard, caddy)
				}}}
			}
			for _, m := range list {
				if m.onlyLogin && way.login == "" || strings.Contains(m.name, "TLS") && !inTLS || m.name == "closes after the login" && inTLS {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					r.first.behave(m.do)
					defer r.first.behave(nil)
					c := dialRaw(t, r.addr, r.account)
					if err := c.logIn(false); err != nil {
						t.Fatalf("got %v, want a session with the second server", err)
					}
					if port, err := c.query("SELECT @@port"); err != nil || port != portOf(t, r.second.Addr) {
						t.Errorf("got server %s, %v; want the second one", port, err)
					}
					if n := r.first.suffered(); n != 1 {
						t.Errorf("the first server was tried %d times, want once", n)
					}
				})
			}
		})
	}
}

// TestNoRetry: once the client has seen an authentication packet, no other server is asked, and the client is told.
func TestNoRetry(t *testing.T) {
	r := startFaults(t, "mysql_login", "tls off")
	asked := r.second.status(t, "Connections")
	tests := []struct {
		name string
		do   func(caddy, server *net.TCPConn)
		want uint16
	}{
		{"closes after the switch", func(caddy, server *net.TCPConn) { cutAfter(caddy, server, 2) }, 1105},
		{"silent after the switch", func(caddy, server *net.TCPConn) {
			handGreeting(caddy, server)
			_, _ = caddy.Read(make([]byte, 4096))
			_, _ = caddy.Write(packet(2, "\xfemysql_native_password\x00twenty bytes of salt\x00"))
			_, _ = io.Copy(io.Discard, caddy)
		}, 1105},
		{"ERR for a login", func(caddy, server *net.TCPConn) {
			handGreeting(caddy, server)
			_, _ = caddy.Read(make([]byte, 4096))
			_, _ = caddy.Write(packet(2, "\xff\x10\x04#08004Too many connections"))
			_, _ = io.Copy(io.Discard, caddy)
		}, 1040},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.first.behave(tt.do)
			defer r.first.behave(nil)
			c := dialRaw(t, r.addr, r.account)
			if err := c.logIn(false); !isRefusal(err, tt.want) {
				t.Errorf("got %v, want ERR %d", err, tt.want)
			}
			if _, _, err := c.end(); err != nil {
				t.Error(err)
			}
		})
	}
	if n := r.second.status(t, "Connections"); n != asked {
		t.Errorf("the second server was connected to %d times, want never", n-asked)
	}
}

// TestUpstreamDies: a client gets all that its server has sent, and then the end, whatever the server dies of.
func TestUpstreamDies(t *testing.T) {
	for _, p := range passages {
		t.Run(p.name, func(t *testing.T) {
			db := startMariaDB(t, tlsOptions(t)...)
			hop := startHop(t, db.Addr, "127.0.0.1")
			addr := local(freePort(t))
			caddy := startCaddy(t, oneRoute(addr, p.login, "mysql_log", fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					tls_insecure_skip_verify
					health_interval 1h
				}`, hop.Addr)))
			account := db.createAccount(t, "%")
			served(t, addr, account, p.withTLS)
			caddy.sessions(t)
			var clients []*rawClient
			for _, text := range []string{
				"", "SELECT SLEEP(30)", "SELECT REPEAT('x', 100000) FROM information_schema.collations a, information_schema.collations b",
			} {
				c := dialRaw(t, addr, account)
				if err := c.logIn(p.withTLS); err != nil {
					t.Fatal(err)
				}
				if text != "" {
					if err := c.send(mysqlwire.ComQuery, text); err != nil {
						t.Fatal(err)
					}
				}
				clients = append(clients, c)
			}
			if _, err := clients[2].read(); err != nil {
				t.Fatal(err)
			}
			_ = db.cmd.Process.Kill()
			for i, c := range clients {
				if _, refusal, err := c.end(); err != nil || refusal != nil {
					t.Errorf("client %d: got ERR %v, error %v; want the end", i, refusal, err)
				}
			}
			eventually(t, func() error {
				if n := caddy.sessions(t); n != 0 {
					return fmt.Errorf("%v sessions are counted, want none", n)
				}
				return nil
			})
			began := dialRaw(t, addr, account)
			if p.login == "" {
				if err := began.greeted(); !isRefusal(err, 1105) {
					t.Errorf("after its end: got %v, want ERR 1105", err)
				}
			} else if err := do(began.greeted, began.login, began.accepted); !isRefusal(err, 1105) {
				t.Errorf("after its end: got %v, want ERR 1105", err)
			}
		})
	}
}

// TestLastWords: what a server has sent before it closed gets to the client to the last byte, also if the client reads late.
func TestLastWords(t *testing.T) {
	r := startFaults(t, "mysql_login", "tls off")
	sent := bytes.Repeat(packet(1, strings.Repeat("row ", 4000)), 500) // 8 MB, more than sockets take
	var commands atomic.Int32
	r.first.behave(func(caddy, server *net.TCPConn) {
		buf := make([]byte, 4096)
		from := mysqlproxy.NewConn(server)
		for range 3 { // greeting, switch, OK
			payload, seq, err := from.ReadPacket(1 << 16)
			if err != nil {
				return
			}
			_, _ = caddy.Write(packet(seq, string(payload)))
			n, _ := caddy.Read(buf)
			if seq != 4 {
				_, _ = server.Write(buf[:n])
			}
		}
		commands.Add(1)
		_, _ = caddy.Write(packet(1, "\x01"))
		_, _ = caddy.Write(sent)
	})
	c := dialRaw(t, r.addr, r.account)
	if err := c.logIn(false); err != nil {
		t.Fatal(err)
	}
	if err := c.send(mysqlwire.ComQuery, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if commands.Load() == 0 {
			return errors.New("no command")
		}
		return nil
	})
	got, err := io.ReadAll(c.conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, %v; want the %d that the server has sent", len(got), err, len(sent))
	}
}

// TestFull: where every server has as many sessions as it may, a client is told so at once, and gets a place as soon as there
// is one.
func TestFull(t *testing.T) {
	db := sharedMariaDB(t)
	hops := [2]*hop{startHop(t, db.Addr, "127.0.0.1"), startHop(t, db.Addr, "127.0.0.1")}
	for _, p := range []passage{passages[0], passages[2]} {
		t.Run(p.name, func(t *testing.T) {
			addr := local(freePort(t))
			caddy := startCaddy(t, oneRoute(addr, p.login, fmt.Sprintf(`mysql_proxy {
					upstream %s {
						max_connections 1
					}
					upstream %s {
						max_connections 2
					}
					tls as_client
					health_interval 1h
				}`, hops[0].Addr, hops[1].Addr)))
			account := db.createAccount(t, "%")
			served(t, addr, account, false)
			var open []*rawClient
			enter := func() {
				t.Helper()
				eventually(t, func() error {
					c := dialRaw(t, addr, account)
					err := c.logIn(false)
					if err == nil {
						open = append(open, c)
					}
					return err
				})
			}
			for range 3 {
				enter()
			}
			for range 3 {
				c := dialRaw(t, addr, account)
				err := c.greeted()
				if p.login != "" && err == nil {
					err = do(c.login, c.accepted)
				}
				if !isRefusal(err, 1040) {
					t.Errorf("got %v, want ERR 1040", err)
				}
			}
			if err := open[1].send(mysqlwire.ComQuit, ""); err != nil {
				t.Fatal(err)
			}
			_ = open[1].socket.Close()
			enter()
			if n := caddy.sessions(t); n != 3 {
				t.Errorf("%v sessions are counted, want 3", n)
			}
		})
	}
}

// TestNobodyThere: Caddy starts whatever its servers do. A login waits for the first greeting, or is told that there is none.
func TestNobodyThere(t *testing.T) {
	db := sharedMariaDB(t)
	account := db.createAccount(t, "%")
	t.Run("down", func(t *testing.T) {
		for _, p := range []passage{passages[0], passages[2]} {
			addr := local(freePort(t))
			startCaddy(t, oneRoute(addr, p.login, fmt.Sprintf("mysql_proxy %s {\n\t\t\t\t\tdial_timeout 500ms\n\t\t\t\t}", local(freePort(t)))))
			c := dialRaw(t, addr, account)
			if err := c.greeted(); !isRefusal(err, 1105) {
				t.Errorf("%s: got %v, want ERR 1105", p.name, err)
			}
			if _, _, err := c.end(); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	})
	t.Run("late", func(t *testing.T) {
		hop := startHop(t, db.Addr, "127.0.0.1")
		release := make(chan struct{})
		hop.behave(func(caddy, server *net.TCPConn) {
			<-release
			go func() { _, _ = io.Copy(server, caddy) }()
			_, _ = io.Copy(caddy, server)
		})
		addr := local(freePort(t))
		startCaddy(t, oneRoute(addr, "mysql_login", fmt.Sprintf("mysql_proxy %s {\n\t\t\t\t\tdial_timeout 20s\n\t\t\t\t\thealth_timeout 20s\n\t\t\t\t}", hop.Addr)))
		c := dialRaw(t, addr, account)
		told := make(chan error, 1)
		go func() { told <- c.logIn(false) }()
		eventually(t, func() error {
			if hop.suffered() == 0 {
				return errors.New("no health check has begun")
			}
			return nil
		})
		select {
		case err := <-told:
			t.Fatalf("the login has ended before there was a server: %v", err)
		default:
		}
		close(release)
		if err := <-told; err != nil {
			t.Error(err)
		}
	})
	t.Run("mixed", func(t *testing.T) {
		hop := startHop(t, db.Addr, "127.0.0.1")
		hop.behave(func(caddy, _ *net.TCPConn) {
			_, _ = caddy.Write(packet(0, mysqlGreeting()))
			_, _ = io.Copy(io.Discard, caddy)
		})
		addr := local(freePort(t))
		caddy := startCaddy(t, oneRoute(addr, "mysql_login", fmt.Sprintf("mysql_proxy %s %s {\n\t\t\t\t\thealth_interval 200ms\n\t\t\t\t}", db.Addr, hop.Addr)))
		eventually(t, func() error { // until both have greeted
			c := dialRaw(t, addr, account)
			defer c.socket.Close()
			if err := c.greeted(); !isRefusal(err, 1105) {
				return fmt.Errorf("got %w, want ERR 1105", err)
			}
			return nil
		})
		eventually(t, func() error {
			for _, line := range caddy.Logs(t) {
				text := fmt.Sprint(line["error"])
				if line["level"] == "error" && strings.Contains(text, db.Addr) && strings.Contains(text, hop.Addr) {
					return nil
				}
			}
			return errors.New("no line at ERROR names both servers")
		})
	})
}

// mysqlGreeting is a greeting as MySQL's.
func mysqlGreeting() string {
	g := mysqlwire.Greeting{
		ServerVersion: []byte("8.4.3"), ThreadID: 8, Collation: 255, Status: mysqlwire.StatusAutocommit,
		Capabilities: wireCapabilities | mysqlwire.ConnectWithDB, AuthPlugin: []byte("caching_sha2_password"),
	}
	scramble := [20]byte([]byte("twenty bytes of salt"))
	return string(mysqlwire.AppendGreeting(nil, &g, &scramble))
}
