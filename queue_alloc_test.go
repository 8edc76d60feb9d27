package l4mysql

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// offered is a record of a short statement.
var offered = mysqldump.Record{
	Event: mysqldump.EventCommand, Seq: 1, Command: mysqlwire.ComQuery,
	Query: []byte("SELECT c FROM sbtest1 WHERE id BETWEEN 5000 AND 5099"), QueryLength: 52,
	Answer: mysqldump.Answer{HasRows: true, Rows: 100},
}

// BenchmarkOffer is what a record costs the connection: a copy, and its place in the queue. It takes
// nothing from the heap.
func BenchmarkOffer(b *testing.B) {
	b.ReportAllocs()
	q := newQueue(1<<20, true, func(*entry) {})
	for b.Loop() {
		q.offer(newEntry(&offered, nil))
	}
	q.flush(5 * time.Second)
}

// TestOfferAllocates is the claim of BenchmarkOffer. The first records of a burst do allocate; what is
// measured is the next burst.
func TestOfferAllocates(t *testing.T) {
	const burst = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the pool keeps what is free for each of them
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	q := newQueue(8192, true, func(*entry) {})
	for range 3 {
		for range burst {
			q.offer(newEntry(&offered, nil))
		}
		q.flush(5 * time.Second)
	}
	if got := testing.AllocsPerRun(burst, func() { q.offer(newEntry(&offered, nil)) }); got != 0 {
		t.Errorf("got %v allocations for each record, want 0", got)
	}
	q.flush(5 * time.Second)
}
