package mysqlproxy

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"
)

// shutdown is what a command gets that comes too late.
var shutdown = frame(1, string(ShutdownInProgress().Append(nil)))

// newListed makes a rig whose session is in a table.
func newListed(t *testing.T, dial pairing) (*rig, *Sessions) {
	t.Helper()
	table := new(Sessions)
	r := newRig(t, dial)
	table.Add(context.Background(), r.Session)
	return r, table
}

// TestDrain: a session ends when its client misses least, and not before.
func TestDrain(t *testing.T) {
	long := func(r *rig) { r.window = patience }
	// closed is what both ends see of a session that is ended.
	closed := func(r *rig) {
		r.t.Helper()
		r.server.wants(frame(0, quit))
		r.server.wantsEOF()
		r.client.wantsEOF()
	}
	// refused is what they see of one that is ended with a command under way.
	refused := func(r *rig) {
		r.t.Helper()
		r.client.wants(shutdown)
		closed(r)
		r.client.closes()
	}
	for _, tt := range []struct {
		name   string
		setup  func(*rig)
		script func(*rig, *Sessions)
		want   EndReason
	}{
		{"idle", nil, func(r *rig, table *Sessions) {
			table.Drain()
			closed(r)
		}, WasDrained},
		{"before it runs", func(r *rig) { r.table.Drain() }, func(r *rig, _ *Sessions) {
			closed(r)
		}, WasDrained},
		{"after a command", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			table.Drain()
			r.server.sends(frame(1, row), frame(2, ended))
			r.client.wants(frame(1, row) + frame(2, ended))
			closed(r)
		}, WasDrained},
		{"after a transaction", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, "\x03BEGIN"))
			r.server.wants(frame(0, "\x03BEGIN"))
			r.server.sends(frame(1, begun))
			r.client.wants(frame(1, begun))
			r.wantState(StateTransaction)
			table.Drain()
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			r.server.sends(frame(1, begun))
			r.client.wants(frame(1, begun))
			r.client.sends(frame(0, "\x03COMMIT"))
			r.server.wants(frame(0, "\x03COMMIT"))
			r.server.sends(frame(1, ended))
			r.client.wants(frame(1, ended))
			closed(r)
		}, WasDrained},
		{"a command that comes late", long, func(r *rig, table *Sessions) {
			table.Drain()
			r.client.sends(frame(0, statement))
			refused(r)
		}, WasDrained},
		{"a command that has begun to come", long, func(r *rig, table *Sessions) {
			table.Drain()
			r.client.sends(frame(0, statement)[:1])
			refused(r)
		}, WasDrained},
		{"a command behind the last one", long, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			table.Drain()
			r.server.sends(frame(1, ended))
			r.client.wants(frame(1, ended))
			r.client.sends(frame(0, statement))
			refused(r)
		}, WasDrained},
		{"COM_QUIT that comes late", long, func(r *rig, table *Sessions) {
			table.Drain()
			r.client.sends(frame(0, quit))
			closed(r)
		}, WasDrained},
		{"a client that does not close behind ERR", func(r *rig) {
			r.window, r.patience = patience, time.Millisecond
		}, func(r *rig, table *Sessions) {
			table.Drain()
			r.client.sends(frame(0, statement))
			r.client.wants(shutdown)
			closed(r)
		}, WasDrained},
		{"in a command that was sent in part", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, statement)[:7])
			r.server.wants(frame(0, statement)[:7])
			table.Drain()
			r.client.sends(frame(0, statement)[7:])
			r.server.wants(frame(0, statement)[7:])
			r.server.sends(frame(1, ended))
			r.client.wants(frame(1, ended))
			closed(r)
		}, WasDrained},
		{"in a command without an answer", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, toyClose)[:7])
			r.server.wants(frame(0, toyClose)[:7])
			table.Drain()
			r.client.sends(frame(0, toyClose)[7:])
			r.server.wants(frame(0, toyClose)[7:])
			closed(r)
		}, WasDrained},
		{"in a file", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			r.server.sends(frame(1, sendFile))
			r.client.wants(frame(1, sendFile))
			table.Drain()
			r.client.sends(frame(2, statement), frame(3, ""))
			r.server.wants(frame(2, statement) + frame(3, ""))
			r.server.sends(frame(4, ended))
			r.client.wants(frame(4, ended))
			closed(r)
		}, WasDrained},
		{"a session that cannot be followed", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, toyTLS))
			r.server.wants(frame(0, toyTLS))
			r.wantState(StateOpaque)
			table.Drain()
			r.client.sends("\x16\x03\x01")
			r.server.wants("\x16\x03\x01")
			table.Cut()
			r.server.wantsEOF()
		}, WasCut},
		{"a session that nobody follows", func(r *rig) { r.Tracker = nil }, func(r *rig, table *Sessions) {
			table.Drain()
			r.client.sends("\x16\x03\x01")
			r.server.wants("\x16\x03\x01")
			r.wantState(StateOpaque)
			table.Cut()
			r.server.wantsEOF()
		}, WasCut},
		{"the client has closed its side", nil, func(r *rig, table *Sessions) {
			r.client.sends(frame(0, statement))
			r.client.closesWrite()
			r.server.wants(frame(0, statement))
			r.server.wantsEOF()
			table.Drain()
			r.server.sends(frame(1, ended))
			r.client.wants(frame(1, ended))
			r.server.closes()
			r.client.wantsEOF()
		}, ClientClosed},
	} {
		for name, dial := range pairs {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				r, table := newListed(t, dial)
				if tt.setup != nil {
					tt.setup(r)
				}
				tt.script(r.run(), table)
				r.wantEnd(tt.want)
				if err := table.Wait(context.Background()); err != nil {
					t.Errorf("waiting for the end of all: %v", err)
				}
			})
		}
	}
}

