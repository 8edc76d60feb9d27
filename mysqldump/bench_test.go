package mysqldump_test

import (
	"bytes"
	"testing"
	"time"

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
