package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sysbenchSize is how much sysbench does.
type sysbenchSize struct {
	events int           // transactions of one client, one after the other
	crowd  time.Duration // how long 16 clients work at the same time
}

// TestSysbench: after sysbench's transactions, which are the same in each run because their random numbers are,
// a table has the same rows whatever the way to the server, and 16 clients at the same time meet no error.
// L4MYSQL_SYSBENCH=1 makes it long, as in `make test-sysbench`.
func TestSysbench(t *testing.T) {
	need(t, "sysbench")
	size := sysbenchSize{events: 1000, crowd: 2 * time.Second}
	if os.Getenv("L4MYSQL_SYSBENCH") == "1" {
		size = sysbenchSize{events: 20_000, crowd: time.Minute}
	}
	authority := newAuthority(t)
	certificate := authority.issue(t, "db.test")
	dir, err := newDir("sysbench")
	if err != nil {
		t.Fatal(err)
	}
	db := startMariaDB(t, "--general-log=OFF", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M",
		"--ssl-cert="+publish(t, dir, certificate), "--ssl-key="+publish(t, dir, certificate),
		"--ssl-ca="+publish(t, dir, authority.File))
	original := newSysbench(t, db, db.Addr)
	original.run(t, "prepare", "--threads=1")
	want := newSysbench(t, db, db.Addr).transactions(t, db, original, size)

	serverFirst := "mysql_proxy " + db.Addr
	plain := serverFirst + ` {
					tls off
				}`
	verified := fmt.Sprintf(serverFirst+` {
					tls require
					tls_trust_pool file %s
					tls_server_name db.test
				}`, authority.File)
	for _, mode := range []struct {
		name     string
		client   bool // sysbench uses TLS
		server   bool // the server is to see TLS
		handlers []string
	}{
		{"server-first, plain", false, false, []string{serverFirst}},
		{"server-first, TLS from end to end", true, true, []string{serverFirst}},
		{"login-first, plain", false, false, []string{"mysql_login", plain}},
		{"login-first, TLS of the client", true, false, []string{routeTLS, plain}},
		{"login-first, TLS of the server", false, true, []string{"mysql_login", verified}},
		{"login-first, TLS of both", true, true, []string{routeTLS, verified}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			address := local(freePort(t))
			caddy := startRoute(t, address, mode.handlers...)
			s := newSysbench(t, db, address)
			if mode.client {
				trusted := authority.File
				if mode.handlers[0] == routeTLS {
					trusted = filepath.Join(caddy.Dir, "caddy", "pki", "authorities", "local", "root.crt")
				}
				s.certificates(t, trusted, certificate)
			}
			if mode.server {
				db.exec(t, "ALTER USER ?@'%' REQUIRE SSL", s.account.User)
			}
			if got := s.transactions(t, db, original, size); got != want {
				t.Errorf("CHECKSUM TABLE after %d transactions: got %s, want %s, as without a proxy", size.events, got, want)
			}
			s.run(t, "run", "--threads=16", "--events=0", fmt.Sprint("--time=", int(size.crowd.Seconds())))
		})
	}
}

// checksum returns what CHECKSUM TABLE says.
func (m *MariaDB) checksum(t testing.TB, table string) (sum string) {
	t.Helper()
	if err := m.Admin.QueryRowContext(t.Context(), "CHECKSUM TABLE "+table).Scan(new(string), &sum); err != nil {
		t.Fatal(err)
	}
	return sum
}

// A sysbench runs sysbench with an account.
type sysbench struct {
	address string
	account Account
	dir     string // with the certificates; empty: no TLS
}

// newSysbench makes an account for one run.
func newSysbench(t testing.TB, db *MariaDB, address string) *sysbench {
	t.Helper()
	return &sysbench{address: address, account: db.createAccount(t, "%")}
}

// transactions makes a table, works on the rows of the original one with one client, and returns the checksum of what
// came out. The seed does not hold for the rows that sysbench makes itself.
func (s *sysbench) transactions(t testing.TB, db *MariaDB, original *sysbench, size sysbenchSize) (checksum string) {
	t.Helper()
	table := s.account.Database() + ".sbtest1"
	s.run(t, "prepare", "--threads=1")
	db.exec(t, "TRUNCATE TABLE "+table)
	db.exec(t, "INSERT INTO "+table+" SELECT * FROM "+original.account.Database()+".sbtest1")
	s.run(t, "run", "--threads=1", "--time=0", fmt.Sprint("--events=", size.events))
	return db.checksum(t, table)
}

// certificates makes the files that sysbench looks for in its working directory if it is to use TLS. Their names are
// its own. It verifies by whom the server's certificate is, and not for which name.
func (s *sysbench) certificates(t testing.TB, authority, certificate string) {
	t.Helper()
	s.dir = t.TempDir()
	for name, from := range map[string]string{
		"cacert.pem": authority, "client-cert.pem": certificate, "client-key.pem": certificate,
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a command of sysbench's, which must meet no error and lose no connection.
func (s *sysbench) run(t testing.TB, command string, options ...string) {
	t.Helper()
	path, err := find("sysbench")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(s.address, ":")
	args := append([]string{
		"oltp_read_write", "--db-driver=mysql", "--mysql-host=" + host, "--mysql-port=" + port,
		"--mysql-user=" + s.account.User, "--mysql-password=" + s.account.Password, "--mysql-db=" + s.account.Database(),
		"--tables=1", "--table-size=10000", "--rand-seed=1",
	}, options...)
	if s.dir != "" {
		args = append(args, "--mysql-ssl=on")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, command)...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || strings.Contains(text, "FATAL") || strings.Contains(text, "error:") {
		t.Fatalf("sysbench %s %s: %v\n%s", command, strings.Join(options, " "), err, text)
	}
	if command != "run" {
		return
	}
	// "    transactions:                        2000   (123.45 per sec.)"
	done := make(map[string]string)
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 {
			done[fields[0]] = fields[1]
		}
	}
	if done["reconnects:"] != "0" || done["transactions:"] == "0" || done["transactions:"] == "" {
		t.Errorf("sysbench %s: got %s reconnects and %s transactions, want 0 and some\n%s",
			strings.Join(options, " "), done["reconnects:"], done["transactions:"], text)
	}
}
