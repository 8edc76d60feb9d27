package integration

import (
	"context"
	"database/sql"
	"net"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// A Client is a way to use a MySQL server.
type Client struct {
	name string
	// query logs in at addr, runs the statements in one session, and returns the first column of the
	// last statement's first row.
	query func(t testing.TB, addr string, a Account, statements ...string) (string, error)
}

// clients are those that every way of a connection is tried with.
var clients = []Client{
	{"mariadb", queryCLI},
	{"go-sql-driver", func(t testing.TB, addr string, a Account, statements ...string) (string, error) {
		return queryDriver(t, new(net.Dialer).DialContext, addr, a, statements...)
	}},
}

// queryCLI uses MariaDB's command line client.
func queryCLI(t testing.TB, addr string, a Account, statements ...string) (string, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := try(t, "mariadb", "--no-defaults", "--protocol=tcp", "--skip-ssl", "--batch", "--skip-column-names", "--comments",
		"--host="+host, "--port="+port, "--user="+a.User, "--password="+a.Password,
		"--execute="+strings.Join(statements, "; "), a.Database())
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1], err
}

// queryDriver uses Go's driver over the connections that dial makes.
func queryDriver(
	t testing.TB, dial func(context.Context, string, string) (net.Conn, error),
	addr string, a Account, statements ...string,
) (string, error) {
	t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DialFunc = "tcp", addr, dial
	config.User, config.Passwd, config.DBName = a.User, a.Password, a.Database()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var value string
	for _, statement := range statements {
		if err := conn.QueryRowContext(ctx, statement).Scan(&value); err != nil {
			return "", err
		}
	}
	return value, nil
}
