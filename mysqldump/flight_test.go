package mysqldump

import (
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestFlight pushes and pops in waves, so that the ring wraps and grows with its head at every place.
func TestFlight(t *testing.T) {
	var f flight
	pushed, popped := 0, 0
	for wave := range 40 {
		for range wave {
			before := f.n
			c := f.push()
			if c == nil {
				t.Fatalf("no room for %d", f.n)
			}
			if c.before != before || c.complete || c.empty || c.cut || c.plain || c.secret || c.hasStmt || len(c.text) != 0 || c.textLen != 0 || c.change != nil {
				t.Fatalf("got %+v, want a new command behind %d", c, before)
			}
			c.seq, c.complete, c.empty, c.cut, c.plain, c.secret, c.hasStmt = uint8(pushed), true, true, true, true, true, true
			c.change, c.textLen = &mysqlwire.ChangeUser{}, 3
			f.keep(c, []byte("abc"), 100)
			if f.last() != c {
				t.Fatal("the last is another")
			}
			pushed++
		}
		for f.n > wave/2 {
			if got := f.first(); got.seq != uint8(popped) || string(got.text) != "abc" {
				t.Fatalf("got %d %q first, want %d", got.seq, got.text, uint8(popped))
			}
			f.pop()
			popped++
		}
	}
	if f.n != pushed-popped || f.textBytes != 3*f.n {
		t.Errorf("got %d commands, %d bytes; want %d, %d", f.n, f.textBytes, pushed-popped, 3*f.n)
	}
}

func TestFlightFull(t *testing.T) {
	var f flight
	for i := range maxInFlight {
		if f.push() == nil {
			t.Fatalf("no room for %d, want %d", i, maxInFlight)
		}
	}
	if f.push() != nil {
		t.Errorf("got room for more than %d", maxInFlight)
	}
	f.pop()
	if c := f.push(); c == nil || c.before != maxInFlight-1 {
		t.Errorf("got %v after a pop, want a command behind %d", c, maxInFlight-1)
	}
}

// TestFlightTextBudget: the first text is kept whole, later ones as long as the budget lasts, and a beginning of
// every one.
func TestFlightTextBudget(t *testing.T) {
	var f flight
	text := []byte(strings.Repeat("x", textBudget))
	keep := func(n int) (kept int) {
		c := f.push()
		c.textLen = uint64(n)
		f.keep(c, text[:n], textBudget)
		if c.cut != (len(c.text) < n) {
			t.Errorf("got cut %v for %d of %d bytes", c.cut, len(c.text), n)
		}
		return len(c.text)
	}
	for _, tt := range []struct{ n, want int }{
		{textBudget - 1000, textBudget - 1000},
		{600, 600},
		{600, 400},
		{600, leastText},
		{100, 100},
		{0, 0},
	} {
		if got := keep(tt.n); got != tt.want {
			t.Errorf("got %d of %d bytes, want %d", got, tt.n, tt.want)
		}
	}
	for f.n > 0 {
		f.release(f.first())
		f.pop()
	}
	if f.textBytes != 0 {
		t.Errorf("got %d bytes when all are gone, want 0", f.textBytes)
	}
	if got := keep(textBudget); got != textBudget {
		t.Errorf("alone: got %d bytes, want %d", got, textBudget)
	}
	f.release(f.first())
	f.pop()
	for i := range f.ring {
		if n := cap(f.ring[i].text); n > keptText {
			t.Errorf("a buffer of %d bytes is kept, want at most %d", n, keptText)
		}
	}
	c := f.push()
	c.textLen = textBudget
	if f.keep(c, text, 10); len(c.text) != 10 || !c.cut {
		t.Errorf("got %d bytes, cut %v; want 10, true", len(c.text), c.cut)
	}
}
