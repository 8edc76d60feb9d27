package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// compare compares the records of one connection with the commands that the server has executed for it: one
// record for each command, in the server's order. The server's word and the protocol's differ in these:
//
//   - Several statements in one COM_QUERY are several to the server. Their record has the sum of their rows, and
//     the warnings and the error of the last one.
//   - A CALL has sent what the statements in its procedure have sent. The row of OUT parameters at the end of a
//     prepared one is a result set in the protocol, and nothing that the server counts.
//   - The server does not count the rows of SHOW WARNINGS as sent. They are the warnings of the statement before.
//   - An error has no warnings in the protocol.
//   - Of COM_STMT_BULK_EXECUTE, MariaDB's performance schema has no outcome but the error: the rows that it has
//     made are counted in the table.
func compare(t *testing.T, s compatScenario, client compatClient, records []CompatRecord, server []ServerCommand) {
	t.Helper()
	for i, r := range records {
		if r.ConnSeqNum != i+1 || r.Dropped != 0 || r.Incomplete != "" || r.StmtTextLost || r.Event == "opaque" {
			t.Errorf("record %d: got %+v, want conn_seq_num %d and a whole answer", i, r, i+1)
		}
	}
	got := compared(records)
	prepared := make(map[uint32]string) // what the records say of each stmt_id
	for i := range max(len(got), len(server)) {
		if i >= len(got) || i >= len(server) || got[i].Command != server[i].Command {
			t.Fatalf("command %d of %d records and %d of the server's: they differ\nrecords: %s\nserver:  %s",
				i, len(got), len(server), summary(got[min(i, len(got)):]), summary(server[min(i, len(server)):]))
		}
		r, want := got[i], server[i]
		if client.outRows && r.Command == "COM_STMT_EXECUTE" && strings.HasPrefix(r.StmtPrepareQuery, "CALL outs(") {
			want.Rows++
		}
		compareOutcome(t, r, want)
		switch r.Command {
		case "COM_QUERY":
			compareText(t, s, r, want)
		case "COM_STMT_PREPARE":
			compareText(t, s, r, want)
			if r.ErrorCode == 0 {
				prepared[r.StmtID] = r.Query
			}
		case "COM_STMT_EXECUTE", "COM_STMT_BULK_EXECUTE":
			compareExecution(t, r, want, prepared)
		case "COM_STMT_SEND_LONG_DATA", "COM_STMT_FETCH", "COM_STMT_RESET", "COM_STMT_CLOSE":
			if _, ok := prepared[r.StmtID]; !ok {
				t.Errorf("%s: got stmt_id %d, want one that was prepared", r.Command, r.StmtID)
			}
		}
	}
}

// compared returns the records that are compared with commands of the server.
func compared(records []CompatRecord) []CompatRecord {
	return slices.DeleteFunc(slices.Clone(records), func(r CompatRecord) bool {
		return r.Event != "" || r.Command == "COM_QUIT"
	})
}

// texts returns the text of each command.
func texts(records []CompatRecord) []string {
	var texts []string
	for _, r := range compared(records) {
		texts = append(texts, r.Query)
	}
	return texts
}

// summary tells the first few of a list.
func summary[T fmt.Stringer](list []T) string {
	var texts []string
	for _, element := range list[:min(3, len(list))] {
		texts = append(texts, element.String())
	}
	return strings.Join(texts, "; ")
}

func (r CompatRecord) String() string {
	return fmt.Sprintf("%s %.100q in %s: %d rows, %d affected, %d warnings, error %d %s %s%s",
		r.Command, r.Query, r.Database, r.Rows, r.AffectedRows, r.Warnings,
		r.ErrorCode, r.SQLState, r.Info, r.ErrorMessage)
}

func (c ServerCommand) String() string {
	return fmt.Sprintf("%s %.100q in %s: %d rows, %d affected, %d warnings, error %d %s %s",
		c.Command, c.Text, c.Database, c.Rows, c.Affected, c.Warnings, c.ErrorCode, c.SQLState, c.Message)
}

// compareOutcome compares what has come of a command.
func compareOutcome(t *testing.T, r CompatRecord, want ServerCommand) {
	t.Helper()
	if want.ErrorCode != 0 {
		want.Warnings = 0
	}
	if r.Command == "COM_STMT_BULK_EXECUTE" {
		want.Affected, want.Message = r.AffectedRows, r.Info
	}
	message := []rune(r.Info + r.ErrorMessage)
	if r.Database != want.Database || r.Rows != want.Rows || r.AffectedRows != want.Affected ||
		r.Warnings != want.Warnings || r.ErrorCode != want.ErrorCode || r.SQLState != want.SQLState ||
		string(message[:min(len(message), messageLimit)]) != want.Message {
		t.Errorf("got record  %v\nwant of the server %v", r, want)
	}
}

// compareText compares the text of a statement with both of the server's notions of it. In all of them a text
// may have been cut.
func compareText(t *testing.T, s compatScenario, r CompatRecord, want ServerCommand) {
	t.Helper()
	whole := r.QueryLength == len(r.Query) || s.singleByte && r.QueryLength == utf8.RuneCountInString(r.Query)
	if truncated := r.QueryLength > maxQuery; r.QueryTruncated != truncated || !truncated && !whole {
		t.Errorf("got query %.200q of %d bytes, query_length %d, query_truncated %v, want what fits together",
			r.Query, len(r.Query), r.QueryLength, r.QueryTruncated)
	}
	for source, text := range map[string]string{"general log": want.Logged, "performance schema": want.Text} {
		if text != "" && !sameText(s, r.Query, text) {
			t.Errorf("got query %.200q, want %.200q, as in the %s", r.Query, text, source)
		}
	}
}

// foreign is what MariaDB makes of bytes that are no ASCII where the client's character set is not UTF-8: "?" in
// the performance schema, "\\xE9" in the general log. checkLatin1 asks the table instead.
var foreign = regexp.MustCompile(`\\x[0-9A-F]{2}|[^\x00-\x7f]`)

// sameText reports whether a record has a text of the server's. The server has taken the spaces from both ends,
// and the semicolons from the last.
func sameText(s compatScenario, got, want string) bool {
	if s.singleByte {
		got, want = foreign.ReplaceAllString(got, "?"), foreign.ReplaceAllString(want, "?")
	}
	if len(got) >= maxQuery {
		return strings.HasPrefix(want, got[:maxQuery]) // a text that is in both up to there
	}
	return trimStatement(got) == trimStatement(want)
}

func trimStatement(text string) string { return strings.TrimRight(strings.TrimSpace(text), "; \t\r\n") }

// compareExecution compares the text of an execution with what was prepared, and with what the server has: the
// same, or the same with the values in it.
func compareExecution(t *testing.T, r CompatRecord, want ServerCommand, prepared map[uint32]string) {
	t.Helper()
	if text, ok := prepared[r.StmtID]; !ok || r.StmtPrepareQuery != text || r.Query != "" {
		t.Errorf("got stmt_prepare_query %q, query %q, want %q, from which %d was prepared, and none",
			r.StmtPrepareQuery, r.Query, text, r.StmtID)
	}
	pattern := regexp.QuoteMeta(foreign.ReplaceAllString(r.StmtPrepareQuery, "?"))
	pattern = "(?s)^" + strings.ReplaceAll(pattern, `\?`, ".*")
	if !r.QueryTruncated {
		pattern += "$"
	}
	for source, text := range map[string]string{"general log": want.Logged, "performance schema": want.Text} {
		if text != "" && !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("got stmt_prepare_query %q, want the text of %.200q, as in the %s",
				r.StmtPrepareQuery, text, source)
		}
	}
}
