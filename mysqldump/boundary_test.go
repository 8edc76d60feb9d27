package mysqldump_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/internal/convtest"
	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// boundary returns what a session says of where it stands: I for idle, C if it expects a command, T in a
// transaction, and - for none of them.
func boundary(s *mysqldump.Session) string {
	var b strings.Builder
	for _, is := range []struct {
		letter string
		holds  bool
	}{{"I", s.Idle()}, {"C", s.ExpectsCommand()}, {"T", s.InTransaction()}} {
		if is.holds {
			b.WriteString(is.letter)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// A follower is a session that makes no records.
func follower() *mysqldump.Session {
	return mysqldump.NewSession(&mysqldump.Options{}, func(*mysqldump.Record) { panic("a record that nobody wants") })
}

// Logins with and without CLIENT_DEPRECATE_EOF, and one with CLIENT_SESSION_TRACK.
const (
	plainLogin    = "include login-mysql57.txtar\n"
	trackingLogin = "include login-mysql84.txtar\n"
	prepared      = "C[0]: 16 \"SELECT ?\"\nS[1]: 00 01000000 0000 0000 00 0000\n"
	executed      = "C[0]: 17 01000000 01 01000000\nS[1]: 01\nS[2]: 03 \"def\" 00*16\nS[3]: fe 0000 4200\n"
)

// TestBoundary: what a session says behind each of the turns that follow the login's.
func TestBoundary(t *testing.T) {
	tests := []struct{ name, login, in, want string }{
		{"ping", plainLogin, "C[0]: 0e\nS[1]: 00 00 00 0200 0000\n", "C IC"},
		{"in pieces", plainLogin, "C: 01\nC: 00 00 00\nC: 0e\nS: 07 00 00 01 00\nS: 00 00 02 00 00 00\n", "- - C C IC"},
		{"pipelined", plainLogin, "C[0]: 0e\nC[0]: 0e\nC: 01\nS[1]: 00 00 00 0200 0000\nC: 00000001\nS[1]: 00 00 00 0200 0000\n", "C C - - C IC"},
		{"a long command", plainLogin, "C: ffffff00 03 \"x\"*16777214\nC: 000000\nC: 01\nS[2]: 00 00 00 0200 0000\n", "- - C IC"},
		{"a long row", plainLogin, "C[0]: 03 \"x\"\nS[1]: 01\nS[2]: 03 \"def\" 00*16\nS[3]: fe 0000 0200\n" +
			"S: ffffff04 \"x\"*16777215\nS: 01000005 78\nS[6]: fe 0000 0200\n", "C C C C C C IC"},
		{"no answer", plainLogin, "C[0]: 19 01000000\n", "IC"},
		{"no answer, behind a command", plainLogin, "C[0]: 0e\nC[0]: 19 01000000\nS[1]: 00 00 00 0200 0000\n", "C C IC"},
		{"quit", plainLogin, "C[0]: 01\n", "IC"},
		{"server's last words", plainLogin, "S: 05\nS: 000000 ff 1d04 \"xx\"\n", "C IC"},

		{"file", plainLogin, "C[0]: 03 \"x\"\nS[1]: fb \"/x\"\nC[2]: 0e\nC[3]:\nS[4]: 00 00 00 0200 0000\n", "C - - C IC"},
		{"file, refused", plainLogin, "C[0]: 03 \"x\"\nS[1]: fb \"/x\"\nC[2]: 0e\nS[3]: ff 1d04 \"xx\"\nC[3]: 0e\nC[4]:\n", "C - - - - IC"},

		{"transaction", plainLogin, "C[0]: 03 \"BEGIN\"\nS[1]: 00 00 00 0300 0000\nC[0]: 03 \"x\"\nS[1]: ff 1d04 \"xx\"\n" +
			"C[0]: 03 \"COMMIT\"\nS[1]: 00 00 00 0200 0000\n", "C ICT CT ICT CT IC"},
		{"read only", plainLogin, "C[0]: 03 \"x\"\nS[1]: 00 00 00 0220 0000\n", "C ICT"},
		{"rows", plainLogin, "C[0]: 03 \"x\"\nS[1]: 01\nS[2]: 03 \"def\" 00*16\nS[3]: fe 0000 0300\nS[4]: 01 \"x\"\nS[5]: fe 0000 0300\n", "C C C C C ICT"},
		{"rows, no EOF", trackingLogin, "C[0]: 03 00 01 \"x\"\nS[1]: 01\nS[2]: 03 \"def\" 00*16\nS[3]: 01 \"x\"\nS[4]: fe 00 00 0300 0000\n", "C C C C ICT"},
		{"results", plainLogin, "C[0]: 03 \"x\"\nS[1]: 00 00 00 0b00 0000\nS[2]: 00 00 00 0200 0000\n", "C CT IC"},

		{"cursor", plainLogin, prepared + executed + "C[0]: 0e\nS[1]: 00 00 00 0200 0000\n" +
			"C[0]: 1c 01000000 02000000\nS[1]: 00 00 01\nS[2]: fe 0000 4200\n" +
			"C[0]: 1c 01000000 02000000\nS[1]: fe 0000 8200\n", "C IC C C C ICT CT ICT CT CT ICT CT IC"},
		{"cursor, failed", plainLogin, prepared + executed + "C[0]: 1c 01000000 02000000\nS[1]: ff 1d04 \"xx\"\n", "C IC C C C ICT CT IC"},
		{"cursor, reset", plainLogin, prepared + executed + "C[0]: 1a 01000000\nS[1]: 00 00 00 0200 0000\n", "C IC C C C ICT CT IC"},
		{"cursor, another one reset", plainLogin, prepared + executed + "C[0]: 1a 02000000\nS[1]: 00 00 00 0200 0000\n", "C IC C C C ICT CT ICT"},
		{"cursor, none named", plainLogin, prepared + executed + "C[0]: 1a\nS[1]: ff 1d04 \"xx\"\nC[0]: 18 01\n", "C IC C C C ICT CT ICT ICT"},
		{"cursor, closed", plainLogin, prepared + executed + "C[0]: 19 01000000\n", "C IC C C C ICT IC"},
		{"cursor of the last statement, closed", plainLogin, prepared + executed + "C[0]: 19 ffffffff\n", "C IC C C C ICT IC"},
		{"cursor, executed again", plainLogin, prepared + executed + "C[0]: 17 01000000 00 01000000\nS[1]: 00 00 00 0200 0000\n", "C IC C C C ICT CT IC"},
		{"cursor, no EOF", trackingLogin, prepared + "C[0]: 17 01000000 01 01000000\nS[1]: 01\nS[2]: 03 \"def\" 00*16\nS[3]: fe 00 00 4200 0000\n" +
			"C[0]: 1c 01000000 02000000\nS[1]: 00 00 01\nS[2]: fe 00 00 c200 0000\n", "C IC C C C ICT CT CT IC"},
		{"cursor, session reset", plainLogin, prepared + executed + "C[0]: 1f\nS[1]: 00 00 00 0200 0000\n", "C IC C C C ICT CT IC"},
		{"cursor, session reset failed", plainLogin, prepared + executed + "C[0]: 1f\nS[1]: ff 1d04 \"xx\"\n", "C IC C C C ICT CT ICT"},

		{"long data", plainLogin, prepared + "C[0]: 18 01000000 0000 \"x\"\nC[0]: 17 01000000 00 01000000\nS[1]: ff 1d04 \"xx\"\n", "C IC ICT CT IC"},
		{"long data, nothing of it", plainLogin, prepared + "C[0]: 18 01000000\nC[0]: 1a 01000000\nS[1]: 00 00 00 0200 0000\n", "C IC ICT CT IC"},
		{"long data, for no statement", plainLogin, "C[0]: 18 01\n", "IC"},

		{"locked tables", trackingLogin, "C[0]: 03 00 01 \"x\"\nS[1]: 00 00 00 0240 0000 00 0b 05 09 08 \"_______L\"\n" +
			"C[0]: 03 00 01 \"x\"\nS[1]: 00 00 00 0200 0000\n" +
			"C[0]: 03 00 01 \"x\"\nS[1]: 00 00 00 0240 0000 00 0b 05 09 08 \"________\"\n", "C ICT CT ICT CT IC"},
		{"locked tables, session reset", trackingLogin, "C[0]: 03 00 01 \"x\"\nS[1]: 00 00 00 0240 0000 00 0b 05 09 08 \"_______L\"\n" +
			"C[0]: 1f\nS[1]: 00 00 00 0200 0000\n", "C ICT CT IC"},

		{"change user", plainLogin, "C[0]: 03 \"BEGIN\"\nS[1]: 00 00 00 0300 0000\n" +
			"C[0]: 11 \"eve\" 00 00 00\nS[1]: fe \"x\" 00 \"y\"\nC[2]: \"z\"\nS[3]: 00 00 00 0200 0000\n", "C ICT T T T IC"},

		{"TLS of the server's", "S[0]: 0a \"8.0.36\" 00 27000000 00*9 ffff ff 0200 ffdf 15 00*23 \"x\" 00\n", "C[1]: 85aa0f01 00000001 2d 00*23\n", "-"},
		{"replication", plainLogin, "C[0]: 12 04000000 0000 01000000\nS[1]: 00 01 02\nC[0]: 0e\n", "C - -"},
		{"malformed", plainLogin, "C[0]: 0e\nS[1]: 07\n", "C -"},
		{"refused", "S[0]: 0a \"8.0.36\" 00 27000000 00*9 ffff ff 0200 ffdf 15 00*23 \"x\" 00\nC[1]: 85a20f01 00000001 2d 00*23 00*9\n", "S[2]: ff 1504 \"#28000\" \"no\"\n", "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			turns := func(in string) []convtest.Turn {
				list, err := convtest.Turns(in, "testdata/conversations")
				if err != nil {
					t.Fatal(err)
				}
				return list
			}
			s := follower()
			for _, p := range pieces(turns(tt.login)) {
				s.Feed(p.side, p.data, 0)
			}
			var got []string
			for _, p := range pieces(turns(tt.in)) {
				s.Feed(p.side, p.data, 0)
				got = append(got, boundary(s))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %s, want %s", strings.Join(got, " "), tt.want)
			}
			s.End(mysqldump.Client, 0)
			if s.Idle() || s.ExpectsCommand() {
				t.Errorf("got %s behind the end", boundary(s))
			}
		})
	}
}

// A framing is where one direction stands, by the headers of its packets alone.
type framing struct {
	header [7]byte
	have   int
	left   int
	long   bool // the packet continues the one before
	size   int  // of a header
}

func (f *framing) feed(p []byte) {
	for len(p) > 0 {
		if f.have < f.size {
			n := copy(f.header[f.have:f.size], p)
			f.have, p = f.have+n, p[n:]
			if f.have < f.size {
				return
			}
			f.left = int(f.header[0]) | int(f.header[1])<<8 | int(f.header[2])<<16
			f.long = f.left == mysqlwire.MaxPayload && f.size == mysqlwire.HeaderLen
		}
		n := min(f.left, len(p))
		if f.left, p = f.left-n, p[n:]; f.left == 0 {
			f.have = 0
		}
	}
}

func (f *framing) between() bool { return f.have == 0 && !f.long }

// A place is what is known of a conversation after some of its bytes, without what [boundary] says.
type place struct {
	connected, compressed bool
	records               int
	replicates            bool
	over                  bool // the session has got its end
	incomplete            bool // which has left a command without its answer
	frames                [2]framing
}

// follow feeds a conversation to a session and calls at after each piece with how many bytes there were.
func follow(t *testing.T, as *setup, list []piece, at func(n int, s *mysqldump.Session, f *place)) {
	t.Helper()
	f := place{frames: [2]framing{{size: mysqlwire.HeaderLen}, {size: mysqlwire.HeaderLen}}}
	var s *mysqldump.Session
	note := func(r *mysqldump.Record) {
		f.records++
		switch r.Event {
		case mysqldump.EventConnect:
			f.connected, f.compressed = true, r.Compression != ""
		case mysqldump.EventCommand:
			f.replicates = f.replicates || strings.HasPrefix(r.CommandName(), "COM_BINLOG") && r.ErrorCode == 0
			f.incomplete = f.incomplete || r.Incomplete != ""
		default: // the session is asked for the others
		}
	}
	opts := mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}
	if as.midstream {
		s = mysqldump.Join(&opts, note)
	} else {
		s = mysqldump.NewSession(&opts, note)
	}
	n := 0
	for _, p := range list {
		if p.ends {
			break
		}
		was := f.connected
		s.Feed(p.side, p.data, 0)
		n += len(p.data)
		f.frames[p.side].feed(p.data)
		if f.connected && !was && f.compressed {
			f.frames[0].size, f.frames[1].size = 7, 7
		}
		at(n, s, &f)
	}
	f.over, f.incomplete = true, false
	s.End(mysqldump.Client, 0)
	at(n, s, &f)
}

