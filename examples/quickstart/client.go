package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/pires/go-proxyproto"
)

// balancer is the address that the client believes to be connected to. Like the client's, it is one of
// those that RFC 5737 sets aside for documentation.
var balancer = &net.TCPAddr{IP: net.IPv4(198, 51, 100, 10), Port: 3306}

// randomAddr draws a client's address from 203.0.113.0/24.
func randomAddr() *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, byte(1+rand.N(254))), Port: 1024 + rand.N(1<<16-1024)}
}

// visit connects to address, as a load balancer does for a client at origin, runs some statements and
// prints each with its answer. It returns the text of the last.
func visit(ctx context.Context, address string, origin net.Addr) (string, error) {
	config := mysql.NewConfig()
	config.User, config.DBName = "app", database
	config.Net, config.Addr = "tcp", address
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialFor(ctx, origin, network, address)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return "", err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1) // because there is one origin
	last, err := askAll(ctx, db)
	return last, errors.Join(err, db.Close())
}

// dialFor connects and sends the PROXY header that names origin, before a byte of MySQL.
func dialFor(ctx context.Context, origin net.Addr, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if _, err := proxyproto.HeaderProxyFromAddrs(2, origin, balancer).WriteTo(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// askAll runs some statements on db, the order's number drawn at random, and returns the text of the last.
func askAll(ctx context.Context, db *sql.DB) (string, error) {
	order := rand.N(1_000_000)
	if err := ask(ctx, db, "CREATE TABLE orders (id INT PRIMARY KEY, item VARCHAR(20))"); err != nil {
		return "", err
	}
	if err := ask(ctx, db, fmt.Sprintf("INSERT INTO orders VALUES (%d, 'tea')", order)); err != nil {
		return "", err
	}
	if err := ask(ctx, db, "SELECT item FROM orders WHERE id = ?", order); err != nil { // prepared
		return "", err
	}
	last := fmt.Sprintf("SELECT * FROM order_%d", order)
	return last, ask(ctx, db, last)
}

// ask runs one statement and prints it with the answer; an error that the server sent is an answer, too.
func ask(ctx context.Context, db *sql.DB, text string, args ...any) error {
	rows, err := db.QueryContext(ctx, text, args...)
	var refused *mysql.MySQLError
	switch {
	case errors.As(err, &refused):
		fmt.Printf("   %s  -> %v\n", text, refused)
		return nil
	case err != nil:
		return err
	}
	n := 0
	for rows.Next() { // closes rows in the end
		n++
	}
	fmt.Printf("   %s  -> rows: %d\n", text, n)
	return rows.Err()
}
