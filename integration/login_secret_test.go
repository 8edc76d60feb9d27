package integration

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// A wiretap stands between Caddy and a server, and keeps what Caddy sends.
type wiretap struct {
	addr string
	mu   sync.Mutex
	sent bytes.Buffer
}

// startWiretap taps the connections to server until the end of the test.
func startWiretap(t testing.TB, server string) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", local(0))
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{addr: l.Addr().String()}
	var legs sync.WaitGroup
	legs.Go(func() {
		for {
			caddy, err := l.Accept()
			if err != nil {
				return
			}
			legs.Go(func() { w.connect(caddy, server) })
		}
	})
	t.Cleanup(func() { _ = l.Close() }) // Caddy, which ends before, ends the rest
	return w
}

// connect hands on the bytes of one connection.
func (w *wiretap) connect(caddy net.Conn, server string) {
	defer caddy.Close()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(caddy, conn)
		_ = caddy.Close()
	}()
	_, _ = io.Copy(conn, io.TeeReader(caddy, w))
}

// Write keeps bytes.
func (w *wiretap) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent.Write(p)
}

// has reports whether s was sent.
func (w *wiretap) has(s string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.sent.Bytes(), []byte(s))
}

// TestLoginMySQLSecret: over a connection to the server that anybody could read, no password goes in clear, whatever the
// client does over TLS: neither when it logs in, nor when it changes the user.
func TestLoginMySQLSecret(t *testing.T) {
	need(t, "php")
	db := startMySQL(t, "--tls-version=TLSv1.3")
	accounts := mysqlAccounts(t, db)
	for name, option := range map[string]string{"tls off": "", "rsa_bridge": "rsa_bridge"} {
		t.Run(name, func(t *testing.T) {
			tap := startWiretap(t, db.Addr)
			addr := local(freePort(t))
			startCaddy(t, Caddyfile(`{
	skip_install_trust
	layer4 {
		%s {
			route {
				mysql_login {
					tls 127.0.0.1
				}
				mysql_log
				mysql_proxy %s {
					tls off
					%s
				}
			}
		}
	}
}
`, addr, tap.addr, option))
			do := startProgram(t, "php", "testdata/login/client.php").login
			task := loginTask{loginAccount: accounts["empty"], other: accounts["empty"], addr: addr, tls: anyServer, facts: mysqlFacts}
			eventually(t, func() error { // the certificate is made while Caddy serves already
				told, err := do(task)
				if err == nil {
					_, err = parseSession(told)
				}
				return err
			})
			for _, plugin := range []string{"caching_sha2_password", "sha256_password"} {
				for _, way := range []string{"login", "change of user"} {
					account, task := accounts[plugin], task
					account.password = word()
					db.exec(t, "ALTER USER ?@'%' IDENTIFIED BY ?", account.user, account.password) // what it knew, the server forgets
					if task.other = account; way == "login" {
						task.loginAccount, task.other = account, accounts["empty"]
					}
					told, err := do(task)
					if err != nil {
						t.Fatal(err)
					}
					last := told[len(told)-1]
					if tap.has(account.password) {
						t.Errorf("%s with %s: the password went to the server in clear, and the client was told %s", way, plugin, last)
					}
					if session, _ := parseSession(told); way == "login" && (session != nil) != (option != "") {
						t.Errorf("%s with %s: the client was told %s", way, plugin, told)
					}
				}
			}
		})
	}
}
