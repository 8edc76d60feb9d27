package mysqlproxy

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// killing are two upstreams in a pool, one in another, and the sessions there.
type killing struct {
	table         Sessions
	a, b, c       *Upstream
	pool, another *Pool
}

func newKilling(t *testing.T) *killing {
	t.Helper()
	noLeak(t)
	k := new(killing)
	for i, u := range []**Upstream{&k.a, &k.b, &k.c} {
		var err error
		if *u, err = NewUpstream(fmt.Sprintf("db%d:3306", i)); err != nil {
			t.Fatal(err)
		}
	}
	pool := func(upstreams ...*Upstream) *Pool {
		var members []Member
		for _, u := range upstreams {
			members = append(members, Member{Upstream: u})
		}
		p, err := NewPool("", members)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	k.pool, k.another = pool(k.a, k.b), pool(k.b, k.c)
	return k
}

// session runs a session of user u at upstream a with connection id 0x80000001, but for what change does.
func (k *killing) session(t *testing.T, dial pairing, change func(*rig)) *rig {
	t.Helper()
	r := oneOfMany(t, dial)
	r.Info = SessionInfo{ID: 0x8000_0001, ThreadID: 11, Upstream: k.a, Pool: k.pool, User: "u"}
	if change != nil {
		change(r)
	}
	k.table.Add(context.Background(), r.Session)
	return r.run()
}

func (r *rig) leaves() {
	r.t.Helper()
	_, _ = r.client.Close(), r.server.Close()
	<-r.ended
}

var killed = frame(1, "\x00\x00\x00\x02\x00\x00\x00")

// TestKill: what a KILL does depends on where its victim is, and whose.
func TestKill(t *testing.T) {
	const id = "2147483655"
	notOwner := frame(1, string(NotOwner(0x8000_0007).Append(nil)))
	elsewhere := "\xff\x51\x04#HY000Thread " + id + " is on another server"
	for _, tt := range []struct {
		name   string
		victim func(*killing, *rig) // nil: there is none
		killer func(*killing, *rig)
		in     string // a payload
		want   string // that the server gets; empty: the client gets answer
		answer string // how it begins
		killed bool
	}{
		{name: "the same upstream", in: "\x03KILL QUERY " + id, want: "\x03KILL QUERY 42", victim: func(*killing, *rig) {}},
		{name: "the same upstream, COM_PROCESS_KILL", in: "\x0c\x07\x00\x00\x80", want: "\x0c\x2a\x00\x00\x00", victim: func(*killing, *rig) {}},
		{
			name: "the same upstream, another user and pool: that is for the server to refuse",
			in:   "\x03KILL " + id, want: "\x03KILL 42",
			victim: func(_ *killing, r *rig) { r.Info.User, r.Info.Pool = "v", nil },
		},
		{
			name: "with query attributes", in: "\x03\x00\x01KILL QUERY " + id, want: "\x03\x00\x01KILL QUERY 42",
			victim: func(*killing, *rig) {}, killer: func(_ *killing, r *rig) { r.Info.QueryAttributes = true },
		},
		{
			name: "with a query attribute", in: "\x03\x01\x01KILL QUERY " + id, want: "\x03\x01\x01KILL QUERY " + id,
			victim: func(*killing, *rig) {}, killer: func(_ *killing, r *rig) { r.Info.QueryAttributes = true },
		},
		{name: "an unknown id", in: "\x03KILL " + id, want: "\x03KILL " + id},
		{name: "a query's id", in: "\x03KILL QUERY ID " + id, want: "\x03KILL QUERY ID " + id, victim: func(*killing, *rig) {}},
		{name: "an id of the server's", in: "\x03KILL QUERY 42      ", want: "\x03KILL QUERY 42      ", victim: func(*killing, *rig) {}},
		{
			name: "a client that knows the server's ids", in: "\x03KILL " + id, want: "\x03KILL " + id,
			victim: func(*killing, *rig) {}, killer: func(_ *killing, r *rig) { r.Info.ID = 0 },
		},
		{
			name: "a victim whose server has not told its id", in: "\x03KILL " + id, want: "\x03KILL " + id,
			victim: func(_ *killing, r *rig) { r.Info.ThreadID = 0 },
		},
		{
			name: "itself", in: "\x03KILL 2147483649", want: "\x03KILL 11", victim: func(*killing, *rig) {},
		},
		{
			name: "another upstream", in: "\x03KILL " + id, answer: killed[4:], killed: true,
			victim: func(k *killing, r *rig) { r.Info.Upstream = k.b },
		},
		{
			name: "another upstream, CONNECTION", in: "\x03KILL CONNECTION " + id, answer: killed[4:], killed: true,
			victim: func(k *killing, r *rig) { r.Info.Upstream = k.b },
		},
		{
			name: "another upstream, COM_PROCESS_KILL", in: "\x0c\x07\x00\x00\x80", answer: killed[4:], killed: true,
			victim: func(k *killing, r *rig) { r.Info.Upstream, r.Info.Pool = k.b, k.another },
		},
		{
			name: "another upstream, QUERY", in: "\x03KILL QUERY " + id, answer: elsewhere,
			victim: func(k *killing, r *rig) { r.Info.Upstream = k.b },
		},
		{
			name: "another upstream, another user", in: "\x03KILL " + id, answer: notOwner[4:],
			victim: func(k *killing, r *rig) { r.Info.Upstream, r.Info.User = k.b, "v" },
		},
		{
			name: "another upstream, another user, QUERY", in: "\x03KILL QUERY " + id, answer: notOwner[4:],
			victim: func(k *killing, r *rig) { r.Info.Upstream, r.Info.User = k.b, "v" },
		},
		{
			name: "an upstream of other pools only", in: "\x03KILL " + id, want: "\x03KILL " + id,
			victim: func(k *killing, r *rig) { r.Info.Upstream, r.Info.Pool = k.c, k.another },
		},
		{
			name: "a killer without a pool", in: "\x03KILL " + id, want: "\x03KILL " + id,
			victim: func(k *killing, r *rig) { r.Info.Upstream = k.b }, killer: func(_ *killing, r *rig) { r.Info.Pool = nil },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKilling(t)
			var victim *rig
			if tt.victim != nil {
				victim = k.session(t, tcp, func(r *rig) {
					r.Info.ID, r.Info.ThreadID = 0x8000_0007, 42
					tt.victim(k, r)
				})
				victim.client.sends(frame(0, statement))
				victim.server.wants(frame(0, statement))
			}
			killer := k.session(t, tcp, func(r *rig) {
				if tt.killer != nil {
					tt.killer(k, r)
				}
			})
			for range 2 { // the second time the victim may have gone
				killer.client.sends(frame(0, tt.in))
				if tt.want != "" {
					killer.server.wants(frame(0, tt.want))
					killer.server.sends(frame(1, ended))
					killer.client.wants(frame(1, ended))
					continue
				}
				header := make([]byte, 4)
				if _, err := killer.client.Read(header); err != nil || header[3] != 1 {
					t.Fatalf("got header %x and error %v, want sequence id 1", header, err)
				}
				killer.client.wants(tt.answer)
				if rest := int(header[0]) - len(tt.answer); rest > 0 {
					_, _ = killer.client.Read(make([]byte, rest))
				}
				if tt.killed {
					break
				}
			}
			if killer.wantState(StateIdle); tt.killed {
				victim.server.wantsEOF()
				victim.client.wantsEOF()
				victim.client.closes()
				victim.wantEnd(WasKilled)
				victim = nil
			}
			// The others go on.
			for _, r := range []*rig{victim, killer} {
				if r == nil {
					continue
				}
				if r == killer {
					r.client.sends(frame(0, statement))
					r.server.wants(frame(0, statement))
				}
				r.server.sends(frame(1, ended))
				r.client.wants(frame(1, ended))
				r.leaves()
			}
		})
	}
}