// TestBoundaryOfConversations asks a session after each byte of the conversations and of the captures. It never
// says that it is idle within a packet or a command; it does say so when nothing is open; and how the bytes were
// cut makes no difference.
func TestBoundaryOfConversations(t *testing.T) {
	ends := 0
	try := func(t *testing.T, as *setup, whole []piece) {
		said := make(map[int]string)
		reason := ""
		var last string
		follow(t, as, inSteps(whole, 1), func(n int, s *mysqldump.Session, f *place) {
			got := boundary(s)
			if f.over {
				if last[0] == 'I' {
					ends++
					if f.incomplete {
						t.Error("idle at the end, and a command was not answered")
					}
				} else if f.connected && !f.incomplete && !f.replicates && reason == "" && f.frames[0].between() && f.frames[1].between() {
					t.Errorf("not idle at the end: %s", last)
				}
				return
			}
			said[n], last = got, got
			reason, _ = s.Opaque()
			// Where a session has joined, the first bytes need not begin a packet.
			within := !as.midstream && (!f.frames[0].between() || !f.frames[1].between())
			if s.Idle() && (within || s.InFlight() > 0 || reason != "" || !f.connected && !as.midstream) {
				t.Fatalf("idle after %d bytes: %d in flight, opaque %q, within a packet %t", n, s.InFlight(), reason, within)
			}
			if s.ExpectsCommand() && (f.compressed || f.records == 0) {
				t.Fatalf("expects a command after %d bytes: compressed %t, %d records", n, f.compressed, f.records)
			}
		})
		for name, list := range map[string][]piece{"pieces": whole, "joined": joined(whole), "3": inSteps(whole, 3), "64": inSteps(whole, 64)} {
			follow(t, as, list, func(n int, s *mysqldump.Session, f *place) {
				if want, known := said[n]; known && boundary(s) != want && !f.over {
					t.Fatalf("%s: got %s after %d bytes, want %s", name, boundary(s), n, want)
				}
			})
		}
	}
	for _, file := range conversations(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			script, err := convtest.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			try(t, options(t, script), pieces(script.Turns))
		})
	}
	if ends < 150 {
		t.Errorf("got %d conversations that end idle, want most", ends)
	}
	captures, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range captures {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, segments := range readCapture(t, file) {
				var list []piece
				for _, s := range segments {
					list = append(list, piece{side: s.side, data: s.data})
				}
				try(t, &setup{}, list)
			}
		})
	}
}

