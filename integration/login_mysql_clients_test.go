package integration

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// mysqlCommand returns MySQL's own client, which is to log in at addr. Unless it is told otherwise it uses TLS where the
// server offers it, and looks at no certificate.
func mysqlCommand(t testing.TB, addr string, a loginAccount, options ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--no-defaults", "--protocol=tcp", "--batch", "--skip-column-names", "--host=" + host, "--port=" + port,
		"--user=" + a.user, "--password=" + a.password, "--database=" + a.database,
	}
	return inMySQLRoot(exec.Command("/usr/bin/mysql", append(args, options...)...))
}

// mysqlPlain are its options for a login without TLS.
var mysqlPlain = []string{"--ssl-mode=DISABLED", "--get-server-public-key"}

// clientOutput runs the client to its end. The error is as it prints it.
func clientOutput(t testing.TB, cmd *exec.Cmd) (string, error) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { kill(cmd) })()
	err := cmd.Wait()
	if err != nil {
		_, said, ok := strings.Cut(stderr.String(), "ERROR ")
		if !ok {
			t.Fatalf("%v: %v: %s", cmd.Args, err, stderr.String())
		}
		err = errors.New("ERROR " + strings.TrimSpace(said))
	}
	return strings.TrimSpace(stdout.String()), err
}

// mysqlClients log in to a MySQL server and run a statement.
var mysqlClients = []struct {
	name  string
	query func(t testing.TB, addr string, withTLS bool, a loginAccount, statement string) (string, error)
}{
	{"mysql", func(t testing.TB, addr string, withTLS bool, a loginAccount, statement string) (string, error) {
		t.Helper()
		options := []string{"--comments", "--execute=" + statement}
		if !withTLS {
			options = append(options, mysqlPlain...)
		}
		return clientOutput(t, mysqlCommand(t, addr, a, options...))
	}},
	{"go-sql-driver", func(t testing.TB, addr string, withTLS bool, a loginAccount, statement string) (string, error) {
		t.Helper()
		task := loginTask{loginAccount: a, addr: addr}
		if withTLS {
			task.tls = anyServer
		}
		db, err := openDriver(task, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return rowsText(db.QueryContext(ctx, statement))
	}},
}

// mysqlAccounts makes the accounts.
func mysqlAccounts(t *testing.T, db *MariaDB) map[string]loginAccount {
	t.Helper()
	schema, password := word(), word()
	db.exec(t, "CREATE DATABASE "+schema)
	db.exec(t, "CREATE TABLE "+schema+".t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40))")
	db.exec(t, "INSERT INTO "+schema+".t (v) VALUES ('one'), ('two'), ('three')")
	create := func(how string, password string) loginAccount {
		t.Helper()
		a := loginAccount{word(), password, schema}
		db.exec(t, "CREATE USER ?@'%' IDENTIFIED WITH "+strings.Replace(how, "BY", "BY '"+password+"'", 1), a.user)
		db.exec(t, "GRANT ALL ON "+schema+".* TO ?@'%'", a.user)
		db.exec(t, "GRANT SELECT ON performance_schema.* TO ?@'%'", a.user)
		return a
	}
	known := create("caching_sha2_password BY", password)
	return map[string]loginAccount{
		"caching_sha2_password": known,
		"sha256_password":       create("sha256_password BY", password),
		"empty":                 create("caching_sha2_password BY", ""),
		"REQUIRE SSL":           create("caching_sha2_password BY REQUIRE SSL", password),
		"wrong password":        {known.user, word(), schema},
		"unknown user":          {word(), password, schema},
		"unknown database":      {known.user, password, word()},
	}
}

// readmeConfig is the README's first configuration, with names that Caddy's internal authority serves.
func readmeConfig(t testing.TB, listen, server string) Config {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fencesOf(string(text)) {
		if f.language == "caddyfile" {
			for _, s := range []string{":3306", "db.example.com", "127.0.0.1:3307", "layer4 {"} {
				if strings.Count(f.text, s) != 1 {
					t.Fatalf("the README's first configuration has not %q once:\n%s", s, f.text)
				}
			}
			return Config{"caddyfile", strings.NewReplacer(":3306", listen, "db.example.com", "db.internal 127.0.0.1",
				"127.0.0.1:3307", server, "layer4 {", "skip_install_trust\n\tlayer4 {").Replace(f.text)}
		}
	}
	t.Fatal("the README has no configuration")
	return Config{}
}
