package integration

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A visitor is a client on its way through Caddy, and its connection behind it.
type visitor struct {
	*rawClient
	phase       *phase
	withTLS     bool
	serverFirst bool
	hop         *hop
	leg         *hopLeg // nil: there is none yet
}

// A phase is how far a visitor may have come.
type phase struct {
	name  string
	reach func(v *visitor) error
	tls   bool // it is one of TLS
	leg   bool // behind mysql_login, there is a connection to the server
	ready bool // the login is over
}

var phases = []phase{
	{name: "accept", reach: func(*visitor) error { return nil }},
	{name: "greeting", reach: func(v *visitor) error { return v.greeted() }},
	{name: "SSLRequest", tls: true, reach: func(v *visitor) error { return do(v.greeted, v.askTLS) }},
	{name: "half a ClientHello", tls: true, reach: func(v *visitor) error {
		hello := clientHello()
		return do(v.greeted, v.askTLS, func() error { _, err := v.socket.Write(hello[:len(hello)/2]); return err })
	}},
	{name: "TLS handshake", tls: true, reach: func(v *visitor) error {
		return do(v.greeted, v.askTLS, func() error { _, err := v.socket.Write(clientHello()); return err },
			func() error { _, err := io.ReadFull(v.conn, make([]byte, 5)); return err })
	}},
	{name: "TLS", tls: true, reach: func(v *visitor) error { return do(v.greeted, v.askTLS, v.startTLS) }},
	{name: "half a login", reach: func(v *visitor) error {
		return do(v.enter, func() error { _, err := v.conn.Write([]byte{200, 0, 0, v.seq, 5, 6, 7}); return err })
	}},
	{name: "switch", leg: true, reach: func(v *visitor) error { return do(v.enter, v.login, v.switched) }},
	{name: "answer", leg: true, reach: func(v *visitor) error {
		if err := do(v.enter, v.login, v.switched); err != nil {
			return err
		}
		v.newest().gate.Lock() // the server's OK does not get to Caddy
		return v.answer()
	}},
	{name: "idle", leg: true, ready: true, reach: func(v *visitor) error { return v.logIn(v.withTLS) }},
	{name: "command", leg: true, ready: true, reach: func(v *visitor) error {
		return v.asks("SELECT SLEEP(1)")
	}},
	{name: "rows", leg: true, ready: true, reach: func(v *visitor) error {
		// Behind one another, the sockets' buffers on the way take some megabytes.
		err := v.asks("SELECT REPEAT('x', 1000000) FROM information_schema.collations LIMIT 60")
		if err == nil {
			_, err = v.read()
		}
		return err
	}},
	{name: "LOCAL INFILE", leg: true, ready: true, reach: func(v *visitor) error {
		if err := v.asks("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"); err != nil {
			return err
		}
		payload, err := v.read()
		if err == nil && payload[0] != mysqlwire.HeaderLocalInfile {
			err = fmt.Errorf("got %q, want a request for the file", payload)
		}
		if err == nil {
			err = v.write([]byte("1\n"))
		}
		return err
	}},
	{name: "transaction", leg: true, ready: true, reach: func(v *visitor) error {
		return do(func() error { return v.logIn(v.withTLS) }, func() error { _, err := v.query("BEGIN"); return err },
			func() error { _, err := v.query("INSERT INTO t VALUES (1)"); return err })
	}},
}

// enter goes to where the login may be sent.
func (v *visitor) enter() error {
	if v.withTLS {
		return do(v.greeted, v.askTLS, v.startTLS)
	}
	return v.greeted()
}

// asks logs in and sends a statement.
func (v *visitor) asks(text string) error {
	return do(func() error { return v.logIn(v.withTLS) }, func() error { return v.send(mysqlwire.ComQuery, text) })
}

func (v *visitor) newest() *hopLeg {
	all := v.hop.all()
	return all[len(all)-1]
}

// clientHello returns what a TLS client sends first.
func clientHello() []byte {
	near, far := net.Pipe()
	defer near.Close()
	go func() { _ = tls.Client(far, &tls.Config{ServerName: "db.localhost"}).Handshake() }()
	var hello [4096]byte
	n, _ := near.Read(hello[:])
	return hello[:n]
}

// An ending ends a visitor's session.
type ending struct {
	name     string
	byServer bool
	end      func(v *visitor)
}

var endings = []ending{
	{name: "client closes", end: func(v *visitor) {
		if conn, ok := v.conn.Conn.(*tls.Conn); ok && conn.ConnectionState().HandshakeComplete {
			_ = conn.CloseWrite()
		}
		_ = v.socket.CloseWrite()
	}},
	{name: "client is reset", end: func(v *visitor) { v.reset() }},
	{name: "server closes", byServer: true, end: func(v *visitor) { v.leg.drop(false) }},
	{name: "server is reset", byServer: true, end: func(v *visitor) { v.leg.drop(true) }},
}

