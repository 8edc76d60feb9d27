package mysqldump

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/internal/convtest"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	conversationsDir = "testdata/conversations"
	transitionsFile  = "testdata/transitions.txt"
)

// greetingTurn and loginTurn are of MySQL 5.7, as in login-mysql57.txtar.
const (
	greetingTurn = `S[0]: 0a "5.7.44" 00  08000000  "12345678" 00  ffff 08 0200 ff81  15  00*10  "123456789012" 00  "p" 00` + "\n"
	loginTurn    = `C[1]: 8da20f00  00000001  21  00*23  "app" 00  00  "shop" 00  "p" 00` + "\n"
)

// A state is where a packet can meet a session, by what has been said before it.
type state struct{ name, before string }

// A setting is how a session meets the packets.
type setting uint8

const (
	fromStart  setting = iota
	joinsLate          // it has not seen the beginning
	compressed         // the packet comes in a compressed packet
)

var states = []state{
	{"greeting", ""},
	{"login", greetingTurn},
	{"auth", greetingTurn + loginTurn},
	{"auth, COM_PING sent ahead", greetingTurn + loginTurn + "C[0]: 0e\n"},
	{"refused", greetingTurn + loginTurn + "S[2]: ff 1504\n"},
	{"opaque", "C[0]: 00\n"},
	{"ready", "include login-mysql57.txtar\n"},
	{"ready, COM_QUIT sent", "include login-mysql57.txtar\nC[0]: 01\n"},
	{"ready, COM_QUERY half sent", "include login-mysql57.txtar\nC: 090000 00 03 01\n"},
	{"an empty packet", "include login-mysql57.txtar\nC[0]:\n"},
	{"COM_CHANGE_USER", "include login-mysql57.txtar\nC[0]: 11 \"u\" 00 00 00\n"},
	{"COM_CHANGE_USER, switched", "include login-mysql57.txtar\nC[0]: 11 \"u\" 00 00 00\nS[1]: fe \"p\" 00\n"},
	{"columns", "include login-mysql57.txtar\nC[0]: 03\nS[1]: 02\n"},
	{"columns, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 03\nS[1]: 02\n"},
	{"columns, the last one", "include login-mysql57.txtar\nC[0]: 03\nS[1]: 01\n"},
	{"columns, the last one, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 03\nS[1]: 01\n"},
	{"columns, progress reports", "include login-mariadb1011.txtar\nC[0]: 03\nS[1]: 02 01\n"},
	{"columns_end", "include login-mysql57.txtar\nC[0]: 03\nS[1]: 01\nS[2]: 03\n"},
	{"rows", "include login-mysql57.txtar\nC[0]: 03\nS[1]: 01\nS[2]: 03\nS[3]: fe 0000 0200\n"},
	{"rows, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 03\nS[1]: 01\nS[2]: 03\n"},
	{"rows, COM_PING sent ahead", "include login-mysql57.txtar\nC[0]: 03\nC[0]: 0e\nS[1]: 01\nS[2]: 03\nS[3]: fe 0000 0200\n"},
	{"fields", "include login-mysql57.txtar\nC[0]: 04\nS[1]: 03\n"},
	{"fields, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 04\nS[1]: 03\n"},
	{"file", "include login-mysql57.txtar\nC[0]: 03\nS[1]: fb\n"},
	{"file, sent", "include login-mysql57.txtar\nC[0]: 03\nS[1]: fb\nC[2]:\n"},
	{"definitions", "include login-mysql57.txtar\nC[0]: 16\nS[1]: 00 01000000 0100 0100 00 0000\n"},
	{"definitions, the EOF between", "include login-mysql57.txtar\nC[0]: 16\nS[1]: 00 01000000 0100 0100 00 0000\nS[2]: 03\n"},
	{"definitions, the last EOF", "include login-mysql57.txtar\nC[0]: 16\nS[1]: 00 01000000 0100 0000 00 0000\nS[2]: 03\n"},
	{"definitions, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 16\nS[1]: 00 01000000 0100 0100 00 0000\n"},
	{"ready, COM_STMT_EXECUTE half sent", "include login-mysql57.txtar\nC: 140000 00 17 01\n"},
	{"ready, COM_QUERY with half of its attributes sent", "include login-query-attributes.txtar\nC: 140000 00 03 02 01\n"},
	{"first, of the second result", "include login-mysql57.txtar\nC[0]: 03\nS[1]: 00 00 00 0a00 0000\n"},
	{"columns_end, without definitions", "include query-optional-metadata-eof.txtar\nC[0]: 03\nS[1]: 01 00\n"},
	{"rows, without definitions", "include query-optional-metadata.txtar\nC[0]: 03\nS[1]: 01 00\n"},
	{"rows of COM_STMT_FETCH", "include login-mysql57.txtar\nC[0]: 1c\nS[1]: 00\n"},
	{"replicating", "include login-mysql57.txtar\nC[0]: 12\nS[1]: 00\n"},
	{"replicating, DEPRECATE_EOF", "include login-mysql84.txtar\nC[0]: 1e\nS[1]: 00\n"},
}

