package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A Record is a line of mysql_log: the keys that tests compare. docs/records.md has all of them.
type Record struct {
	Time             float64 `json:"ts"`
	Level            string  `json:"level"`
	Logger           string  `json:"logger"`
	Event            string  `json:"event"` // empty of a command
	Command          string  `json:"command"`
	Query            string  `json:"query"`
	QueryLength      int     `json:"query_length"`
	QueryTruncated   bool    `json:"query_truncated"`
	StmtID           uint32  `json:"stmt_id"`
	StmtPrepareQuery string  `json:"stmt_prepare_query"`
	StmtTextLost     bool    `json:"stmt_text_lost"`
	ConnID           string  `json:"conn_id"`
	ConnSeqNum       int     `json:"conn_seq_num"`
	Client           string  `json:"client_addr"`
	HeaderSource     string  `json:"proxy_protocol_src_addr"`
	HeaderDest       string  `json:"proxy_protocol_dst_addr"`
	Origin           string  `json:"origin_addr"`
	Username         string  `json:"username"`
	Database         string  `json:"database"`
	CharacterSet     string  `json:"character_set"`
	ThreadID         uint64  `json:"thread_id"`
	Dropped          int     `json:"dropped"`
	Duration         float64 `json:"duration_us"`
	Rows             uint64  `json:"rows"`
	AffectedRows     uint64  `json:"affected_rows"`
	Info             string  `json:"info"`
	ErrorCode        uint16  `json:"error_code"`
	SQLState         string  `json:"sqlstate"`
	ErrorMessage     string  `json:"error_message"`
	Incomplete       string  `json:"incomplete"`
	Reason           string  `json:"reason"`
}

// maxQuery is how many bytes of a text a record has by default.
const maxQuery = 4096

// Records returns the records that Caddy has written, file by file, in their order.
func (c *Caddy) Records(t testing.TB) []Record {
	t.Helper()
	return parseRecords(t, c.recordBytes(t))
}

// parseRecords reads the complete lines of a log that has records only.
func parseRecords(t testing.TB, text []byte) []Record {
	t.Helper()
	var records []Record
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if r.Level != "info" || r.Logger != "layer4.handlers.mysql_log.record" || (r.Event == "") == (r.Command == "") {
			t.Errorf("%q is not a record", line)
		}
		records = append(records, r)
	}
	return records
}