// A passage is a way through Caddy with each of its handlers.
type passage struct {
	name, login string
	withTLS     bool
}

var passages = []passage{
	{"login-first", "mysql_login {\n\t\t\t\t\ttls db.localhost\n\t\t\t\t}", false},
	{"login-first over TLS", "mysql_login {\n\t\t\t\t\ttls db.localhost\n\t\t\t\t}", true},
	{"server-first", "", false},
	{"server-first over TLS", "", true},
}

// TestSessionEnds: wherever a session stands when one side leaves, it ends on both sides, is counted no more, and leaves
// neither a goroutine nor a descriptor behind.
func TestSessionEnds(t *testing.T) {
	db := startMariaDB(t, append(tlsOptions(t), "--connect-timeout=60")...)
	for _, p := range passages {
		t.Run(p.name, func(t *testing.T) {
			hop := startHop(t, db.Addr, "127.0.0.1")
			addr := local(freePort(t))
			caddy := startCaddy(t, oneRoute(addr, p.login, "mysql_log", fmt.Sprintf(`mysql_proxy %s {
					tls as_client
					tls_insecure_skip_verify
					health_interval 1h
				}`, hop.Addr)))
			account := db.createAccount(t, "%")
			db.exec(t, "CREATE TABLE "+account.Database()+".t (n INT)")
			served(t, addr, account, p.withTLS)
			eventually(t, func() error {
				if _, open := hop.count(); open > 0 {
					return fmt.Errorf("%d connections to the server", open)
				}
				return nil
			})
			caddy.sessions(t) // the admin endpoint's own connection is there from now on
			before := caddy.footprint(t)
			for _, e := range endings {
				t.Run(e.name, func(t *testing.T) {
					visitors := reachPhases(t, addr, hop, account, p, e.byServer)
					testEnding(t, caddy, visitors, e)
					caddy.rests(t, before)
					if _, open := hop.count(); open > 0 {
						t.Errorf("%d connections to the server are open", open)
					}
				})
			}
		})
	}
}

// reachPhases has a visitor in each phase.
func reachPhases(t *testing.T, addr string, hop *hop, a Account, p passage, withLeg bool) []*visitor {
	t.Helper()
	var visitors []*visitor
	for i := range phases {
		phase := &phases[i]
		if phase.tls && !p.withTLS || withLeg && !phase.leg && p.login != "" {
			continue
		}
		legs := len(hop.all())
		v := &visitor{rawClient: dialRaw(t, addr, a), phase: phase, withTLS: p.withTLS, serverFirst: p.login == "", hop: hop}
		if err := phase.reach(v); err != nil {
			t.Fatalf("%s: %v", phase.name, err)
		}
		if phase.leg || p.login == "" {
			eventually(t, func() error {
				if all := hop.all(); len(all) != legs+1 {
					return fmt.Errorf("%s: %d new connections to the server, want 1", phase.name, len(all)-legs)
				}
				return nil
			})
			v.leg = v.newest()
		}
		visitors = append(visitors, v)
	}
	return visitors
}

// testEnding ends all sessions at once, and looks how the other sides end.
func testEnding(t *testing.T, caddy *Caddy, visitors []*visitor, e ending) {
	t.Helper()
	legs := 0
	for _, v := range visitors {
		if v.leg != nil {
			legs++
		}
	}
	eventually(t, func() error {
		if n := caddy.sessions(t); n != float64(legs) {
			return fmt.Errorf("%v sessions are counted, want %d", n, legs)
		}
		return nil
	})
	var all sync.WaitGroup
	for _, v := range visitors {
		e.end(v)
		if v.phase.name == "answer" {
			v.leg.gate.Unlock()
		}
	}
	for _, v := range visitors {
		all.Go(func() {
			if e.name != "client is reset" {
				_, refusal, err := v.end()
				if err != nil {
					t.Errorf("%s: %v", v.phase.name, err)
				}
				// A client in the midst of its login is told. Without mysql_login all that it gets is the server's.
				if told := e.byServer && !v.phase.ready && !v.serverFirst; told != (refusal != nil && refusal.Number == 1105) {
					t.Errorf("%s: got ERR %v, want 1105: %t", v.phase.name, refusal, told)
				}
			}
			if v.leg == nil {
				return
			}
			select {
			case <-v.leg.ended:
			case <-time.After(patience):
				t.Errorf("%s: Caddy has not left the server", v.phase.name)
			}
		})
	}
	all.Wait()
}
