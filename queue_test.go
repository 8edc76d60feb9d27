package l4mysql

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// A gate is a queue's writer that lets a record through for each step that the test takes.
type gate struct {
	reached chan struct{} // a record stands at the gate
	open    chan struct{}

	mu      sync.Mutex
	seqs    []uint64
	dropped []uint64
}

func newGate() *gate {
	return &gate{reached: make(chan struct{}, 100_000), open: make(chan struct{}, 100_000)}
}

func (g *gate) write(e *entry) {
	g.reached <- struct{}{}
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seqs, g.dropped = append(g.seqs, e.Seq), append(g.dropped, e.dropped)
}

// written returns the numbers of the records that have gone through, and what each has told of as dropped.
func (g *gate) written() (seqs, dropped []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.seqs), slices.Clone(g.dropped)
}

// numbered returns the entry of a record with a number.
func numbered(seq uint64) *entry {
	return newEntry(&mysqldump.Record{Seq: seq, Query: []byte("SELECT 1")}, nil)
}

// dropCount returns the value of records_dropped_total.
func dropCount(t testing.TB, reason string) uint64 {
	t.Helper()
	var m dto.Metric
	if err := recordsDropped.WithLabelValues(reason).Write(&m); err != nil {
		t.Fatal(err)
	}
	return uint64(m.GetCounter().GetValue())
}

// within waits until is returns true.
func within(t testing.TB, timeout time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(timeout); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", timeout, what)
		}
	}
}

// idle reports whether nothing is in q, and its goroutine has gone.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.running && len(q.waiting) == 0 && q.writing == 0 && q.bytes == 0
}

// TestQueueDrops: what finds no room is dropped, counted, and told by the next record that leaves, once.
// What is being written counts until it is written.
func TestQueueDrops(t *testing.T) {
	before := dropCount(t, dropQueueFull)
	g := newGate()
	q := newQueue(4, false, g.write)
	offer := func(first, last uint64) {
		for seq := first; seq <= last; seq++ {
			q.offer(numbered(seq))
		}
	}
	offer(1, 1)
	<-g.reached // the queue's goroutine has taken what was there
	offer(2, 9) // 2, 3 and 4 fit
	g.open <- struct{}{}
	<-g.reached // and now those
	g.open <- struct{}{}
	<-g.reached
	offer(10, 14) // 10 and 11 fit: 3 and 4 are still to be written
	for range 4 {
		g.open <- struct{}{}
	}
	within(t, 5*time.Second, "the queue is empty", q.idle)
	offer(15, 15)
	g.open <- struct{}{}
	q.flush(5 * time.Second)
	seqs, dropped := g.written()
	if want := []uint64{1, 2, 3, 4, 10, 11, 15}; !slices.Equal(seqs, want) {
		t.Errorf("got records %d, want %d", seqs, want)
	}
	if want := []uint64{0, 5, 0, 0, 3, 0, 0}; !slices.Equal(dropped, want) {
		t.Errorf("the records tell of %d dropped, want %d", dropped, want)
	}
	if got := dropCount(t, dropQueueFull) - before; got != 8 {
		t.Errorf("got %d in the metric, want 8", got)
	}
}

// offerAll has each of the producers offer records at once with the others: producer p those from p*each on.
func offerAll(q *queue, producers, each uint64) {
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for i := range each {
				q.offer(numbered(p*each + i))
			}
		})
	}
	all.Wait()
	q.flush(5 * time.Second)
}

// TestQueueCounts: whatever the speed of the log, each record is either written or told of as dropped, and
// the metric says the same. Those that are written keep their order.
func TestQueueCounts(t *testing.T) {
	const producers, each = 8, 2000
	for _, pause := range []time.Duration{0, 20 * time.Microsecond, time.Millisecond} {
		before := dropCount(t, dropQueueFull)
		var written, dropped, last [producers]uint64
		q := newQueue(64, false, func(e *entry) {
			p := e.Seq / each
			if e.Seq < last[p] {
				t.Errorf("record %d comes after %d", e.Seq, last[p])
			}
			last[p] = e.Seq
			written[p]++
			dropped[p] += e.dropped
			time.Sleep(pause)
		})
		offerAll(q, producers, each)
		q.offer(numbered(producers*each - 1)) // tells of what was dropped last
		q.flush(5 * time.Second)
		within(t, 5*time.Second, "the queue is empty", q.idle)
		var sumWritten, sumDropped uint64
		for p := range producers {
			sumWritten, sumDropped = sumWritten+written[p], sumDropped+dropped[p]
		}
		if sumWritten+sumDropped != producers*each+1 {
			t.Errorf("pause %s: %d written and %d dropped, want %d together", pause, sumWritten, sumDropped, producers*each+1)
		}
		if got := dropCount(t, dropQueueFull) - before; got != sumDropped {
			t.Errorf("pause %s: got %d in the metric, want %d", pause, got, sumDropped)
		}
		if pause == time.Millisecond && sumDropped == 0 {
			t.Errorf("nothing was dropped: the test has shown nothing")
		}
	}
}

