package integration

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var compatPage = flag.String("compat-page", "", "write docs/compat.md to this file; needs a MySQL server, too")

// A Task is what a client does in one cell of the compatibility matrix: one scenario, in one connection.
type Task struct {
	Scenario string
	Account          // whose connection it is
	Other    Account // another account, which may use the same schema
	Host     string
	Port     uint16
	Word     string // that no other task has
	File     string // for LOAD DATA LOCAL, as the client names it
	// Compressed is a statement by which the server keeps how it compresses.
	Compressed string
}

// line is the task for a client that is another program.
func (task *Task) line() string {
	fields := []string{
		"scenario=" + task.Scenario, "host=" + task.Host, fmt.Sprint("port=", task.Port),
		"user=" + task.User, "password=" + task.Password, "database=" + task.Database(),
		"other_user=" + task.Other.User, "other_password=" + task.Other.Password,
		"word=" + task.Word, "file=" + task.File, "compressed=" + task.Compressed,
		"endless=" + endlessQuery, "many=" + manyQuery, "measure=" + measureBegin + "%s" + measureEnd,
	}
	return strings.Join(fields, "\t") + "\n"
}

// manyQuery returns so many rows that they take many packets of every size.
var manyQuery = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 12000)" +
	" SELECT i, '" + strings.Repeat("v", 50) + "' FROM n"

// infile is a file for LOAD DATA LOCAL that takes many packets. Some of its lines look like commands.
var infile = bytes.Repeat([]byte("a line\n\x03SELECT 1\n\x0e\n\x01\x00\x00\x00\x01\n"), 8_000)

const (
	// endlessQuery runs until somebody kills it.
	endlessQuery = "SELECT COUNT(*) FROM information_schema.collations a, information_schema.collations b," +
		" information_schema.collations c, information_schema.collations d, information_schema.collations e"

	// A statement between whose parts stands a text, whose length the server keeps.
	measureBegin, measureEnd = "INSERT INTO lengths VALUES (LENGTH('", "'))"
)

// A Matrix is one server, with Caddy before it.
type Matrix struct {
	server  compatServer
	db      *MariaDB
	caddy   *Caddy
	addr    string // where Caddy listens
	file    string // for LOAD DATA LOCAL
	records recordReader
	version string
	columns []Column
}

// A Column is a client in the matrix.
type Column struct {
	name, version string
	cells         map[string]string // by scenario
}

// TestCompat: real clients do what clients do, scenario by scenario, through Caddy and before a real server.
// What mysql_log records of it equals what the server's performance schema has, statement by statement, both
// ways. docs/compat.md is what this test has found.
func TestCompat(t *testing.T) {
	var found []*Matrix
	for _, server := range compatServers {
		t.Run(server.name, func(t *testing.T) {
			m := startMatrix(t, server)
			for _, client := range server.clients {
				t.Run(client.name, func(t *testing.T) { m.run(t, client) })
			}
			m.caddy.quiet(t)
			found = append(found, m)
		})
	}
	if *compatPage == "" {
		return
	}
	text, err := compatText(found)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*compatPage, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func startMatrix(t *testing.T, server compatServer) *Matrix {
	t.Helper()
	m := &Matrix{server: server, db: server.start(t)}
	if err := m.db.Admin.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&m.version); err != nil {
		t.Fatal(err)
	}
	endpoint := newEndpoint(t)
	m.addr = endpoint.IPv4
	m.caddy = startCaddy(t, recorded(m.addr, `mysql_log {
					commands all
					events all
				}`, "proxy "+m.db.Addr))
	m.records.path = filepath.Join(m.caddy.Dir, "queries.json")
	dir, err := newDir("infile")
	if err != nil {
		t.Fatal(err)
	}
	m.file = filepath.Join(dir, "lines")
	if err := os.WriteFile(m.file, infile, 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}

// run has a client do every scenario that it can do, each in a connection and a schema of its own.
func (m *Matrix) run(t *testing.T, client compatClient) {
	if client.command != "" {
		need(t, client.command)
	}
	version, err := client.version(t)
	if err != nil {
		if os.Getenv("L4MYSQL_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	column := Column{name: client.name, version: strings.TrimSpace(version), cells: make(map[string]string)}
	do := client.start(t, m)
	for _, s := range compatScenarios {
		reason := cmp.Or(s.absent[client.name], s.absent[m.server.name+" "+client.name])
		switch {
		case s.server != "" && s.server != m.server.name:
		case reason != "":
			column.cells[s.name] = "– " + reason
		case t.Run(s.name, func(t *testing.T) { m.cell(t, s, client, do) }):
			column.cells[s.name] = "equal"
		default:
			column.cells[s.name] = "**not equal**"
		}
	}
	m.columns = append(m.columns, column)
}

// cell compares one scenario of one client.
func (m *Matrix) cell(t *testing.T, s compatScenario, client compatClient, do func(testing.TB, Task) error) {
	m.db.exec(t, "TRUNCATE TABLE mysql.general_log") // a huge text makes it slow
	task := m.newTask(t, s)
	meanwhile := make(chan error, 1)
	go func() {
		if s.meanwhile == nil {
			meanwhile <- nil
		} else {
			meanwhile <- s.meanwhile(t.Context(), m, task.User)
		}
	}()
	if err := errors.Join(do(t, task), <-meanwhile); err != nil {
		t.Fatal(err)
	}
	records := m.connection(t, task.User)
	commands := m.commands(t, task.Account, texts(records))
	if s.uses != "" && !slices.ContainsFunc(commands, func(c ServerCommand) bool { return c.Command == s.uses }) {
		t.Errorf("the server has executed no %s, want some", s.uses)
	}
	for _, code := range s.codes {
		if !slices.ContainsFunc(commands, func(c ServerCommand) bool { return c.ErrorCode == code }) {
			t.Errorf("the server has answered nothing with error %d, want some", code)
		}
	}
	compare(t, s, client, records, commands)
	if s.check != nil {
		s.check(t, m, task, records)
	}
}

// newTask makes an account, and in its schema what testdata/compat/schema.sql has.
func (m *Matrix) newTask(t *testing.T, s compatScenario) Task {
	t.Helper()
	a, other := m.db.createAccount(t, "%"), m.db.createAccount(t, "%")
	m.db.exec(t, "GRANT ALL ON "+a.Database()+".* TO ?@'%'", other.User)
	text, err := os.ReadFile("testdata/compat/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
		m.db.exec(t, strings.ReplaceAll(statement, " db.", " "+a.Database()+"."))
	}
	endpoint := parseAddr(t, m.addr)
	return Task{
		Scenario: s.name, Account: a, Other: other, Host: endpoint.Addr().String(), Port: endpoint.Port(),
		Word: word(), File: m.file,
		Compressed: "INSERT INTO attributes SELECT variable_name, variable_value FROM " + m.server.status +
			" WHERE variable_name LIKE 'compression%'",
	}
}
