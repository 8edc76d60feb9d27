package integration

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/l4mysql/l4mysql/mysqlwire"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// headerOf makes a client's header.
func headerOf(t testing.TB, version int, out proxyheader.Outgoing) []byte {
	t.Helper()
	header, _, err := proxyheader.Append(nil, version, 4096, out)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// from makes the header of a client at an address that is nobody's.
func from(source netip.AddrPort, tlvs ...proxyheader.TLV) proxyheader.Outgoing {
	to := "192.0.2.1:3306"
	if source.Addr().Is6() {
		to = "[2001:db8::1]:3306"
	}
	return proxyheader.Outgoing{
		Source: net.TCPAddrFromAddrPort(source), Destination: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to)), TLVs: tlvs,
	}
}

// startsWith sends its login behind a header, in one piece.
func (c *rawClient) startsWith(header []byte) error {
	c.seq = 1
	payload := mysqlwire.AppendLogin(nil, c.claims(), []byte("something"))
	_, err := c.socket.Write(append(bytes.Clone(header), packet(c.seq, string(payload))...))
	return err
}

const required = `proxy_header {
					allow 127.0.0.1
				}`

const optionally = `proxy_header {
					allow 127.0.0.1
					mode optional
				}`

// TestProxyOut: the database has the original address of its clients, in each version of the header, also if the client's
// header comes with its first bytes only.
func TestProxyOut(t *testing.T) {
	db := sharedMariaDB(t)
	tests := []struct {
		name, header, login, option string
		late                        bool // the client waits for the greeting
	}{
		{name: "v1", header: required, login: "mysql_login", option: "v1"},
		{name: "v2", header: required, login: "mysql_login", option: "v2"},
		{name: "v2, late header", header: optionally, login: "mysql_login", option: "v2", late: true},
		{name: "v1, late header", header: optionally, login: "mysql_login", option: "v1", late: true},
		{name: "v2 mariadb, late header", header: optionally, login: "mysql_login", option: "v2 mariadb", late: true},
		{name: "v1, server-first", header: required, option: "v1"},
		{name: "v2, server-first", header: required, option: "v2"},
		{name: "v1 mariadb, server-first", header: required, option: "v1 mariadb"},
		{name: "v1 mariadb, server-first, late header", header: optionally, option: "v1 mariadb", late: true},
		{name: "v2 mariadb, server-first, late header", header: optionally, option: "v2 mariadb", late: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := local(freePort(t))
			caddy := startCaddy(t, oneRoute(addr, tt.header, tt.login, fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					proxy_protocol %s
					health_interval 1h
				}`, db.Addr, tt.option)))
			for _, version := range []int{1, 2} {
				for _, source := range []netip.Addr{randomIPv4(), randomIPv6()} {
					want := netip.AddrPortFrom(source, 4711)
					header := headerOf(t, version, from(want))
					c := dialRaw(t, addr, db.createAccount(t, source.String()))
					err := error(nil)
					if tt.late {
						err = do(c.greeted, func() error { return c.startsWith(header) })
					} else {
						_, err = c.socket.Write(header)
						if err == nil {
							err = do(c.greeted, c.login)
						}
					}
					if err == nil {
						err = do(c.switched, c.answer, c.accepted)
					}
					if err != nil {
						t.Fatalf("version %d from %s: %v", version, source, err)
					}
					if got, err := c.query(whoAmI()); err != nil || parseAddr(t, got) != want {
						t.Errorf("version %d: process list: got %s, %v; want %s", version, got, err, want)
					}
					_ = c.send(mysqlwire.ComQuit, "")
					_ = c.socket.Close()
				}
			}
			for _, line := range caddy.Logs(t) {
				if line["level"] == "error" {
					t.Errorf("got %v, want nothing at ERROR", line)
				}
			}
		})
	}
}

// TestNoHeaderYet: without mysql_login, a header that goes to the server first cannot have what a client tells late. That
// is refused, and the log names the ways out. A client without a header is its own origin where that can be.
func TestNoHeaderYet(t *testing.T) {
	db := sharedMariaDB(t)
	start := func(option string) (*Caddy, *rawClient) {
		addr := local(freePort(t))
		caddy := startCaddy(t, oneRoute(addr, optionally, fmt.Sprintf(`mysql_proxy %s {
					proxy_protocol %s
					tls as_client
				}`, db.Addr, option)))
		return caddy, dialRaw(t, addr, db.createAccount(t, "127.0.0.1"))
	}
	caddy, c := start("v2")
	if err := c.greeted(); !isRefusal(err, 1105) {
		t.Errorf("got %v, want ERR 1105", err)
	}
	eventually(t, func() error {
		for _, line := range caddy.Logs(t) {
			text := fmt.Sprint(line["error"])
			if line["level"] == "error" && strings.Contains(text, "mode require") && strings.Contains(text, "mariadb") {
				return nil
			}
		}
		return errors.New("no line at ERROR names the ways out")
	})
	_, c = start("v2 mariadb")
	if err := c.logIn(false); err != nil {
		t.Fatal(err)
	}
	if got, err := c.query(whoAmI()); err != nil || got != c.socket.LocalAddr().String() {
		t.Errorf("process list: got %s, %v; want %s", got, err, c.socket.LocalAddr())
	}
}

// TestProxyOutBytes looks at the header as the server gets it: LOCAL stays LOCAL, and TLVs come along as far as there is room.
func TestProxyOutBytes(t *testing.T) {
	db := sharedMariaDB(t)
	authority, id := proxyheader.TLV{Type: 0x02, Value: []byte("db.example.com")}, proxyheader.TLV{Type: 0x05, Value: bytes.Repeat([]byte("i"), 90)}
	source := netip.MustParseAddrPort("198.51.100.7:4711")
	tests := []struct {
		name, option string
		client       []byte
		want         []byte
	}{
		{"LOCAL", "v2", headerOf(t, 2, proxyheader.Outgoing{Local: true}), headerOf(t, 2, proxyheader.Outgoing{Local: true})},
		{"LOCAL of v2 as v1", "v1", headerOf(t, 2, proxyheader.Outgoing{Local: true}), []byte("PROXY UNKNOWN\r\n")},
		{"UNKNOWN as v2", "v2", []byte("PROXY UNKNOWN\r\n"), headerOf(t, 2, proxyheader.Outgoing{Local: true})},
		{"no TLVs", "v2", headerOf(t, 2, from(source, authority, id)), headerOf(t, 2, from(source))},
		{"TLVs", "v2 tlvs authority unique_id", headerOf(t, 2, from(source, authority, id)), headerOf(t, 2, from(source, authority, id))},
		{"one TLV", "v2 mariadb tlvs 0x05", headerOf(t, 2, from(source, authority, id)), headerOf(t, 2, from(source, id))},
		{"TLVs, Percona", "v2 percona tlvs authority unique_id", headerOf(t, 2, from(source, authority, id)), headerOf(t, 2, from(source, authority))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hop := startHop(t, db.Addr, "127.0.0.1")
			addr := local(freePort(t))
			startCaddy(t, oneRoute(addr, required, fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					health_interval 1h
					proxy_protocol %s
				}`, hop.Addr, tt.option)))
			eventually(t, func() error { // the check at the start
				if made, open := hop.count(); made != 1 || open != 0 {
					return fmt.Errorf("%d connections, %d of them open", made, open)
				}
				return nil
			})
			got := make(chan []byte, 1)
			hop.behave(func(caddy, _ *net.TCPConn) {
				header := make([]byte, 1024)
				n, _ := io.ReadAtLeast(caddy, header, len(tt.want))
				got <- header[:n]
			})
			if _, err := dialRaw(t, addr, Account{}).socket.Write(tt.client); err != nil {
				t.Fatal(err)
			}
			if header := <-got; !bytes.Equal(header, tt.want) {
				t.Errorf("got\n%x\nwant\n%x", header, tt.want)
			}
		})
	}
}

