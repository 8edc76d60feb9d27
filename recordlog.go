package l4mysql

import (
	"bytes"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// A recordLog writes records to Caddy's log.
type recordLog struct {
	records *zap.Logger // for records only, so that a log may include them and nothing else
	errors  *zap.Logger
	failed  sync.Once
}

// newRecordLog returns a log of records below logger, whose name gets ".record" and, unless it is empty,
// a dot and name.
func newRecordLog(logger *zap.Logger, name string) *recordLog {
	l := &recordLog{errors: logger}
	l.records = logger.Named("record").WithOptions(zap.ErrorOutput(zapcore.AddSync(writeErrors{l})))
	if name != "" {
		l.records = l.records.Named(name)
	}
	return l
}

// write writes one record. Its time is the command's, not that of the writing.
func (l *recordLog) write(e *entry) {
	message := "command"
	if e.Event != mysqldump.EventCommand {
		message = e.Event.String()
	}
	if ce := l.records.Check(zapcore.InfoLevel, message); ce != nil {
		ce.Time = e.peer.start.Add(e.At)
		ce.Write(zap.Inline(e))
	}
}

// writeErrors receives zap's complaint about each record that could not be written: it is counted, and
// said once.
type writeErrors struct{ log *recordLog }

func (w writeErrors) Write(p []byte) (int, error) {
	recordsDropped.WithLabelValues(dropWriteError).Inc()
	w.log.failed.Do(func() {
		_, cause, found := bytes.Cut(p, []byte("write error: ")) // before it, the record's time
		if !found {
			cause = p
		}
		w.log.errors.Error("writing records to the log; further errors are only counted",
			zap.String("error", string(bytes.TrimSpace(cause))))
	})
	return len(p), nil
}
