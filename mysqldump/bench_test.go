package mysqldump_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A script builds the bytes of both directions of a conversation.
type script struct{ b []byte }

func (s *script) packet(seq uint8, payload ...byte) *script {
	s.b = append(mysqlwire.AppendHeader(s.b, len(payload), seq), payload...)
	return s
}

const (
	protocol = mysqlwire.LongPassword | mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth
	okBody   = "\x00\x00\x00\x02\x00\x00\x00"
	eofBody  = "\xfe\x00\x00\x02\x00"
)

// loggedIn returns a session that stands before its first command, with caps in effect.
func loggedIn(tb testing.TB, caps mysqlwire.Capability, emit func(*mysqldump.Record)) *mysqldump.Session {
	tb.Helper()
	caps |= protocol
	var g, l script
	greeting := append([]byte("\x0a8.0.36\x00"), 7, 0, 0, 0)
	greeting = append(greeting, "12345678\x00"...)
	greeting = append(greeting, byte(caps), byte(caps>>8), 255, 2, 0, byte(caps>>16), byte(caps>>24), 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "123456789012\x00mysql_native_password\x00"...)
	login := append([]byte{byte(caps), byte(caps >> 8), byte(caps >> 16), byte(caps >> 24), 0, 0, 0, 1, 45}, make([]byte, 23)...)
	login = append(login, "app\x00\x00mysql_native_password\x00"...)
	s := mysqldump.NewSession(&mysqldump.Options{Commands: mysqldump.DefaultCommands(), Events: mysqldump.DefaultEvents}, emit)
	now := time.Second
	s.Feed(mysqldump.Server, g.packet(0, greeting...).b, now)
	s.Feed(mysqldump.Client, l.packet(1, login...).b, now)
	if got := s.InFlight(); got != 1 {
		tb.Fatalf("got %d in flight before the login is answered, want 1", got)
	}
	s.Feed(mysqldump.Server, new(script).packet(2, []byte(okBody)...).b, now)
	if reason, _ := s.Opaque(); reason != "" {
		tb.Fatal("the login is not understood")
	}
	return s
}

// oneRow returns a point select and its answer.
func oneRow() (question, reply []byte) {
	var q, a script
	q.packet(0, append([]byte{byte(mysqlwire.ComQuery)}, "SELECT c FROM sbtest1 WHERE id=4711"...)...)
	a.packet(1, 1)
	a.packet(2, []byte("\x03def\x04test\x07sbtest1\x07sbtest1\x01c\x01c\x0c\xff\x00\xe0\x01\x00\x00\xfe\x01\x00\x00\x00")...)
	a.packet(3, []byte(eofBody)...)
	a.packet(4, append([]byte{119}, bytes.Repeat([]byte{'x'}, 119)...)...)
	a.packet(5, []byte(eofBody)...)
	return q.b, a.b
}

// rows returns a question and an answer of n rows of 100 bytes.
func rows(n int) (question, reply []byte) {
	q, head := oneRow()
	a := script{head[:len(head)-2*mysqlwire.HeaderLen-120-len(eofBody)]}
	for i := range n {
		a.packet(uint8(4+i), append([]byte{99}, bytes.Repeat([]byte{'x'}, 99)...)...)
	}
	a.packet(9, []byte(eofBody)...)
	return q, a.b
}

// preparation returns COM_STMT_PREPARE of a text and its answer, where CLIENT_DEPRECATE_EOF is not in effect.
func preparation(id uint32, text string, params int) (question, answer []byte) {
	var q, a script
	q.packet(0, append([]byte{byte(mysqlwire.ComStmtPrepare)}, text...)...)
	a.packet(1, 0, byte(id), byte(id>>8), byte(id>>16), byte(id>>24), 0, 0, byte(params), byte(params>>8), 0, 0, 0)
	for i := range params {
		a.packet(uint8(2+i), []byte("\x03def\x00\x00\x00\x01?\x00\x0c?\x00\x00\x00\x00\x00\xfd\x80\x00\x00\x00\x00")...)
	}
	if params > 0 {
		a.packet(uint8(2+params), []byte(eofBody)...)
	}
	return q.b, a.b
}

const preparedID = 0x01020304

