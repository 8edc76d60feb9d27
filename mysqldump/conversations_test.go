package mysqldump_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/l4mysql/l4mysql/internal/convtest"
	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// marker stands in everything that a script means to be secret: no record may hold it.
const marker = "S3cr3t"

// TestConversations plays every script in testdata/conversations. What is told of it must be the expected
// text, also when it comes in large pieces or in small steps; cut after every byte, it may lose records but
// not invent any.
func TestConversations(t *testing.T) {
	secrets := false
	for _, file := range conversations(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			script, err := convtest.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			as := options(t, script)
			whole := pieces(script.Turns)
			told := play(t, as, whole)
			if *mysqldump.Update {
				if err := script.Rewrite(file, told.String()); err != nil {
					t.Fatal(err)
				}
			} else if told.String() != script.Want {
				t.Errorf("got:\n%swant:\n%s", told, script.Want)
			}
			for _, p := range whole {
				secrets = secrets || bytes.Contains(p.data, []byte(marker))
			}
			if strings.Contains(told.String(), marker) {
				t.Errorf("a secret is told:\n%s", told)
			}
			if got := play(t, as, joined(whole)); !as.times && got.String() != told.String() {
				t.Fatalf("in as few pieces as can be: got:\n%swant:\n%s", got, told)
			}
			for _, step := range []int{1, 2, 3, 4, 5, 7, 64} {
				if got := play(t, as, inSteps(whole, step)); got.String() != told.String() {
					t.Fatalf("in steps of %d: got:\n%swant:\n%s", step, got, told)
				}
			}
			for _, n := range cuts(whole) {
				got := play(t, as, cutAfter(whole, n))
				if err := got.begins(told); err != nil {
					t.Fatalf("cut after %d bytes: %v; got:\n%swant a beginning of:\n%s", n, err, got, told)
				}
			}
		})
	}
	if !secrets && !t.Failed() {
		t.Error("no script has a secret in it")
	}
}

// conversations returns the files of the scripts.
func conversations(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/conversations/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no conversations: %v", err)
	}
	return files
}

// A setup is how a conversation is listened to.
type setup struct {
	mysqldump.Options
	times     bool // tell times, too
	midstream bool // the session joins in the middle
}

// options returns what a script's options ask for. Unless it says otherwise, all commands are told and all
// events but close.
func options(t *testing.T, c *convtest.Conversation) *setup {
	t.Helper()
	opts := &setup{Options: mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.DefaultEvents}}
	for name, value := range c.Options {
		var err error
		switch name {
		case "max_query":
			opts.MaxQuery, err = strconv.Atoi(value)
		case "max_params":
			opts.MaxParams, err = strconv.Atoi(value)
		case "max_param":
			opts.MaxParam, err = strconv.Atoi(value)
		case "statements_memory":
			opts.StatementsMemory, err = strconv.Atoi(value)
		case "midstream":
			opts.midstream = true
		case "commands":
			opts.Commands = mysqldump.CommandSet{}
			for word := range strings.FieldsSeq(value) {
				c, ok := mysqlwire.ParseCommand(word)
				if !ok {
					t.Fatalf("no command %s", word)
				}
				opts.Commands[c] = true
			}
		case "events":
			opts.Events = 0
			for word := range strings.FieldsSeq(value) {
				e, ok := mysqldump.ParseEvent(word)
				if !ok {
					t.Fatalf("no event %s", word)
				}
				opts.Events |= 1 << e
			}
		case "times":
			opts.times = true
		default:
			err = errors.New("no such option")
		}
		if err != nil {
			t.Fatalf("option %s: %v", name, err)
		}
	}
	return opts
}

// A piece is what one call of Feed gets, or the end of the connection.
type piece struct {
	side mysqldump.Side
	data []byte
	ends bool
	turn int // number of the turn that it is of, from 1: the clock
}

func pieces(turns []convtest.Turn) []piece {
	var list []piece
	for i, t := range turns {
		side := mysqldump.Server
		if t.Client {
			side = mysqldump.Client
		}
		list = append(list, piece{side, t.Data, t.Closes, i + 1})
	}
	return list
}

// joined joins the pieces that one side sends one after the other.
func joined(whole []piece) (list []piece) {
	for _, p := range whole {
		if n := len(list) - 1; n >= 0 && !p.ends && list[n].side == p.side {
			list[n].data = append(slices.Clip(list[n].data), p.data...)
		} else {
			list = append(list, p)
		}
	}
	return list
}

// Of data longer than this, only what is near to the ends of packets is cut into small steps.
const longData = 64 << 10

// inSteps cuts pieces into smaller ones of step bytes.
func inSteps(whole []piece, step int) (list []piece) {
	for _, p := range whole {
		if p.ends {
			list = append(list, p)
		}
		for at := 0; at < len(p.data); {
			n := min(step, len(p.data)-at)
			if far := farFromEnds(at, len(p.data)); far > n {
				n = far
			}
			list = append(list, piece{p.side, p.data[at : at+n], false, p.turn})
			at += n
		}
	}
	return list
}

