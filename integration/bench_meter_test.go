package integration

import (
	"errors"
	"math"
	"slices"
	"time"
)

// settling is how long a measurement waits before it reads what CPU was used, so that what a side still does when
// its clients have their answers, as ending sessions, counts for the load that caused it.
const settling = 50 * time.Millisecond

// benchFigures are what one measurement gives; NaN where a load or a side does not have it.
type benchFigures [figures]float64

// The places in benchFigures.
const (
	rate    = iota // operations or bytes in a second
	median         // of the time that an operation took, in seconds
	p99            // the same, its 99th percentile
	proxy          // what the proxy used of the CPU, in seconds for an operation or a byte
	server         // the same, of the database server
	figures        // how many there are
)

// A meter takes one measurement: a load calls begin and end, or endEach, around what is to be measured.
type meter struct {
	processes [2]*process // the proxy, nil where there is none, and the server
	begun     time.Time
	used      [2]time.Duration
	got       benchFigures
	err       error
}

// begin begins the measurement.
func (m *meter) begin() {
	m.used = m.cpu()
	m.begun = time.Now()
}

// endEach ends it, for operations that took this long each.
func (m *meter) endEach(latencies []time.Duration) {
	m.end(float64(len(latencies)))
	if len(latencies) == 0 {
		m.err = errors.Join(m.err, errors.New("no operation ended"))
		return
	}
	slices.Sort(latencies)
	m.got[median] = latencies[len(latencies)/2].Seconds()
	m.got[p99] = latencies[len(latencies)*99/100].Seconds()
}

// end ends it, for this many operations or bytes.
func (m *meter) end(amount float64) {
	elapsed := time.Since(m.begun)
	time.Sleep(settling)
	now := m.cpu()
	m.got = benchFigures{
		rate: amount / elapsed.Seconds(), median: math.NaN(), p99: math.NaN(),
		proxy: (now[0] - m.used[0]).Seconds() / amount, server: (now[1] - m.used[1]).Seconds() / amount,
	}
	if m.processes[0] == nil {
		m.got[proxy] = math.NaN()
	}
}

func (m *meter) cpu() (used [2]time.Duration) {
	for i, p := range m.processes {
		if p == nil {
			continue
		}
		var err error
		if used[i], err = cpuTime(p.cmd.Process.Pid); err != nil {
			m.err = errors.Join(m.err, err)
		}
	}
	return used
}

// medianOf returns the median of each figure over the rounds.
func medianOf(rounds []benchFigures) (m benchFigures) {
	for i := range m {
		m[i] = spreadOf(rounds, func(f benchFigures) float64 { return f[i] }).median
	}
	return m
}

// A spread is the median of a figure over the rounds, and its least and greatest.
type spread struct{ median, least, most float64 }

func spreadOf[T any](rounds []T, figure func(T) float64) spread {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = figure(r)
	}
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}
