package integration

import (
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func init() {
	// The driver reports each attempt to reach a server that is still starting.
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		panic(err)
	}
}

// A MariaDB is a server with a data directory of its own, on IPv4's loopback. Its general log is a table
// and its performance schema is on.
type MariaDB struct {
	*process
	Addr   string  // where it listens: host:port
	Socket string  // its unix socket
	Admin  *sql.DB // root, over the socket; statements of this pool are not in the general log
}

// startMariaDB starts a server for one test. The options are mariadbd's, like "--proxy-protocol-networks=::1".
func startMariaDB(t testing.TB, options ...string) *MariaDB {
	t.Helper()
	need(t, "mariadbd", "mariadb-install-db", "mariadb")
	db, err := newMariaDB(options...)
	if err != nil {
		t.Fatal(err)
	}
	db.stopAfter(t)
	t.Cleanup(func() { _ = db.Admin.Close() })
	return db
}

// sharedMariaDB returns the one server that tests share if they need no options. It trusts PROXY headers
// from the loopback addresses, as a database behind Caddy does, and takes connections without one.
func sharedMariaDB(t testing.TB) *MariaDB {
	t.Helper()
	need(t, "mariadbd", "mariadb-install-db", "mariadb")
	db, err := oneMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	return db
}

var oneMariaDB = sync.OnceValues(func() (*MariaDB, error) {
	return newMariaDB("--proxy-protocol-networks=127.0.0.0/8,::1")
})

// mariaDBOptions make a small server that reads no configuration of this machine. Names are not resolved:
// nobody answers for documentation addresses, and accounts here are granted to addresses.
var mariaDBOptions = []string{
	"--no-defaults", "--skip-name-resolve", "--skip-log-bin", "--skip-slave-start",
	"--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0",
}

// mariaDBTemplate makes an empty data directory, once in a run: servers copy it.
var mariaDBTemplate = sync.OnceValues(func() (string, error) {
	dir, err := newDir("mariadb")
	if err != nil {
		return "", err
	}
	path, err := find("mariadb-install-db")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, append(mariaDBOptions,
		"--datadir="+dir, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if err := unprivileged(cmd, dir, "mysql", "nobody"); err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return dir, nil
})

func newMariaDB(options ...string) (*MariaDB, error) {
	template, err := mariaDBTemplate()
	if err != nil {
		return nil, err
	}
	dir, err := newDir("mariadb")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.CopyFS(data, os.DirFS(template)); err != nil {
		return nil, err
	}
	port, err := drawPort()
	if err != nil {
		return nil, err
	}
	path, err := find("mariadbd")
	if err != nil {
		return nil, err
	}
	db := &MariaDB{Addr: local(port), Socket: filepath.Join(dir, "sock")}
	cmd := exec.Command(path, append(mariaDBOptions,
		"--datadir="+data, "--socket="+db.Socket, "--pid-file="+filepath.Join(dir, "pid"), "--tmpdir="+dir,
		"--bind-address=127.0.0.1", fmt.Sprint("--port=", port),
		"--performance-schema=ON", "--general-log=ON", "--log-output=TABLE")...)
	cmd.Args = append(cmd.Args, options...)
	if err := unprivileged(cmd, dir, "mysql", "nobody"); err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", db.Socket
	config.Params = map[string]string{"sql_log_off": "1"}
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db.Admin = sql.OpenDB(connector)
	db.process, err = startProcess(cmd, func(*process) error { return db.Admin.Ping() })
	return db, err
}

// An Account is a user of a server, with a schema of the same name to work in. All of it is new in this run.
type Account struct{ User, Password string }

// Database is the name of the account's schema.
func (a Account) Database() string { return a.User }

// createAccount makes an account that may log in from host only: an address, a pattern, or "%".
func (m *MariaDB) createAccount(t testing.TB, host string) Account {
	t.Helper()
	a := Account{User: word(), Password: word()}
	m.exec(t, "CREATE DATABASE "+a.Database())
	m.exec(t, "CREATE USER ?@? IDENTIFIED BY ?", a.User, host, a.Password)
	m.exec(t, "GRANT ALL ON "+a.Database()+".* TO ?@?", a.User, host)
	return a
}

// exec runs a statement as root.
func (m *MariaDB) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := m.Admin.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A LogEntry is a row of mysql.general_log.
type LogEntry struct {
	ThreadID uint64
	Time     float64 // seconds since 1970
	Command  string  // "Connect", "Query", "Prepare", "Execute", "Init DB", "Quit", ...
	Argument string
}

// generalLog returns what the server has logged of a user's sessions, those that were refused included, in
// the order in which the server did it.
func (m *MariaDB) generalLog(t testing.TB, user string) []LogEntry {
	t.Helper()
	// A session's rows name the user as "root[user] @ host [address]"; the row of its login names only
	// the address, and the user in the argument.
	rows, err := m.Admin.QueryContext(t.Context(), `
		SELECT thread_id, UNIX_TIMESTAMP(event_time), command_type, CONVERT(argument USING utf8mb4)
		FROM mysql.general_log
		WHERE thread_id IN (SELECT thread_id FROM mysql.general_log
			WHERE user_host LIKE CONCAT('%[', ?, '] @ %') OR argument LIKE CONCAT(?, '@%'))
		ORDER BY event_time, thread_id`, user, user)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var entries []LogEntry
	for rows.Next() {
		var e LogEntry
		if err := rows.Scan(&e.ThreadID, &e.Time, &e.Command, &e.Argument); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return entries
}

// status returns a global status variable, like "Connections".
func (m *MariaDB) status(t testing.TB, name string) int {
	t.Helper()
	var n int
	err := m.Admin.QueryRowContext(t.Context(),
		"SELECT variable_value FROM information_schema.global_status WHERE variable_name = ?", name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
