package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// goDriver is Go's driver.
var goDriver = compatClient{
	name: "go-sql-driver",
	version: func(t testing.TB) (string, error) {
		t.Helper()
		version, err := try(t, "go", "list", "-m", "-f={{.Version}}", "github.com/go-sql-driver/mysql")
		return strings.TrimPrefix(version, "v"), err
	},
	start: func(testing.TB, *Matrix) func(testing.TB, Task) error { return runGoDriver },
}

// A driverScenario is what the driver does in one session.
type driverScenario struct {
	parameters string // of the driver's DSN
	run        func(d *driverSession, task Task)
}

// A driverSession remembers the first error that is not the server's: those are part of the scenarios.
type driverSession struct {
	ctx  context.Context
	conn *sql.Conn
	err  error
}

func runGoDriver(t testing.TB, task Task) error {
	t.Helper()
	scenario, ok := driverScenarios[task.Scenario]
	if !ok {
		return fmt.Errorf("no scenario %s", task.Scenario)
	}
	mysql.RegisterLocalFile(task.File)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	addr := fmt.Sprintf("%s:%d", task.Host, task.Port)
	d := &driverSession{ctx: ctx, conn: connect(t, addr, task.Account, scenario.parameters)}
	scenario.run(d, task)
	return errors.Join(d.err, d.conn.Close())
}

// do goes on after the server's errors.
func (d *driverSession) do(err error) {
	if err != nil && d.err == nil && !errors.As(err, new(*mysql.MySQLError)) {
		d.err = err
	}
}

// query runs statements and reads all that they return.
func (d *driverSession) query(statements ...string) {
	for _, statement := range statements {
		d.do(drainAll(d.conn.QueryContext(d.ctx, statement)))
	}
}

// execute prepares a statement and executes it once for each list of values.
func (d *driverSession) execute(text string, executions ...[]any) {
	stmt, err := d.conn.PrepareContext(d.ctx, text)
	if d.do(err); err != nil {
		return
	}
	defer stmt.Close()
	for _, values := range executions {
		d.do(drainAll(stmt.QueryContext(d.ctx, values...)))
	}
}

// drainAll reads all rows of all results.
func drainAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		for rows.Next() {
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// driverValues are the values of three executions and one of NULLs, in the order of the columns of kept.
var driverValues = [][]any{
	{
		math.MaxInt8, math.MaxUint8, math.MaxInt16, math.MaxUint16, math.MaxInt32, uint32(math.MaxUint32),
		math.MaxInt64, uint64(math.MaxUint64), float32(1.5), 1.0e300, "123456789012345678901234.567891",
		"it's €ü 😀",
		[]byte{0, 0xff, 0xfe, 0x80},
		"2026-03-04", "838:59:59",
		time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC),
	},
	{
		math.MinInt8, 0, math.MinInt16, 0, math.MinInt32, uint32(0), math.MinInt64, uint64(0),
		float32(-0.25), -2.5, "-0.5", "",
		[]byte{},
		"1000-01-01", "-838:59:59",
		time.Date(1000, 1, 1, 0, 0, 1, 0, time.UTC),
	},
	make([]any, 16),
	{
		true, int8(2), int16(3), uint16(4), 5, uint32(6), 7, uint64(8), float32(9.5), 10.25, "11.125",
		"line\nbreak \"quoted\" \\ \t", []byte("plain"), "2026-12-31", "-00:00:01.5",
		time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC),
	},
}

