package mysqlproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Tracker follows the packets of a session. It is called from several goroutines, by one at a time, and must neither
// block nor panic.
type Tracker interface {
	FromClient(p []byte) // bytes that the server is about to get
	FromServer(p []byte) // bytes that the client is about to get

	// Idle reports whether the login is over and no command is in flight or has begun.
	Idle() bool

	// InTransaction reports, of a session that is idle, whether its client would miss more than a connection if it
	// ended now.
	InTransaction() bool

	// ExpectsCommand reports whether the client's next byte begins a command.
	ExpectsCommand() bool

	// ChangingUser reports whether what the server sends next belongs to the exchange of COM_CHANGE_USER.
	ChangingUser() bool

	// Opaque reports whether the session cannot be followed any more, as when the server ends the client's TLS.
	Opaque() bool
}

// SessionInfo is who a session is from and where it goes.
type SessionInfo struct {
	ID       uint32    // that the client was told: see [IsOwnConnectionID]. 0: it knows the server's
	ThreadID uint32    // that the server has told; 0 until then
	Upstream *Upstream // nil until one is chosen
	Pool     *Pool     // that has chosen
	Since    time.Time

	User   string     // that the server was told
	Origin netip.Addr // the original client's; invalid if it has none
	PID    string     // the connection attribute _pid; empty if there is none

	Interactive     bool // CLIENT_INTERACTIVE
	QueryAttributes bool // CLIENT_QUERY_ATTRIBUTES is in effect on the client's leg
}

// A Session carries bytes between a client and its server until both have ended. It has the only hand on both legs: all
// that it says in the place of one of them stands between whole packets.
//
// The exported fields are set before [Session.Run], and Info before [Sessions.Add].
type Session struct {
	Client, Server net.Conn

	// Tracker follows the session. Without one it is only copied, and counts as busy.
	Tracker Tracker

	// Secret says that nobody on the way can read the client's leg along, as [Relay.Secret]. If Server is a [*Leg] of
	// which that is not so, or the other way round, COM_CHANGE_USER ends with ERR 1105 where a password would go in clear.
	Secret bool

	// IdleTimeout is how long the client may take between two commands; 0 is without end.
	IdleTimeout time.Duration

	// Count is told the bytes that were handed on, by the goroutines of both directions. It may be nil.
	Count func(from Side, bytes int)

	// Raw returns the sockets that the bytes of one side come from and go to, if there is nothing above them: no
	// TLS, nobody who looks at the bytes, and above the first no bytes that were read ahead. It may be nil. It is
	// called by the goroutine that reads that side. A session that nobody can follow is then left to the system
	// (splice, on Linux).
	Raw func(from Side) (in, out net.Conn)

	// Info is changed with [Session.Update] once the session was added to [Sessions].
	Info SessionInfo

	table   *Sessions          // nil: it is in none
	abandon context.CancelFunc // ends its login
	infoMu  sync.Mutex         // guards Info

	client, server direction
	watch          killWatch // belongs to the goroutine that reads the client
	guard          *guard    // belongs to the goroutine that reads the server; nil: both legs are alike

	// Only who holds clientWrite writes to Client. It is locked before mu, never after.
	clientWrite sync.Mutex

	// mu guards Tracker and what follows. Nothing waits while it is held.
	mu sync.Mutex
	life
}

// A direction is what belongs to the goroutine that reads one side.
type direction struct {
	loan    Loan
	unshown bool         // the tracker is not shown its bytes (any more)
	in, out *net.TCPConn // nil unless nobody need see them
}

// Run carries the session until both directions are done, and closes both legs. It leaves no goroutine behind.
//
// A side that ends its writing ends the other leg's, and the other direction goes on. The server may then finish what it
// is at. A client whose server has closed gets all that it has sent, and has two seconds to close, too.
func (s *Session) Run() End {
	if s.begin() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.fromServer()
		}()
		s.fromClient()
		<-done
	}
	_ = s.Server.Close()
	_ = s.Client.Close()
	end := s.finished()
	if s.table != nil {
		s.table.Remove(s)
	}
	return end
}

