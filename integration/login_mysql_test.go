package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A mysqlWay is a way from Caddy to a MySQL server.
type mysqlWay struct {
	name, proxy string // ADDR and SOCKET stand for the server
	socket, tls bool
	asClient    bool // tls is the client's
	bridge      bool
}

var mysqlWays = []mysqlWay{
	{name: "README", asClient: true}, // over the loopback interface
	{name: "plain", proxy: "mysql_proxy ADDR {\n tls off\n }"},
	{name: "plain, bridged", proxy: "mysql_proxy ADDR {\n tls off\n rsa_bridge\n }", bridge: true},
	{name: "socket", proxy: "mysql_proxy unix/SOCKET", socket: true},
	{name: "socket, bridged", proxy: "mysql_proxy unix/SOCKET {\n rsa_bridge\n }", socket: true, bridge: true},
}

// secret reports whether the server takes a password in clear from Caddy.
func (w *mysqlWay) secret(plugin string) bool {
	return w.tls || w.socket && plugin != "sha256_password"
}

// A mysqlKind is an account, or a login that is refused.
type mysqlKind struct {
	name   string
	plugin string
	// asked says that the server wants the password, whatever it remembers.
	asked, wantsTLS bool
}

var mysqlKinds = []mysqlKind{
	{name: "caching_sha2_password", plugin: "caching_sha2_password"},
	{name: "sha256_password", plugin: "sha256_password", asked: true},
	{name: "empty", plugin: ""},
	{name: "REQUIRE SSL", plugin: "caching_sha2_password", wantsTLS: true},
	{name: "wrong password", plugin: "caching_sha2_password", asked: true},
	{name: "unknown user", plugin: ""},
	{name: "unknown database", plugin: "caching_sha2_password"},
}

// A mysqlMatrix is a MySQL server, and two Caddys before it: one as in the README, one for the other ways.
type mysqlMatrix struct {
	db       *MariaDB
	caddys   []*Caddy
	addrs    map[string]string // by the name of the way
	accounts map[string]loginAccount
	direct   map[string][2]string
	said     []mysqlAnswer
}

func startMySQLMatrix(t *testing.T) *mysqlMatrix {
	t.Helper()
	m := &mysqlMatrix{db: startMySQL(t, "--tls-version=TLSv1.3"), addrs: make(map[string]string), direct: make(map[string][2]string)}
	m.accounts = mysqlAccounts(t, m.db)
	var servers strings.Builder
	for _, way := range mysqlWays {
		m.addrs[way.name] = local(freePort(t))
		if way.proxy != "" {
			fmt.Fprintf(&servers, "\n%s {\n route {\n mysql_login {\n tls db.internal\n }\n mysql_log\n %s\n }\n }", m.addrs[way.name],
				strings.NewReplacer("ADDR", m.db.Addr, "SOCKET", m.db.Socket).Replace(way.proxy))
		}
	}
	m.caddys = append(m.caddys, startCaddy(t, readmeConfig(t, m.addrs["README"], m.db.Addr)), startCaddy(t, Caddyfile(`{
	skip_install_trust
	layer4 {%s
	}
	log queries {
		include layer4.handlers.mysql_log.record
		output file queries.json
	}
}
`, servers.String())))
	for _, name := range []string{"README", "plain"} { // the certificates are made while Caddy serves already
		eventually(t, func() error {
			_, err := mysqlClients[1].query(t, m.addrs[name], true, m.accounts["empty"], "SELECT 1")
			return err
		})
	}
	return m
}

// TestLoginMySQL: a client of MySQL 9 gets through Caddy what it gets from the server itself, whether the server knows the
// password from a login before (warm) or not (cold), but where the server wants the password and one of the two connections
// alone is secret: then it is told what can be done. With rsa_bridge it gets it there, too, if it is the server's connection that
// is not secret. Its statements are recorded, also those in TLS.
func TestLoginMySQL(t *testing.T) {
	m := startMySQLMatrix(t)
	for _, way := range mysqlWays {
		for _, client := range mysqlClients {
			for _, withTLS := range []bool{false, true} {
				for _, kind := range mysqlKinds {
					for _, state := range []string{"cold", "warm"} {
						leg := map[bool]string{false: "plain", true: "TLS"}[withTLS]
						t.Run(fmt.Sprintf("%s/%s/%s/%s, %s", way.name, client.name, leg, kind.name, state), func(t *testing.T) {
							m.cell(t, way, client.query, withTLS, kind, state)
						})
					}
				}
			}
		}
	}
	for _, client := range loginClients {
		t.Run(client.name, func(t *testing.T) { m.testClient(t, client) })
	}
	m.testLongPassword(t)
	t.Run("records", m.testRecords)
}

