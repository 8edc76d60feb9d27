package mysqldump_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestStatementsForgotten: a client that prepares and never closes loses the texts that it used least
// recently, and is told so; the commands are followed all the same.
func TestStatementsForgotten(t *testing.T) {
	var last mysqldump.Record
	s := loggedIn(t, mysqlwire.DeprecateEOF, func(r *mysqldump.Record) { last = *r })
	feed := func(side mysqldump.Side, seq uint8, payload string) {
		s.Feed(side, new(script).packet(seq, []byte(payload)...).b, 0)
	}
	number := func(id uint32) string { return string(binary.LittleEndian.AppendUint32(nil, id)) }
	execute := func(id uint32) {
		feed(mysqldump.Client, 0, "\x17"+number(id)+"\x00\x01\x00\x00\x00")
		feed(mysqldump.Server, 1, okBody)
		if last.Command != mysqlwire.ComStmtExecute || last.StmtID != id {
			t.Fatalf("got %s of statement %d, want COM_STMT_EXECUTE of %d", last.CommandName(), last.StmtID, id)
		}
	}
	const n = 1000
	for id := range uint32(n) {
		feed(mysqldump.Client, 0, fmt.Sprintf("\x16DELETE FROM t%d -- %s", id, strings.Repeat("x", 1000)))
		feed(mysqldump.Server, 1, "\x00"+number(id)+"\x00\x00\x00\x00\x00\x00\x00")
		execute(0) // stays in use
	}
	known := 0
	for id := range uint32(n) {
		execute(id)
		if last.StmtTextLost {
			if len(last.StmtPrepareQuery) > 0 {
				t.Errorf("statement %d: got %q for a text that is lost", id, last.StmtPrepareQuery)
			}
			continue
		}
		known++
		if want := fmt.Sprintf("DELETE FROM t%d -- ", id); !strings.HasPrefix(string(last.StmtPrepareQuery), want) {
			t.Errorf("statement %d: got %q, want %q...", id, last.StmtPrepareQuery, want)
		}
		if id != 0 && id < n/2 {
			t.Errorf("statement %d: got its text, want it forgotten before newer ones", id)
		}
	}
	if known < 100 || known > 300 {
		t.Errorf("got %d texts of 1000 bytes, want about 256 KiB of them", known)
	}
	if execute(0); last.StmtTextLost {
		t.Error("the statement used most is forgotten")
	}
	followed(t, s)
}

// followed checks that s still follows its conversation and waits for nothing.
func followed(t *testing.T, s *mysqldump.Session) {
	t.Helper()
	if reason, message := s.Opaque(); reason != "" || message != "" || s.InFlight() != 0 {
		t.Errorf("got opaque %q (%s), %d in flight; want none", reason, message, s.InFlight())
	}
}

// TestSessionState: what a caller can ask a session.
func TestSessionState(t *testing.T) {
	records := 0
	s := loggedIn(t, 0, func(*mysqldump.Record) { records++ })
	records = 0
	question, reply := oneRow()
	s.Feed(mysqldump.Client, question, 0)
	s.Feed(mysqldump.Client, question, 0)
	if got := s.InFlight(); got != 2 {
		t.Errorf("got %d in flight, want 2", got)
	}
	s.Feed(mysqldump.Server, reply, 0)
	if reason, _ := s.Opaque(); s.InFlight() != 1 || reason != "" || records != 1 {
		t.Errorf("got %d in flight, opaque %q, %d records; want 1, none, 1", s.InFlight(), reason, records)
	}
	s.Feed(mysqldump.Server, reply, 0)
	s.Feed(mysqldump.Server, reply, 0) // answers nothing
	reason, message := s.Opaque()
	if s.InFlight() != 0 || reason != "out of order" || message != "mysql: server packet without a command in phase ready: out of order" || records != 3 {
		t.Errorf("got %d in flight, opaque %q (%s), %d records; want 0, out of order, 3", s.InFlight(), reason, message, records)
	}
	s.Feed(mysqldump.Client, question, 0)
	if got := s.InFlight(); got != 0 || records != 3 {
		t.Errorf("after it turned opaque: got %d in flight, %d records; want 0, 3", got, records)
	}
}

// TestHugePackets: what a session keeps does not grow with packets that claim to be large.
func TestHugePackets(t *testing.T) {
	s := loggedIn(t, 0, func(*mysqldump.Record) {})
	var statement script
	statement.packet(0, append([]byte("\x03INSERT '"), make([]byte, mysqlwire.MaxPayload-9)...)...)
	const piece = 1 << 16
	if n := testing.AllocsPerRun(3, func() {
		for b := statement.b; len(b) > 0; b = b[min(piece, len(b)):] {
			s.Feed(mysqldump.Client, b[:min(piece, len(b))], 0)
		}
		s.Feed(mysqldump.Client, new(script).packet(1, []byte("'")...).b, 0)
		s.Feed(mysqldump.Server, new(script).packet(2, []byte(okBody)...).b, 0)
	}); n > 20 {
		t.Errorf("got %v allocations for a statement of 16 MiB, want a few for its first bytes", n)
	}
	followed(t, s)
}