// TestForgedHeader: behind our own header the server would believe another one, so a client that sends one is refused,
// wherever its first bytes to the server begin.
func TestForgedHeader(t *testing.T) {
	db := sharedMariaDB(t)
	header := headerOf(t, 2, from(netip.MustParseAddrPort("198.51.100.7:4711")))
	tests := []struct {
		name, header, login string
		reach               func(c *rawClient) error
		pieces              bool
	}{
		{name: "server-first", reach: (*rawClient).greeted},
		{name: "server-first, byte by byte", reach: (*rawClient).greeted, pieces: true},
		{name: "server-first, header before", header: required, reach: func(c *rawClient) error {
			_, err := c.socket.Write(header)
			return errors.Join(err, c.greeted())
		}},
		{name: "server-first, late header before", header: optionally, reach: func(c *rawClient) error {
			err := c.greeted()
			_, failed := c.socket.Write(header)
			return errors.Join(err, failed)
		}},
		{name: "login-first", login: "mysql_login", reach: (*rawClient).greeted},
		{name: "in TLS", login: "mysql_login {\n\t\t\t\t\ttls db.localhost\n\t\t\t\t}", reach: func(c *rawClient) error { return do(c.greeted, c.askTLS, c.startTLS) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := local(freePort(t))
			caddy := startCaddy(t, oneRoute(addr, tt.header, tt.login, fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					proxy_protocol v2 mariadb
					health_interval 1h
				}`, db.Addr)))
			if strings.Contains(tt.login, "tls") {
				eventually(t, func() error {
					c := dialRaw(t, addr, Account{})
					defer c.socket.Close()
					return do(c.greeted, c.askTLS, c.startTLS)
				})
			}
			for _, forged := range [][]byte{header, []byte("PROXY TCP4 198.51.100.7 192.0.2.1 4711 3306\r\n")} {
				// Who is let through has an account for that address only.
				c := dialRaw(t, addr, db.createAccount(t, "198.51.100.7"))
				if err := tt.reach(c); err != nil {
					t.Fatal(err)
				}
				payload := mysqlwire.AppendLogin(nil, c.claims(), []byte("something"))
				all := append(bytes.Clone(forged), packet(max(c.seq, 1), string(payload))...)
				for len(all) > 0 {
					n := len(all)
					if tt.pieces {
						n = 1
					}
					if _, err := c.conn.Write(all[:n]); err != nil {
						break
					}
					all = all[n:]
				}
				packets, refusal, err := c.end()
				if err != nil || packets > 0 {
					t.Errorf("got %d packets, ERR %v, error %v; want an ERR or the end", packets, refusal, err)
				}
				if n := len(db.generalLog(t, c.account.User)); n > 0 {
					t.Errorf("the server has heard of the login")
				}
			}
			for _, line := range caddy.Logs(t) {
				if line["level"] == "error" {
					t.Errorf("got %v, want nothing at ERROR", line)
				}
			}
		})
	}
}

// TestRefusedProxyOut: where the server does not take our header, a line in the log names the cure, and the client is told.
func TestRefusedProxyOut(t *testing.T) {
	tests := []struct {
		name, option string
		server       []string
		hint         string
	}{
		{"Caddy is not trusted", "v2", []string{"--proxy-protocol-networks=192.0.2.0/24"}, "proxy_protocol_networks"},
		{"Caddy is not trusted, v1", "v1", []string{"--proxy-protocol-networks=192.0.2.0/24"}, "proxy_protocol_networks"},
		{"no PROXY protocol", "v2", nil, "proxy_protocol"},
		{"no PROXY protocol, v1", "v1", nil, "proxy_protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := startMariaDB(t, tt.server...)
			for _, login := range []string{"mysql_login", ""} {
				addr := local(freePort(t))
				caddy := startCaddy(t, oneRoute(addr, login, fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					proxy_protocol %s
					health_interval 100ms
				}`, db.Addr, tt.option)))
				eventually(t, func() error {
					for _, line := range caddy.Logs(t) {
						if line["level"] == "warn" && strings.Contains(fmt.Sprint(line["hint"]), tt.hint) {
							return nil
						}
					}
					return errors.New("no line in the log names the cure")
				})
				c := dialRaw(t, addr, db.createAccount(t, "%"))
				if err := c.logIn(false); !errors.As(err, new(*mysql.MySQLError)) {
					t.Errorf("got %v, want an ERR", err)
				}
			}
		})
	}
}