// TestLoginFirst: a session that is told of a login only the greeting, the login and the OK, as who has made the
// exchange between them knows it, follows what comes then. The login has come over TLS: it has a sequence id of 2
// and says CLIENT_SSL, and is no request for TLS.
func TestLoginFirst(t *testing.T) {
	const caps = protocol | mysqlwire.TLS | mysqlwire.ConnectWithDB | mysqlwire.PluginAuthLenEnc | mysqlwire.ConnectAttrs |
		mysqlwire.DeprecateEOF | mysqlwire.SessionTrack
	greeting := mysqlwire.AppendGreeting(nil, &mysqlwire.Greeting{
		ServerVersion: []byte("9.7.4"), ThreadID: 0x8000_0007, Capabilities: caps, Collation: 255, AuthPlugin: []byte("caching_sha2_password"),
	}, &[20]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	login := func(user, database string) []byte {
		return mysqlwire.AppendLogin(nil, &mysqlwire.Login{
			Capabilities: caps, MaxPacket: 1 << 24, Collation: 45, User: []byte(user), Database: []byte(database),
			AuthPlugin: []byte("caching_sha2_password"), Attributes: mysqlwire.AppendAttribute(nil, []byte("_pid"), []byte("77")),
		}, []byte("S3cr3t-scramble"))
	}
	tests := []struct{ name, user, database string }{
		{"usual", "app", "shop"},
		{"no database", "app", ""},
		{"nobody", "", ""}, // the shortest login of this kind
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told []mysqldump.Record
			opts := mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}
			recorder := mysqldump.NewSession(&opts, func(r *mysqldump.Record) { told = append(told, *r) })
			silent := follower()
			feed := func(side mysqldump.Side, seq uint8, payload []byte, want string) {
				t.Helper()
				for _, s := range []*mysqldump.Session{recorder, silent} {
					s.Feed(side, new(script).packet(seq, payload...).b, 0)
					if got := boundary(s); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				}
			}
			feed(mysqldump.Server, 0, greeting, "-")
			feed(mysqldump.Client, 2, login(tt.user, tt.database), "-")
			feed(mysqldump.Server, 7, []byte("\x00\x00\x00\x03\x00\x00\x00"), "ICT")
			feed(mysqldump.Client, 0, []byte("\x03SELECT 1"), "CT")
			feed(mysqldump.Server, 1, []byte(okBody), "IC")
			feed(mysqldump.Client, 0, []byte("\x02stock"), "C")
			feed(mysqldump.Server, 1, []byte(okBody), "IC")
			feed(mysqldump.Client, 0, []byte("\x0e"), "C")
			feed(mysqldump.Server, 1, []byte(okBody), "IC")
			followed(t, recorder)
			followed(t, silent)
			if len(told) != 4 {
				t.Fatalf("got %d records, want 4", len(told))
			}
			connect := &told[0]
			if connect.Event != mysqldump.EventConnect || connect.ThreadID != 0x8000_0007 || connect.ServerVersion != "9.7.4" ||
				connect.AuthPlugin != "caching_sha2_password" || connect.CharacterSet != "utf8mb4" || len(connect.Attributes) == 0 {
				t.Errorf("got login %s", text(connect, false))
			}
			for i, want := range []string{tt.database, tt.database, tt.database, "stock"} {
				if r := &told[i]; r.Username != tt.user || r.Database != want {
					t.Errorf("got record %s, want it of %s@%s", text(r, false), tt.user, want)
				}
			}
		})
	}
}

