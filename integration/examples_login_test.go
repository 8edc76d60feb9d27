package integration

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// caddyRoot is where the examples have the certificate of Caddy's own authority from.
const caddyRoot = "~/.local/share/caddy/pki/authorities/local/root.crt"

// rootOf returns that file, which is there before the first certificate is made.
func (c *Caddy) rootOf(t testing.TB) string {
	t.Helper()
	file := filepath.Join(c.Dir, "caddy", "pki", "authorities", "local", "root.crt")
	eventually(t, func() error {
		_, err := os.Stat(file)
		return err
	})
	return file
}

// then returns the commands that an example says to run.
func then(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", name+".caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "# Then:  ")
	lines, _, end := strings.Cut(rest, "\n# See:   ")
	if !ok || !end {
		t.Fatalf("example %s does not say what to run and what to see", name)
	}
	lines = strings.ReplaceAll(lines, "\\\n#", "")
	var commands []string
	for line := range strings.Lines(lines) {
		commands = append(commands, strings.Join(strings.Fields(strings.TrimPrefix(line, "# ")), " "))
	}
	return commands
}

// exampleCommand returns the one command of an example that has not several.
func exampleCommand(t testing.TB, name string) string {
	t.Helper()
	commands := then(t, name)
	if len(commands) != 1 {
		t.Fatalf("example %s has %d commands, want one", name, len(commands))
	}
	return commands[0]
}

// runCommand runs a command line of MariaDB's client as the account, and returns what it printed, without names of
// columns. The replacements are pairs, as for [example].
func runCommand(t testing.TB, command string, a Account, replacements ...string) (string, error) {
	t.Helper()
	need(t, "mariadb")
	client, err := find("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	options := filepath.Join(t.TempDir(), "options")
	text := fmt.Sprintf("[client]\nuser=%s\npassword=%s\n[mysql]\nbatch\nskip-column-names\n", a.User, a.Password)
	if err := os.WriteFile(options, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The file has the password, which -p would ask for.
	replacements = slices.Concat(replacements, []string{"mariadb --", client + " --defaults-file=" + options + " --", " -p ", " "})
	out, err := try(t, "sh", "-c", strings.NewReplacer(replacements...).Replace(command))
	return strings.TrimSpace(out), err
}

// portOf returns the port in an address.
func portOf(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// createSame makes an account that another server has, too.
func (m *MariaDB) createSame(t testing.TB, a Account) {
	t.Helper()
	m.exec(t, "CREATE USER ?@'%' IDENTIFIED BY ?", a.User, a.Password)
}

// sessionsOf returns how many logins of a user, refused ones included, the server has logged.
func (m *MariaDB) sessionsOf(t testing.TB, user string) int {
	t.Helper()
	return len(threads(m.generalLog(t, user)))
}

// TestExampleInternalCA: clients verify the certificate that Caddy has made, and their statements are recorded, with
// the thread that the server has logged and both ends of the connection to it.
func TestExampleInternalCA(t *testing.T) {
	const name = "tls-internal-ca"
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	port := "--port " + portOf(t, endpoint.IPv4)
	config := example(t, name, ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		root := caddy.rootOf(t)
		account, statement := db.createAccount(t, "%"), "SELECT 1 /* "+word()+" */"
		command := strings.Replace(exampleCommand(t, name), "SELECT 1", statement, 1) + " --comments"
		eventually(t, func() error { // the certificate is made while Caddy serves already
			out, err := runCommand(t, command, account, caddyRoot, root, "--port 3306", port)
			if err == nil && out != "1" {
				err = permanent{fmt.Errorf("got %q, want 1", out)}
			}
			return err
		})
		untrusting := strings.Replace(command, "--ssl-ca "+caddyRoot, "--ssl", 1)
		if out, err := runCommand(t, untrusting, account, "--port 3306", port); err == nil || !strings.Contains(err.Error(), "ERROR 2026") {
			t.Errorf("without --ssl-ca: got %q, %v, want an error of TLS", out, err)
		}
		log := db.endedLog(t, account.User)
		if n := countStatements(log, statement); n != 1 || len(threads(log)) != 1 {
			t.Fatalf("got general log %+v, want one session, with %s", log, statement)
		}
		if err := caddy.stop(); err != nil {
			t.Fatal(err)
		}
		var queries, attributes int
		for _, r := range caddy.LogFile(t, "queries.json") {
			if r["thread_id"] != float64(log[0].ThreadID) || r["remote_addr"] != db.Addr || r["username"] != account.User {
				t.Errorf("got record %v, want thread_id %d, remote_addr %s, username %s", r, log[0].ThreadID, db.Addr, account.User)
			}
			if client, _ := r["proxy_client_addr"].(string); client == "" || client == r["client_addr"] {
				t.Errorf("got record %v, want Caddy's end of the connection to the server as proxy_client_addr", r)
			}
			if r["query"] == statement {
				queries++
			}
			if r["connect_attrs"] != nil {
				attributes++
			}
		}
		if queries != 1 || attributes != 1 {
			t.Errorf("got %d records of the statement and %d with attributes, want one of each", queries, attributes)
		}
	})
}

// TestExampleMutualTLS: a client logs in as the user in its certificate. As another one it is refused without the server
// being asked, and without a certificate there is no TLS, and no login without TLS.
func TestExampleMutualTLS(t *testing.T) {
	const name = "mutual-tls"
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	authority := newAuthority(t)
	config := example(t, name, ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr, "clients.crt", authority.File)
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		account, other := db.createAccount(t, "%"), db.createAccount(t, "%")
		certificate := authority.issue(t, account.User)
		replacements := []string{
			caddyRoot, caddy.rootOf(t), "--port 3306", "--port " + portOf(t, endpoint.IPv4),
			"alice.crt", certificate, "alice.key", certificate,
		}
		command := exampleCommand(t, name)
		as := func(command string, a Account) (string, error) {
			return runCommand(t, command, a, append([]string{"--user alice", "--user " + a.User}, replacements...)...)
		}
		eventually(t, func() error {
			out, err := as(command, account)
			if err == nil && !strings.HasPrefix(out, account.User+"@") {
				err = permanent{fmt.Errorf("got %q, want %s", out, account.User)}
			}
			return err
		})
		refused := func(why, command string, want string) {
			t.Helper()
			if out, err := as(command, other); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, %v, want %s", why, out, err, want)
			}
		}
		refused("another user", command, "ERROR 1045 (28000): Access denied for user '"+other.User+"'@")
		bare := strings.Replace(command, "--ssl-cert alice.crt --ssl-key alice.key", "", 1)
		refused("no certificate", bare, "ERROR 20")
		refused("no TLS", strings.Replace(bare, "--ssl-ca "+caddyRoot, "--skip-ssl", 1), "ERROR 3159 (HY000)")
		if n := db.sessionsOf(t, other.User); n != 0 {
			t.Errorf("the server has logged %d logins of %s, want none", n, other.User)
		}
	})
}