// mysqlFacts is loginFacts for MySQL.
var mysqlFacts = strings.Replace(loginFacts, "information_schema.session_status", "performance_schema.session_status", 1)

// testClient does with a client of another kind what it does with MariaDB.
func (m *mysqlMatrix) testClient(t *testing.T, client loginClient) {
	if client.command != "" {
		need(t, client.command)
	}
	do := client.start(t)
	query := func(t testing.TB, addr string, withTLS bool, a loginAccount, _ string) (string, error) {
		t.Helper()
		task := loginTask{loginAccount: a, other: m.accounts["empty"], addr: addr, facts: mysqlFacts, cancel: true}
		if withTLS {
			task.tls = anyServer
		}
		told, err := do(task)
		if err != nil {
			t.Fatal(err)
		}
		for i := range told {
			told[i] = connection.ReplaceAllString(told[i], "($1)")
		}
		session, err := parseSession(told)
		if err != nil {
			return "", errors.New(told[0])
		}
		return fmt.Sprint(session.thread, "|", strings.Join(told[1:], "|")), nil
	}
	for _, withTLS := range []bool{false, true} {
		for _, kind := range mysqlKinds {
			for _, state := range []string{"cold", "warm"} {
				leg := map[bool]string{false: "plain", true: "TLS"}[withTLS]
				kind.asked = kind.asked || client.neverFast && kind.plugin != ""
				t.Run(fmt.Sprintf("%s driver/%s/%s, %s", mysqlWays[0].name, leg, kind.name, state), func(t *testing.T) {
					m.cell(t, mysqlWays[0], query, withTLS, kind, state)
				})
			}
		}
	}
}

// cell compares one login through Caddy with the direct one.
func (m *mysqlMatrix) cell(
	t *testing.T, way mysqlWay, query func(testing.TB, string, bool, loginAccount, string) (string, error), withTLS bool, kind mysqlKind, state string,
) {
	if way.asClient {
		way.tls = withTLS
	}
	account := m.accounts[kind.name]
	ask := func(addr string) (said, refusal, statement string) {
		t.Helper()
		if state == "cold" {
			m.db.exec(t, "FLUSH PRIVILEGES") // empties the cache of caching_sha2_password
		} else {
			for _, name := range []string{"caching_sha2_password", "REQUIRE SSL"} {
				if _, err := mysqlClients[1].query(t, m.db.Addr, true, m.accounts[name], "SELECT 1"); err != nil {
					t.Fatal(err)
				}
			}
		}
		statement = "SELECT CONNECTION_ID(), 'ok', DATABASE() /* " + word() + " */"
		said, err := query(t, addr, withTLS, account, statement)
		return strings.ReplaceAll(said, "\t", "|"), strings.ReplaceAll(fmt.Sprint(err), "'localhost'", "'127.0.0.1'"), statement
	}
	key := strings.Replace(t.Name(), "/"+strings.ReplaceAll(way.name, " ", "_")+"/", "/", 1) // the same for each way
	if _, ok := m.direct[key]; !ok {
		said, refusal, _ := ask(m.db.Addr)
		m.direct[key] = [2]string{said, refusal}
	}
	want := m.direct[key]
	got, refusal, statement := ask(m.addrs[way.name])
	full := kind.asked || kind.plugin != "" && state == "cold"
	switch {
	case kind.name == "unknown user" && strings.Contains(refusal, "1105"): // the server may ask an unknown user for any plugin
	case full && withTLS != way.secret(kind.plugin) && !(withTLS && way.bridge):
		cure := "; or reach the upstream over TCP without TLS"
		if withTLS {
			cure = " towards it, or set rsa_bridge"
		}
		if got != "" || !strings.Contains(refusal, "1105") || !strings.Contains(refusal, kind.plugin+" ") || !strings.Contains(refusal, cure) {
			t.Errorf("got %q, %s; want error 1105 with %q", got, refusal, cure)
		}
	case kind.wantsTLS && way.tls != withTLS: // it is Caddy's TLS that the server sees
		if refused := strings.Contains(refusal, "1045 (28000)"); refused == way.tls {
			t.Errorf("got %q, %s; want it refused: %v", got, refusal, !way.tls)
		}
	case afterThread(got) != afterThread(want[0]) || refusal != want[1]:
		t.Errorf("got %q, %s; want %q, %s", got, refusal, want[0], want[1])
	}
	if strings.Contains(got, "|ok|") { // the statement
		var thread uint64
		if _, err := fmt.Sscan(got[:strings.IndexByte(got, '|')], &thread); err != nil {
			t.Fatal(err)
		}
		m.said = append(m.said, mysqlAnswer{account.user, account.database, statement, thread})
	}
}

// afterThread returns an answer without its first column.
func afterThread(said string) string { return said[strings.IndexByte(said, '|')+1:] }
