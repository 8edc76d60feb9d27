package l4mysql

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// clock is a clock that the test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func TestRefusalLimit(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	l := newRefusalLimit(c.now)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	steps := []struct {
		after   time.Duration
		peer    netip.Addr
		reason  reason
		leftOut int
		ok      bool
	}{
		{0, a, reasonMissing, 0, true},
		{0, a, reasonMissing, 0, false},
		{0, a, reasonTimeout, 0, true},
		{0, b, reasonMissing, 0, true},
		{59 * time.Second, a, reasonMissing, 0, false},
		{time.Second, a, reasonMissing, 2, true},
		{0, a, reasonMissing, 0, false},
		{time.Minute, a, reasonMissing, 1, true},
		{time.Minute, a, reasonMissing, 0, true},
	}
	for i, step := range steps {
		c.Time = c.Add(step.after)
		if leftOut, ok := l.admit(step.peer, step.reason); leftOut != step.leftOut || ok != step.ok {
			t.Errorf("step %d: got %d, %t, want %d, %t", i, leftOut, ok, step.leftOut, step.ok)
		}
	}
}

// TestRefusalLimitBound: a flood from many addresses neither grows the table nor fills the log, and gives
// its room back.
func TestRefusalLimitBound(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	l := newRefusalLimit(c.now)
	logged := 0
	for i := range 5 * maxRefusals {
		if _, ok := l.admit(peerNumber(i), reasonUntrusted); ok {
			logged++
		}
		c.Time = c.Add(time.Millisecond) // 20 s in all
	}
	if want := maxRefusals + 1; logged != want || len(l.entries) > want {
		t.Errorf("got %d lines and %d entries, want %d of each: one for each peer, one for all the others",
			logged, len(l.entries), want)
	}
	c.Time = c.Add(time.Minute)
	if leftOut, ok := l.admit(peerNumber(9_000_000), reasonUntrusted); leftOut != 0 || !ok {
		t.Errorf("a minute later: got %d, %t, want a line of its own", leftOut, ok)
	}
	if len(l.entries) != 1 {
		t.Errorf("a minute later: got %d entries, want 1", len(l.entries))
	}
}

func peerNumber(i int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a00_0000+uint32(i))))
}

// TestRefusalLog: the line has the peer, the reason, and how many were left out; each peer has its own.
func TestRefusalLog(t *testing.T) {
	h, logs := newHandler(t, &ProxyHeader{})
	c := &clock{time.Unix(1_700_000_000, 0)}
	h.refusals = newRefusalLimit(c.now)
	for range 3 {
		run(t, h, stranger, "", 4096, headerV1)
	}
	c.Time = c.Add(time.Minute)
	run(t, h, stranger, "", 4096, headerV1)
	run(t, h, balancer, "", 4096, "PROXY TCP9")

	want := []map[string]any{
		{"remote": stranger.String(), "reason": "untrusted"},
		{"remote": stranger.String(), "reason": "untrusted", "left_out": int64(2)},
		{"remote": balancer.String(), "reason": "malformed", "error": "proxyheader: v1.protocol at byte 9: malformed"},
	}
	all := logs.All()
	if len(all) != len(want) {
		t.Fatalf("got %d lines, want %d: %v", len(all), len(want), all)
	}
	for i, entry := range all {
		got := entry.ContextMap()
		if entry.Message != "refused connection" || len(got) != len(want[i]) {
			t.Errorf("line %d: got %q %v, want %v", i, entry.Message, got, want[i])
		}
		for key, value := range want[i] {
			if got[key] != value {
				t.Errorf("line %d: %s: got %v, want %v", i, key, got[key], value)
			}
		}
	}
}