// TestExampleTwoTenants: each tenant's user is one of its own server, which knows the user without the tenant.
func TestExampleTwoTenants(t *testing.T) {
	const name = "two-tenants"
	acme, umbrella := startMariaDB(t), sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := example(t, name, ":3306", endpoint.String(), "127.0.0.1:3307", acme.Addr, "127.0.0.1:3309", umbrella.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		account := acme.createAccount(t, "%")
		umbrella.createSame(t, account)
		root := caddy.rootOf(t)
		as := func(user string) (string, error) {
			return runCommand(t, exampleCommand(t, name), account, caddyRoot, root,
				"--port 3306", "--port "+portOf(t, endpoint.IPv4), "acme:alice", user)
		}
		for tenant, db := range map[string]*MariaDB{"acme": acme, "umbrella": umbrella} {
			want := portOf(t, db.Addr) + "\t" + account.User + "@"
			eventually(t, func() error {
				out, err := as(tenant + ":" + account.User)
				if err == nil && !strings.HasPrefix(out, want) {
					err = permanent{fmt.Errorf("tenant %s: got %q, want %s", tenant, out, want)}
				}
				return err
			})
		}
		for _, user := range []string{"globex:" + account.User, account.User} {
			out, err := as(user)
			if err == nil || !strings.Contains(err.Error(), "ERROR 1045 (28000): Access denied for user '"+account.User+"'@") {
				t.Errorf("%s: got %q, %v, want error 1045", user, out, err)
			}
		}
		for _, db := range []*MariaDB{acme, umbrella} {
			if n := db.sessionsOf(t, account.User); n != 1 {
				t.Errorf("%s has logged %d logins, want one", db.Addr, n)
			}
			db.exec(t, "DROP USER ?@'%'", account.User)
		}
	})
}

// TestExampleInternalExternal: the load balancer's header decides which server a client gets, and whether it may do
// without TLS.
func TestExampleInternalExternal(t *testing.T) {
	const name = "internal-external"
	internal, external := startMariaDB(t), sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := example(t, name, ":3306", endpoint.String(), "127.0.0.1:3307", internal.Addr, "127.0.0.1:3309", external.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		root := caddy.rootOf(t)
		_, here := startShippedHAProxy(t, endpoint)
		elsewhere := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2").Addr
		account := internal.createAccount(t, "%")
		external.createSame(t, account)
		command := exampleCommand(t, name)
		plain := strings.Replace(command, "--ssl-ca "+caddyRoot, "--skip-ssl", 1)
		for _, tt := range []struct{ name, addr, command, want string }{
			{"internal", here, command, portOf(t, internal.Addr)},
			{"internal without TLS", here, plain, portOf(t, internal.Addr)},
			{"external", elsewhere, command, portOf(t, external.Addr)},
		} {
			eventually(t, func() error {
				out, err := runCommand(t, tt.command, account, caddyRoot, root, "--port 3308", "--port "+portOf(t, tt.addr))
				if err == nil && out != tt.want {
					err = permanent{fmt.Errorf("%s: got %q, want %s", tt.name, out, tt.want)}
				}
				return err
			})
		}
		out, err := runCommand(t, plain, account, "--port 3308", "--port "+portOf(t, elsewhere))
		if err == nil || !strings.Contains(err.Error(), "ERROR 1045 (28000)") {
			t.Errorf("external without TLS: got %q, %v, want error 1045", out, err)
		}
		for _, db := range []*MariaDB{internal, external} {
			db.exec(t, "DROP USER ?@'%'", account.User)
		}
	})
}