// TestKillInPieces: a KILL that comes in two pieces, cut anywhere, is the same, and the server sees no part of it.
func TestKillInPieces(t *testing.T) {
	k := newKilling(t)
	victim := k.session(t, tcp, func(r *rig) { r.Info.ID, r.Info.ThreadID = 0x8000_0007, 42 })
	elsewhere := k.session(t, tcp, func(r *rig) { r.Info.ID, r.Info.Upstream, r.Info.User = 0x8000_0008, k.b, "v" })
	for _, tt := range []struct {
		name, in, want, answer string
	}{
		{"rewritten", frame(0, "\x03KILL QUERY 2147483655"), frame(0, "\x03KILL QUERY 42"), ""},
		{"refused", frame(0, "\x03KILL QUERY 2147483656"), "", frame(1, string(NotOwner(0x8000_0008).Append(nil)))},
		{"none", frame(0, "\x03KILL QUERY 2147483655 -- nobody"), frame(0, "\x03KILL QUERY 2147483655 -- nobody"), ""},
		{"something else", frame(0, statement+" FROM t WHERE n = 1"), frame(0, statement+" FROM t WHERE n = 1"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			killer := k.session(t, pipe, nil) // each write is a read
			for n := range len(tt.in) - 1 {
				killer.client.sendsApart(tt.in[:n+1], tt.in[n+1:])
				if tt.want != "" {
					killer.server.wants(tt.want)
					killer.server.sendsApart(frame(1, ended))
					killer.client.wants(frame(1, ended))
				}
				killer.client.wants(tt.answer)
			}
			killer.leaves()
		})
	}
	victim.leaves()
	elsewhere.leaves()
}

