package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A serverScript is what a server does on one connection. It closes the connection when it is at its end.
type serverScript func(t *testing.T, c *Conn)

// greetsThen greets, reads a login of user, and goes on with the rest.
func greetsThen(user string, rest serverScript) serverScript {
	return func(t *testing.T, c *Conn) {
		scramble := Scramble()
		if err := c.WritePacket(0, mysqlwire.AppendGreeting(nil, &mysql84, &scramble)); err != nil {
			t.Errorf("greeting: %v", err)
			return
		}
		payload, seq, err := c.ReadPacket(1 << 16)
		if err != nil || seq != 1 {
			t.Errorf("login: sequence id %d, %v", seq, err)
			return
		}
		login, auth, err := mysqlwire.ParseLoginWithAuth(payload)
		if err != nil || string(login.User) != user || len(auth) != 0 {
			t.Errorf("login: got user %q, %d bytes of authentication, %v; want %q, none", login.User, len(auth), err, user)
		}
		rest(t, c)
	}
}

// says writes packets, beginning with this sequence id, and after each but the last reads an answer with no
// more than a NUL, or of the length of a signature.
func says(seq uint8, packets ...string) serverScript {
	return func(t *testing.T, c *Conn) {
		for i, packet := range packets {
			if err := c.WritePacket(seq, []byte(packet)); err != nil {
				t.Errorf("packet %d: %v", seq, err)
				return
			}
			if i == len(packets)-1 {
				return
			}
			payload, got, err := c.ReadPacket(1 << 16)
			empty := len(payload) == 0 || len(payload) == 1 && payload[0] == 0
			if packet == toEd25519 {
				empty = len(payload) == 64
			}
			if err != nil || got != seq+1 || !empty {
				t.Errorf("answer to packet %d: got % x with id %d, %v; want nothing", seq, payload, got, err)
				return
			}
			seq += 2
		}
	}
}

// inOrder does one after the other.
func inOrder(scripts ...serverScript) serverScript {
	return func(t *testing.T, c *Conn) {
		for _, s := range scripts {
			s(t, c)
		}
	}
}

// reads reads a packet.
func reads(seq uint8, want string) serverScript {
	return func(t *testing.T, c *Conn) {
		payload, got, err := c.ReadPacket(1 << 16)
		if err != nil || got != seq || string(payload) != want {
			t.Errorf("got %q with id %d, %v; want %q with %d", payload, got, err, want, seq)
		}
	}
}

// silent waits until the client has gone.
func silent(_ *testing.T, c *Conn) {
	for {
		if _, err := c.Read(make([]byte, 512)); err != nil {
			return
		}
	}
}

func errPacket(code uint16, sqlState, message string) string {
	return string(mysqlwire.AppendERR(nil, code, sqlState, message))
}

var unknownUser = errPacket(1045, "28000", "Access denied for user 'l4mysql_health'@'localhost' (using password: NO)")

// dialing returns a Dial that plays the scripts, one for each connection, and the last one ever after. A nil
// serverScript is a server that cannot be reached.
func dialing(t *testing.T, scripts ...serverScript) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		s := scripts[0]
		if len(scripts) > 1 {
			scripts = scripts[1:]
		}
		if s == nil {
			return nil, errors.New("connection refused")
		}
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			s(t, NewConn(server))
		}()
		return client, nil
	}
}

