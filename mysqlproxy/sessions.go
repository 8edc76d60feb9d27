package mysqlproxy

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
)

// A State is what a session is at.
type State uint8

// The states of a session.
const (
	StateLogin       State = iota // its Run has not begun
	StateIdle                     // between two commands
	StateTransaction              // the same, but its [Tracker] says InTransaction
	StateBusy
	StateOpaque // it cannot be followed
	StateEnding
)

var states = [...]string{"login", "idle", "transaction", "busy", "opaque", "ending"}

// String returns the state as metrics have it.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// A SessionStatus is a session at one moment.
type SessionStatus struct {
	SessionInfo
	State State
}

// Status returns who the session is from, where it goes and what it is at.
func (s *Session) Status() SessionStatus {
	return SessionStatus{s.info(), s.state()}
}

func (s *Session) state() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.end.Reason != 0 || s.over:
		return StateEnding
	case !s.running:
		return StateLogin
	case !s.followed():
		return StateOpaque
	case !s.Tracker.Idle():
		return StateBusy
	case s.Tracker.InTransaction():
		return StateTransaction
	default:
		return StateIdle
	}
}

// Update changes Info by calling change, which must not call the session. ID and Interactive do not change.
func (s *Session) Update(change func(*SessionInfo)) {
	s.infoMu.Lock()
	defer s.infoMu.Unlock()
	change(&s.Info)
}

func (s *Session) info() SessionInfo {
	s.infoMu.Lock()
	defer s.infoMu.Unlock()
	return s.Info
}

// Sessions are the sessions of a process, those that are logging in among them. A change of the configuration leaves
// them alone. The zero value is ready. Its methods may be called by several goroutines.
type Sessions struct {
	mu            sync.Mutex
	all           map[*Session]struct{}
	ids           map[uint32]*Session
	interactive   map[*Session]struct{} // those that are
	draining, cut bool
	empty         chan struct{} // closed when the last one has gone; nil if nobody waits
}

// Add lists s as logging in, until its Run begins. Its login is to end with the context that is returned: with ctx, or
// because the session is cut. [Session.Run] and [Sessions.Remove] take s from the list.
func (t *Sessions) Add(ctx context.Context, s *Session) context.Context {
	ctx, abandon := context.WithCancel(ctx)
	s.table, s.abandon = t, abandon
	info := s.info()
	t.mu.Lock()
	if t.all == nil {
		t.all, t.ids, t.interactive = make(map[*Session]struct{}), make(map[uint32]*Session), make(map[*Session]struct{})
	}
	t.all[s] = struct{}{}
	if info.ID != 0 {
		t.ids[info.ID] = s
	}
	if info.Interactive {
		t.interactive[s] = struct{}{}
	}
	draining, cut := t.draining, t.cut
	t.mu.Unlock()
	if draining {
		s.drain()
	}
	if cut {
		s.cut()
	}
	return ctx
}

// Remove takes s from the list, if it is there.
func (t *Sessions) Remove(s *Session) {
	id := s.info().ID
	t.mu.Lock()
	delete(t.all, s)
	delete(t.interactive, s)
	if t.ids[id] == s {
		delete(t.ids, id)
	}
	if len(t.all) == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
	t.mu.Unlock()
	if s.abandon != nil {
		s.abandon()
	}
}

// All returns the status of each session, in no order.
func (t *Sessions) All() []SessionStatus {
	list := t.list()
	all := make([]SessionStatus, len(list))
	for i, s := range list {
		all[i] = s.Status()
	}
	return all
}

// list copies the list, so that no lock is held while the sessions are asked.
func (t *Sessions) list() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Session, 0, len(t.all))
	for s := range t.all {
		list = append(list, s)
	}
	return list
}

// Find returns the session whose client was told that id, or nil.
func (t *Sessions) Find(id uint32) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ids[id]
}

// Affine returns the upstream of a session of the same process of the same user: with that original address, user and
// _pid, and CLIENT_INTERACTIVE. A client such as `mysql` opens a second connection to end what the first one is at, and
// that is in the power of the first one's server only. It returns nil if there is none in p, or pid is empty.
func (t *Sessions) Affine(p *Pool, origin netip.Addr, user, pid string) *Upstream {
	if pid == "" {
		return nil
	}
	t.mu.Lock()
	list := make([]*Session, 0, len(t.interactive))
	for s := range t.interactive {
		list = append(list, s)
	}
	t.mu.Unlock()
	for _, s := range list {
		i := s.info()
		if i.PID == pid && i.User == user && i.Origin.Unmap() == origin.Unmap() && i.Upstream != nil &&
			p.has(i.Upstream) && s.isRunning() {
			return i.Upstream
		}
	}
	return nil
}

// Drain begins to end the sessions, those that are added from now on, too. One that is idle and in no transaction is ended
// at once: the server gets COM_QUIT. A command that is just under way then is refused with ERR 1053. The others go on
// until they are so. Those that cannot be followed go on to their end.
func (t *Sessions) Drain() {
	t.mu.Lock()
	t.draining = true
	t.mu.Unlock()
	for _, s := range t.list() {
		s.drain()
	}
}

// Draining reports whether [Sessions.Drain] was called.
func (t *Sessions) Draining() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.draining
}

// Cut ends all sessions at once, those that are added from now on, too.
func (t *Sessions) Cut() {
	t.mu.Lock()
	t.cut = true
	t.mu.Unlock()
	for _, s := range t.list() {
		s.cut()
	}
}

// Wait waits until there is no session, or returns the error of ctx.
func (t *Sessions) Wait(ctx context.Context) error {
	t.mu.Lock()
	if len(t.all) == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	t.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