func TestEvents(t *testing.T) {
	names := map[mysqldump.Event]string{
		mysqldump.EventConnect: "connect", mysqldump.EventAuthError: "auth_error", mysqldump.EventTLS: "tls",
		mysqldump.EventChangeUser: "change_user", mysqldump.EventServerError: "server_error",
		mysqldump.EventClose: "close", mysqldump.EventOpaque: "opaque",
	}
	for e, want := range names {
		if got := e.String(); got != want {
			t.Errorf("event %d: got %s, want %s", e, got, want)
		}
		if got, ok := mysqldump.ParseEvent(want); !ok || got != e {
			t.Errorf("ParseEvent(%s): got %v, %v", want, got, ok)
		}
		if !mysqldump.AllEvents.Has(e) || mysqldump.DefaultEvents.Has(e) != (e != mysqldump.EventClose) || mysqldump.EventSet(0).Has(e) {
			t.Errorf("%s is not in the sets it should be in", want)
		}
	}
	for _, name := range []string{"command", "", "Connect", "opened"} {
		if e, ok := mysqldump.ParseEvent(name); ok {
			t.Errorf("ParseEvent(%q): got %v, want none", name, e)
		}
	}
	if mysqldump.AllEvents.Has(mysqldump.EventCommand) {
		t.Error("commands are no event")
	}
}

func TestDefaultCommands(t *testing.T) {
	left := map[string]bool{"COM_PING": true, "COM_STATISTICS": true, "COM_QUIT": true, "COM_STMT_CLOSE": true, "COM_STMT_RESET": true}
	commands, all := mysqldump.DefaultCommands(), mysqldump.AllCommands()
	for i := range 256 {
		c := mysqlwire.Command(i)
		if commands[c] == left[c.String()] || !all[c] {
			t.Errorf("%s: got %v in the default, %v in all", c, commands[c], all[c])
		}
	}
}

// TestJoinGivesUp: a session that joins what it cannot make sense of stops looking for a place, and says so once.
func TestJoinGivesUp(t *testing.T) {
	for name, said := range map[string]struct{ client, server string }{
		"TLS":             {"\x17\x03\x03\x00\x20" + strings.Repeat("\xa5", 32), "\x17\x03\x03\x00\x25" + strings.Repeat("\x5a", 37)},
		"no MySQL":        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
		"answers of none": {"\x01\x00\x00\x00\x0e", "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			var records []mysqldump.Record
			opts := &mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}
			s := mysqldump.Join(opts, func(r *mysqldump.Record) { records = append(records, *r) })
			turns := 0
			for reason := ""; reason == "" && turns < 1000; turns++ {
				s.Feed(mysqldump.Client, []byte(said.client), 0)
				s.Feed(mysqldump.Server, []byte(said.server), 0)
				reason, _ = s.Opaque()
			}
			if turns < 100 || turns > 300 {
				t.Errorf("gave up after %d turns, want about 256", turns)
			}
			s.Feed(mysqldump.Client, []byte("\x01\x00\x00\x00\x0e"), 0)
			s.Feed(mysqldump.Server, []byte("\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"), 0)
			if len(records) != 1 || records[0].Event != mysqldump.EventOpaque || records[0].Reason != "midstream" || !records[0].Midstream {
				t.Errorf("got %d records %+v, want one, of why it gave up", len(records), records)
			}
			if s.InFlight() != 0 {
				t.Errorf("got %d in flight", s.InFlight())
			}
		})
	}
}

// TestArgumentsInFlight: of commands that wait for their answers, values are kept as long as there is room for them
// together; the others say that theirs are left out. All are followed.
func TestArgumentsInFlight(t *testing.T) {
	const n, size = 1000, 1000
	told, kept := 0, 0
	s := loggedIn(t, 0, func(r *mysqldump.Record) {
		if r.Command != mysqlwire.ComStmtExecute {
			return
		}
		if told++; r.StmtTextLost || !r.HasStmt || r.StmtID != 7 {
			t.Fatalf("got statement %d, text lost %t; want 7 and its text", r.StmtID, r.StmtTextLost)
		}
		whole := len(r.Values) == 1 && len(r.Values[0].Data) == size
		if whole == r.ValuesTruncated {
			t.Errorf("execution %d: got %d values, truncated %t", told, len(r.Values), r.ValuesTruncated)
		}
		for _, v := range r.Values {
			kept += len(v.Data)
		}
	})
	feed := func(side mysqldump.Side, seq uint8, payload string) {
		s.Feed(side, new(script).packet(seq, []byte(payload)...).b, 0)
	}
	question, answer := preparation(7, "DO ?", 1)
	s.Feed(mysqldump.Client, question, 0)
	s.Feed(mysqldump.Server, answer, 0)
	for range n {
		feed(mysqldump.Client, 0, "\x17\x07\x00\x00\x00\x00\x01\x00\x00\x00"+"\x00\x01\xfd\x00"+"\xfc\xe8\x03"+strings.Repeat("x", size))
	}
	for range n {
		feed(mysqldump.Server, 1, okBody)
	}
	if told != n || kept < 20<<10 || kept > 40<<10 {
		t.Errorf("got %d executions with %d bytes of values, want %d with about 32 KiB", told, kept, n)
	}
	followed(t, s)
}