var joinStates = []state{
	{"seeking", ""},
	{"missed", "C[3]: 03\n"},
	{"trying, COM_QUERY", "C[0]: 03\n"},
	{"trying, COM_STMT_PREPARE", "C[0]: 16\n"},
	{"trying, COM_QUIT", "C[0]: 01\n"},
	{"trying, COM_QUERY half sent", "C: 090000 00 03\n"},
	{"joined, columns", "C[0]: 03\nS[1]: 02\n"},
	{"joined, columns_end", "C[0]: 03\nS[1]: 01\nS[2]: 03\n"},
	{"joined, trusted", "C[0]: 0e\nS[1]: 00 00 00 0200 0000\n"},
	{"joined, trusted, COM_QUERY", "C[0]: 0e\nS[1]: 00 00 00 0200 0000\nC[0]: 03\n"},
	{"joined, trusted, columns_end", "C[0]: 0e\nS[1]: 00 00 00 0200 0000\nC[0]: 03\nS[1]: 01\nS[2]: 03\n"},
	{"joined, trusted, COM_STMT_PREPARE", "C[0]: 0e\nS[1]: 00 00 00 0200 0000\nC[0]: 16\n"},
}

var compressedStates = []state{
	{"compressed, ready", "include login-zlib.txtar\n"},
	{"compressed, COM_QUERY", "include login-zstd.txtar\nstored C[0]: 03\n"},
	{"compressed, rows", "include login-zlib.txtar\nstored C[0]: 03\nstored S[1]: 01\nstored S[2]: 03\nstored S[3]: fe 0000 0200\n"},
	{"compressed, not a frame", "include login-zlib.txtar\nC: 010000 00 010000 00\n"},
}

// forms are the packets that are tried in each state, without their first byte.
var forms = []struct {
	name string
	side Side
	seq  uint8
	tail string
}{
	{"server 1 byte", Server, 1, ""},
	{"server 7 bytes", Server, 1, "\x07\x00\x02\x00\x01\x00"}, // an OK, an EOF or an ERR, if the first byte says so
	{"client", Client, 0, ""},
	{"client, seq 3", Client, 3, ""},
}

