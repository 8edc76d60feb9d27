package integration

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A stranger is somebody without a session to come.
type stranger struct {
	name   string
	meet   func(c *rawClient) error
	signer bool // of an account with another plugin, ed25519
}

// strangersBefore leave before a login is complete. Behind mysql_login no server hears of them.
var strangersBefore = []stranger{
	{name: "leaves at once", meet: func(*rawClient) error { return nil }},
	{name: "leaves after the greeting", meet: (*rawClient).greeted},
	{name: "leaves in the login", meet: func(c *rawClient) error {
		return do(c.greeted, func() error { _, err := c.socket.Write([]byte{100, 0, 0, 1, 0, 0}); return err })
	}},
	{name: "garbage", meet: func(c *rawClient) error {
		return do(c.greeted, func() error { _, err := io.WriteString(c.socket, "GET / HTTP/1.1\r\n\r\n"); return err }, c.gone)
	}},
	{name: "empty packet", meet: func(c *rawClient) error {
		return do(c.greeted, func() error { return c.write(nil) }, c.gone)
	}},
	{name: "leaves after SSLRequest", meet: func(c *rawClient) error { return do(c.greeted, c.askTLS) }},
	{name: "leaves in ClientHello", meet: func(c *rawClient) error {
		return do(c.greeted, c.askTLS, func() error { _, err := c.socket.Write([]byte{22, 3, 1, 0, 200, 1}); return err })
	}},
	{name: "no TLS after SSLRequest", meet: func(c *rawClient) error {
		return do(c.greeted, c.askTLS, func() error { _, err := io.WriteString(c.socket, "no TLS at all"); return err }, c.gone)
	}},
	{name: "leaves after the TLS handshake", meet: func(c *rawClient) error { return do(c.greeted, c.askTLS, c.startTLS) }},
}

// strangersIn send a whole login.
var strangersIn = []stranger{
	{name: "leaves after the login", meet: func(c *rawClient) error { return do(c.greeted, c.login) }},
	{name: "leaves at the switch", meet: func(c *rawClient) error { return do(c.greeted, c.login, c.switched) }},
	{name: "is reset at the switch", meet: func(c *rawClient) error {
		err := do(c.greeted, c.login, c.switched)
		c.reset()
		return err
	}},
	{name: "leaves in the answer", meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { _, err := c.socket.Write([]byte{20, 0, 0, 3, 1}); return err })
	}},
	{name: "is silent at the switch", meet: func(c *rawClient) error { return do(c.greeted, c.login, c.switched, c.gone) }},
	{name: "leaves at the switch, over TLS", meet: func(c *rawClient) error {
		return do(c.greeted, c.askTLS, c.startTLS, c.login, c.switched)
	}},
	{name: "garbage for an answer", meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { return c.write([]byte("what?")) }, c.gone)
	}},
	{name: "empty answer", meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { return c.write(nil) }, c.gone)
	}},
	{name: "answer out of order", meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { c.seq += 7; return c.answer() }, c.gone)
	}},
	{name: "large answer", meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { return c.write(make([]byte, 1<<20)) }, c.gone)
	}},
	{name: "leaves at the switch to ed25519", signer: true, meet: func(c *rawClient) error { return do(c.greeted, c.login, c.switched) }},
	{name: "empty answer to ed25519", signer: true, meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { return c.write(nil) }, c.gone)
	}},
	{name: "wrong signature", signer: true, meet: func(c *rawClient) error {
		return do(c.greeted, c.login, c.switched, func() error { return c.write(make([]byte, 64)) }, c.gone)
	}},
	{name: "wrong password", meet: func(c *rawClient) error {
		c.account.Password = "wrong"
		return do(c.greeted, c.login, c.switched, c.answer, c.gone)
	}},
	{name: "unknown user", meet: func(c *rawClient) error {
		c.account.User = word()
		return do(c.greeted, c.login, func() error {
			_, err := c.read() // a server may refuse at once
			var refusal *mysql.MySQLError
			if errors.As(err, &refusal) {
				return nil
			}
			return err
		}, c.gone)
	}},
}

// gone waits until Caddy has ended the connection.
func (c *rawClient) gone() error {
	_, _, err := c.end()
	return err
}

// TestNeverBlocked: a server that blocks a host after three connections in a row without a complete login never blocks
// Caddy, whatever its clients do. What it has counted says its host cache.
func TestNeverBlocked(t *testing.T) {
	needGuest(t)
	db := startMariaDB(t, append(tlsOptions(t), "--max-connect-errors=3", "--disable-skip-name-resolve", "--connect-timeout=2")...)
	signer := db.createAccount(t, "%")
	db.exec(t, "INSTALL SONAME 'auth_ed25519'")
	db.exec(t, "ALTER USER ? IDENTIFIED VIA ed25519 USING PASSWORD(?)", signer.User, signer.Password)
	ways := []struct {
		name, login, proxy string
		strangers          []stranger
	}{
		{"login-first", passages[0].login, "tls off", slices.Concat(strangersBefore, strangersIn)},
		{"login-first, TLS upstream", passages[0].login, "tls require\n\t\t\t\t\ttls_insecure_skip_verify", strangersIn},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { testStrangers(t, db, signer, way.login, way.proxy, way.strangers) })
	}
}