// TestCheckOfHealth runs one check on each kind of server.
func TestCheckOfHealth(t *testing.T) {
	// Each of these is after a greeting and the login of the default user.
	after := func(scripts ...serverScript) serverScript {
		return greetsThen("l4mysql_health", inOrder(scripts...))
	}
	for _, tt := range []struct {
		name   string
		server serverScript
		want   string // in the failure; empty: healthy
		greets bool
	}{
		{"an unknown user", after(says(2, unknownUser)), "", true},
		{"an authentication switch", after(says(2, toNative, unknownUser)), "", true},
		{"two switches", after(says(2, toEd25519, toNative, unknownUser)), "", true},
		{"a switch and more data", after(says(2, toSHA2, fullAuth, unknownUser)), "", true},
		{"a user without a password", after(says(2, ok1), reads(0, quit)), "", true},
		{"a user without a password, after a switch", after(says(2, toNative, ok1), reads(0, quit)), "", true},
		{"a user of a socket", after(says(2, errPacket(1698, "28000", "Access denied"))), "", true},
		{"TLS is demanded", after(says(2, errPacket(3159, "HY000", "insecure transport"))), "", true},

		{"full", says(0, "\xff\x10\x04Too many connections"), "1040 of the upstream: Too many connections", false},
		{"full, after the login", after(says(2, errPacket(1040, "08004", "Too many"))), "1040 (08004)", true},
		{"blocked", says(0, errPacket(1129, "HY000", "Host 'x'")), "1129 (HY000) of the upstream: Host 'x'", false},
		{"not allowed", says(0, errPacket(1130, "HY000", "Host 'x'")), "1130 (HY000)", false},
		{"ending", after(says(2, errPacket(1053, "08S01", "Server shutdown"))), "1053 (08S01)", true},
		{"no resources", after(says(2, errPacket(1203, "42000", "User has more than"))), "1203 (42000)", true},
		{"not to be reached", nil, "connection refused", false},
		{"not MySQL", func(_ *testing.T, c *Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH\r\n")) }, "too large", false},
		{"another protocol version", says(0, "\x09old"), "HandshakeV10.protocol_version", false},
		{"gone at once", inOrder(), "EOF", false},
		{"gone at the login", after(), "EOF", true},
		{"silent", silent, "timeout", false},
		{"silent after the login", after(silent), "timeout", true},
		{"asking for ever", after(func(_ *testing.T, c *Conn) {
			for seq := uint8(2); c.WritePacket(seq, []byte(toNative)) == nil; seq += 2 {
				if _, _, err := c.ReadPacket(1 << 16); err != nil {
					return
				}
			}
		}), "more and more", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(t, "a:1")
				c := (&HealthCheck{Dial: dialing(t, tt.server)}).Start(u)
				c.Stop()
				<-c.Ended()
				synctest.Wait() // for the server, which checks what it is told
				s := u.Status()
				switch {
				case tt.want == "" && s.Health == Healthy && s.Failure == nil:
				case tt.want != "" && s.Health == Unhealthy && strings.Contains(fmt.Sprint(s.Failure), tt.want):
				default:
					t.Errorf("got %+v, want %q in the failure", s, tt.want)
				}
				g, greeted := u.Greeting()
				if greeted != tt.greets || greeted && g.Capabilities != mysql84.Capabilities {
					t.Errorf("greeting: got %+v, %t", g, greeted)
				}
			})
		})
	}
}

// TestHealthOverTime has the clock of a bubble: what happens, happens to the second.
func TestHealthOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := greetsThen("probe", says(2, unknownUser))
		full := says(0, "\xff\x10\x04Too many connections")
		u := newUpstream(t, "a:1")
		start := time.Now()
		var changes []string
		check := HealthCheck{
			Dial:     dialing(t, full, well, well, full, nil, well, silent, well),
			Interval: 10 * time.Second, Timeout: 4 * time.Second, Fall: 2, Rise: 1, User: "probe",
			Changed: func(s Status) { changes = append(changes, fmt.Sprint(time.Since(start), " ", s.Health)) },
		}
		c := check.Start(u)
		time.Sleep(75 * time.Second)
		c.Stop()
		<-c.Ended()
		if got, want := strings.Join(changes, ", "), "0s unhealthy, 10s healthy, 40s unhealthy, 50s healthy"; got != want {
			t.Errorf("got %s; want %s", got, want)
		}
		if s := u.Status(); !s.Since.Equal(start.Add(50 * time.Second)) {
			t.Errorf("healthy since %s, want 50s", s.Since.Sub(start))
		}
	})
}

// TestStopDuringCheck: the login is not broken off, and its result counts. The bubble fails if a goroutine
// is left.
func TestStopDuringCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 2 * time.Second
		finished := false
		server := greetsThen("l4mysql_health", func(t *testing.T, c *Conn) {
			time.Sleep(slow)
			says(2, "\xfemysql_native_password\x00", unknownUser)(t, c)
			finished = true
		})
		u := newUpstream(t, "a:1")
		c := (&HealthCheck{Dial: dialing(t, server)}).Start(u)
		start := time.Now()
		time.Sleep(slow / 2)
		c.Stop()
		c.Stop()
		if d := time.Since(start); d != slow/2 {
			t.Errorf("Stop waited for %s", d-slow/2)
		}
		<-c.Ended()
		synctest.Wait()
		if d := time.Since(start); d != slow || !finished || u.Status().Health != Healthy {
			t.Errorf("ended after %s, login finished: %t, %s; want %s, finished, healthy",
				d, finished, u.Status().Health, slow)
		}
	})
}