// execution returns COM_STMT_EXECUTE of a statement with 8 parameters of different types, one of them NULL.
// Drivers send the types with the first execution, and some with each.
func execution(types bool) []byte {
	p := append([]byte{byte(mysqlwire.ComStmtExecute), 4, 3, 2, 1, 0, 1, 0, 0, 0}, 1<<7)
	if p = append(p, 0); types {
		p[len(p)-1] = 1
		for _, t := range []mysqlwire.FieldType{
			mysqlwire.TypeLongLong, mysqlwire.TypeLong, mysqlwire.TypeDouble, mysqlwire.TypeVarString,
			mysqlwire.TypeDateTime, mysqlwire.TypeTime, mysqlwire.TypeNewDecimal, mysqlwire.TypeBlob,
		} {
			p = append(p, byte(t), 0)
		}
	}
	p = binary.LittleEndian.AppendUint64(p, 1<<63|4711)         // a negative BIGINT
	p = binary.LittleEndian.AppendUint32(p, 42)                 // an INT
	p = binary.LittleEndian.AppendUint64(p, 0x400921fb54442d18) // a DOUBLE
	p = append(p, "\x1da text of twenty-nine letters"...)
	p = append(p, "\x0b\xea\x07\x0b\x14\x0d\x2d\x3b\x40\xe2\x01\x00"...) // 2026-11-20 13:45:59.123456
	p = append(p, "\x08\x01\x00\x00\x00\x00\x0b\x3b\x3b"...)             // -11:59:59
	p = append(p, "\x0712345.6"...)
	return new(script).packet(0, p...).b
}

// attributed returns COM_QUERY with two attributes, as connectors send them that trace.
func attributed() []byte {
	return new(script).packet(0, []byte("\x03\x02\x01\x00\x01\xfe\x00\x0btraceparent\x08\x00\x05shard"+
		"\x3700-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"+
		"\x07\x00\x00\x00\x00\x00\x00\x00SELECT c FROM sbtest1 WHERE id=4711")...).b
}

// bulkExecution returns COM_STMT_BULK_EXECUTE with so many rows of an INT and a text, one of the first rows' NULL.
func bulkExecution(rows int) []byte {
	p := []byte{byte(mysqlwire.ComStmtBulkExecute), 5, 3, 2, 1, 0x80, 0}
	p = append(p, byte(mysqlwire.TypeLong), 0, byte(mysqlwire.TypeVarString), 0)
	for i := range rows {
		if p = binary.LittleEndian.AppendUint32(append(p, 0), uint32(i)); i == 2 {
			p = append(p, 1)
			continue
		}
		p = append(p, "\x00\x1da text of twenty-nine letters"...)
	}
	return new(script).packet(0, p...).b
}

// prepareAll prepares the statements that execution and bulkExecution name.
func prepareAll(s *mysqldump.Session) {
	for id, params := range map[uint32]int{preparedID: 8, preparedID + 1: 2} {
		question, answer := preparation(id, "INSERT INTO sbtest1 VALUES (?"+strings.Repeat(", ?", params-1)+")", params)
		s.Feed(mysqldump.Client, question, 0)
		s.Feed(mysqldump.Server, answer, 0)
	}
}

// walk is the floor: a bare loop over the headers of the same packets, called as a session is, once for
// each read.
//
//go:noinline
func walk(p []byte) (packets int) {
	for len(p) >= mysqlwire.HeaderLen {
		n := int(p[0]) | int(p[1])<<8 | int(p[2])<<16
		if n > len(p)-mysqlwire.HeaderLen {
			break
		}
		p = p[mysqlwire.HeaderLen+n:]
		packets++
	}
	return packets
}

// BenchmarkOneRow is a command and its one-row answer: at most 5 times the floor, and no allocation.
func BenchmarkOneRow(b *testing.B) {
	question, reply := oneRow()
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(question) + len(reply)))
		b.ReportAllocs()
		for b.Loop() {
			if walk(question) != 1 || walk(reply) != 5 {
				b.Fatal("not the packets")
			}
		}
	})
	b.Run("session", func(b *testing.B) {
		records := 0
		s := loggedIn(b, 0, func(*mysqldump.Record) { records++ })
		records = 0
		now := time.Second
		b.SetBytes(int64(len(question) + len(reply)))
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			s.Feed(mysqldump.Client, question, now)
			s.Feed(mysqldump.Server, reply, now)
			n++
		}
		if records != n {
			b.Fatalf("got %d records of %d commands", records, n)
		}
	})
}