// TestKillHeld: what is held back of a packet reaches the server when the client leaves, and a session that is drained
// meanwhile ends.
func TestKillHeld(t *testing.T) {
	packet := frame(0, "\x03KILL QUERY 2147483655")
	for n := 1; n < len(packet); n++ {
		k := newKilling(t)
		r := k.session(t, tcp, nil)
		r.client.sends(packet[:n])
		r.client.closes()
		r.server.wants(packet[:n])
		r.server.wantsEOF()
		r.server.closes()
		r.wantEnd(ClientClosed)

		r = k.session(t, tcp, func(r *rig) { r.window = 1 })
		r.client.sends(packet[:n])
		k.table.Drain()
		r.server.wants(frame(0, quit))
		r.server.wantsEOF()
		// Whether the window has seen the bytes is up to the network.
		buf := make([]byte, len(shutdown)+1)
		got := 0
		for {
			m, err := r.client.Read(buf[got:])
			if got += m; err != nil {
				break
			}
		}
		if got > 0 && string(buf[:got]) != shutdown {
			t.Errorf("got %q, want nothing or %q", buf[:got], shutdown)
		}
		r.client.closes()
		r.wantEnd(WasDrained)
	}
}

// TestKillPipelined: where the answer would not be the next one that the client waits for, the server answers. An id
// that can be rewritten is.
func TestKillPipelined(t *testing.T) {
	k := newKilling(t)
	victim := k.session(t, tcp, func(r *rig) { r.Info.ID, r.Info.ThreadID = 0x8000_0007, 42 })
	elsewhere := k.session(t, tcp, func(r *rig) { r.Info.ID, r.Info.Upstream = 0x8000_0008, k.b })
	killer := k.session(t, tcp, nil)

	near, far := frame(0, "\x03KILL QUERY 2147483655"), frame(0, "\x03KILL 2147483656")
	in := frame(0, statement) + near + far + frame(0, statement)
	want := frame(0, statement) + frame(0, "\x03KILL QUERY 42") + far + frame(0, statement)
	killer.client.sends(in)
	killer.server.wants(want)
	killer.server.sends(strings.Repeat(frame(1, ended), 4))
	killer.client.wants(strings.Repeat(frame(1, ended), 4))

	// Behind a command without an answer nothing is in flight, and before another one there is time.
	killer.client.sends(frame(0, toyClose) + far + frame(0, statement))
	killer.server.wants(frame(0, toyClose) + frame(0, statement))
	killer.client.wants(killed)
	killer.server.sends(frame(1, ended))
	killer.client.wants(frame(1, ended))
	elsewhere.client.wantsEOF()
	elsewhere.server.wantsEOF()
	elsewhere.client.closes()
	elsewhere.wantEnd(WasKilled)
	killer.leaves()
	victim.leaves()
}

