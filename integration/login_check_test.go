package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestLoginMySQLCheck: HAProxy's checks of MySQL find Caddy up, behind mysql_login and without it. They leave nothing in
// Caddy's log, and nothing in the account by which a server blocks a host, which they come close to: without a user, the
// check just leaves when it was greeted.
//
// To the server Caddy comes from guest, by way of another HAProxy: of 127.0.0.1 it keeps no account.
func TestLoginMySQLCheck(t *testing.T) {
	db := startStrictMariaDB(t)
	hop := local(freePort(t))
	startHAProxy(t, fmt.Sprintf("\nlisten hop\n\tbind %s\n\tserver db %s source %s\n", hop, db.Addr, guest))
	ways := []struct{ name, login, addr string }{
		{"login-first", "mysql_login", local(freePort(t))},
		{"login-first with TLS", "mysql_login {\n tls localhost\n }", local(freePort(t))},
		{"server-first", "", local(freePort(t))},
	}
	var servers strings.Builder
	for _, way := range ways {
		fmt.Fprintf(&servers, `
		%s {
			route {
				%s
				mysql_log
				mysql_proxy %s {
					health_interval 1s
				}
			}
		}`, way.addr, way.login, hop)
	}
	caddy := startCaddy(t, Caddyfile(`{
	skip_install_trust
	layer4 {%s
	}
	log queries {
		include layer4.handlers.mysql_log.record
		output file queries.json
	}
}
`, servers.String()))
	logins := make(map[string]bool) // whether a user is one of the checks'
	for _, way := range ways {
		for _, option := range []string{"", " user USER", " user USER post-41", " user USER pre-41"} {
			t.Run(way.name+option, func(t *testing.T) {
				user := db.createGuest(t)
				logins[user] = option != ""
				defer db.exec(t, "FLUSH HOSTS") // what went wrong here is no matter of the others
				h := startHAProxy(t, fmt.Sprintf("\nbackend db\n\toption mysql-check%s\n\tserver caddy %s check inter 50ms rise 12 fall 1\n",
					strings.ReplaceAll(option, "USER", user), way.addr))
				// From here on several checks in a row must succeed.
				if said, err := h.ask("set server db/caddy health down"); err != nil || strings.TrimSpace(said) != "" {
					t.Fatalf("HAProxy says %q, error %v", said, err)
				}
				eventually(t, func() error {
					status, check, err := h.health("db", "caddy")
					if err == nil && (status != "UP" || check != "L7OK") {
						err = fmt.Errorf("HAProxy: server is %s, check %s; want UP, L7OK", status, check)
					}
					return err
				})
				_ = h.stop() // by a signal, of which it says so
				if n := db.sessionsOf(t, user); option != "" && n < 5 || option == "" && n > 0 {
					t.Errorf("the server has logged %d logins of the check's user", n)
				}
				if connect, _ := db.hostErrors(t); connect != 0 {
					t.Errorf("the server has counted %d connect errors of %s, want none", connect, guest)
				}
			})
		}
	}
	if err := caddy.stop(); err != nil {
		t.Fatal(err)
	}
	for _, r := range caddy.Records(t) {
		if r.Event != "connect" || !logins[r.Username] {
			t.Fatalf("got record %+v, want none but of the logins of checks", r)
		}
	}
	caddy.quiet(t)
}