// BenchmarkRows is an answer of 10,000 rows of 100 bytes in reads of 32 KiB: at least half of the floor's
// bytes per second, and no allocation.
func BenchmarkRows(b *testing.B) {
	question, reply := rows(10_000)
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(question) + len(reply)))
		b.ReportAllocs()
		for b.Loop() {
			if walk(reply) != 10_004 {
				b.Fatal("not the packets")
			}
		}
	})
	b.Run("session", func(b *testing.B) {
		var count uint64
		s := loggedIn(b, 0, func(r *mysqldump.Record) { count = r.Rows })
		now := time.Second
		b.SetBytes(int64(len(question) + len(reply)))
		b.ReportAllocs()
		for b.Loop() {
			feedRows(s, question, reply, now)
			if count != 10_000 {
				b.Fatalf("got %d rows, want 10000", count)
			}
		}
	})
}

func feedRows(s *mysqldump.Session, question, reply []byte, now time.Duration) {
	s.Feed(mysqldump.Client, question, now)
	for p := reply; len(p) > 0; {
		n := min(len(p), 32<<10)
		s.Feed(mysqldump.Server, p[:n], now)
		p = p[n:]
	}
}

// TestAllocations holds the benchmarks' claim: nothing is allocated for a command and its answer.
func TestAllocations(t *testing.T) {
	question, reply := oneRow()
	s := loggedIn(t, 0, func(*mysqldump.Record) {})
	now := time.Second
	if n := testing.AllocsPerRun(1000, func() {
		s.Feed(mysqldump.Client, question, now)
		s.Feed(mysqldump.Server, reply, now)
	}); n != 0 {
		t.Errorf("got %v allocations for a command and its one-row answer, want 0", n)
	}
	question, reply = rows(1000)
	if n := testing.AllocsPerRun(100, func() { feedRows(s, question, reply, now) }); n != 0 {
		t.Errorf("got %v allocations for an answer of 1000 rows, want 0", n)
	}
	if reason, _ := s.Opaque(); s.InFlight() != 0 || reason != "" {
		t.Errorf("got %d commands in flight, opaque for reason %q; want none", s.InFlight(), reason)
	}
}

// BenchmarkExecute is COM_STMT_EXECUTE with 8 parameters and its OK: no allocation.
func BenchmarkExecute(b *testing.B) {
	b.Run("types", func(b *testing.B) { benchCommand(b, 0, execution(true)) })
	b.Run("types kept", func(b *testing.B) { benchCommand(b, 0, execution(false)) })
}

// BenchmarkQueryAttributes is COM_QUERY with two attributes and its OK: no allocation.
func BenchmarkQueryAttributes(b *testing.B) {
	benchCommand(b, mysqlwire.QueryAttributes, attributed())
}

// BenchmarkBulk is COM_STMT_BULK_EXECUTE of 1000 rows of two values, of which 4 rows are recorded, and its OK: no
// allocation.
func BenchmarkBulk(b *testing.B) { benchCommand(b, 0, bulkExecution(1000)) }

