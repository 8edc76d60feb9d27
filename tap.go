package l4mysql

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// A tap shows both directions of a connection to a session, in causal order: it shows bytes before it
// hands them on, so that the session has always seen the question before the peer can answer it.
//
// It may fail, but it never changes, delays or ends the conversation: what the session makes of the bytes
// never comes back here. (`overflow block` delays, because the user has asked for it.)
type tap struct {
	net.Conn
	handler *MySQLLog
	peer    *conversation

	// A terminal handler reads and writes from two goroutines.
	mu         sync.Mutex
	session    *mysqldump.Session // nil once it has ended
	seen       bool               // the client has sent a byte
	skip       int                // bytes of the client that are a PROXY header, handed on because of `keep`
	clientGone bool               // the client has closed its side, and waits for an answer
	warned     bool               // see [tap.warn]
}

// newTap puts a tap below cx and shows the session what matchers have prefetched: those bytes stay in cx's
// own buffer and do not come by again.
//
// What a `mysql_login` handler before it has consumed, the session gets from that.
func newTap(cx *layer4.Connection, h *MySQLLog) {
	t := &tap{handler: h, peer: newConversation(cx)}
	t.peer.variables = h.SessionVariables
	t.session = mysqldump.NewSession(&h.options, t.record)
	if l := loginOf(cx); l != nil {
		t.show(mysqldump.Server, framed(0, l.greeted))
		t.show(mysqldump.Client, l.sent())
		t.seen, t.skip = true, 0
	}
	t.show(mysqldump.Client, cx.MatchingBytes())
	below := &cx.Conn
	if probe, ok := cx.Conn.(*routeProbe); ok {
		below = &probe.Conn
	}
	t.Conn, *below = *below, t
}

// Read reads what the client sends. An error ends the session, but for a deadline, after which the
// connection may be read again.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.received(p[:n], err)
	return n, err
}

// received shows what was read.
func (t *tap) received(p []byte, err error) {
	t.show(mysqldump.Client, p)
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
	case errors.Is(err, io.EOF):
		t.halfClosed()
	default:
		t.end(mysqldump.Client)
	}
}

// Write sends to the client what the server has sent.
func (t *tap) Write(p []byte) (int, error) {
	t.show(mysqldump.Server, p)
	n, err := t.Conn.Write(p)
	if err != nil {
		t.end(mysqldump.Client)
	}
	return n, err
}

// CloseWrite tells the client that the server has closed. Nobody calls Close on a connection below
// layer4's, so that this is how a tap learns of it.
func (t *tap) CloseWrite() error {
	t.end(mysqldump.Server)
	return closeWrite(t.Conn)
}

// Close ends the session and closes the connection.
func (t *tap) Close() error {
	t.end(mysqldump.Server)
	return t.Conn.Close()
}

func (t *tap) show(side mysqldump.Side, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == nil || len(p) == 0 {
		return
	}
	if side == mysqldump.Client {
		if !t.seen {
			t.seen, t.skip = true, t.peer.keptBytes()
		}
		n := min(t.skip, len(p))
		t.skip -= n
		p = p[n:]
	}
	defer t.rescue()
	t.session.Feed(side, p, time.Since(t.peer.start))
	if reason, _ := t.session.Opaque(); reason != "" && !t.warned {
		t.warn()
	}
}

// rescue gives the session up where it has panicked, which is a defect of this module: layer4 does not
// recover, and one connection must not end all others.
func (t *tap) rescue() {
	if r := recover(); r != nil {
		failed := t.session
		t.session = nil
		defer failed.Discard()
		t.handler.logger.Error("stopped decoding: internal error",
			zap.String("remote", t.peer.client), zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
	}
}

// halfClosed notes that the client sends no more. It may still wait for answers.
func (t *tap) halfClosed() {
	t.mu.Lock()
	waiting := t.session != nil && t.session.InFlight() > 0
	t.clientGone = true
	t.mu.Unlock()
	if !waiting {
		t.end(mysqldump.Client)
	}
}

func (t *tap) end(by mysqldump.Side) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == nil {
		return
	}
	if t.clientGone {
		by = mysqldump.Client
	}
	defer func() { t.session = nil }()
	defer t.rescue()
	t.session.End(by, time.Since(t.peer.start))
}

// record takes over a record of the session. It is called with the lock held, before the bytes that made
// the record are handed on.
func (t *tap) record(r *mysqldump.Record) {
	t.handler.queue.offer(newEntry(r, t.peer))
}

// warn says that the session no longer follows the conversation: once for each connection, but of clients
// that use TLS, which may be all of them, once for each config.
func (t *tap) warn() {
	t.warned = true
	reason, message := t.session.Opaque()
	fields := []zap.Field{
		zap.String("remote", t.peer.client), zap.String("reason", reason), zap.String("message", message),
	}
	if reason == mysqldump.ReasonTLS {
		t.handler.warnTLS.Do(func() { t.handler.logger.Warn("statements are not recorded; said once", fields...) })
	} else {
		t.handler.logger.Warn("stopped decoding", fields...)
	}
}

// Interface guards
var _ interface {
	net.Conn
	CloseWrite() error
} = (*tap)(nil)
