package l4mysql

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// newRecord returns the entry of a statement, asked so long after the connection began.
func newRecord(t testing.TB, text string, at time.Duration) *entry {
	t.Helper()
	r := offered
	r.Query, r.At = []byte(text), at
	return newEntry(&r, testPeer(t, ""))
}

// TestRecordLogLine: a line has the time of its command, however late it is written, and the logger's
// name.
func TestRecordLogLine(t *testing.T) {
	for _, tt := range []struct{ name, logger string }{
		{"", recordName}, {"tenant-1", recordName + ".tenant-1"}, {"eu.acme", recordName + ".eu.acme"},
	} {
		sink := new(logSink)
		l := newRecordLog(zap.New(sink.core()).Named(logName), tt.name)
		l.write(newRecord(t, "SELECT 1", 500*time.Millisecond))
		event := mysqldump.Record{Event: mysqldump.EventAuthError, At: time.Second}
		l.write(newEntry(&event, testPeer(t, "")))
		lines := logLines(t, sink.String(), tt.logger)
		wantRecords(t, lines, "command COM_QUERY SELECT 1 rows=100", "auth_error")
		for i, want := range []string{"1795167202.5", "1795167203"} {
			if got := lines[i]["ts"]; lines[i]["level"] != "info" || got.(interface{ String() string }).String() != want {
				t.Errorf("%s: got %v at %v, want info at %s", tt.logger, lines[i]["level"], got, want)
			}
		}
	}
}

// A badDisk fails the first writes, and keeps the others.
type badDisk struct {
	logSink
	failures int
}

func (d *badDisk) Write(p []byte) (int, error) {
	if d.failures > 0 {
		d.failures--
		return 0, errors.New("no space left on device")
	}
	return d.logSink.Write(p)
}

// TestRecordLogFails: what cannot be written is counted, said once, and printed nowhere else; when the log
// works again, so do the records.
func TestRecordLogFails(t *testing.T) {
	before := dropCount(t, dropWriteError)
	disk, rest, stderr := &badDisk{failures: 5}, new(logSink), new(logSink)
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	records := &only{zapcore.NewCore(encoder, zapcore.AddSync(disk), zapcore.InfoLevel), true}
	others := &only{rest.core(), false}
	logger := zap.New(zapcore.NewTee(records, others), zap.ErrorOutput(zapcore.AddSync(stderr))).Named(logName)

	l := newRecordLog(logger, "")
	for range 7 {
		l.write(newRecord(t, "SELECT 1", 0))
	}
	if got := dropCount(t, dropWriteError) - before; got != 5 {
		t.Errorf("got %d in the metric, want 5", got)
	}
	if got := logLines(t, disk.String(), recordName); len(got) != 2 {
		t.Errorf("got %d records, want 2", len(got))
	}
	lines := logLines(t, rest.String(), logName)
	if len(lines) != 1 || lines[0]["level"] != "error" || !strings.Contains(lines[0]["msg"].(string), "further errors are only counted") ||
		lines[0]["error"] != "no space left on device" {
		t.Errorf("got %v, want one error", lines)
	}
	if stderr.String() != "" {
		t.Errorf("printed: %s", stderr)
	}
}

// only is the core of a Caddy log that includes records only, or excludes them.
type only struct {
	zapcore.Core
	records bool
}

func (o *only) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if strings.HasPrefix(e.LoggerName, recordName) != o.records {
		return ce
	}
	return ce.AddCore(e, o.Core)
}

// TestRecordLogLevel: a log whose level is above INFO gets no records, and nothing is done for them.
func TestRecordLogLevel(t *testing.T) {
	sink := new(logSink)
	l := newRecordLog(zap.New(sink.core(), zap.IncreaseLevel(zapcore.WarnLevel)), "")
	e := newRecord(t, "SELECT 1", 0)
	if got := testing.AllocsPerRun(100, func() { l.write(e) }); got != 0 || sink.String() != "" {
		t.Errorf("got %v allocations, and %q", got, sink)
	}
}

// BenchmarkRecord is what a record costs the writing goroutine with Caddy's format json, without the file.
func BenchmarkRecord(b *testing.B) {
	b.ReportAllocs()
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	l := newRecordLog(zap.New(zapcore.NewCore(encoder, zapcore.AddSync(discard{}), zapcore.InfoLevel)).Named(logName), "")
	e := newRecord(b, string(offered.Query), 0)
	for b.Loop() {
		l.write(e)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