// TestAttributes: any MySQL server knows the original address from the login's attributes, whatever the client claims there.
func TestAttributes(t *testing.T) {
	db := sharedMariaDB(t)
	const claims = "SELECT GROUP_CONCAT(attr_name, '=', attr_value ORDER BY ordinal_position SEPARATOR ' ')" +
		" FROM performance_schema.session_connect_attrs WHERE processlist_id = CONNECTION_ID() AND attr_name NOT LIKE '\\_%'" // but for the driver's
	for _, tt := range []struct{ option, want string }{
		{"on", "proxied_client=198.51.100.7:4711 proxied_by=caddy l4mysql own=kept"},
		{"off", "proxied_client=a lie own=kept"},
	} {
		addr := local(freePort(t))
		startCaddy(t, oneRoute(addr, required, "mysql_login", fmt.Sprintf("mysql_proxy %s {\n\t\t\t\t\tattributes %s\n\t\t\t\t}", db.Addr, tt.option)))
		account := db.createAccount(t, "%")
		db.exec(t, "GRANT SELECT ON performance_schema.* TO ?", account.User)
		config := mysql.NewConfig()
		config.User, config.Passwd, config.Net, config.Addr = account.User, account.Password, "tcp", addr
		config.ConnectionAttributes = "proxied_client:a lie,own:kept"
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			conn, err := tryDial(addr)
			if err == nil {
				_, err = conn.Write(headerOf(t, 1, from(netip.MustParseAddrPort("198.51.100.7:4711"))))
			}
			return conn, err
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		driver := sql.OpenDB(connector)
		var got string
		err = driver.QueryRowContext(t.Context(), claims).Scan(&got)
		_ = driver.Close()
		if err != nil || got != tt.want {
			t.Errorf("attributes %s: got %q, %v; want %q", tt.option, got, err, tt.want)
		}
	}
}