// farFromEnds returns how many bytes of a turn of size bytes lie between the position at and the next one
// that is near to the end of a packet, if a packet can be as long as that.
func farFromEnds(at, size int) int {
	const near, packet = 256, mysqlwire.HeaderLen + mysqlwire.MaxPayload
	in := at % packet
	end := min(packet, size-at+in)
	if size < longData || in < near {
		return 0
	}
	return end - near - in
}

// cuts returns the numbers of bytes after which a conversation is cut: every one, or near to the ends of
// pieces and packets where it is long.
func cuts(whole []piece) (list []int) {
	total := 0
	for _, p := range whole {
		total += len(p.data)
	}
	n := 0
	for _, p := range whole {
		for at := range len(p.data) {
			if total < 8<<10 || at < 8 || len(p.data)-at < 8 || at%4099 == 0 && total < longData ||
				at%(mysqlwire.HeaderLen+mysqlwire.MaxPayload) < 8 {
				list = append(list, n+at)
			}
		}
		n += len(p.data)
	}
	return list
}

// cutAfter returns the first n bytes of a conversation.
func cutAfter(whole []piece, n int) (list []piece) {
	for _, p := range whole {
		p.data = p.data[:min(n, len(p.data))]
		n -= len(p.data)
		if p.ends || len(p.data) == 0 && n == 0 {
			break
		}
		list = append(list, p)
	}
	return list
}

// A telling is the records of a session, as text.
type telling struct {
	lines    []string
	commands []string // what was asked, of the records of commands
	before   int      // how many of the lines are from before the end of the connection
	odd      string   // the first line from after the end that is none of an incomplete command or of closing
}

func (t *telling) String() string { return strings.Join(t.lines, "") }

// begins reports how t, of a conversation that was cut, is no beginning of whole: all that was told
// before the end must be the same; after it only commands without a whole answer may come, as they were.
func (t *telling) begins(whole *telling) error {
	switch {
	case t.before > len(whole.lines) || !slices.Equal(t.lines[:t.before], whole.lines[:t.before]):
		return fmt.Errorf("the first %d records are others", t.before)
	case t.odd != "":
		return fmt.Errorf("the end brings %s", t.odd)
	case len(t.commands) > len(whole.commands) || !slices.Equal(t.commands, whole.commands[:len(t.commands)]):
		return errors.New("other commands")
	}
	return nil
}

// play gives a conversation to a session and returns what it tells. A conversation that nobody ends is
// ended by the client.
func play(t testing.TB, as *setup, list []piece) *telling {
	t.Helper()
	var (
		told  telling
		ended bool
		seq   uint64
		bytes [2]uint64
		last  mysqldump.Record

		buffer []byte
	)
	observed := as.Options
	observed.Events |= 1 << mysqldump.EventClose
	listen := mysqldump.NewSession
	if as.midstream {
		listen = mysqldump.Join
	}
	s := listen(&observed, func(r *mysqldump.Record) {
		if seq++; r.Seq != seq {
			t.Errorf("got record number %d, want %d", r.Seq, seq)
		}
		last = *r
		if r.Event == mysqldump.EventClose && !as.Events.Has(mysqldump.EventClose) {
			return
		}
		told.lines = append(told.lines, text(r, as.times))
		if r.Event == mysqldump.EventCommand {
			told.commands = append(told.commands, fmt.Sprint(r.CommandName(), r.PacketSeq, r.Pipelined, r.HasStmt && !r.Prepared, asked(r)))
		}
		unanswered := strings.Contains("COM_QUIT COM_STMT_CLOSE COM_STMT_SEND_LONG_DATA", r.CommandName())
		switch {
		case !ended:
			told.before++
		case r.Event != mysqldump.EventClose && (r.Event != mysqldump.EventCommand || r.Incomplete == "" && !unanswered) && told.odd == "":
			told.odd = told.lines[len(told.lines)-1]
		}
	})
	now, by := time.Duration(0), mysqldump.Client
	for _, p := range list {
		now = time.Duration(p.turn) * time.Millisecond
		if p.ends {
			by = p.side
			break
		}
		bytes[p.side] += uint64(len(p.data))
		buffer = append(buffer[:0], p.data...)
		s.Feed(p.side, buffer, now)
		clear(buffer) // Feed must not have kept it
	}
	ended = true
	s.End(by, now)
	if last.Event != mysqldump.EventClose || last.BytesIn != bytes[mysqldump.Client] || last.BytesOut != bytes[mysqldump.Server] {
		t.Errorf("got %s at the end, want close with %d bytes in, %d out", text(&last, false), bytes[mysqldump.Client], bytes[mysqldump.Server])
	}
	s.Feed(mysqldump.Client, []byte("\x01\x00\x00\x00\x01"), now)
	s.Feed(mysqldump.Server, []byte("\x01\x00\x00\x00\x00"), now)
	s.End(by, now)
	if last.Seq != seq || last.Event != mysqldump.EventClose {
		t.Errorf("got a record after the end: %s", text(&last, false))
	}
	return &told
}