// BenchmarkBoundary asks for everything: a few nanoseconds, and no allocation.
func BenchmarkBoundary(b *testing.B) {
	s := loggedIn(b, 0, func(*mysqldump.Record) {})
	b.ReportAllocs()
	for b.Loop() {
		if !s.Idle() || !s.ExpectsCommand() || s.InTransaction() {
			b.Fatal("not idle")
		}
	}
}

// TestBoundaryAllocations holds the benchmark's claim, also for a cursor that is opened and closed.
func TestBoundaryAllocations(t *testing.T) {
	s := loggedIn(t, 0, func(*mysqldump.Record) {})
	turns, err := convtest.Turns(executed+"C[0]: 1a 01000000\nS[1]: 00 00 00 0200 0000\n", "")
	if err != nil {
		t.Fatal(err)
	}
	list, open := pieces(turns), 0
	if n := testing.AllocsPerRun(1000, func() {
		for _, p := range list {
			s.Feed(p.side, p.data, 0)
			if s.Idle() && s.ExpectsCommand() && s.InTransaction() {
				open++
			}
		}
	}); n != 0 {
		t.Errorf("got %v allocations for a cursor, want 0", n)
	}
	if open != 1001 {
		t.Errorf("got %d cursors, want 1001", open)
	}
	for id := range 1000 {
		s.Feed(mysqldump.Client, new(script).packet(0, 0x18, byte(id), byte(id>>8), 0, 0, 0, 0, 'x').b, 0)
	}
	for id := range 1000 {
		if s.Idle() && s.InTransaction() != (id < 64) {
			t.Fatalf("%d statements with long data closed: in transaction %t", id, s.InTransaction())
		}
		s.Feed(mysqldump.Client, new(script).packet(0, 0x19, byte(id), byte(id>>8), 0, 0).b, 0)
	}
}

// FuzzBoundary: whatever the bytes are, where a session stands does not depend on how they were cut, and it is not
// idle with a command in flight.
func FuzzBoundary(f *testing.F) {
	for _, file := range conversations(f) {
		script, err := convtest.Read(file)
		if err != nil {
			f.Fatal(err)
		}
		if b := encodePieces(3, pieces(script.Turns)); len(b) < 4<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		step, list := decodePieces(b)
		for _, as := range []*setup{{}, {midstream: true}} {
			said := make(map[int]string)
			follow(t, as, list, func(n int, s *mysqldump.Session, f *place) {
				if !f.over {
					said[n] = boundary(s)
				}
				if s.Idle() && s.InFlight() > 0 {
					t.Fatalf("idle after %d bytes with %d in flight", n, s.InFlight())
				}
			})
			follow(t, as, inSteps(list, step), func(n int, s *mysqldump.Session, f *place) {
				if want, known := said[n]; known && !f.over && boundary(s) != want {
					t.Fatalf("in steps of %d: got %s after %d bytes, want %s", step, boundary(s), n, want)
				}
			})
		}
	})
}
