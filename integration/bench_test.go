package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A bench is a run of the benchmark: sides that are measured in turn, with one load after the other.
type bench struct {
	size    benchSize
	rounds  int
	loads   []benchLoad
	sides   []benchSide
	proxies []benchProxy // of sides
	db      *MariaDB
	account Account
	results map[string]map[string][]benchFigures // by load and side, one for each round
}

var (
	smokeSize = benchSize{50 * time.Millisecond, 50 * time.Millisecond, 1e6, 1e6}
	quickSize = benchSize{300 * time.Millisecond, 300 * time.Millisecond, 60e6, 40e6}
	fullSize  = benchSize{2 * time.Second, 1500 * time.Millisecond, 500e6, 300e6}
)

// TestBench compares what proxies cost. As one of the tests it shows only that the benchmark works: one round of
// little work, and no figure is looked at. With L4MYSQL_BENCH=1, as in `make bench`, it measures; docs/performance.md
// says what the other variables do, and what came out.
func TestBench(t *testing.T) {
	b := &bench{size: smokeSize, rounds: 1, results: make(map[string]map[string][]benchFigures)}
	measure := os.Getenv("L4MYSQL_BENCH") == "1"
	if measure {
		b.size, b.rounds = fullSize, 5
		if os.Getenv("QUICK") == "1" {
			b.size, b.rounds = quickSize, 2
		}
		if raceDetector {
			t.Fatal("the race detector is many times what a proxy costs: measure without -race")
		}
		var err error
		if text := os.Getenv("ROUNDS"); text != "" {
			if b.rounds, err = strconv.Atoi(text); err != nil || b.rounds < 1 {
				t.Fatalf("ROUNDS: got %q, want a number from 1", text)
			}
		}
	}
	b.loads = pick(t, "LOADS", benchLoads, func(l benchLoad) (string, bool) { return l.name, l.extra && measure })
	b.sides = pick(t, "SIDES", benchSides, func(s benchSide) (string, bool) { return s.name, false })
	b.start(t)
	for i := range b.loads {
		for s := range b.sides {
			b.measure(t, &b.loads[i], s, smokeSize) // what is allocated and cached once
		}
	}
	began := loadAverage()
	for round := range b.rounds {
		for i := range b.loads {
			load := &b.loads[i]
			for n := range b.sides {
				s := (round + n) % len(b.sides) // each is first, and each is last
				got := b.measure(t, load, s, b.size)
				if b.results[load.name] == nil {
					b.results[load.name] = make(map[string][]benchFigures)
				}
				b.results[load.name][b.sides[s].name] = append(b.results[load.name][b.sides[s].name], got)
			}
		}
		if measure {
			fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
		}
	}
	b.report(t.Output(), machine(t, b.db), began)
	if dir := os.Getenv("PROFILE"); dir != "" && measure {
		b.profile(t, dir)
	}
}

// pick returns those of all that the environment variable names, separated by commas, or else all but the extra
// ones.
func pick[T any](t testing.TB, variable string, all []T, named func(T) (name string, extra bool)) []T {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return slices.DeleteFunc(slices.Clone(all), func(v T) bool { _, extra := named(v); return extra })
	}
	var names []string
	for _, v := range all {
		name, _ := named(v)
		names = append(names, name)
	}
	var picked []T
	for name := range strings.SplitSeq(text, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			t.Fatalf("%s: got %q, want some of %s", variable, name, strings.Join(names, ","))
		}
		picked = append(picked, all[i])
	}
	return picked
}

// start starts the server and what stands before it, each as a process of its own. All of them run all the time.
func (b *bench) start(t testing.TB) {
	b.db = startMariaDB(t, "--general-log=OFF", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M")
	b.account = b.db.createAccount(t, "%")
	fillPoints(t, b.db, b.account)
	for _, side := range b.sides {
		b.proxies = append(b.proxies, side.start(t, b.db))
	}
}

// measure puts a load on a side.
func (b *bench) measure(t testing.TB, load *benchLoad, side int, size benchSize) benchFigures {
	t.Helper()
	p := b.proxies[side]
	m := meter{processes: [2]*process{p.process, b.db.process}}
	err := load.run(wireTarget{address: p.address, tls: p.tls, account: b.account}, size, &m)
	if err = errors.Join(err, m.err); err != nil {
		t.Fatalf("%s, %s: %v", load.name, b.sides[side].name, err)
	}
	return m.got
}

// profiling is how long a CPU profile is taken.
const profiling = 5 * time.Second

// profile writes CPU profiles of each Caddy under each load to dir. That is a run of its own, because a profile
// costs something, too.
func (b *bench) profile(t testing.TB, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range b.loads {
		for s, p := range b.proxies {
			if p.caddy == nil {
				continue
			}
			path := filepath.Join(dir, b.loads[i].name+"-"+b.sides[s].name+".pprof")
			done := make(chan error, 1)
			go func() { done <- p.caddy.profile(path) }()
			for {
				b.measure(t, &b.loads[i], s, b.size)
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
				default:
					continue
				}
				break
			}
		}
	}
}

// profile writes a CPU profile of the process to a file.
func (c *Caddy) profile(path string) error {
	response, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", c.admin, int(profiling.Seconds())))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s: %s", response.Status, body)
	}
	return os.WriteFile(path, body, 0o644)
}