// TestNeverBlockedServerFirst: without mysql_login, too, a server is left in order by clients that have sent nothing, as the
// checks of a load balancer before Caddy, or that leave between two packets of the authentication.
func TestNeverBlockedServerFirst(t *testing.T) {
	needGuest(t)
	db := startMariaDB(t, "--max-connect-errors=3", "--disable-skip-name-resolve")
	testStrangers(t, db, Account{}, "", "tls as_client", []stranger{strangersBefore[0], strangersBefore[1], strangersIn[1]})
}

// testStrangers has Caddy visited by each of the strangers, some times more than the server suffers, and then by a client.
func testStrangers(t *testing.T, db *MariaDB, signer Account, login, proxy string, strangers []stranger) {
	hop := startHop(t, db.Addr, guest)
	addr := local(freePort(t))
	account := db.createAccount(t, "%")
	caddy := startCaddy(t, oneRoute(addr, login, fmt.Sprintf(`mysql_proxy {
					upstream %s
					%s
					login_timeout 500ms
					health_interval 200ms
				}`, hop.Addr, proxy)))
	served(t, addr, account, login != "")
	db.exec(t, "FLUSH HOSTS")
	for _, s := range strangers {
		t.Run(s.name, func(t *testing.T) {
			for range 4 {
				c := dialRaw(t, addr, account)
				if s.signer {
					c.account = signer
				}
				if err := s.meet(c); err != nil {
					t.Error(err)
				}
				_ = c.socket.Close()
			}
			eventually(t, func() error {
				if n := caddy.sessions(t); n != 0 {
					return fmt.Errorf("%v sessions, want none", n)
				}
				return nil
			})
			if connect, _ := db.hostErrors(t); connect != 0 {
				t.Errorf("the server has counted %d connect errors, want none", connect)
				db.exec(t, "FLUSH HOSTS")
			}
			if err := visit(t, addr, account, false); err != nil {
				t.Errorf("login: %v", err)
			}
		})
	}
}

// TestChecksNeverBlock: neither do health checks, and logins that cannot succeed because of how Caddy or the server is
// configured.
func TestChecksNeverBlock(t *testing.T) {
	needGuest(t)
	strict := []string{"--max-connect-errors=3", "--disable-skip-name-resolve", "--connect-timeout=2"}
	servers := map[string]*MariaDB{
		"plain": startMariaDB(t, strict...),
		"TLS":   startMariaDB(t, append(tlsOptions(t), strict...)...),
	}
	tests := []struct{ name, server, options string }{
		{"certificate of nobody", "TLS", "tls require"},
		{"wrong name", "TLS", "tls require\n\t\t\t\t\ttls_server_name other.localhost"},
		{"no TLS", "plain", "tls require"},
		{"unknown user", "plain", "health_user nobody_here"},
		{"user", "plain", "health_user USER"},
		{"user with password", "plain", "health_user LOCKED"},
		{"ed25519", "plain", "health_user SIGNER"},
		{"TLS and certificate of nobody, as the client", "TLS", "tls as_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := servers[tt.server]
			hop := startHop(t, db.Addr, guest)
			account, user, signer := db.createAccount(t, "%"), db.createGuest(t), word()
			if tt.name == "ed25519" {
				db.exec(t, "INSTALL SONAME 'auth_ed25519'")
				db.exec(t, "CREATE USER ? IDENTIFIED VIA ed25519 USING PASSWORD(?)", signer, word())
				defer db.exec(t, "DROP USER ?", signer)
			}
			db.exec(t, "FLUSH HOSTS")
			addr := local(freePort(t))
			options := strings.NewReplacer("USER", user, "LOCKED", account.User, "SIGNER", signer).Replace(tt.options)
			startCaddy(t, oneRoute(addr, passages[0].login, fmt.Sprintf(`mysql_proxy {
					upstream %s
					login_timeout 500ms
					health_interval 50ms
					%s
				}`, hop.Addr, options)))
			eventually(t, func() error {
				if made, _ := hop.count(); made < 10 {
					return fmt.Errorf("%d checks, want 10", made)
				}
				return nil
			})
			for range 5 {
				c := dialRaw(t, addr, account)
				_ = c.logIn(true)
				_ = c.socket.Close()
			}
			if connect, _ := db.hostErrors(t); connect != 0 {
				t.Errorf("the server has counted %d connect errors, want none", connect)
			}
		})
	}
}

// served waits until a client has got through Caddy, over TLS, too, for which Caddy makes a certificate at first.
func served(t testing.TB, addr string, a Account, withTLS bool) {
	t.Helper()
	eventually(t, func() error { return visit(t, addr, a, withTLS) })
}

// visit makes a short session.
func visit(t testing.TB, addr string, a Account, withTLS bool) error {
	t.Helper()
	c := dialRaw(t, addr, a)
	defer c.socket.Close()
	if err := c.logIn(withTLS); err != nil {
		return err
	}
	return do(c.alive, func() error { return c.send(mysqlwire.ComQuit, "") })
}

// tlsOptions make a MariaDB speak TLS.
func tlsOptions(t testing.TB) []string {
	t.Helper()
	dir, err := newDir("tls")
	if err != nil {
		t.Fatal(err)
	}
	authority := newAuthority(t)
	certificate := publish(t, dir, authority.issue(t, "db.localhost"))
	return []string{"--ssl-cert=" + certificate, "--ssl-key=" + certificate, "--ssl-ca=" + publish(t, dir, authority.File)}
}