var driverScenarios = map[string]driverScenario{
	"text": {run: func(d *driverSession, task Task) {
		d.query("SELECT '"+task.Word+"', '€ü', NULL", "SELECT * FROM t", "SELECT * FROM t WHERE id < 0",
			"INSERT INTO t (v) VALUES ('a'), ('b')", "UPDATE t SET v = 'c' WHERE id > 2", "DELETE FROM t WHERE id = 1",
			"CREATE TABLE made (id INT)", "SET @a = 1")
	}},
	"multi": {"multiStatements=true", func(d *driverSession, _ Task) {
		d.query("SELECT 1; INSERT INTO t (v) VALUES ('m'), ('n'); SELECT id, v FROM t; DELETE FROM t WHERE v = 'n'",
			"SET @a = 1; SET @b = 2")
	}},
	"call": {"multiStatements=true", func(d *driverSession, _ Task) {
		d.query("CALL sets(2)", "CALL quiet('q')", "CALL fails()", "CALL sets(1); CALL sets(2)")
		d.execute("CALL sets(?)", []any{2}, []any{3})
	}},
	"out": {run: func(d *driverSession, _ Task) {
		d.query("SET @c = 3", "CALL outs(20, @b, @c)", "SELECT @b, @c")
	}},
	"prepared": {run: func(d *driverSession, _ Task) {
		d.execute("SELECT id, v FROM t WHERE id >= ? AND v <> ?", []any{2, "x"}, []any{1, "two"}, []any{9, "y"})
		d.execute("SELECT * FROM t", nil)
		d.execute("INSERT INTO t (v) VALUES (?), (?)", []any{"p", "q"}, []any{nil, "r"})
		d.execute("UPDATE t SET v = ? WHERE id > ?", []any{"s", 1.5})
		d.execute("SELECT 1 / ?", []any{0})
	}},
	"values": {run: func(d *driverSession, _ Task) {
		d.execute("INSERT INTO kept (i8, u8, i16, u16, i32, u32, i64, u64, f, d, n, s, x, da, ti, dt)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", driverValues...)
	}},
	"longdata": {"maxAllowedPacket=65536", func(d *driverSession, _ Task) { // beyond half a packet, it is sent apart
		d.execute("INSERT INTO kept (s, x, i32) VALUES (?, ?, ?)",
			[]any{strings.Repeat("abc", 10_000), []byte(strings.Repeat("\xff\x00", 50_000)), 7},
			[]any{"short", []byte{0x80}, 8})
	}},
	"infile": {run: func(d *driverSession, task Task) {
		d.query("LOAD DATA LOCAL INFILE '"+task.File+"' INTO TABLE t (v)", "SELECT COUNT(*) FROM t", "SELECT 'after'")
	}},
	"errors": {run: func(d *driverSession, _ Task) {
		d.query("SELEC 1", "SELECT * FROM nosuch", "INSERT INTO t (id, v) VALUES (1, 'again')", "SELECT nosuch FROM t",
			"SELECT (SELECT id FROM t)", "SELECT 'after'")
	}},
	"errors_multi": {"multiStatements=true", func(d *driverSession, _ Task) {
		d.query("SELECT 1; SELECT * FROM nosuch; SELECT 3", "SELECT 1, 2; SELEC 4; SELECT 5", "SELECT 'after'")
	}},
	"errors_prepared": {run: func(d *driverSession, _ Task) {
		d.execute("SELEC ?", []any{1})
		d.execute("SELECT * FROM nosuch WHERE id = ?", []any{1})
		d.execute("INSERT INTO t (id, v) VALUES (?, ?)", []any{1, "again"}, []any{10, "ten"}, []any{10, "ten"})
		d.execute("SELECT (SELECT id FROM t WHERE id > ?)", []any{2}, []any{0})
		d.query("SELECT 'after'")
	}},
	"transaction": {run: func(d *driverSession, _ Task) {
		for _, readOnly := range []bool{false, true} {
			tx, err := d.conn.BeginTx(d.ctx, &sql.TxOptions{ReadOnly: readOnly})
			if d.do(err); err != nil {
				return
			}
			d.do(drainAll(tx.QueryContext(d.ctx, "INSERT INTO t (v) VALUES ('t')")))
			d.do(tx.Rollback())
		}
		d.query("SET autocommit = 0", "INSERT INTO t (v) VALUES ('u')", "SAVEPOINT s", "DELETE FROM t",
			"ROLLBACK TO s", "COMMIT")
	}},
	"schema": {run: func(d *driverSession, task Task) {
		d.query("SELECT DATABASE()", "USE information_schema", "SELECT DATABASE()", "USE nosuch_"+task.Word,
			"USE "+task.Database(), "SELECT DATABASE()")
	}},
	"kill": {run: func(d *driverSession, _ Task) { d.query("SELECT 'before'", endlessQuery, "SELECT 'after'") }},
	"big_result": {run: func(d *driverSession, _ Task) {
		d.query(manyQuery, manyQuery+" LIMIT 5000")
		d.execute(manyQuery+" LIMIT ?", []any{3000})
	}},
	"big_text": {run: func(d *driverSession, _ Task) {
		d.query(measureBegin+strings.Repeat("x", 6000)+measureEnd, measureBegin+strings.Repeat("y", 1<<20)+measureEnd,
			"SELECT 'after'")
	}},
	"huge_text": {run: func(d *driverSession, _ Task) {
		d.query(measureBegin+strings.Repeat("z", 17<<20)+measureEnd, "SELECT 'after'")
	}},
	"returning": {run: func(d *driverSession, _ Task) {
		d.query("INSERT INTO t (v) VALUES ('r'), ('s') RETURNING id, v", "DELETE FROM t WHERE v = 's' RETURNING id",
			"REPLACE INTO t (id, v) VALUES (1, 'q') RETURNING v")
		d.execute("INSERT INTO t (v) VALUES (?), (?) RETURNING id", []any{"a", "b"}, []any{"c", "d"})
	}},
	"warnings": {run: func(d *driverSession, _ Task) {
		d.query("SELECT 1/0, CAST('x' AS SIGNED)", "SHOW WARNINGS", "DROP TABLE IF EXISTS nosuch", "SHOW WARNINGS",
			"SELECT 'none'", "SHOW COUNT(*) WARNINGS", "SELECT CAST('7x' AS SIGNED) FROM t")
	}},
	"insert_id": {run: func(d *driverSession, _ Task) {
		d.query("INSERT INTO t (v) VALUES ('i')", keepInsertID,
			"INSERT INTO t (v) VALUES ('j'), ('k'), ('l')", keepInsertID,
			"INSERT INTO t (id, v) VALUES (4000000000, 'm')")
		d.execute("INSERT INTO t (v) VALUES (?)", []any{"n"})
		d.query(keepInsertID)
	}},
	"latin1": {"charset=latin1", func(d *driverSession, _ Task) {
		d.query("INSERT INTO t (v) VALUES ('\xe9')", "INSERT INTO t (v) VALUES ('\xff\xdf')",
			"SELECT v FROM t WHERE v = '\xe9'")
		d.execute("INSERT INTO kept (s) VALUES (?)", []any{"\xe9t\xe9"}, []any{"\x80"})
		d.execute("INSERT INTO kept (s) VALUES (?) /* \xe9 */", []any{"\xe9"})
	}},
	"names": {run: func(d *driverSession, _ Task) {
		d.query("INSERT INTO t (v) VALUES ('é')", "SET NAMES latin1", "INSERT INTO t (v) VALUES ('\xe9\xe0')",
			"SET NAMES utf8mb4", "INSERT INTO t (v) VALUES ('ü€')")
	}},
	"compression": {"compress=true&multiStatements=true", func(d *driverSession, task Task) {
		d.query(task.Compressed, manyQuery, measureBegin+strings.Repeat("x", 1<<20)+measureEnd, "SELECT * FROM nosuch",
			"SELECT 1; SELECT 2")
		d.execute("SELECT id, v FROM t WHERE id >= ?", []any{1}, []any{3})
	}},
	"commands": {run: func(d *driverSession, _ Task) {
		d.do(d.conn.PingContext(d.ctx))
		d.query("SELECT 'after'")
	}},
}