// TestDrainUnread: a client that has not read its answer yet is not deprived of it.
func TestDrainUnread(t *testing.T) {
	r, table := newListed(t, pipe)
	r.client.sendsApart(frame(0, statement))
	r.run()
	r.server.wants(frame(0, statement))
	r.server.sends(frame(1, ended)) // returns when the session has it, and nobody reads it
	r.wantState(StateIdle)
	r.mu.Lock()
	r.window = 1
	r.mu.Unlock()
	table.Drain()
	until(t, "the session is about to end", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return !r.drainAt.IsZero() && time.Now().After(r.drainAt)
	})
	r.client.wants(frame(1, ended))
	r.server.wants(frame(0, quit))
	r.server.wantsEOF()
	r.client.wantsEOF()
	r.wantEnd(WasDrained)
}

// TestDrainMany ends sessions that are in use, from other goroutines: no client gets half an answer, or an answer to a
// command that the server did not get.
func TestDrainMany(t *testing.T) {
	noLeak(t)
	const count = 40
	var table Sessions
	clients := make(chan string, count)
	for range count {
		clientNear, clientFar := dialed(t, "tcp", "127.0.0.1:0")
		serverNear, serverFar := dialed(t, "tcp", "127.0.0.1:0")
		s := &Session{Client: clientNear, Server: serverNear, Tracker: new(toyTracker), Info: SessionInfo{ID: connectionID()}}
		table.Add(context.Background(), s)
		go func() { s.Run() }()
		go answers(serverFar)
		go func() {
			defer clientFar.Close()
			buf := make([]byte, 1000)
			for i := 0; ; i++ {
				if i == 20 {
					clients <- "" // everybody is at work
				}
				_, _ = clientFar.Write([]byte(frame(0, statement)))
				var got []byte
				for !bytes.Equal(got, []byte(toyAnswer)) {
					n, err := clientFar.Read(buf)
					if got = append(got, buf[:n]...); err == nil {
						continue
					}
					if len(got) > 0 && string(got) != shutdown {
						clients <- fmt.Sprintf("half an answer: %q", got)
					}
					clients <- "gone"
					return
				}
			}
		}()
	}
	working, gone := 0, 0
	for working < count {
		if note := <-clients; note != "" {
			t.Fatal(note)
		}
		working++
	}
	table.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := table.Wait(ctx); err != nil {
		t.Fatalf("%d sessions are left: %v", len(table.All()), err)
	}
	for gone < count {
		switch note := <-clients; note {
		case "gone":
			gone++
		default:
			t.Error(note)
		}
	}
}

var ids ConnectionIDs

// connectionID returns an id that no other test has.
func connectionID() uint32 { return ids.Take(func(uint32) bool { return false }) }