// TestTransitions pins what happens in every state for all 256 first bytes of a packet, so that a change
// shows also where nobody thought of a test, and compares it with testdata/transitions.txt.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What a packet does in each state, by its first byte: the records it makes, and the state after it.\n" +
		"# Written by go test -run Transitions -update; see transitions_test.go for the states.\n")
	for how, list := range [...][]state{fromStart: states, joinsLate: joinStates, compressed: compressedStates} {
		for _, state := range list {
			before, err := convtest.Turns(state.before, conversationsDir)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "\n%s\n", state.name)
			for _, f := range forms {
				b.WriteString(ranges("\t"+f.name+" ", func(first byte) string {
					return transition(setting(how), before, f.side, append([]byte{first}, f.tail...), f.seq)
				}))
			}
		}
	}
	// The first packet of the answer to every command: commands with the same answers stand together.
	for _, login := range []string{"mysql57", "mysql84"} {
		loggedIn, err := convtest.Turns("include login-"+login+".txtar\n", conversationsDir)
		if err != nil {
			t.Fatal(err)
		}
		var tables []string
		commands := make(map[string][]byte)
		for c := range 256 {
			before, err := convtest.Turns(fmt.Sprintf("C[0]: %02x\n", c), conversationsDir)
			if err != nil {
				t.Fatal(err)
			}
			before = append(slices.Clip(loggedIn), before...)
			var table string
			for _, f := range forms[:2] {
				table += ranges("\t"+f.name+" ", func(first byte) string {
					name := (&Record{Command: mysqlwire.Command(c)}).CommandName()
					return strings.ReplaceAll(transition(fromStart, before, f.side, append([]byte{first}, f.tail...), f.seq), name, "it")
				})
			}
			if !slices.Contains(tables, table) {
				tables = append(tables, table)
			}
			commands[table] = append(commands[table], byte(c))
		}
		for _, table := range tables {
			fmt.Fprintf(&b, "\nready, %s, command %s\n%s", login, set(commands[table]), table)
		}
	}

	got := b.String()
	if *Update {
		if err := os.WriteFile(transitionsFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(transitionsFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("line %d: got %q, want %q", i+1, gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("got %d lines, want %d", len(gotLines), len(wantLines))
	}
}

// transition returns what a packet does after the turns in before.
func transition(how setting, before []convtest.Turn, side Side, payload []byte, seq uint8) string {
	var records []string
	opts := &Options{Commands: AllCommands(), Events: AllEvents}
	listen := NewSession
	if how == joinsLate {
		listen = Join
	}
	s := listen(opts, func(r *Record) {
		what := r.CommandName()
		if r.Event != EventCommand {
			what = r.Event.String()
		}
		for _, more := range []string{r.Reason, r.Incomplete} {
			if more != "" {
				what += " (" + more + ")"
			}
		}
		if r.ErrorCode != 0 {
			what += fmt.Sprintf(" error %d", r.ErrorCode)
		}
		records = append(records, what)
	})
	for _, t := range before {
		side := Server
		if t.Client {
			side = Client
		}
		s.Feed(side, t.Data, 0)
	}
	records = nil
	packet := convtest.AppendPacket(nil, payload, seq)
	if how == compressed {
		packet = convtest.AppendCompressed(nil, packet, "stored")
	}
	s.Feed(side, packet, 0)

	where := s.phase.String()
	if s.phase == ready {
		where += ", " + s.answer.String()
	}
	if s.join != nil && s.join.trusted {
		where += ", trusted"
	}
	if s.flight.n > 0 {
		where += fmt.Sprintf(", %d in flight", s.flight.n)
	}
	if s.phase == ready {
		if s.infile {
			where += ", file"
		}
		if s.quit {
			where += ", quit"
		}
		if s.rec.Rows > 0 {
			where += fmt.Sprintf(", %d rows", s.rec.Rows)
		}
	}
	return fmt.Sprintf("%s -> %s", records, where)
}

// ranges returns a line for each range of first bytes with the same outcome.
func ranges(prefix string, outcome func(first byte) string) string {
	var b strings.Builder
	for first := 0; first < 256; {
		what, last := outcome(byte(first)), first
		for last < 255 && outcome(byte(last+1)) == what {
			last++
		}
		fmt.Fprintf(&b, "%s%02x-%02x  %s\n", prefix, first, last, what)
		first = last + 1
	}
	return b.String()
}

// set returns bytes as a list of ranges.
func set(list []byte) string {
	var parts []string
	for i := 0; i < len(list); i++ {
		first := list[i]
		for i+1 < len(list) && list[i+1] == list[i]+1 {
			i++
		}
		if list[i] == first {
			parts = append(parts, fmt.Sprintf("%02x", first))
		} else {
			parts = append(parts, fmt.Sprintf("%02x-%02x", first, list[i]))
		}
	}
	return strings.Join(parts, " ")
}
