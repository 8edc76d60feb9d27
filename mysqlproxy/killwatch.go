package mysqlproxy

import (
	"fmt"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A killWatch walks over the client's packets and holds back what may be a KILL until it is whole. To the server a
// client that stays in the middle of one is like a client that stays before it.
type killWatch struct {
	on         bool // the client knows an id that the proxy has given
	attributes bool // CLIENT_QUERY_ATTRIBUTES is in effect

	left int // bytes of the current packet that are still to come, and are not looked at
	have int
	held [mysqlwire.HeaderLen + maxKill]byte
}

// pass returns how much of p goes on before anything has to be held back.
func (w *killWatch) pass(p []byte) (n int) {
	for n < len(p) {
		if w.left == 0 {
			if mayBeKill(p[n:], w.attributes) {
				return n
			}
			w.left = mysqlwire.HeaderLen + mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(p[n:]))
		}
		step := min(w.left, len(p)-n)
		w.left -= step
		n += step
	}
	return n
}

// hold takes as much of p as belongs to the held packet, as far as it is looked at.
func (w *killWatch) hold(p []byte) (n int) {
	if w.have < mysqlwire.HeaderLen {
		n = copy(w.held[w.have:mysqlwire.HeaderLen], p)
		w.have += n
	}
	if w.have >= mysqlwire.HeaderLen {
		more := copy(w.held[w.have:max(w.have, min(w.total(), len(w.held)))], p[n:])
		w.have += more
		n += more
	}
	return n
}

// total returns the length of the held packet, whose header is there.
func (w *killWatch) total() int {
	return mysqlwire.HeaderLen + mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(w.held[:]))
}

// release returns what is held. The rest of the packet is not looked at. It is valid until the next hold.
func (w *killWatch) release() []byte {
	packet := w.held[:w.have]
	if w.have >= mysqlwire.HeaderLen {
		w.left = w.total() - w.have
	}
	w.have = 0
	return packet
}

// handOnWatched hands on what the client sends, and does what a KILL with an id of the proxy's is to do.
func (s *Session) handOnWatched(p []byte) {
	w := &s.watch
	for {
		if w.have == 0 {
			n := w.pass(p)
			if n > 0 {
				s.handOn(p[:n])
			}
			p = p[n:]
		}
		if len(p) == 0 {
			return
		}
		p = p[w.hold(p):]
		switch {
		case w.have < mysqlwire.HeaderLen:
		case !mayBeKill(w.held[:w.have], w.attributes) || !s.expectsCommand():
			s.handOn(w.release())
		case w.have == w.total():
			s.kill(w.release())
		}
	}
}

// expectsCommand reports whether what is held is a command. Files for LOCAL INFILE may look like one.
func (s *Session) expectsCommand() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.followed() && s.Tracker.ExpectsCommand()
}

// kill does what the KILL in packet is to do, or hands it on if that is for the server to say.
func (s *Session) kill(packet []byte) {
	k, ok := parseKill(packet[mysqlwire.HeaderLen:], s.watch.attributes)
	if !ok {
		s.handOn(packet)
		return
	}
	own, victim := s.info(), s.table.Find(k.id)
	var other SessionInfo
	if victim != nil && victim.isRunning() {
		other = victim.info()
	}
	var refusal *Refusal
	switch {
	case other.Upstream == nil || other.ThreadID == 0:
		s.handOn(packet) // the server knows no such thread
		return
	case other.Upstream == own.Upstream:
		var buf [mysqlwire.HeaderLen + maxKill]byte
		s.handOn(k.appendPacket(buf[:0], other.ThreadID)) // it knows who may do that
		return
	case own.Pool == nil || !own.Pool.has(other.Upstream) || !s.mayAnswer():
		s.handOn(packet)
		return
	case other.User != own.User:
		refusal = NotOwner(k.id)
	case k.query:
		refusal = UnknownError(fmt.Sprintf("Thread %d is on another server, where KILL QUERY does not reach it; "+
			"KILL CONNECTION ends its session", k.id))
	}
	if refusal != nil {
		s.answer(packet, refusal.Append(nil))
		return
	}
	victim.beKilled()
	s.answer(packet, mysqlwire.AppendOK(nil, &mysqlwire.OK{Status: mysqlwire.StatusAutocommit}))
}

// NotOwner is ER_KILL_DENIED_ERROR.
func NotOwner(id uint32) *Refusal {
	return &Refusal{1095, "HY000", fmt.Sprintf("You are not owner of thread %d", id)}
}

// has reports whether the pool could have chosen u.
func (p *Pool) has(u *Upstream) bool {
	for i := range p.members {
		if p.members[i].Upstream == u {
			return true
		}
	}
	return false
}

// mayAnswer reports whether an answer of the proxy's own is the next that the client waits for, and not one that a
// drain gives.
func (s *Session) mayAnswer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle() && !s.late() && !s.deaf
}

// answer answers the client's packet in the server's stead.
func (s *Session) answer(packet, payload []byte) {
	s.clientWrite.Lock()
	defer s.clientWrite.Unlock()
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	_ = s.Client.SetWriteDeadline(time.Now().Add(s.patience))
	s.mu.Unlock()
	err := s.writeClient(packet, payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.setEnd(ClientLost, err)
		s.stop()
	case !s.over:
		_ = s.Client.SetWriteDeadline(time.Time{})
	}
}

// writeClient writes the answer with that payload to the packet that begins with command. clientWrite is held.
func (s *Session) writeClient(command, payload []byte) error {
	seq := uint8(0)
	if len(command) >= mysqlwire.HeaderLen {
		seq = command[3]
	}
	packet := mysqlwire.AppendHeader(make([]byte, 0, mysqlwire.HeaderLen+len(payload)), len(payload), seq+1)
	_, err := s.Client.Write(append(packet, payload...))
	return err
}

// isRunning reports whether the session is past its login and has not ended.
func (s *Session) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running && !s.over && !s.left && !s.ended
}

// beKilled ends the server's leg. The client gets what it was sent, and EOF, if it reads that soon.
func (s *Session) beKilled() {
	s.mu.Lock()
	if s.over || s.left || s.ended {
		s.mu.Unlock()
		return
	}
	s.setEnd(WasKilled, nil)
	s.deaf = true
	_ = s.Client.SetWriteDeadline(time.Now().Add(s.patience))
	s.mu.Unlock()
	_ = s.Server.Close()
}
