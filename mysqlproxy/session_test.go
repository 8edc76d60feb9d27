package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// TestSessionCarries: commands, answers and much data go both ways unchanged, whatever the legs are, and are shown before
// they are handed on.
func TestSessionCarries(t *testing.T) {
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	packet := frame(0, "\x03"+string(big))
	for name, dial := range pairs {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dial)
			r.run()
			answer := packet + frame(1, ended)
			for _, command := range []string{frame(0, statement), packet} {
				for _, way := range []struct {
					side     Side
					from, to *end
					bytes    string
				}{{Client, r.client, r.server, command}, {Server, r.server, r.client, answer}} {
					before := r.toy.seen[way.side].Load()
					way.from.sendsApart(way.bytes)
					way.to.wants(way.bytes)
					if got := r.toy.seen[way.side].Load() - before; got != int64(len(way.bytes)) {
						t.Errorf("the %v's %d bytes have arrived, and the tracker has seen %d", way.side, len(way.bytes), got)
					}
				}
			}
			r.wantState(StateIdle)
			r.client.sends(frame(0, quit))
			r.server.wants(frame(0, quit))
			r.server.closes()
			r.client.wantsEOF()
			r.client.closes()
			r.wantEnd(ClientClosed)
			client := int64(len(frame(0, statement)) + len(packet) + len(frame(0, quit)))
			server := int64(2 * len(answer))
			if c, s := r.counted[Client].Load(), r.counted[Server].Load(); c != client || s != server {
				t.Errorf("counted %d and %d bytes, want %d and %d", c, s, client, server)
			}
		})
	}
}

// TestSessionBytesAhead: what a Conn has received behind the login is carried first.
func TestSessionBytesAhead(t *testing.T) {
	r := newRig(t, tcp)
	client, server := NewConn(r.Client), NewConn(r.Server)
	r.Client, r.Server = client, &Leg{Conn: server}
	r.client.sends(frame(1, "login") + frame(0, statement))
	r.server.sends(frame(2, ended) + frame(1, row))
	for _, c := range []*Conn{client, server} {
		if _, _, err := c.ReadPacket(100); err != nil {
			t.Fatal(err)
		}
		until(t, "more is there", func() bool { _, _, err := c.peek(); return err == nil })
	}
	r.run()
	r.server.wants(frame(0, statement))
	r.client.wants(frame(1, row))
	r.server.sends(frame(2, ended))
	r.client.wants(frame(2, ended))
	r.client.closes()
	r.server.wantsEOF()
	r.server.closes()
	r.wantEnd(ClientClosed)
}

// TestSessionEnds: how a session ends by itself, on both legs.
func TestSessionEnds(t *testing.T) {
	short := func(r *rig) { r.patience = time.Millisecond }
	for _, tt := range []struct {
		name   string
		setup  func(*rig) // before Run
		script func(*rig)
		want   EndReason
		failed bool // with an error
	}{
		{"the client closes between commands", nil, func(r *rig) {
			r.client.closes()
			r.server.wantsEOF()
			r.server.closes()
		}, ClientClosed, false},
		{"the client closes, and waits for an answer", nil, func(r *rig) {
			r.client.sends(frame(0, statement))
			r.client.closesWrite()
			r.server.wants(frame(0, statement))
			r.server.wantsEOF()
			r.server.sends(frame(1, row), frame(2, ended))
			r.client.wants(frame(1, row) + frame(2, ended))
			r.server.closes()
			r.client.wantsEOF()
		}, ClientClosed, false},
		{"the client closes between commands, and the server does not", short, func(r *rig) {
			r.client.closes()
			r.server.wantsEOF()
			r.wantState(StateEnding)
		}, ClientClosed, false},
		{"the client closes before its answer, and the server does not", short, func(r *rig) {
			r.client.sends(frame(0, statement))
			r.client.closesWrite()
			r.server.wants(frame(0, statement))
			r.server.wantsEOF()
			r.server.sends(frame(1, ended))
			r.client.wants(frame(1, ended))
			r.client.wantsEOF()
		}, ClientClosed, false},
		{"COM_QUIT", nil, func(r *rig) {
			r.client.sends(frame(0, quit))
			r.server.wants(frame(0, quit))
			r.server.closes()
			r.client.wantsEOF()
			r.client.closes()
		}, ClientClosed, false},
		{"the client closes in the middle of a packet", nil, func(r *rig) {
			r.client.sends(frame(0, statement)[:7])
			r.client.closes()
			r.server.wants(frame(0, statement)[:7])
			r.server.wantsEOF()
			r.server.closes()
		}, ClientClosed, false},
		{"the server closes in an answer", nil, func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			r.server.sends(frame(1, row))
			r.server.closes()
			r.client.wants(frame(1, row))
			r.client.wantsEOF()
			r.client.closes()
		}, ServerClosed, false},
		{"the server closes, and the client does not", short, func(r *rig) {
			r.server.sends(frame(0, denied))
			r.server.closes()
			r.client.wants(frame(0, denied))
			r.client.wantsEOF()
		}, ServerClosed, false},
		{"the server closes its side, and hears the client's last words", nil, func(r *rig) {
			r.server.closesWrite()
			r.client.wantsEOF()
			r.client.sends(frame(0, quit))
			r.server.wants(frame(0, quit))
			r.client.closes()
		}, ServerClosed, false},
		{"the client is lost", nil, func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			r.client.resets()
			r.server.wantsEOF()
		}, ClientLost, true},
		{"the server is lost", nil, func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			r.server.resets()
			r.client.wantsEOF()
			r.client.closes()
		}, ServerLost, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tcp)
			if tt.setup != nil {
				tt.setup(r)
			}
			tt.script(r.run())
			if err := r.wantEnd(tt.want); (err != nil) != tt.failed {
				t.Errorf("got error %v, want one: %v", err, tt.failed)
			}
			for _, conn := range []net.Conn{r.Client, r.Server} {
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("reading a leg after the end: %v, want %v", err, net.ErrClosed)
				}
			}
		})
	}
}

