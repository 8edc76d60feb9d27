package l4mysql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How the tests of `mysql_log` let clients and servers talk, and what they read in the log then.

// A logSink keeps what is logged, encoded at once: a record lives only as long as it is being written.
type logSink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *logSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// core returns a core that encodes as Caddy's format json does.
func (s *logSink) core() zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(s), zapcore.DebugLevel)
}

const (
	logName    = "layer4.handlers.mysql_log"
	recordName = logName + ".record"
)

// A logLine is one line of a log. Its numbers are text.
type logLine map[string]any

// logLines returns the lines of a log in JSON that logger has written.
func logLines(t testing.TB, log, logger string) []logLine {
	t.Helper()
	var list []logLine
	for text := range strings.Lines(log) {
		line, d := logLine{}, json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&line); err != nil {
			t.Fatalf("%v in the line %q", err, text)
		}
		if line["logger"] == logger {
			list = append(list, line)
		}
	}
	return list
}

// String returns what a record tells of, in short.
func (l logLine) String() string {
	var b strings.Builder
	fmt.Fprint(&b, l["msg"])
	for _, key := range []string{"command", "query", "rows", "error_code", "incomplete", "reason"} {
		switch value, ok := l[key]; {
		case !ok:
		case key == "command" || key == "query":
			fmt.Fprintf(&b, " %v", value)
		default:
			fmt.Fprintf(&b, " %s=%v", key, value)
		}
	}
	return b.String()
}

func newContext(t testing.TB) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return ctx
}

// newLog provisions h, by default with all commands and events, and returns what it logs.
func newLog(t testing.TB, h *MySQLLog) (*MySQLLog, *logSink) {
	t.Helper()
	if h.Commands == nil && h.Events == nil {
		h.Commands, h.Events = []string{allNames}, []string{allNames}
	}
	if err := h.Provision(newContext(t)); err != nil {
		t.Fatalf("Provision: %v", err)
	}
	if err := h.Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	sink := new(logSink)
	h.logger = zap.New(sink.core()).Named(logName)
	h.queue = newQueue(h.Queue, h.Overflow == overflowBlock, newRecordLog(h.logger, h.LogName).write)
	return h, sink
}

// recordsOf returns all records of h until now.
func recordsOf(t testing.TB, h *MySQLLog, sink *logSink) []logLine {
	t.Helper()
	h.queue.flush(5 * time.Second)
	return logLines(t, sink.String(), recordName)
}

// wantRecords compares what records tell of.
func wantRecords(t testing.TB, records []logLine, want ...string) {
	t.Helper()
	for i, r := range records {
		if i < len(want) && r.String() != want[i] {
			t.Errorf("record %d: got %s, want %s", i+1, r, want[i])
			return
		}
	}
	if len(records) != len(want) {
		t.Errorf("got %d records, want %d: %v", len(records), len(want), records)
	}
}

// An arrival is what one Read of a socket returns.
type arrival struct {
	data string
	err  error
}

// A fakeClient is the socket of a client: what arrives is the test's to say; nothing more does.
type fakeClient struct {
	fakeSocket
	arrivals []arrival
	got      strings.Builder
	writeErr error
	onWrite  func()   // called before each Write
	calls    []string // the names of the methods that end something
}

func newClient() *fakeClient {
	return &fakeClient{fakeSocket: fakeSocket{remote: balancer, local: listener}}
}

func (c *fakeClient) Read(p []byte) (int, error) {
	if len(c.arrivals) == 0 {
		return 0, io.EOF
	}
	a := &c.arrivals[0]
	n := copy(p, a.data)
	if a.data = a.data[n:]; a.data != "" {
		return n, nil
	}
	c.arrivals = c.arrivals[1:]
	return n, a.err
}

func (c *fakeClient) Write(p []byte) (int, error) {
	if c.onWrite != nil {
		c.onWrite()
	}
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	return c.got.Write(p)
}

func (c *fakeClient) CloseWrite() error             { c.calls = append(c.calls, "CloseWrite"); return nil }
func (c *fakeClient) Close() error                  { c.calls = append(c.calls, "Close"); return nil }
func (*fakeClient) SetReadDeadline(time.Time) error { return nil }

// behind runs f on a connection that has come through handlers, and whose first bytes matchers have
// prefetched.
func behind(t testing.TB, conn net.Conn, prefetched string, f func(*layer4.Connection), handlers ...layer4.NextHandler) {
	t.Helper()
	called := false
	var next layer4.Handler = layer4.HandlerFunc(func(cx *layer4.Connection) error {
		called = true
		f(cx)
		return nil
	})
	for _, h := range slices.Backward(handlers) {
		inner := next
		next = layer4.HandlerFunc(func(cx *layer4.Connection) error { return h.Handle(cx, inner) })
	}
	if err := next.Handle(layer4.WrapConnection(conn, []byte(prefetched), zap.NewNop())); err != nil || !called {
		t.Fatalf("Handle: got %v, and the next handler was called: %t", err, called)
	}
}

// A talk is a conversation whose steps a test takes one after the other, in the place of `proxy`.
type talk struct {
	t      testing.TB
	cx     *layer4.Connection
	client *fakeClient
}

// newTalk runs f with a talk through handlers.
func newTalk(t testing.TB, f func(*talk), handlers ...layer4.NextHandler) {
	t.Helper()
	client := newClient()
	behind(t, client, "", func(cx *layer4.Connection) { f(&talk{t, cx, client}) }, handlers...)
}

// asks lets the client send data, and the proxy read it.
func (k *talk) asks(data string) {
	k.t.Helper()
	k.arrives(data, nil)
}

// fails lets a read of the client end with err.
func (k *talk) fails(err error) {
	k.t.Helper()
	k.arrives("", err)
}

// arrives lets one read return data and then, with the last of it, err.
func (k *talk) arrives(data string, err error) {
	k.t.Helper()
	k.client.arrivals = append(k.client.arrivals, arrival{data, err})
	p := make([]byte, len(data)+1)
	if n, e := k.cx.Read(p); string(p[:n]) != data || !errors.Is(e, err) {
		k.t.Errorf("Read: got %q, %v, want %q, %v", p[:n], e, data, err)
	}
}

// answers lets the server send data.
func (k *talk) answers(data string) {
	k.t.Helper()
	want := k.client.writeErr
	if n, err := k.cx.Write([]byte(data)); !errors.Is(err, want) || err == nil && n != len(data) {
		k.t.Errorf("Write: got %d, %v, want %d, %v", n, err, len(data), want)
	}
}

// login lets the client log in.
func (k *talk) login() {
	k.t.Helper()
	k.answers(mysqlGreeting)
	k.asks(mysqlLogin)
	k.answers(mysqlLoginOK)
}

// serverCloses does what `proxy` does when the server has closed.
func (k *talk) serverCloses() {
	k.t.Helper()
	if err := k.cx.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		k.t.Errorf("CloseWrite: %v", err)
	}
}