// TestRefusedHeaderTold: a client whose load balancer's header is refused is told in MySQL, as MariaDB does, so that it shows
// why.
func TestRefusedHeaderTold(t *testing.T) {
	db := sharedMariaDB(t)
	good := headerOf(t, 2, from(netip.MustParseAddrPort("198.51.100.7:4711")))
	tests := []struct {
		name, allow string
		header      []byte
		code        int
		text        string
	}{
		{"not allowed", "192.0.2.0/24", good, 1130, "Proxy header is not accepted from 127.0.0.1"},
		{"malformed", "127.0.0.1", []byte("PROXY TCP4 nobody nowhere 1 2\r\n"), 1105, "Failed to parse proxy header"},
	}
	for _, tt := range tests {
		for _, login := range []string{"mysql_login", ""} {
			t.Run(tt.name+" "+login, func(t *testing.T) {
				addr := local(freePort(t))
				startCaddy(t, oneRoute(addr, fmt.Sprintf("proxy_header {\n\t\t\t\t\tallow %s\n\t\t\t\t\tmode optional\n\t\t\t\t}", tt.allow), login,
					"mysql_proxy "+db.Addr+" {\n\t\t\t\t\ttls as_client\n\t\t\t\t}"))
				account := db.createAccount(t, "%")
				balancer := startPrefix(t, addr, tt.header)
				want := fmt.Sprint(tt.code)
				for _, client := range clients {
					if _, err := client.query(t, balancer, account, "SELECT 1"); err == nil || !strings.Contains(err.Error(), want) ||
						!strings.Contains(err.Error(), tt.text) {
						t.Errorf("%s: got %v, want %s, %s", client.name, err, want, tt.text)
					}
				}
				const python = "/usr/bin/python3"
				if exec.Command(python, "-c", "import pymysql").Run() != nil {
					t.Skip("PyMySQL is not installed; `make test` installs it")
				}
				_, err := try(t, python, "-c", "import pymysql, sys; pymysql.connect(host='127.0.0.1', port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3])",
					portOf(t, balancer), account.User, account.Password)
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("PyMySQL: got %v, want %s, %s", err, want, tt.text)
				}
			})
		}
	}
}

// startPrefix starts a load balancer that puts prefix before the first bytes of a client, as some do.
func startPrefix(t testing.TB, to string, prefix []byte) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", local(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(client, server)
				_ = client.(*net.TCPConn).CloseWrite()
			}()
			go func() {
				first := make([]byte, 4096)
				n, _ := client.Read(first)
				_, _ = server.Write(append(bytes.Clone(prefix), first[:n]...))
				_, _ = io.Copy(server, client)
				_ = server.(*net.TCPConn).CloseWrite()
			}()
		}
	}()
	return l.Addr().String()
}
