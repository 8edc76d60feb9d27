package integration

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A benchSide is a way from the load to the database server.
type benchSide struct {
	name, what string
	start      func(t testing.TB, db *MariaDB) benchProxy
}

// A benchProxy is what a side has started.
type benchProxy struct {
	address string
	process *process    // nil: none
	caddy   *Caddy      // nil: it is another's proxy
	tls     *tls.Config // of the client; nil: plain
}

// baseSide is what the others are compared with.
const baseSide = "haproxy"

// benchSides are in the order of the report.
var benchSides = []benchSide{
	{"direct", "no proxy", func(_ testing.TB, db *MariaDB) benchProxy { return benchProxy{address: db.Addr} }},
	{baseSide, "HAProxy in TCP mode", func(t testing.TB, db *MariaDB) benchProxy {
		address := local(freePort(t))
		// Without a log, which Caddy's sides do not write for each connection either.
		haproxy := startHAProxy(t, fmt.Sprintf(`
listen bench
	no log
	bind %s
	server db %s
`, address, db.Addr))
		return benchProxy{address: address, process: haproxy.process}
	}},
	{"proxy", "caddy-l4's proxy", benchCaddy(nil, "proxy %s")},
	{"server-first", "mysql_proxy", benchCaddy(nil, "mysql_proxy %s")},
	{"login-first", "mysql_login and mysql_proxy", benchCaddy(nil, "mysql_login", `mysql_proxy %s {
					tls off
				}`)},
	{"login-first-tls", "the same, the client over TLS", benchCaddy(
		&tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}, // verifying is the load generator's work
		routeTLS, `mysql_proxy %s {
					tls off
				}`)},
}

// benchCaddy starts a Caddy with one route of these handlers. %s stands for the server's address.
func benchCaddy(client *tls.Config, handlers ...string) func(testing.TB, *MariaDB) benchProxy {
	return func(t testing.TB, db *MariaDB) benchProxy {
		address := local(freePort(t))
		routes := slices.Clone(handlers)
		for i := range routes {
			routes[i] = strings.ReplaceAll(routes[i], "%s", db.Addr)
		}
		caddy := startRoute(t, address, routes...)
		return benchProxy{address: address, process: caddy.process, caddy: caddy, tls: client}
	}
}

// routeTLS is a mysql_login that ends TLS, with a certificate of Caddy's internal authority.
const routeTLS = `mysql_login {
					tls localhost
					tls_required
				}`

// oneRoute is a configuration of one route with these handlers.
func oneRoute(listen string, handlers ...string) Config {
	return Caddyfile(`{
	skip_install_trust
	layer4 {
		%s {
			route {
				%s
			}
		}
	}
}
`, listen, strings.Join(handlers, "\n\t\t\t\t"))
}

// startRoute starts a Caddy with one route of these handlers, and waits until it has the certificate for routeTLS.
func startRoute(t testing.TB, listen string, handlers ...string) *Caddy {
	t.Helper()
	caddy := startCaddy(t, oneRoute(listen, handlers...))
	if slices.Contains(handlers, routeTLS) {
		eventually(t, func() error { // it is obtained while Caddy serves already
			if !caddy.out.contains(`"msg":"certificate obtained successfully"`) {
				return errors.New("Caddy has no certificate yet")
			}
			return nil
		})
	}
	return caddy
}