// TestKillLookalikes: what is no command is not touched, whatever it looks like.
func TestKillLookalikes(t *testing.T) {
	k := newKilling(t)
	victim := k.session(t, tcp, func(r *rig) { r.Info.ID, r.Info.ThreadID = 0x8000_0007, 42 })
	killer := k.session(t, tcp, nil)
	kill := frame(0, "\x03KILL QUERY 2147483655")
	for _, file := range []string{
		kill, frame(0, kill), frame(2, "\x03KILL 2147483655"),
		strings.Repeat(kill, 5000), frame(2, strings.Repeat(kill, 10000)) + kill,
	} {
		killer.client.sends(frame(0, statement))
		killer.server.wants(frame(0, statement))
		killer.server.sends(frame(1, sendFile))
		killer.client.wants(frame(1, sendFile))
		go func() { _, _ = killer.client.Write([]byte(file + frame(3, ""))) }()
		killer.server.wants(file + frame(3, ""))
		killer.server.sends(frame(4, ended))
		killer.client.wants(frame(4, ended))
	}
	// In the middle of a command, too.
	killer.client.sends(frame(0, "\x03SELECT '"+kill+"'"))
	killer.server.wants(frame(0, "\x03SELECT '"+kill+"'"))
	killer.server.sends(frame(1, ended))
	killer.client.wants(frame(1, ended))
	// And where nobody knows what a command is.
	killer.client.sends(frame(0, toyTLS))
	killer.server.wants(frame(0, toyTLS))
	killer.client.sends(kill)
	killer.server.wants(kill)
	killer.leaves()
	victim.leaves()
}

// TestKillBusy: a session that is killed ends whatever it is at.
func TestKillBusy(t *testing.T) {
	flood := strings.Repeat(frame(1, row), 1<<19)
	for _, tt := range []struct {
		name   string
		script func(*rig)
	}{
		{"a client that does not read", func(r *rig) {
			r.client.sends(frame(0, statement))
			r.server.wants(frame(0, statement))
			go func() { _, _ = r.server.Write([]byte(flood)) }()
			until(r.t, "an answer comes", func() bool { return r.toy.seen[Server].Load() > 0 })
		}},
		{"a server that does not read", func(r *rig) {
			go func() { _, _ = r.client.Write([]byte(flood)) }()
			until(r.t, "commands come", func() bool { return r.toy.seen[Client].Load() > 0 })
		}},
		{"a client that has closed its side", func(r *rig) {
			r.client.sends(frame(0, statement))
			r.client.closesWrite()
			r.server.wants(frame(0, statement))
			r.server.wantsEOF()
			r.wantState(StateEnding)
		}},
	} {
		for name, dial := range pairs {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				k := newKilling(t)
				victim := k.session(t, dial, func(r *rig) {
					r.Info.ID, r.Info.Upstream, r.Info.ThreadID, r.patience = 0x8000_0007, k.b, 42, 1
				})
				tt.script(victim)
				killer := k.session(t, tcp, nil)
				killer.client.sends(frame(0, "\x03KILL 2147483655"))
				killer.client.wants(killed)
				want := WasKilled
				if tt.name == "a client that has closed its side" {
					want = ClientClosed
				}
				victim.wantEnd(want)
				killer.leaves()
			})
		}
	}
}