// asked returns the text of a command or, where its character set matters, its length: a command before it may
// have changed that set, and nobody knows without its answer.
func asked(r *mysqldump.Record) string {
	if bytes.ContainsFunc(r.Query, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return strconv.FormatUint(r.QueryLength, 10)
	}
	return string(r.Query)
}

// text returns r as one line: what it is, who asks, and what is set.
func text(r *mysqldump.Record, times bool) string {
	var b strings.Builder
	put := func(is bool, format string, args ...any) {
		if is {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	command := r.Event == mysqldump.EventCommand
	b.WriteString(r.CommandName())
	if !command {
		b.WriteString(r.Event.String())
	}
	put(true, "%s@%s", r.Username, r.Database)
	put(r.Query != nil, "%q", r.Query)
	put(r.QueryLength != uint64(len(r.Query)), "length=%d", r.QueryLength)
	put(r.HasStmt, "stmt_id=%d", r.StmtID)
	put(r.StmtPrepareQuery != nil, "prepared=%q", r.StmtPrepareQuery)
	put(r.QueryTruncated, "truncated")
	put(r.QueryRaw, "raw")
	put(r.StmtTextLost, "text_lost")
	put(r.BulkRows > 0, "bulk_rows=%d", r.BulkRows)
	put(r.Values != nil, "values=%s", values(r.Values, r.RowWidth))
	put(r.ValuesTruncated, "values_truncated")
	for _, a := range r.QueryAttributes {
		put(true, "query_attr{%q=%s}", a.Name, values([]mysqldump.Value{a.Value}, 0))
	}
	put(r.PacketSeq != 0, "seq=%d", r.PacketSeq)
	put(r.Pipelined != 0, "pipelined=%d", r.Pipelined)
	put(r.Prepared, "params=%d", r.Params)
	put(r.HasColumns, "columns=%d", r.Columns)
	put(r.ResultSets > 1, "result_sets=%d", r.ResultSets)
	put(r.HasRows, "rows=%d", r.Rows)
	put(r.HasOK, "affected_rows=%d", r.AffectedRows)
	put(r.LastInsertID != 0, "last_insert_id=%d", r.LastInsertID)
	put(r.HasStatus, "status=%04x", uint16(r.Status))
	put(r.Warnings != 0, "warnings=%d", r.Warnings)
	put(r.ErrorCode != 0, "error=%d", r.ErrorCode)
	put(r.SQLState != nil, "sqlstate=%s", r.SQLState)
	put(r.ErrorCode != 0, "%q", r.ErrorMessage)
	put(len(r.Info) > 0, "info=%q", r.Info)
	for kind, data := range r.Changes.All() {
		put(true, "change{%d %q}", kind, data)
	}
	put(r.InfileBytes > 0, "infile_bytes=%d", r.InfileBytes)
	put(r.ProgressReports > 0, "progress_reports=%d", r.ProgressReports)
	put(r.Incomplete != "", "incomplete=%s", r.Incomplete)
	put(!command && r.CharacterSet != "", "%s", r.CharacterSet)
	put(!command && !r.Midstream, "thread_id=%d", r.ThreadID)
	put(r.Midstream, "midstream")
	put(r.ServerVersion != "", "server=%q", r.ServerVersion)
	put(r.Compression != "", "compression=%s", r.Compression)
	put(r.AuthPlugin != "", "plugin=%q", r.AuthPlugin)
	for name, value := range r.Attributes.All() {
		if len(value) > 100 {
			value = fmt.Appendf(nil, "%s... %d bytes", value[:10], len(value))
		}
		put(true, "attr{%q=%q}", name, value)
	}
	put(r.Reason != "", "reason=%s", r.Reason)
	put(r.Message != "", "%q", r.Message)
	put(r.Event == mysqldump.EventClose, "commands=%d", r.Commands)
	put(command || r.BytesIn != 0, "in=%d", r.BytesIn)
	put(command || r.BytesOut != 0, "out=%d", r.BytesOut)
	if times {
		put(true, "at=%s", r.At)
		put(command, "first_byte=%s duration=%s", r.FirstByte, r.Duration)
	}
	b.WriteByte('\n')
	return b.String()
}

// values returns values as one word, rows of them in brackets.
func values(list []mysqldump.Value, width int) string {
	words := make([]string, len(list))
	for i, v := range list {
		word := map[mysqldump.ValueKind]string{
			mysqldump.ValueNull: "NULL", mysqldump.ValueNumber: string(v.Data), mysqldump.ValueText: strconv.Quote(string(v.Data)),
			mysqldump.ValueBytes: fmt.Sprintf("x'%x'", v.Data), mysqldump.ValueDefault: "DEFAULT", mysqldump.ValueIgnored: "IGNORE",
		}[v.Kind]
		if v.Cut {
			word += fmt.Sprintf("...%d", v.Length)
		}
		words[i] = word
	}
	if width == 0 {
		return "[" + strings.Join(words, " ") + "]"
	}
	var rows []string
	for row := range slices.Chunk(words, width) {
		rows = append(rows, "["+strings.Join(row, " ")+"]")
	}
	return "[" + strings.Join(rows, " ") + "]"
}