// TestTimeoutIsPolite: a server that is late with its question gets an answer all the same.
func TestTimeoutIsPolite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := false
		server := greetsThen("l4mysql_health", func(t *testing.T, c *Conn) {
			time.Sleep(3500 * time.Millisecond) // the timeout is 3 s
			says(2, "\xfemysql_native_password\x00", unknownUser)(t, c)
			finished = true
		})
		u := newUpstream(t, "a:1")
		c := (&HealthCheck{Dial: dialing(t, server)}).Start(u)
		c.Stop()
		<-c.Ended()
		synctest.Wait()
		if s := u.Status(); !finished || s.Health != Unhealthy {
			t.Errorf("login finished: %t, %+v; want finished, unhealthy", finished, s)
		}
	})
}

func TestHealthHTTP(t *testing.T) {
	status := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/node" {
			return // 200, for who follows a redirection
		}
		code := <-status
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
		fmt.Fprintln(w, "Galera cluster node")
	}))
	defer server.Close()
	for _, tt := range []struct {
		code int
		want string
	}{
		{200, ""},
		{503, "/node answers 503"},
		{302, "/node answers 302"},
		{204, "/node answers 204"},
	} {
		status <- tt.code
		u := newUpstream(t, "a:1")
		url := strings.Replace(server.URL, "http://", "http://watch:s3cret@", 1) + "/node"
		c := (&HealthCheck{Dial: dialing(t, greetsThen("l4mysql_health", says(2, unknownUser))), HTTP: url}).Start(u)
		c.Stop()
		<-c.Ended()
		s := u.Status()
		failure := fmt.Sprint(s.Failure)
		switch {
		case tt.want == "" && s.Health == Healthy:
		case tt.want != "" && s.Health == Unhealthy && strings.Contains(failure, tt.want):
		default:
			t.Errorf("%d: got %+v, want %q in the failure", tt.code, s, tt.want)
		}
		if strings.Contains(failure, "s3cret") {
			t.Errorf("%d: the URL's password is in %q", tt.code, failure)
		}
	}

	// What the URL says does not help a server that refuses.
	u := newUpstream(t, "a:1")
	full := dialing(t, says(0, "\xff\x10\x04Too many connections"))
	c := (&HealthCheck{Dial: full, HTTP: server.URL + "/elsewhere"}).Start(u)
	c.Stop()
	<-c.Ended()
	if s := u.Status(); s.Health != Unhealthy {
		t.Errorf("200 and ERR 1040: got %+v", s)
	}
}

// TestHealthOverTLS: the login is inside, and the certificate is verified.
func TestHealthOverTLS(t *testing.T) {
	certificate := selfSigned(t, "db.example.com")
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a pipe has no room for what both write at once
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, want := range map[string]string{"db.example.com": "", "db.example.net": "TLS with the upstream"} {
		var group sync.WaitGroup
		group.Go(func() {
			conn, err := listener.Accept()
			if err != nil {
				t.Errorf("accept: %v", err)
				return
			}
			defer conn.Close()
			c := NewConn(conn)
			scramble := Scramble()
			_ = c.WritePacket(0, mysqlwire.AppendGreeting(nil, &mysql84, &scramble))
			if payload, seq, err := c.ReadPacket(1 << 16); err != nil || seq != 1 || !mysqlwire.IsTLSRequest(payload) {
				t.Errorf("%s: got % x with id %d, %v; want a request for TLS", name, payload, seq, err)
			}
			inside := NewConn(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}}))
			payload, seq, err := inside.ReadPacket(1 << 16)
			// Also if the name is wrong, because a server counts a handshake that fails: then it is the login of nobody.
			if err != nil || seq != 2 || bytes.Contains(payload, []byte("l4mysql_nobody")) != (want != "") {
				t.Errorf("%s: got %q with id %d, %v; want a login, of nobody if the name is wrong", name, payload, seq, err)
			}
			if err == nil {
				_ = inside.WritePacket(3, []byte(unknownUser))
			}
		})
		u := newUpstream(t, "a:1")
		check := HealthCheck{
			Dial: func(context.Context) (net.Conn, error) { return net.Dial("tcp", listener.Addr().String()) },
			TLS:  &tls.Config{RootCAs: roots, ServerName: name},
		}
		c := check.Start(u)
		c.Stop()
		<-c.Ended()
		group.Wait()
		s := u.Status()
		if (want == "") != (s.Health == Healthy) || want != "" && !strings.Contains(fmt.Sprint(s.Failure), want) {
			t.Errorf("%s: got %+v, want %q in the failure", name, s, want)
		}
	}
}