// TestQueueBlocks: with block an offer waits for room, and no longer.
func TestQueueBlocks(t *testing.T) {
	before := dropCount(t, dropQueueFull)
	g := newGate()
	q := newQueue(2, true, g.write)
	q.offer(numbered(1))
	q.offer(numbered(2))
	offered := make(chan struct{})
	go func() {
		defer close(offered)
		q.offer(numbered(3))
	}()
	<-g.reached
	select {
	case <-offered:
		t.Fatal("a full queue has taken a record")
	case <-time.After(5 * gather):
	}
	g.open <- struct{}{}
	select {
	case <-offered:
	case <-time.After(5 * time.Second):
		t.Fatal("the offer waits though there is room")
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	q.flush(5 * time.Second)
	if seqs, dropped := g.written(); !slices.Equal(seqs, []uint64{1, 2, 3}) || slices.Max(dropped) > 0 {
		t.Errorf("got records %d, and %d dropped", seqs, dropped)
	}
	if got := dropCount(t, dropQueueFull) - before; got != 0 {
		t.Errorf("got %d in the metric, want 0", got)
	}
}

// TestQueueBlocksMany: with block nothing is lost, however small the queue is, and each producer's
// records keep their order.
func TestQueueBlocksMany(t *testing.T) {
	const producers, each = 8, 500
	for _, limit := range []int{1, 2, 3, 50} {
		var next [producers]uint64
		q := newQueue(limit, true, func(e *entry) {
			p := e.Seq / each
			if e.Seq%each != next[p] || e.dropped != 0 {
				t.Errorf("limit %d: got record %d, %d dropped, want %d", limit, e.Seq%each, e.dropped, next[p])
			}
			next[p]++
		})
		offerAll(q, producers, each)
		within(t, 5*time.Second, "the queue is empty", q.idle)
		for p := range next {
			if next[p] != each {
				t.Errorf("limit %d: got %d records of producer %d, want %d", limit, next[p], p, each)
			}
		}
	}
}

// TestQueueBytes: long texts fill the queue before its number of records does.
func TestQueueBytes(t *testing.T) {
	const size, offered = 1 << 20, 200
	shared := make([]byte, 0, size) // what counts is what each holds on to
	for _, block := range []bool{false, true} {
		before := dropCount(t, dropQueueFull)
		g := newGate()
		q := newQueue(8192, block, g.write)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for seq := range uint64(offered) {
				q.offer(&entry{Record: mysqldump.Record{Seq: seq}, text: shared})
			}
		}()
		const fit = queueBytes/size + 1 // the last one may go over
		within(t, 5*time.Second, "the queue is full", func() bool {
			q.mu.Lock()
			defer q.mu.Unlock()
			return q.bytes == fit*size
		})
		if !block {
			<-done
		}
		for range offered {
			g.open <- struct{}{}
		}
		<-done
		q.flush(5 * time.Second)
		within(t, 5*time.Second, "the queue is empty", q.idle)
		want, seqs := fit, []uint64(nil)
		if block {
			want = offered
		}
		if seqs, _ = g.written(); len(seqs) != want {
			t.Errorf("block %t: got %d records, want %d", block, len(seqs), want)
		}
		if got := int(dropCount(t, dropQueueFull) - before); got != offered-want {
			t.Errorf("block %t: got %d in the metric, want %d", block, got, offered-want)
		}
	}
}

// TestQueueRests: an idle queue has no goroutine, and wakes up again.
func TestQueueRests(t *testing.T) {
	g := newGate()
	q := newQueue(100, false, g.write)
	before := runtime.NumGoroutine()
	for seq := range uint64(3) {
		q.offer(numbered(seq))
		g.open <- struct{}{}
		within(t, 5*time.Second, "the queue rests", q.idle)
		within(t, 5*time.Second, "its goroutine has gone", func() bool { return runtime.NumGoroutine() <= before })
	}
	if seqs, _ := g.written(); !slices.Equal(seqs, []uint64{0, 1, 2}) {
		t.Errorf("got records %d", seqs)
	}
}

// TestQueueFlush: flush waits for what is being written, too, but not for ever.
func TestQueueFlush(t *testing.T) {
	g := newGate()
	q := newQueue(100, false, g.write)
	q.flush(time.Hour) // of nothing
	q.offer(numbered(1))
	start := time.Now()
	q.flush(20 * time.Millisecond)
	if took := time.Since(start); took < 20*time.Millisecond || took > 2*time.Second {
		t.Errorf("a flush of a log that hangs took %s, want 20ms", took)
	}
	<-g.reached
	time.AfterFunc(20*time.Millisecond, func() { g.open <- struct{}{} })
	q.flush(time.Hour)
	if seqs, _ := g.written(); len(seqs) != 1 {
		t.Errorf("got %d records after the flush, want 1", len(seqs))
	}
}

// TestFlushQueues: an exit writes the records of every queue, also of one whose handler a reload has
// retired, and waits no longer than it may for one that hangs.
func TestFlushQueues(t *testing.T) {
	gates := []*gate{newGate(), newGate()}
	for i, g := range gates {
		q := newQueue(8, false, g.write)
		q.offer(numbered(uint64(i)))
		g.open <- struct{}{}
	}
	flushQueues(time.Now().Add(5 * time.Second))
	for i, g := range gates {
		if seqs, _ := g.written(); !slices.Equal(seqs, []uint64{uint64(i)}) {
			t.Errorf("queue %d: got records %v, want %d", i, seqs, i)
		}
	}

	hanging := newGate()
	q := newQueue(8, false, hanging.write)
	q.offer(numbered(1))
	<-hanging.reached
	flushQueues(time.Now().Add(20 * time.Millisecond))
	hanging.open <- struct{}{}
	within(t, 5*time.Second, "the queue is no longer busy", func() bool {
		busyQueues.mu.Lock()
		defer busyQueues.mu.Unlock()
		_, busy := busyQueues.queues[q]
		return !busy
	})
}