// fromClient reads the client until it has ended, or the session has.
func (s *Session) fromClient() {
	defer s.client.loan.giveBack()
	for {
		p, err := s.read(Client)
		switch {
		case len(p) == 0:
		case s.watch.on:
			s.handOnWatched(p)
		default:
			s.handOn(p)
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !s.clientWoken() {
				return
			}
		case errors.Is(err, io.EOF):
			s.clientClosed()
			return
		default:
			s.fail(ClientLost, err)
			return
		}
	}
}

// fromServer reads the server until it has ended, or the session has.
func (s *Session) fromServer() {
	defer s.server.loan.giveBack()
	for {
		p, err := s.read(Server)
		if len(p) > 0 && !s.toClient(p) {
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !s.serverWoken() {
				return
			}
		default:
			s.serverGone(err)
			return
		}
	}
}

// read waits for bytes of one side. Those that nobody here need see may be handed on already.
func (s *Session) read(from Side) ([]byte, error) {
	if from == Client {
		if s.client.in != nil {
			return nil, s.spliceClient()
		}
		return ReadLent(s.Client, &s.client.loan)
	}
	if s.server.in != nil {
		return nil, s.splice(Server, &s.server)
	}
	return ReadLent(s.Server, &s.server.loan)
}

// handOn shows bytes of the client to the tracker, and gives them to the server.
func (s *Session) handOn(p []byte) {
	s.mu.Lock()
	if s.late() {
		s.mu.Unlock()
		if s.leave(WasDrained, p) {
			return
		}
		s.mu.Lock()
	}
	if s.deaf {
		s.mu.Unlock()
		return
	}
	s.show(Client, p)
	if s.draining {
		s.consider()
	}
	s.mu.Unlock()
	if _, err := s.Server.Write(p); err != nil {
		s.serverDeaf(err)
		return
	}
	s.count(Client, len(p))
}

// toClient shows bytes of the server to the tracker, and gives them to the client. It reports false if there is
// nobody to give them to any more.
func (s *Session) toClient(p []byte) bool {
	s.clientWrite.Lock() // who sees that an answer is complete can only write behind it
	s.mu.Lock()
	if s.left {
		s.mu.Unlock()
		s.clientWrite.Unlock()
		return false
	}
	var refusal []byte
	if s.guard != nil {
		p, refusal = s.guard.inspect(p, s.Tracker.ChangingUser())
	}
	s.show(Server, p)
	attend := s.draining || s.clientGone
	s.mu.Unlock()
	var err error
	if p = append(p, refusal...); len(p) > 0 {
		_, err = s.Client.Write(p)
	}
	s.clientWrite.Unlock()
	if refusal != nil {
		s.fail(WasRefused, nil)
		return false
	}
	if err != nil {
		s.fail(ClientLost, err)
		return false
	}
	s.count(Server, len(p))
	if attend {
		s.attend()
	}
	return true
}

func (s *Session) count(from Side, n int) {
	if s.Count != nil {
		s.Count(from, n)
	}
}

// comQuit is COM_QUIT as a packet.
var comQuit = []byte{1, 0, 0, 0, byte(mysqlwire.ComQuit)}

// show tells the tracker. mu is held.
func (s *Session) show(from Side, p []byte) {
	d := &s.server
	if from == Client {
		d = &s.client
	}
	if !s.followed() {
		if !d.unshown {
			d.unshown = true
			d.in, d.out = s.sockets(from)
		}
		return
	}
	between := false
	if from == Client {
		if bytes.Equal(p, comQuit) && s.Tracker.ExpectsCommand() {
			s.quit = true
		}
		s.Tracker.FromClient(p)
		between = d.loan.wide && s.Tracker.ExpectsCommand()
	} else {
		s.Tracker.FromServer(p)
		between = d.loan.wide && s.Tracker.Idle()
	}
	if between {
		d.loan.rest()
	}
	s.opaque = s.Tracker.Opaque()
	if s.IdleTimeout > 0 {
		s.active = time.Now()
	}
}

// followed reports whether the tracker knows where the session is. mu is held.
func (s *Session) followed() bool { return s.Tracker != nil && !s.opaque }

// idle reports whether the session stands between two commands. mu is held.
func (s *Session) idle() bool { return s.followed() && s.Tracker.Idle() }
