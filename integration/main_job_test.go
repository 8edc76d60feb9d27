package integration

import (
	"bytes"
	"strings"
	"testing"
)

// topologies are the ways from a load balancer to MariaDB on which statements are recorded. start returns the
// Caddy whose records are looked at; endpoint is where the load balancer sends connections to.
var topologies = []struct {
	name  string
	start func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy
	sees  bool // whether the database has the client's address for its own, and not Caddy's
}{
	{
		name: "header taken off",
		start: func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy {
			return startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
		},
	},
	{
		name: "header optional",
		start: func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy {
			return startCaddy(t, recorded(endpoint.String(), trustOptional, "mysql_log", "proxy "+db.Addr))
		},
	},
	{
		name: "header kept",
		start: func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy {
			return startCaddy(t, example(t, "keep-header", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
		},
		sees: true,
	},
	{
		name: "header made anew",
		start: func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy {
			return startCaddy(t, recorded(endpoint.String(), trust, "mysql_log", `proxy {
					proxy_protocol v2
					upstream `+db.Addr+`
				}`))
		},
		sees: true,
	},
	{
		name: "Caddy behind Caddy",
		start: func(t testing.TB, db *MariaDB, endpoint Endpoint) *Caddy {
			inner := newEndpoint(t)
			caddy := startCaddy(t, example(t, "keep-header", ":3306", inner.String(), "127.0.0.1:3307", db.Addr))
			startCaddy(t, example(t, "send-header", ":3306", endpoint.String(), "127.0.0.1:3307", inner.IPv4))
			return caddy
		},
		sees: true,
	},
}

// trust is a proxy_header that takes headers from this machine.
const trust = `proxy_header {
					allow 127.0.0.1 ::1
				}`

// trustOptional is trust for clients that may come without a header.
const trustOptional = `proxy_header {
					allow 127.0.0.1 ::1
					mode optional
				}`

// recorded is a configuration of one route with these handlers, whose records go to queries.json.
func recorded(listen string, handlers ...string) Config {
	return Caddyfile(`{
	layer4 {
		%s {
			route {
				%s
			}
		}
	}
	log queries {
		include layer4.handlers.mysql_log.record
		output file queries.json
	}
}
`, listen, strings.Join(handlers, "\n\t\t\t\t"))
}

// TestRecords is the main job: whoever sends the header, in whatever form, and whatever the client, each
// statement that the database behind Caddy has executed has one record, which is right.
//
// What is right comes from MariaDB (statements: general log; outcomes: performance schema; user, thread and
// character set: process list) and from the load balancer's log (addresses).
func TestRecords(t *testing.T) {
	db := startMariaDB(t, append(statementOptions, "--proxy-protocol-networks=127.0.0.0/8,::1")...)
	for _, topology := range topologies {
		t.Run(topology.name, func(t *testing.T) {
			type connection struct {
				name    string
				account Account
				secret  string
				lb      Session
			}
			var connections []connection
			endpoint := newEndpoint(t)
			caddy := topology.start(t, db, endpoint)
			for _, sender := range senders {
				t.Run(sender.name, func(t *testing.T) {
					s := sender.start(t, endpoint)
					for i, client := range scripted {
						c := connection{sender.name + ", " + client.name, db.createAccount(t, "%"), word(), Session{}}
						client.run(t, s.Addr, c.account, word(), c.secret)
						c.lb = s.Sessions(t, i+1)[i]
						connections = append(connections, c)
					}
				})
			}
			threads := caddy.RecordsByThread(t)
			for _, c := range connections {
				t.Run(c.name, func(t *testing.T) {
					server, process := db.serverSession(t, c.account.User), db.keptProcess(t, c.account.Database())
					testConnection(t, threads[server.Thread], server, process, c.lb)
					delete(threads, server.Thread)
					if topology.sees && parseAddr(t, process.Host) != c.lb.Client {
						t.Errorf("process list: got %s, want %s, as the load balancer logged", process.Host, c.lb.Client)
					}
					for _, secret := range []string{c.account.Password, c.secret} {
						if bytes.Contains(caddy.recordBytes(t), []byte(secret)) {
							t.Errorf("queries.json has the password %s", secret)
						}
					}
				})
			}
			for thread, records := range threads {
				t.Errorf("thread %d: got records %+v, want none", thread, records)
			}
			caddy.quiet(t)
		})
	}
}