// recordBytes returns the files of records, queries*.json, as they are: nothing, before there is a record.
func (c *Caddy) recordBytes(t testing.TB) []byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(c.Dir, "queries*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// RecordsByThread ends Caddy, so that no further record can come, and returns what it has recorded of each
// of the server's threads.
func (c *Caddy) RecordsByThread(t testing.TB) map[uint64][]Record {
	t.Helper()
	if err := c.stop(); err != nil {
		t.Fatalf("Caddy ended with %v, want nil", err)
	}
	return byThread(c.Records(t))
}

func byThread(records []Record) map[uint64][]Record {
	threads := make(map[uint64][]Record)
	for _, r := range records {
		threads[r.ThreadID] = append(threads[r.ThreadID], r)
	}
	return threads
}

// quiet fails the test if Caddy's default log has a record, or a line of layer4's above DEBUG.
func (c *Caddy) quiet(t testing.TB) {
	t.Helper()
	for _, line := range c.Logs(t) {
		if logger, _ := line["logger"].(string); strings.HasPrefix(logger, "layer4") && line["level"] != "debug" {
			t.Errorf("Caddy's default log has %v, want nothing of layer4's above DEBUG", line)
		}
	}
}

// testConnection compares the records of one connection with what the server knows of it and with the load
// balancer's log: there is one record per statement, in the order of the statements.
func testConnection(t *testing.T, records []Record, server ServerSession, process Process, lb Session) {
	t.Helper()
	if len(records) != 1+len(server.Statements) {
		t.Fatalf("got %d records, want one of the login and %d of statements\nrecords: %+v\nserver: %+v",
			len(records), len(server.Statements), records, server)
	}
	first := records[0]
	login := fmt.Sprintf("%s@%s on %s using TCP/IP", first.Username, parseAddr(t, process.Host).Addr(), first.Database)
	if first.Event != "connect" || login != server.Login {
		t.Errorf("first record: got %+v, want the login that the server logged: %q", first, server.Login)
	}
	for i, r := range records {
		if r.ConnID != first.ConnID || r.ConnSeqNum != i+1 || r.Dropped != 0 || r.StmtTextLost {
			t.Errorf("record %d: got %+v, want the same conn_id and conn_seq_num %d", i, r, i+1)
		}
		if r.Origin != lb.Client.String() || r.HeaderSource != r.Origin || r.HeaderDest != lb.Dest.String() {
			t.Errorf("record %d: got origin_addr %s, header %s > %s, want %s > %s, as the load balancer logged",
				i, r.Origin, r.HeaderSource, r.HeaderDest, lb.Client, lb.Dest)
		}
		if r.ThreadID != process.ID || r.Username != process.User || r.CharacterSet != process.Charset {
			t.Errorf("record %d: got thread_id %d, username %s, character_set %s, want what the process list has: %+v",
				i, r.ThreadID, r.Username, r.CharacterSet, process)
		}
	}
	prepared := make(map[uint32]string) // what the records say of each stmt_id
	for i, want := range server.Statements {
		testCommand(t, records[1+i], want, prepared)
	}
}

// testCommand compares the record of a command with the server's word on it.
func testCommand(t *testing.T, r Record, want Statement, prepared map[uint32]string) {
	t.Helper()
	if r.Event != "" || r.Command != want.Command || r.Database != want.Database || r.Incomplete != "" ||
		r.Rows != want.Rows || r.AffectedRows != want.Affected || r.ErrorCode != want.ErrorCode || r.SQLState != want.SQLState {
		t.Errorf("got record\n%+v\nwant what the server has\n%+v", r, want)
	}
	if message := []rune(r.Info + r.ErrorMessage); string(message[:min(len(message), messageLimit)]) != want.Message {
		t.Errorf("%s: got info %q, error_message %q, want %q", r.Query, r.Info, r.ErrorMessage, want.Message)
	}
	if want.Time != 0 {
		// The server has logged the command after Caddy had seen it, and before Caddy saw the answer's end: but
		// a COM_STMT_PREPARE is logged when it is answered. Caddy's clock is the server's, except that the system
		// may correct it while the test runs.
		const correction = 0.02
		end := r.Time + r.Duration/1e6
		if want.Time < r.Time-correction || want.Time > end+correction && r.Command != "COM_STMT_PREPARE" {
			t.Errorf("%s: got ts %f, and %f with duration_us, want %f between them", r.Query, r.Time, end, want.Time)
		}
	}
	switch {
	case r.Command == "COM_STMT_EXECUTE":
		testExecution(t, r, want, prepared)
	case want.Text == "" && want.ErrorCode != 0: // only the client knows what it was; the message is compared
	default:
		testText(t, r, want)
	}
	if r.Command == "COM_STMT_PREPARE" {
		if r.StmtPrepareQuery != r.Query {
			t.Errorf("got stmt_prepare_query %q, want %q as in query", r.StmtPrepareQuery, r.Query)
		}
		prepared[r.StmtID] = r.Query
	}
}

// testText compares a statement's text.
func testText(t *testing.T, r Record, want Statement) {
	t.Helper()
	text := want.Text
	if strings.HasPrefix(text, "SET PASSWORD") {
		text = text[:strings.IndexByte(text, '\'')]
	}
	text = text[:min(len(text), maxQuery)]
	if truncated := text != want.Text; r.Query != text || r.QueryLength != len(want.Text) || r.QueryTruncated != truncated {
		t.Errorf("got query %q, query_length %d, query_truncated %v\nwant %q, %d, %v",
			r.Query, r.QueryLength, r.QueryTruncated, text, len(want.Text), truncated)
	}
}

// testExecution compares an execution with the text that the server has put the values into.
func testExecution(t *testing.T, r Record, want Statement, prepared map[uint32]string) {
	t.Helper()
	if text, ok := prepared[r.StmtID]; !ok || r.StmtPrepareQuery != text {
		t.Errorf("got stmt_prepare_query %q, want %q, from which %d was prepared", r.StmtPrepareQuery, text, r.StmtID)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(r.StmtPrepareQuery), `\?`, ".*")
	if !r.QueryTruncated {
		pattern += "$"
	}
	if !regexp.MustCompile("^" + pattern).MatchString(want.Text) {
		t.Errorf("got stmt_prepare_query %q, want the text of %q", r.StmtPrepareQuery, want.Text)
	}
	if truncated := len(want.Text) > maxQuery; r.QueryTruncated != truncated || r.Query != "" {
		t.Errorf("got query_truncated %v, query %q, want %v and no query", r.QueryTruncated, r.Query, truncated)
	}
}

// testQueries compares the records of a connection that uses COM_QUERY only with the server's general log:
// the login, and then the statements in the server's order.
func testQueries(t *testing.T, records []Record, log []LogEntry, thread uint64) {
	t.Helper()
	var texts []string
	for i, r := range records {
		if r.ConnSeqNum != i+1 || r.Dropped != 0 || r.Incomplete != "" || r.ConnID != records[0].ConnID {
			t.Errorf("thread %d, record %d: got %+v, want conn_seq_num %d and an answer", thread, i, r, i+1)
		}
		if (r.Event == "connect") != (i == 0) || r.Event == "" && r.Command != "COM_QUERY" {
			t.Errorf("thread %d, record %d: got %+v, want a connect and then queries", thread, i, r)
		}
		if r.Command == "COM_QUERY" {
			texts = append(texts, r.Query)
		}
	}
	if want := queries(log, thread); !slices.Equal(texts, want) {
		t.Errorf("thread %d: got %d records of statements, want %d, as the server logged\n%s",
			thread, len(texts), len(want), firstDifference(texts, want))
	}
}

// firstDifference tells where two lists begin to differ.
func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("got[%d:] %q\nwant[%d:] %q", i, head(got, i), i, head(want, i))
		}
	}
	return "no difference"
}

// head returns up to three elements from i on.
func head(list []string, i int) []string { return list[min(i, len(list)):min(i+3, len(list))] }
