package integration

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// A Step is a statement of a script. With values it is prepared, and executed twice.
type Step struct {
	text   string
	values []any
}

// longText has more bytes than max_query by default.
var longText = strings.Repeat("0123456789", 500)

// textScript are statements of every kind that the server answers in its own way: rows, an OK, an error
// that it finds before, while and after it looks at the tables, a change of the schema, and a password.
// Each holds w; the last ones set the password to secret.
func textScript(a Account, w, secret string) []string {
	return []string{
		"SELECT '" + w + "', '€ü'",
		keepProcess + " /* " + w + " */",
		"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40)) COMMENT '" + w + "'",
		"INSERT INTO t (v) VALUES ('" + w + "'), ('" + w + "b'), (CONCAT('" + w + "', 'c'))",
		"SELECT * FROM t WHERE v LIKE '" + w + "%'",
		"SELECT * FROM t WHERE v = 'not " + w + "'",
		"SELECT no_" + w + " FROM t",
		"INSERT INTO t VALUES (9, '" + w + "'), (1, '" + w + "')",
		"SELEC '" + w + "'",
		"START TRANSACTION /* " + w + " */",
		"UPDATE t SET v = CONCAT(v, '" + w + "') WHERE id > 1",
		"ROLLBACK /* " + w + " */",
		"DELETE FROM t WHERE v = '" + w + "c'",
		"PREPARE s FROM 'SELECT ?, v FROM t /* " + w + " */'",
		"SET @v = '" + w + "'",
		"EXECUTE s USING @v",
		"SELECT '" + w + longText + "'",
		"USE information_schema",
		"SELECT COUNT(*) AS " + w + " FROM schemata",
		"USE " + a.Database(),
		"SELECT 'then " + w + "' FROM t",
		"SET PASSWORD = PASSWORD('" + secret + "') /* " + w + " */",
	}
}

// preparedScript is textScript for a client that prepares its statements.
func preparedScript(a Account, w, secret string) []Step {
	prepared := func(text string, values ...any) Step { return Step{text + " /* " + w + " */", values} }
	plain := func(text string) Step { return Step{text: text} }
	return []Step{
		prepared("SELECT ?, 'ü€'", w),
		plain(keepProcess),
		plain("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40)) COMMENT '" + w + "'"),
		prepared("INSERT INTO t (v) VALUES (?), (CONCAT(?, 'b'))", w, w),
		prepared("SELECT * FROM t WHERE v LIKE CONCAT(?, '%')", w),
		prepared("SELECT no_"+w+" FROM t WHERE id = ?", 1),
		prepared("INSERT INTO t VALUES (?, ?)", 10, w),
		plain("START TRANSACTION /* " + w + " */"),
		prepared("UPDATE t SET v = ? WHERE id > ?", w+"u", 1),
		plain("ROLLBACK /* " + w + " */"),
		prepared("DELETE FROM t WHERE v = ?", w),
		prepared("SELECT '"+w+longText+"', ?", w),
		plain("USE information_schema"),
		prepared("SELECT COUNT(*) FROM schemata WHERE schema_name <> ?", w),
		plain("USE " + a.Database()),
		prepared("SELECT ? FROM t", w),
		plain("SET PASSWORD = PASSWORD('" + secret + "') /* " + w + " */"),
	}
}

// scripted are the clients that run a script in one session. Errors that the server answers with are part
// of the script.
var scripted = []struct {
	name string
	run  func(t testing.TB, addr string, a Account, w, secret string)
}{
	{"mariadb", func(t testing.TB, addr string, a Account, w, secret string) {
		runCLI(t, addr, a, strings.Join(textScript(a, w, secret), ";\n")+";\n")
	}},
	{"go-sql-driver text", func(t testing.TB, addr string, a Account, w, secret string) {
		var steps []Step
		for _, text := range textScript(a, w, secret) {
			steps = append(steps, Step{text: text})
		}
		runDriver(t, addr, a, steps)
	}},
	{"go-sql-driver prepared", func(t testing.TB, addr string, a Account, w, secret string) {
		runDriver(t, addr, a, preparedScript(a, w, secret))
	}},
}

// runCLI has MariaDB's command line client read a script from its standard input.
func runCLI(t testing.TB, addr string, a Account, script string, options ...string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	path, err := find("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{
		"--no-defaults", "--protocol=tcp", "--skip-ssl", "--batch", "--comments", "--force",
		"--default-character-set=utf8mb4", "--host=" + host, "--port=" + port,
		"--user=" + a.User, "--password=" + a.Password, a.Database(),
	}, options...)...)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mariadb: %v: %s", err, out)
	}
}

// connect makes one session with Go's driver. Its parameters are those of the driver's DSN.
func connect(t testing.TB, addr string, a Account, parameters string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", a.User+":"+a.Password+"@tcp("+addr+")/"+a.Database()+"?"+parameters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxIdleConns(0) // what is given back is closed
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// runDriver runs a script with Go's driver, and a COM_PING, which makes no record.
func runDriver(t testing.TB, addr string, a Account, script []Step) {
	t.Helper()
	conn := connect(t, addr, a, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, step := range script {
		if err := runStep(ctx, conn, step); err != nil && !errors.As(err, new(*mysql.MySQLError)) {
			t.Fatalf("%s: %v", step.text, err)
		}
	}
	if err := conn.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func runStep(ctx context.Context, conn *sql.Conn, step Step) error {
	if step.values == nil {
		return drain(conn.QueryContext(ctx, step.text))
	}
	stmt, err := conn.PrepareContext(ctx, step.text)
	if err != nil {
		return err
	}
	defer stmt.Close()
	return errors.Join(drain(stmt.QueryContext(ctx, step.values...)), drain(stmt.QueryContext(ctx, step.values...)))
}

// drain reads all rows.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
