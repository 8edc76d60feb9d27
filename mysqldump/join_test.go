package mysqldump_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// told returns what commands segments tell a session that listen makes, one line each: only what can be
// known without what was said before.
func told(segments []segment, listen func(*mysqldump.Options, func(*mysqldump.Record)) *mysqldump.Session) (lines []string) {
	opts := &mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}
	s := listen(opts, func(r *mysqldump.Record) {
		if r.Event != mysqldump.EventCommand || r.Incomplete != "" {
			return
		}
		text := string(r.Query)
		if strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII }) {
			text = "a text whose character set may not be known"
		}
		id := uint32(0)
		if r.HasStmt {
			id = r.StmtID
		}
		lines = append(lines, fmt.Sprintf("%s %q stmt_id=%d rows=%d columns=%d sets=%d affected=%d id=%d error=%d status=%x info=%q in=%d out=%d",
			r.CommandName(), text, id, r.Rows, r.Columns, r.ResultSets, r.AffectedRows, r.LastInsertID, r.ErrorCode,
			uint16(r.Status), r.Info, r.BytesIn, r.BytesOut))
	})
	for _, seg := range segments {
		s.Feed(seg.side, seg.data, seg.at)
	}
	s.End(mysqldump.Client, segments[len(segments)-1].at)
	return lines
}

// TestJoinCaptures joins every captured conversation before each of its segments, and within some. What it
// tells then is what is told of the whole conversation, from some command on: nothing is made up, and
// little is left out.
func TestJoinCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	joined, possible := 0, 0
	for _, file := range files {
		for port, segments := range readCapture(t, file) {
			whole := told(segments, mysqldump.NewSession)
			for from := range segments {
				for _, skip := range []int{0, 1, 3, len(segments[from].data) / 2} {
					rest := append([]segment(nil), segments[from:]...)
					rest[0].data = rest[0].data[min(skip, len(rest[0].data)):]
					got := told(rest, mysqldump.Join)
					if missing := outOf(got, whole); missing != "" {
						t.Fatalf("%s, port %d, from segment %d, byte %d: told %s, which is not told of the whole:\n%s\nbut\n%s", file, port, from, skip, missing, strings.Join(whole, "\n"), strings.Join(got, "\n"))
					}
					if skip == 0 {
						joined += len(got)
						possible += len(whole) * (len(segments) - from) / len(segments)
					}
				}
			}
		}
	}
	if joined < possible/2 {
		t.Errorf("got %d records of about %d", joined, possible)
	}
	t.Logf("%d records of about %d", joined, possible)
}

// outOf returns the first line of part that does not come, in order, in whole.
func outOf(part, whole []string) string {
	for _, line := range part {
		i := 0
		for i < len(whole) && strings.TrimSpace(whole[i]) != line {
			i++
		}
		if i == len(whole) {
			return line
		}
		whole = whole[i+1:]
	}
	return ""
}