// benchCommand measures a command and its OK. TestArgumentAllocations holds the claim for all of them.
func benchCommand(b *testing.B, caps mysqlwire.Capability, packet []byte) {
	b.Helper()
	records, values := 0, 0
	s := loggedIn(b, caps, func(r *mysqldump.Record) { records++; values = len(r.Values) + len(r.QueryAttributes) })
	prepareAll(s)
	now := time.Second
	ok := new(script).packet(1, []byte(okBody)...).b
	s.Feed(mysqldump.Client, execution(true), now) // so that there are types to keep
	s.Feed(mysqldump.Server, ok, now)
	records = 0
	b.SetBytes(int64(len(packet) + len(ok)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s.Feed(mysqldump.Client, packet, now)
		s.Feed(mysqldump.Server, ok, now)
		n++
	}
	if records != n || values == 0 {
		b.Fatalf("got %d records of %d commands, the last with %d values", records, n, values)
	}
}

// compressedRows returns a question and an answer of n rows as compressed packets of 16 KiB, as servers make
// them. A row has 100 digits and dashes, as sysbench's have, which compress to about the half.
func compressedRows(tb testing.TB, isZstd bool, n int) (question, reply []byte, bodies [][]byte) {
	tb.Helper()
	q, head := oneRow()
	a := script{head[:len(head)-2*mysqlwire.HeaderLen-120-len(eofBody)]}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		row := []byte{99}
		for len(row) < 100 {
			row = append(row, "0123456789-"[random.IntN(11)])
		}
		a.packet(uint8(4+i), row...)
	}
	a.packet(9, []byte(eofBody)...)
	for plain := a.b; len(plain) > 0; {
		k := min(len(plain), 16<<10)
		frame := compressedPacket(tb, isZstd, plain[:k])
		reply, bodies = append(reply, frame...), append(bodies, frame[mysqlwire.HeaderLen+3:])
		plain = plain[k:]
	}
	return compressedPacket(tb, isZstd, q), reply, bodies
}

// BenchmarkCompressed is a compressed answer of 10,000 rows in reads of 32 KiB: at least 0.6 of the speed at
// which the libraries inflate its bodies, each of which they are given at once and whole.
func BenchmarkCompressed(b *testing.B) {
	for _, isZstd := range []bool{false, true} {
		name, caps := "zlib", mysqlwire.Compress
		if isZstd {
			name, caps = "zstd", mysqlwire.ZstdCompression
		}
		question, reply, bodies := compressedRows(b, isZstd, 10_000)
		b.Run(name+"/library", func(b *testing.B) {
			b.SetBytes(int64(len(reply)))
			inflate := inflateZlib(b)
			if isZstd {
				inflate = inflateZstd(b)
			}
			for b.Loop() {
				for _, body := range bodies {
					inflate(body)
				}
			}
		})
		b.Run(name+"/session", func(b *testing.B) {
			var count uint64
			s := loggedIn(b, caps, func(r *mysqldump.Record) { count = r.Rows })
			now := time.Second
			b.SetBytes(int64(len(reply)))
			b.ReportAllocs()
			for b.Loop() {
				feedRows(s, question, reply, now)
				if count != 10_000 {
					b.Fatalf("got %d rows, want 10000", count)
				}
			}
		})
	}
}

// inflateZlib returns what inflates a body with the library whose flate a session uses.
func inflateZlib(tb testing.TB) func(body []byte) {
	var in bytes.Reader
	in.Reset(compressedPacket(tb, false, nil)[mysqlwire.HeaderLen+3:])
	r, err := zlib.NewReader(&in)
	if err != nil {
		tb.Fatal(err)
	}
	buf := make([]byte, 32<<10)
	return func(body []byte) {
		in.Reset(body)
		if err := r.(zlib.Resetter).Reset(&in, nil); err != nil {
			tb.Fatal(err)
		}
		for err := error(nil); err == nil; {
			_, err = r.Read(buf)
		}
	}
}

// inflateZstd does the same with the zstd library.
func inflateZstd(tb testing.TB) func(body []byte) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		tb.Fatal(err)
	}
	var in bytes.Reader
	return func(body []byte) {
		in.Reset(body)
		if err := r.Reset(&in); err != nil {
			tb.Fatal(err)
		}
		if _, err := r.WriteTo(io.Discard); err != nil {
			tb.Fatal(err)
		}
	}
}

// compressedPacket returns a compressed packet that holds plain: with a zlib stream, or as a zstd frame.
func compressedPacket(tb testing.TB, isZstd bool, plain []byte) []byte {
	tb.Helper()
	if isZstd {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			tb.Fatal(err)
		}
		return framed(len(plain), w.EncodeAll(plain, nil))
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write(plain)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return framed(len(plain), b.Bytes())
}

// framed puts the header of a compressed packet before a body that becomes size bytes.
func framed(size int, body []byte) []byte {
	b := append(mysqlwire.AppendHeader(nil, len(body), 0), byte(size), byte(size>>8), byte(size>>16))
	return append(b, body...)
}
