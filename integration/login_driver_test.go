package integration

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// loginDriver has Go's driver do a task.
func loginDriver(t testing.TB, task loginTask) (told []string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var own string
	db, err := openDriver(task, func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && network == "tcp" {
			own = "|" + conn.LocalAddr().String()
		}
		return conn, err
	})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return []string{err.Error()}, nil
	}
	defer conn.Close()
	tell := func(rows *sql.Rows, err error) {
		text, err := rowsText(rows, err)
		if err != nil {
			text = err.Error()
		}
		told = append(told, text)
	}
	run := func(statement string) { tell(conn.QueryContext(ctx, statement)) }
	run(cmp.Or(task.facts, loginFacts))
	told[0] += own
	run(loginRows)
	stmt, err := conn.PrepareContext(ctx, loginPrepared)
	if err != nil {
		return append(told, err.Error()), nil
	}
	defer stmt.Close()
	for id := range 2 {
		tell(stmt.QueryContext(ctx, id+1))
	}
	run(loginError)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return append(told, err.Error()), nil
	}
	tell(tx.QueryContext(ctx, loginInsert))
	tell(tx.QueryContext(ctx, loginCount))
	_ = tx.Rollback()
	for _, statement := range []string{loginCount, "USE information_schema", "SELECT DATABASE()", "USE " + task.database, "SELECT DATABASE()"} {
		run(statement)
	}
	return told, conn.PingContext(ctx)
}

// openDriver returns a pool of connections for a task, which are made by dial unless that is nil.
func openDriver(task loginTask, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd, config.DBName = "tcp", task.addr, task.user, task.password, task.database
	if task.socket != "" {
		config.Net, config.Addr = "unix", task.socket
	}
	config.DialFunc = dial
	var err error
	if config.TLS, err = driverTLS(task); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func driverTLS(task loginTask) (*tls.Config, error) {
	switch task.tls {
	case "":
		return nil, nil
	case anyServer:
		return &tls.Config{InsecureSkipVerify: true}, nil
	}
	text, err := os.ReadFile(task.tls)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(task.addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: host}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New(task.tls + " has no certificate")
	}
	return config, nil
}

// rowsText returns the rows of a result, as the other clients print them.
func rowsText(rows *sql.Rows, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var text []string
	for rows.Next() {
		values := make([]string, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return "", err
		}
		text = append(text, strings.Join(values, "|"))
	}
	return strings.Join(text, ", "), rows.Err()
}
