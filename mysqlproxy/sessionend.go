package mysqlproxy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	// lateWindow is how long a session stays after its end was decided on between two commands, for a command that
	// is under way.
	lateWindow = 50 * time.Millisecond

	// parting is how long one side may take to close after the other has.
	parting = 2 * time.Second
)

// An EndReason says why a session has ended.
type EndReason uint8

// The reasons. A session has one: the first.
const (
	ClientClosed EndReason = iota + 1 // with COM_QUIT, or without
	ServerClosed
	ClientLost // its leg has failed
	ServerLost // its leg has failed
	WasIdle    // longer than [Session.IdleTimeout]
	WasDrained // see [Sessions.Drain]
	WasCut     // see [Sessions.Cut]
	WasKilled  // by another session
	WasRefused // COM_CHANGE_USER would have told a password in clear
)

var endReasons = [...]string{
	"running", "client closed", "server closed", "client lost", "server lost", "idle", "drained", "cut", "killed", "refused",
}

func (r EndReason) String() string {
	if int(r) < len(endReasons) {
		return endReasons[r]
	}
	return fmt.Sprintf("EndReason(%d)", uint8(r))
}

// An End is how a session has ended.
type End struct {
	Reason EndReason
	Err    error // of the leg that was lost; else nil
}

// life is how far a session is. mu guards it.
type life struct {
	running, ended bool // Run has begun, and is done
	end            End

	opaque     bool  // the tracker has given up
	quit       bool  // the client has said COM_QUIT
	clientGone bool  // the client has closed its side
	deaf       bool  // the server takes nothing more: what the client sends is dropped
	left       bool  // the client has been told the end, and nothing of the server's may follow
	over       bool  // both legs are to be left at once
	lost       error // why the server is deaf, if a write has failed

	draining bool
	drainAt  time.Time // when to end a session that can be drained; zero: it cannot
	active   time.Time // when bytes have gone by last; with IdleTimeout only

	// When to stop listening; zero: not by the clock.
	clientUntil, serverUntil time.Time

	window, patience time.Duration // lateWindow and parting; tests have others
}

// begin reports whether there is something to carry.
func (s *Session) begin() bool {
	info := s.info()
	s.watch.on = info.ID != 0 && s.table != nil && s.Tracker != nil
	s.watch.attributes = info.QueryAttributes
	s.guard = newGuard(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.running = true
	s.window, s.patience = cmp.Or(s.window, lateWindow), cmp.Or(s.patience, parting)
	if s.IdleTimeout > 0 {
		s.active = time.Now()
	}
	s.consider()
	return true
}

func (s *Session) finished() End {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.end
}

// setEnd notes the first reason. mu is held.
func (s *Session) setEnd(reason EndReason, err error) {
	if s.end.Reason != 0 {
		return
	}
	if s.quit && reason <= ServerLost {
		reason, err = ClientClosed, nil // the server has closed because it was told to, or the client could not wait
	}
	s.end = End{reason, err}
}

// stop wakes whoever reads or writes, for the last time. mu is held.
func (s *Session) stop() {
	s.over = true
	_ = s.Client.SetDeadline(longAgo)
	_ = s.Server.SetDeadline(longAgo)
}

// fail ends both legs at once.
func (s *Session) fail(reason EndReason, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setEnd(reason, err)
	s.stop()
}

// clientClosed ends the server's leg in one direction, after the client's last byte.
func (s *Session) clientClosed() {
	if part := s.watch.release(); len(part) > 0 {
		s.handOn(part)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setEnd(ClientClosed, nil)
	s.clientGone = true
	if s.over || s.deaf || s.left || !s.clientUntil.IsZero() {
		return // the server is done with
	}
	s.mu.Unlock()
	err := closeWrite(s.Server)
	s.mu.Lock()
	if err != nil {
		s.stop()
		return
	}
	s.boundServer()
}

// serverDeaf notes that the server has not taken bytes of the client. What it has said before, and how it has
// closed, may still be there to be read.
func (s *Session) serverDeaf(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf || s.over {
		return
	}
	s.deaf, s.lost = true, err
	s.serverUntil = time.Now().Add(lastWords)
	s.wakeServer()
}

// serverGone tells the client that nothing more comes from the server, of which err was read.
func (s *Session) serverGone(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.left {
		return
	}
	if errors.Is(err, io.EOF) {
		s.setEnd(ServerClosed, nil)
	} else {
		s.setEnd(ServerLost, err)
		s.deaf = true
	}
	if s.clientGone {
		return
	}
	_ = s.Server.SetWriteDeadline(time.Now().Add(s.patience))
	s.mu.Unlock()
	s.clientWrite.Lock()
	err = closeWrite(s.Client)
	s.clientWrite.Unlock()
	s.mu.Lock()
	if err != nil {
		s.stop()
		return
	}
	s.clientUntil = time.Now().Add(s.patience)
	s.wakeClient()
}

// leave ends a session between two commands cleanly, once the client has got all that was sent. It reports false if the
// session does not stand there any more. late is what has come of a command that the server does not get; the
// client is told so, which may be in the place of the next one's answer if this one has none.
func (s *Session) leave(reason EndReason, late []byte) bool {
	s.clientWrite.Lock()
	defer s.clientWrite.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mayEnd(reason) {
		return false
	}
	s.setEnd(reason, nil)
	s.deaf, s.left = true, true
	_ = s.Server.SetWriteDeadline(time.Now().Add(lastWords))
	s.mu.Unlock()
	_, _ = s.Server.Write(comQuit)
	_ = s.Server.Close() // wakes fromServer
	s.mu.Lock()
	if s.over || len(late) == 0 || len(late) > mysqlwire.HeaderLen && late[mysqlwire.HeaderLen] == byte(mysqlwire.ComQuit) {
		s.stop()
		return true
	}
	s.clientUntil = time.Now().Add(s.patience)
	_ = s.Client.SetDeadline(s.clientUntil)
	s.mu.Unlock()
	err := s.writeClient(late, ShutdownInProgress().Append(nil))
	if err == nil {
		err = closeWrite(s.Client)
	}
	s.mu.Lock()
	if err != nil {
		s.stop()
	}
	return true
}

// closeWrite ends the writing side of conn, where it can.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
