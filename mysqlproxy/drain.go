package mysqlproxy

import "time"

// What has to be done between two commands is done by the goroutine that reads the client, because nobody else
// knows whether a command has begun. It is woken by its read deadline, and looks what is due.

// drain lets the session end as soon as its client would miss no more than a connection.
func (s *Session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	s.consider()
}

// cut ends the session at once.
func (s *Session) cut() {
	s.mu.Lock()
	s.setEnd(WasCut, nil)
	s.over = true
	if s.running && !s.ended {
		s.stop()
	}
	s.mu.Unlock()
	if s.abandon != nil {
		s.abandon()
	}
}

// mayEnd reports whether nothing keeps the session from ending cleanly. mu is held.
func (s *Session) mayEnd(reason EndReason) bool {
	return !s.over && s.end.Reason == 0 && s.idle() && (reason == WasIdle || !s.Tracker.InTransaction())
}

// late reports whether a command that begins now does not get to the server any more. mu is held.
func (s *Session) late() bool {
	return s.draining && s.mayEnd(WasDrained) && s.Tracker.ExpectsCommand()
}

// consider looks anew whether the session can be drained, and when. mu is held.
func (s *Session) consider() {
	if !s.running || s.ended {
		return
	}
	if !s.draining || !s.mayEnd(WasDrained) {
		s.drainAt = time.Time{}
	} else if s.drainAt.IsZero() {
		s.drainAt = time.Now().Add(s.window)
	}
	s.wakeClient()
}

// attend does what a session that is ending needs when the server has sent something.
func (s *Session) attend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		s.consider()
	}
	s.boundServer()
}

// boundServer gives the server time to close, where the client has closed its side and no command is in flight. mu is
// held.
func (s *Session) boundServer() {
	if s.clientGone && !s.deaf && (s.quit || s.idle()) {
		s.serverUntil = time.Now().Add(s.patience)
		s.wakeServer()
	}
}

// wakeClient sets when the goroutine that reads the client has to look what is due. mu is held.
func (s *Session) wakeClient() {
	var at time.Time
	switch {
	case s.over:
		at = longAgo
	case !s.clientUntil.IsZero():
		at = s.clientUntil
	case !s.drainAt.IsZero():
		at = s.drainAt
	case s.IdleTimeout <= 0, !s.followed():
	case s.idle():
		at = s.active.Add(s.IdleTimeout)
	default:
		at = time.Now().Add(s.IdleTimeout) // it will not have been idle for longer
	}
	_ = s.Client.SetReadDeadline(at)
}

// clientWoken does what is due. It reports false if the client need not be read any more.
func (s *Session) clientWoken() bool {
	s.mu.Lock()
	now := time.Now()
	due := EndReason(0)
	switch {
	case s.over, !s.clientUntil.IsZero() && !now.Before(s.clientUntil):
		s.mu.Unlock()
		return false
	case !s.drainAt.IsZero() && !now.Before(s.drainAt) && s.mayEnd(WasDrained):
		due = WasDrained
	case s.IdleTimeout > 0 && now.Sub(s.active) >= s.IdleTimeout && s.mayEnd(WasIdle):
		due = WasIdle
	}
	if due == 0 {
		s.consider()
		s.mu.Unlock()
		return true
	}
	s.mu.Unlock()
	var late []byte
	if due == WasDrained {
		late = s.watch.release()
	}
	if !s.leave(due, late) {
		s.mu.Lock()
		s.consider()
		s.mu.Unlock()
	}
	return true
}

// wakeServer sets when the goroutine that reads the server has to look what is due. mu is held.
func (s *Session) wakeServer() {
	at := s.serverUntil
	if s.over {
		at = longAgo
	}
	_ = s.Server.SetReadDeadline(at)
}

// serverWoken reports false if the server need not be read any more.
func (s *Session) serverWoken() bool {
	s.mu.Lock()
	switch {
	case s.over, s.left:
	case s.serverUntil.IsZero(), time.Now().Before(s.serverUntil):
		s.wakeServer()
		s.mu.Unlock()
		return true
	case s.deaf:
		lost := s.lost
		s.mu.Unlock()
		s.serverGone(lost)
		return false
	}
	s.mu.Unlock()
	return false
}
