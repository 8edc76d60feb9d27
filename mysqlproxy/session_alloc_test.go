//go:build !race

package mysqlproxy

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestSessionAllocates is the claim of BenchmarkSession. With the race detector a sync.Pool forgets at random.
func TestSessionAllocates(t *testing.T) {
	if !readsDirectly {
		t.Skip("an error, that is allocated, says that there is nothing to read")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the pool keeps what is free for each of them
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	client, server := carried(t, carriers[0].carry)
	buf := make([]byte, 1000)
	answer := []byte(frame(1, row) + frame(2, ended))
	for _, command := range [][]byte{[]byte(frame(0, statement)), []byte(frame(0, "\x03KILL 7           "))} {
		roundTrip(t, client, server, command, answer, buf)
		if got := testing.AllocsPerRun(500, func() { roundTrip(t, client, server, command, answer, buf) }); got != 0 {
			t.Errorf("%q: got %v allocations for a command and its answer, want 0", command, got)
		}
	}
}