// TestExampleSNI: the TLS of a client ends at the server whose name it has asked for, which shows its own certificate. A
// name that no route has, and a login without TLS, reach no server.
func TestExampleSNI(t *testing.T) {
	authority := newAuthority(t)
	start := func(name string) *MariaDB {
		dir, err := newDir("sni")
		if err != nil {
			t.Fatal(err)
		}
		certificate := publish(t, dir, authority.issue(t, name))
		return startMariaDB(t, "--ssl-cert="+certificate, "--ssl-key="+certificate)
	}
	const shopName, crmName = "shop.example.com", "crm.example.com"
	servers := map[string]*MariaDB{shopName: start(shopName), crmName: start(crmName)}
	shop, crm := servers[shopName], servers[crmName]
	text, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	account := shop.createAccount(t, "%")
	crm.createSame(t, account)

	endpoint := newEndpoint(t)
	config := example(t, "sni-passthrough", ":3306", endpoint.String(), "127.0.0.1:3307", shop.Addr, "127.0.0.1:3309", crm.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		port := func(client *tls.Config) (string, error) {
			config := mysql.NewConfig()
			config.Net, config.Addr, config.User, config.Passwd, config.TLS = "tcp", endpoint.IPv4, account.User, account.Password, client
			connector, err := mysql.NewConnector(config)
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(connector)
			defer db.Close()
			var port, version string
			return port, db.QueryRowContext(t.Context(), `SELECT @@port, variable_value FROM information_schema.session_status
				WHERE variable_name = 'Ssl_version' AND variable_value <> ''`).Scan(&port, &version)
		}
		for name, db := range servers {
			got, err := port(&tls.Config{ServerName: name, RootCAs: roots})
			if err != nil || got != portOf(t, db.Addr) {
				t.Errorf("%s: got %s, error %v, want %s", name, got, err, portOf(t, db.Addr))
			}
		}
		if got, err := port(&tls.Config{ServerName: word() + ".example.com", RootCAs: roots}); err == nil {
			t.Errorf("a name of no route: got %s, want an error", got)
		}
		_, err := port(nil)
		if refusal := (*mysql.MySQLError)(nil); !errors.As(err, &refusal) || refusal.Number != 3159 {
			t.Errorf("without TLS: got %v, want error 3159", err)
		}
	})
}

// TestExampleMySQLAndPostgres: the port that a client of the load balancer has connected to decides which server it
// gets, and the statements of MySQL's clients are recorded.
func TestExampleMySQLAndPostgres(t *testing.T) {
	const name = "mysql-and-postgres"
	db, pg := sharedMariaDB(t), startPostgres(t)
	endpoint := newEndpoint(t)
	toMySQL, toPostgres := local(freePort(t)), local(freePort(t))
	ports := []string{"3308", portOf(t, toMySQL), "5434", portOf(t, toPostgres)}
	config := example(t, name, append([]string{
		":3306", endpoint.String(), "127.0.0.1:3307", db.Addr, "127.0.0.1:5433", pg.Addr,
	}, ports...)...)
	text, err := os.ReadFile("../examples/haproxy-one-port.cfg")
	if err != nil {
		t.Fatal(err)
	}
	startHAProxy(t, strings.NewReplacer(append(ports, "127.0.0.1:3306", endpoint.IPv4)...).Replace(string(text)))
	commands := then(t, name)
	if len(commands) != 2 {
		t.Fatalf("example %s has %d commands, want one of each client", name, len(commands))
	}
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		account, mark := db.createAccount(t, "%"), word()
		replacements := append([]string{"SELECT VERSION()", "SELECT VERSION() AS " + mark}, ports...)
		out, err := runCommand(t, commands[0], account, replacements...)
		var version string
		if err := db.Admin.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if err != nil || out != version {
			t.Errorf("got %q, error %v, want %s", out, err, version)
		}
		out, err = runCommand(t, commands[1], Account{}, append(replacements, "psql --", "psql --no-psqlrc --username postgres --")...)
		if err != nil || !strings.Contains(out, "PostgreSQL") {
			t.Errorf("got %q, error %v, want PostgreSQL's version", out, err)
		}
		eventually(t, func() error {
			if !pg.out.contains("statement: SELECT VERSION() AS " + mark) {
				return errors.New("PostgreSQL has not logged the statement")
			}
			return nil
		})
		log := db.endedLog(t, account.User)
		testQueries(t, caddy.RecordsByThread(t)[log[0].ThreadID], log, log[0].ThreadID)
		caddy.quiet(t)
	})
}