// TestSessionLastWords: a server that closes without having read a command resets the connection. What it has said before
// reaches the client.
func TestSessionLastWords(t *testing.T) {
	r := newRig(t, tcp)
	broken := &brokenWrites{Conn: r.Server}
	r.Server = broken
	r.run()
	r.client.sends(frame(0, statement)) // is not taken
	r.wantState(StateBusy)
	r.server.sends(frame(0, denied))
	r.server.closes()
	r.client.wants(frame(0, denied))
	r.client.wantsEOF()
	r.client.closes()
	r.wantEnd(ServerClosed)

	// A server that takes nothing and says nothing has a second.
	r = newRig(t, tcp)
	r.Server = &brokenWrites{Conn: r.Server}
	r.run()
	r.client.sends(frame(0, statement), frame(0, statement))
	r.client.wantsEOF()
	r.client.closes()
	if err := r.wantEnd(ServerLost); !errors.Is(err, errBroken) {
		t.Errorf("got error %v, want %v", err, errBroken)
	}
}

var errBroken = errors.New("broken")

// brokenWrites is a connection that takes nothing.
type brokenWrites struct{ net.Conn }

func (*brokenWrites) Write([]byte) (int, error) { return 0, errBroken }

// TestSessionWithoutHalfClose: where a leg cannot be closed in one direction, both are closed.
func TestSessionWithoutHalfClose(t *testing.T) {
	r := newRig(t, pipe).run()
	r.client.closes()
	r.wantEnd(ClientClosed)
	r.server.wantsEOF()

	r = newRig(t, pipe).run()
	r.server.sends(frame(0, denied)[:0])
	r.server.closes()
	r.wantEnd(ServerClosed)
	r.client.wantsEOF()
}

// TestIdleTimeout: the clock runs between commands only.
func TestIdleTimeout(t *testing.T) {
	for name, dial := range pairs {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dial)
			watched := &deadlineCounter{Conn: r.Client}
			r.Client = watched
			r.IdleTimeout = 10 * time.Millisecond
			r.client.sends(frame(0, statement))
			r.run()
			r.server.wants(frame(0, statement))
			r.wantState(StateBusy)
			// Whatever deadline was set before has passed twice when two more were set.
			before := watched.set.Load()
			until(t, "the timeout was looked at", func() bool { return watched.set.Load() >= before+3 })
			r.server.sends(frame(1, begun))
			r.client.wants(frame(1, begun))
			r.server.wants(frame(0, quit)) // in a transaction, too
			r.server.wantsEOF()
			r.client.wantsEOF()
			r.wantEnd(WasIdle)
		})
	}
}

// A deadlineCounter counts how often its read deadline is set.
type deadlineCounter struct {
	net.Conn
	set atomic.Int32
}

func (c *deadlineCounter) SetReadDeadline(t time.Time) error {
	c.set.Add(1)
	return c.Conn.SetReadDeadline(t)
}

// TestCut: nothing holds a session that is cut, at no phase.
func TestCut(t *testing.T) {
	flood := bytes.Repeat([]byte(frame(1, row)), 1<<20)
	for _, tt := range []struct {
		name   string
		script func(*rig)
	}{
		{"idle", func(*rig) {}},
		{"busy", func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
		}},
		{"a client that does not read", func(r *rig) {
			r.client.sends(frame(0, statement))
			go func() { _, _ = r.server.Write(flood) }()
			until(r.t, "an answer comes", func() bool { return r.toy.seen[Server].Load() > 0 })
		}},
		{"a client that does not read what was all", func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			go func() { _, _ = r.server.Write(append(flood, frame(2, ended)...)) }()
			until(r.t, "an answer comes", func() bool { return r.toy.seen[Server].Load() > 0 })
			r.drain()
		}},
		{"a server that does not read", func(r *rig) {
			go func() { _, _ = r.client.Write(flood) }()
			until(r.t, "commands come", func() bool { return r.toy.seen[Client].Load() > 0 })
		}},
		{"the client has closed its side", func(r *rig) {
			r.client.sends(frame(0, statement))
			r.client.closesWrite()
			r.server.wants(frame(0, statement))
			r.server.wantsEOF()
		}},
	} {
		for name, dial := range pairs {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				var table Sessions
				r := newRig(t, dial)
				ctx := table.Add(context.Background(), r.Session)
				tt.script(r.run())
				table.Cut()
				want := WasCut
				if tt.name == "the client has closed its side" {
					want = ClientClosed // that was first
				}
				r.wantEnd(want)
				<-ctx.Done()
				_, _ = r.client.Close(), r.server.Close()
			})
		}
	}
}
