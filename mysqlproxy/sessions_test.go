package mysqlproxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSessionsLogin: a session is in the table from its login on, and a login ends when all are cut.
func TestSessionsLogin(t *testing.T) {
	var table Sessions
	if err := table.Wait(context.Background()); err != nil || table.Draining() || table.Find(0) != nil {
		t.Errorf("an empty table: %v, draining %v, %v", err, table.Draining(), table.Find(0))
	}
	s := &Session{Info: SessionInfo{ID: 0x8000_0003, User: "u"}}
	outer, cancel := context.WithCancel(context.Background())
	ctx := table.Add(outer, s)
	s.Update(func(i *SessionInfo) { i.ThreadID = 5 })
	if all := table.All(); len(all) != 1 || all[0].State != StateLogin || all[0].User != "u" || all[0].ThreadID != 5 {
		t.Errorf("got %+v, want one that is logging in", all)
	}
	if got := table.Find(0x8000_0003); got != s {
		t.Errorf("got %p, want %p", got, s)
	}
	table.Drain()
	if ctx.Err() != nil || !table.Draining() {
		t.Errorf("a login ends with %v, draining %v", ctx.Err(), table.Draining())
	}
	expired, stop := context.WithTimeout(context.Background(), 0)
	defer stop()
	if err := table.Wait(expired); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: got %v, want %v", err, context.DeadlineExceeded)
	}
	cancel()
	<-ctx.Done()
	waited := make(chan error)
	go func() { waited <- table.Wait(context.Background()) }()
	table.Remove(s)
	table.Remove(s)
	if err := <-waited; err != nil {
		t.Errorf("waiting: %v", err)
	}
	if len(table.All()) != 0 || table.Find(0x8000_0003) != nil {
		t.Errorf("got %+v, want nothing", table.All())
	}

	// A login that is cut, and one that comes then. A Run finds both legs to close.
	first, second := new(Session), new(Session)
	ctx = table.Add(context.Background(), first)
	table.Cut()
	<-ctx.Done()
	<-table.Add(context.Background(), second).Done()
	for _, s := range []*Session{first, second} {
		near, far := pipe(t)
		s.Client, s.Server = near, far
		if end := s.Run(); end.Reason != WasCut {
			t.Errorf("got %v, want %v", end.Reason, WasCut)
		}
	}
	if err := table.Wait(context.Background()); err != nil {
		t.Errorf("waiting: %v", err)
	}
}

// TestSameID: of two sessions with an id the first one's end does not hide the second.
func TestSameID(t *testing.T) {
	var table Sessions
	first, second := &Session{Info: SessionInfo{ID: 7}}, &Session{Info: SessionInfo{ID: 7}}
	table.Add(context.Background(), first)
	table.Add(context.Background(), second)
	table.Remove(first)
	if got := table.Find(7); got != second {
		t.Errorf("got %p, want %p", got, second)
	}
	table.Remove(second)
}

