package l4mysql

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A queue holds records between the data path and the log, so that a log never holds up a connection.
//
// It lives as long as a connection that may still send to it, which is longer than the config that made
// it: nothing closes it. The goroutine that empties it runs only while there are records.
type queue struct {
	write func(*entry) // encodes and writes one record; called by one goroutine at a time
	limit int          // records, those being written included
	block bool         // wait for room instead of dropping

	mu      sync.Mutex
	room    sync.Cond     // records have been written
	waiting []*entry      // to be written
	writing int           // taken from waiting, and not written yet
	bytes   int           // of all of them
	dropped uint64        // since a record was taken
	running bool          // the goroutine that writes runs
	hurry   chan struct{} // tells that goroutine not to wait for more
}

const (
	// gather is how long the writing goroutine waits for more records before it takes what is there: to be
	// woken for each record would cost more than to write it.
	gather = 10 * time.Millisecond

	// queueBytes bounds the memory of a queue of long texts.
	queueBytes = 64 << 20
)

func newQueue(limit int, block bool, write func(*entry)) *queue {
	q := &queue{write: write, limit: limit, block: block, hurry: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// offer takes e over. If there is no room it drops e and counts it, or with block waits until there is.
func (q *queue) offer(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() {
		if !q.block {
			q.dropped++
			recordsDropped.WithLabelValues(dropQueueFull).Inc()
			e.free()
			return
		}
		q.soon()
		q.room.Wait()
	}
	q.waiting = append(q.waiting, e)
	q.bytes += e.size()
	switch {
	case !q.running:
		q.running = true
		busyQueues.add(q)
		go q.run()
	case len(q.waiting) == q.limit/2:
		q.soon()
	}
}

func (q *queue) full() bool {
	return len(q.waiting)+q.writing >= q.limit || q.bytes > queueBytes
}

func (q *queue) soon() {
	select {
	case q.hurry <- struct{}{}:
	default:
	}
}

// run writes what is in the queue until there is nothing left.
func (q *queue) run() {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	var batch []*entry
	for {
		select {
		case <-timer.C:
		case <-q.hurry:
		}
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			busyQueues.remove(q)
			q.mu.Unlock()
			return
		}
		batch, q.waiting = q.waiting, batch[:0]
		q.writing = len(batch)
		batch[0].dropped, q.dropped = q.dropped, 0
		q.mu.Unlock()
		q.writeAll(batch)
		timer.Reset(gather)
	}
}

func (q *queue) writeAll(batch []*entry) {
	for i, e := range batch {
		q.write(e)
		q.mu.Lock()
		q.writing--
		q.bytes -= e.size()
		q.room.Signal()
		q.mu.Unlock()
		e.free()
		batch[i] = nil
	}
}

// flush waits until everything in the queue is written, but no longer than timeout.
func (q *queue) flush(timeout time.Duration) {
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(time.Millisecond) {
		q.mu.Lock()
		empty := len(q.waiting)+q.writing == 0
		q.mu.Unlock()
		if empty {
			return
		}
		q.soon()
	}
}

// busyQueues are the queues that hold records: of this config, and of former ones whose connections are
// still open.
var busyQueues queueSet

type queueSet struct {
	mu     sync.Mutex
	queues map[*queue]struct{}
}

func (s *queueSet) add(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues == nil {
		s.queues = make(map[*queue]struct{})
	}
	s.queues[q] = struct{}{}
}

func (s *queueSet) remove(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, q)
}

// flushQueues waits until all records are written that are in a queue now, but no longer than until end.
func flushQueues(end time.Time) {
	busyQueues.mu.Lock()
	queues := slices.Collect(maps.Keys(busyQueues.queues))
	busyQueues.mu.Unlock()
	for _, q := range queues {
		q.flush(time.Until(end))
	}
}
