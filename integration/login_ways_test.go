package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// A loginWay is a way to the server.
type loginWay struct {
	name  string
	route string // ADDR and SOCKET stand for the server, AUTHORITY for who knows it
	leg   string // what the server says of the connection to it: "plain" or "TLS"; empty if it is the client's
	// socket says that it is a unix socket, and through that TLS is not for Caddy to end and look into.
	socket, through bool
	tlsOnly         bool
}

const (
	loginFirst  = "mysql_login {\n tls localhost 127.0.0.1\n }\nmysql_log\n"
	passThrough = `mysql_login {
					tls_passthrough
				}
				subroute {
					@named mysql {
						sni localhost
					}
					route @named {
						mysql_log
						mysql_proxy ADDR
					}
					route {
						mysql_log
						mysql_proxy ADDR
					}
				}`
)

var loginWays = []loginWay{
	{name: "plain", route: loginFirst + "mysql_proxy ADDR {\n tls off\n }", leg: "plain"},
	{
		name: "TLS", leg: "TLS",
		route: loginFirst + "mysql_proxy ADDR {\n tls require\n tls_trust_pool file AUTHORITY\n tls_server_name db.test\n }",
	},
	{name: "socket", route: loginFirst + "mysql_proxy unix/SOCKET", leg: "plain", socket: true},
	// The client answers the greeting with a plugin that the server does not have.
	{
		name:  "defaults, greeted as by MySQL", // of a loopback address: TLS for clients with TLS
		route: "mysql_login {\n tls localhost 127.0.0.1\n auth_plugin caching_sha2_password\n }\nmysql_log\nmysql_proxy ADDR",
	},
	{name: "server-first", route: "mysql_log\nmysql_proxy ADDR", through: true},
	{name: "tls_passthrough", route: passThrough, through: true, tlsOnly: true},
}

// startLoginMatrix starts a server, whose certificate is for the names that clients have for this machine, and Caddy.
func startLoginMatrix(t *testing.T) *loginMatrix {
	t.Helper()
	authority := newAuthority(t)
	dir, err := newDir("login")
	if err != nil {
		t.Fatal(err)
	}
	names := template("localhost")
	names.DNSNames, names.IPAddresses = []string{"localhost", "db.test"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	_, certificate := authority.sign(t, names, true)
	certificate = publish(t, dir, certificate)
	m := &loginMatrix{
		addrs: make(map[string]string), direct: make(map[string][]string), cannot: make(map[string]string), servers: authority.File,
	}
	m.db = startMariaDB(t, "--ssl-cert="+certificate, "--ssl-key="+certificate, "--ssl-ca="+publish(t, dir, authority.File))
	m.accounts = loginAccounts(t, m.db)
	var servers strings.Builder
	for _, way := range loginWays {
		m.addrs[way.name] = local(freePort(t))
		route := strings.NewReplacer("ADDR", m.db.Addr, "SOCKET", m.db.Socket, "AUTHORITY", authority.File).Replace(way.route)
		fmt.Fprintf(&servers, "\n%s {\n route {\n %s\n }\n }", m.addrs[way.name], route)
	}
	m.caddy = startCaddy(t, Caddyfile(`{
	skip_install_trust
	layer4 {%s
	}
	log queries {
		include layer4.handlers.mysql_log.record
		output file queries.json
	}
}
`, servers.String()))
	m.caddys = m.caddy.rootOf(t)
	m.awaitCertificates(t)
	return m
}

// awaitCertificates waits until Caddy has made its certificates, which it does while it serves already.
func (m *loginMatrix) awaitCertificates(t *testing.T) {
	t.Helper()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		addr := net.JoinHostPort(host, portOf(t, m.addrs["plain"]))
		eventually(t, func() error {
			told, err := loginDriver(t, loginTask{loginAccount: m.accounts["native"], addr: addr, tls: m.caddys})
			if err != nil {
				return err
			}
			_, err = parseSession(told)
			return err
		})
	}
}
