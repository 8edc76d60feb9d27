package l4mysql

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// executeRecord is a record of COM_STMT_EXECUTE with 8 parameters, as the session of these bytes tells it.
func executeRecord(b testing.TB) (r mysqldump.Record) {
	b.Helper()
	s := executeSession(b, func(record *mysqldump.Record) {
		if record.Command == mysqlwire.ComStmtExecute {
			r = newEntry(record, nil).Record // a copy, which is never given back
		}
	})
	s.Feed(mysqldump.Client, []byte(executePacket), 0)
	s.Feed(mysqldump.Server, []byte(mysqlOK(1)), 0)
	if len(r.Values) != 8 {
		b.Fatalf("got %d parameters, want 8", len(r.Values))
	}
	return r
}

// executeSession is a session that has seen statement 7 with 8 parameters prepared.
func executeSession(b testing.TB, emit func(*mysqldump.Record)) *mysqldump.Session {
	b.Helper()
	s := mysqldump.NewSession(&mysqldump.Options{Commands: mysqldump.AllCommands()}, emit)
	for _, step := range []struct {
		side mysqldump.Side
		data string
	}{
		{mysqldump.Server, mysqlGreeting},
		{mysqldump.Client, mysqlLogin},
		{mysqldump.Server, mysqlLoginOK},
		{mysqldump.Client, executePrepare},
		{mysqldump.Server, mysqlPrepared(7, 8)},
	} {
		s.Feed(step.side, []byte(step.data), 0)
	}
	return s
}

const executeText = "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

// executePrepare prepares it.
var executePrepare = packet(0, "\x16"+executeText)

// executePacket executes statement 7 with integers, texts, a DATETIME and NULL.
var executePacket = packet(0, "\x17\x07\x00\x00\x00\x00\x01\x00\x00\x00", "\x10", "\x01",
	"\x08\x00\x03\x00\x08\x80\xfd\x00\x06\x00\xfd\x00\x0c\x00\xfc\x00",
	"\x15\xcd\x5b\x07\x00\x00\x00\x00", "\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\x7f", "\x05Alice",
	"\x0dBaker Street ", "\x0b\xea\x07\x0b\x14\x0c\x22\x38\x40\xe2\x01\x00", "\x06\xe2\x82\xac 12")

// executeWant are its parameters.
const executeWant = `[123456789,-1,9223372036854775807,"Alice",null,"Baker Street ","2026-11-20 12:34:56.123456","€ 12"]`

// TestExecuteValues: the parameters of those bytes, as the log has them.
func TestExecuteValues(t *testing.T) {
	got := values(t, (&fieldsCase{record: executeRecord(t)}).encode(t, bare()))
	if string(got["stmt_execute_values"]) != executeWant {
		t.Errorf("got %s, want %s", got["stmt_execute_values"], executeWant)
	}
}

// TestExecuteNumbers: numbers are exact to their last digit, and what JSON has no number for is text.
func TestExecuteNumbers(t *testing.T) {
	var line string
	s := executeSession(t, func(r *mysqldump.Record) { line = (&fieldsCase{record: *r}).encode(t, bare()) })
	double := func(f float64) string { return string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))) }
	s.Feed(mysqldump.Client, []byte(packet(0, "\x17\x07\x00\x00\x00\x00\x01\x00\x00\x00", "\x00", "\x01",
		"\x08\x80\x08\x00\x04\x00\x05\x00\x05\x00\x05\x00\x05\x00\x05\x00",
		strings.Repeat("\xff", 8), strings.Repeat("\x00", 7), "\x80", "\xcd\xcc\xcc\x3d",
		double(1e300), double(math.NaN()), double(math.Inf(-1)), double(math.Copysign(0, -1)), double(19.9))), 0)
	s.Feed(mysqldump.Server, []byte(mysqlOK(1)), 0)
	want := `[18446744073709551615,-9223372036854775808,0.1,1e300,"NaN","-Inf",-0,19.9]`
	if got := values(t, line)["stmt_execute_values"]; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestExecuteAllocates: to copy and encode a record takes no more allocations with 8 parameters than
// without them, and all of it, from the bytes to the line, at most 6.
func TestExecuteAllocates(t *testing.T) {
	with := executeRecord(t)
	without := with
	without.Values = nil
	peer := testPeer(t, "")
	count := func(r *mysqldump.Record) float64 {
		return testing.AllocsPerRun(200, func() { encodeAndFree(t, r, peer) })
	}
	got, base := count(&with), count(&without)
	if got > base || base == 0 {
		t.Errorf("got %v allocations with parameters and %v without, want as many", got, base)
	}
	s := executeSession(t, func(r *mysqldump.Record) { encodeAndFree(t, r, peer) })
	execute, ok := []byte(executePacket), []byte(mysqlOK(1))
	if got := testing.AllocsPerRun(200, func() {
		s.Feed(mysqldump.Client, execute, time.Microsecond)
		s.Feed(mysqldump.Server, ok, 2*time.Microsecond)
	}); got > 6 {
		t.Errorf("got %v allocations from the bytes to the line, want at most 6", got)
	}
}

func encodeAndFree(t testing.TB, r *mysqldump.Record, peer *conversation) (size int) {
	e := newEntry(r, peer)
	b, err := executeEncoder.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Inline(e)})
	if err != nil {
		t.Fatal(err)
	}
	size = b.Len()
	b.Free()
	e.free()
	return size
}

var executeEncoder = bare()

// BenchmarkExecute is what one execution of a prepared statement with 8 parameters costs: the session, the
// copy for the queue, and the line of the log. At most 6 allocations ([TestExecuteAllocates]).
func BenchmarkExecute(b *testing.B) {
	peer, lines := testPeer(b, ""), 0
	s := executeSession(b, func(r *mysqldump.Record) { lines += encodeAndFree(b, r, peer) })
	lines = 0
	execute, ok := []byte(executePacket), []byte(mysqlOK(1))
	b.ReportAllocs()
	b.SetBytes(int64(len(execute) + len(ok)))
	n := 0
	for b.Loop() {
		s.Feed(mysqldump.Client, execute, time.Microsecond)
		s.Feed(mysqldump.Server, ok, 2*time.Microsecond)
		n++
	}
	if lines < 500*n {
		b.Errorf("got %d bytes of %d lines", lines, n)
	}
}