func TestAffine(t *testing.T) {
	k := newKilling(t)
	origin, mapped := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("::ffff:192.0.2.7")
	session := func(change func(*SessionInfo)) {
		r := k.session(t, tcp, func(r *rig) {
			r.Info = SessionInfo{ID: connectionID(), Upstream: k.b, Pool: k.pool, User: "u", Origin: origin, PID: "47", Interactive: true}
			change(&r.Info)
		})
		r.wantState(StateIdle)
		t.Cleanup(r.leaves)
	}
	session(func(i *SessionInfo) { i.Upstream, i.User = k.a, "v" })
	session(func(i *SessionInfo) { i.Upstream, i.PID = k.a, "48" })
	session(func(i *SessionInfo) { i.Upstream, i.PID = k.a, "" })
	session(func(i *SessionInfo) { i.Upstream, i.Interactive = k.a, false })
	session(func(i *SessionInfo) { i.Upstream, i.Origin = k.a, netip.MustParseAddr("192.0.2.8") })
	session(func(i *SessionInfo) { i.Upstream = k.c })
	if got := k.table.Affine(k.pool, origin, "u", "47"); got != nil {
		t.Errorf("got %v of a session that differs, want none", got.Address())
	}
	session(func(*SessionInfo) {})
	login := &Session{Info: SessionInfo{Upstream: k.b, User: "u", PID: "99", Interactive: true}}
	k.table.Add(context.Background(), login)
	for _, tt := range []struct {
		name   string
		pool   *Pool
		origin netip.Addr
		user   string
		pid    string
		want   []*Upstream // any of them
	}{
		{"the same", k.pool, origin, "u", "47", []*Upstream{k.b}},
		{"in another spelling", k.pool, mapped, "u", "47", []*Upstream{k.b}},
		{"another pool", k.another, origin, "u", "47", []*Upstream{k.b, k.c}},
		{"another user", k.another, origin, "v", "47", []*Upstream{nil}},
		{"no _pid", k.pool, origin, "u", "", []*Upstream{nil}},
		{"no address", k.pool, netip.Addr{}, "u", "47", []*Upstream{nil}},
		{"a session that is logging in", k.pool, netip.Addr{}, "u", "99", []*Upstream{nil}},
	} {
		got := k.table.Affine(tt.pool, tt.origin, tt.user, tt.pid)
		found := false
		for _, u := range tt.want {
			found = found || u == got
		}
		if !found {
			t.Errorf("%s: got %v, want one of %v", tt.name, got, tt.want)
		}
	}
	k.table.Remove(login)
}

// TestSessionsConcurrently: sessions begin, work, kill each other, are asked, changed and then drained or cut, all at
// once.
func TestSessionsConcurrently(t *testing.T) {
	for name, end := range map[string]func(*Sessions){"drained": (*Sessions).Drain, "cut": (*Sessions).Cut} {
		t.Run(name, func(t *testing.T) { sessionsConcurrently(t, end) })
	}
}

func sessionsConcurrently(t *testing.T, end func(*Sessions)) {
	const count = 60
	k := newKilling(t)
	var sessions, askers sync.WaitGroup
	var commands atomic.Int32
	stop := make(chan struct{})
	for _, ask := range []func(){
		func() { k.table.All() },
		func() { k.table.Affine(k.pool, netip.Addr{}, "u", "1") },
		func() {
			if s := k.table.Find(0x8000_0000 | rand.Uint32N(count)); s != nil {
				s.Update(func(i *SessionInfo) { i.User = "u" })
			}
		},
	} {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					ask()
				}
			}
		})
	}
	for i := range uint32(count) {
		near, client := dialed(t, "tcp", "127.0.0.1:0")
		far, server := dialed(t, "tcp", "127.0.0.1:0")
		s := &Session{
			Client: near, Server: far, Tracker: new(toyTracker), IdleTimeout: time.Duration(i%3) * 100 * time.Millisecond,
			Info: SessionInfo{
				ID: 0x8000_0000 | i, ThreadID: i + 1, Upstream: []*Upstream{k.a, k.b}[i%2], Pool: k.pool,
				User: "u", PID: "1", Interactive: true,
			},
		}
		s.window, s.patience = time.Millisecond, time.Millisecond
		k.table.Add(context.Background(), s)
		sessions.Go(func() { s.Run() })
		sessions.Go(func() { answers(server) })
		sessions.Go(func() {
			defer client.Close()
			buf := make([]byte, 1000)
			for {
				command := frame(0, statement)
				if commands.Add(1)%50 == 0 {
					kill := &killCommand{payload: []byte("\x03KILL "), start: 6, end: 6}
					command = string(kill.appendPacket(nil, 0x8000_0000|rand.Uint32N(count)))
				}
				cut := rand.IntN(len(command))
				_, _ = client.Write([]byte(command[:cut]))
				_, _ = client.Write([]byte(command[cut:]))
				if _, err := client.Read(buf); err != nil {
					return
				}
			}
		})
	}
	until(t, "the sessions work", func() bool { return commands.Load() > 20*count || len(k.table.All()) < count/2 })
	end(&k.table)
	sessions.Wait()
	close(stop)
	askers.Wait()
	if err := k.table.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}
