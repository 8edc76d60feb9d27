package mysqlproxy

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// newPool returns a pool of upstreams a:1, b:2, ... with these weights.
func newPool(t testing.TB, policy string, weights ...int) (*Pool, []*Upstream) {
	t.Helper()
	var members []Member
	var upstreams []*Upstream
	for i, weight := range weights {
		u := newUpstream(t, string(rune('a'+i))+":"+string(rune('1'+i)))
		upstreams = append(upstreams, u)
		members = append(members, Member{Upstream: u, Weight: weight})
	}
	p, err := NewPool(policy, members)
	if err != nil {
		t.Fatal(err)
	}
	return p, upstreams
}

func pick(t testing.TB, p *Pool, key string) *Reservation {
	t.Helper()
	var addr netip.Addr
	if key != "" {
		addr = netip.MustParseAddr(key)
	}
	r, err := p.Pick(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// picks returns the first letters of the upstreams of n picks, none of which sees another.
func picks(t testing.TB, p *Pool, n int) string {
	t.Helper()
	var s strings.Builder
	for range n {
		r := pick(t, p, "")
		s.WriteByte(r.Upstream().Address()[0])
		r.Release()
	}
	return s.String()
}

func down(u *Upstream, why string) { u.Report(errors.New(why), 1, 1, time.Unix(1000, 0)) }
func up(u *Upstream)               { u.Report(nil, 1, 1, time.Unix(1000, 0)) }

func TestNewPool(t *testing.T) {
	a, b := newUpstream(t, "a:1"), newUpstream(t, "b:2")
	for _, tt := range []struct {
		name, policy string
		members      []Member
		wantErr      string
	}{
		{"unknown policy", "best", []Member{{Upstream: a}}, `"best"`},
		{"empty", "", nil, "needs an upstream"},
		{"weight", "", []Member{{Upstream: a}, {Upstream: b, Weight: -2}}, "b:2: weight"},
		{"weight that would overflow", "", []Member{{Upstream: a, Weight: 65537}}, "a:1: weight"},
		{"max_connections", "first", []Member{{Upstream: a, MaxConnections: -1}}, "a:1: max_connections"},
		{"twice", "random", []Member{{Upstream: a}, {Upstream: b}, {Upstream: a}}, "a:1 stands there twice"},
	} {
		if _, err := NewPool(tt.policy, tt.members); err == nil || !strings.Contains(err.Error(), tt.wantErr) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.wantErr)
		}
	}
	p, err := NewPool("", []Member{{Upstream: a}, {Upstream: b, Weight: 65536}})
	if err != nil {
		t.Fatal(err)
	}
	if m := p.Members(); len(m) != 2 || m[0] != (Member{Upstream: a, Weight: 1}) || m[1].Upstream != b {
		t.Errorf("members: got %+v", m)
	}
}

func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		policy  string
		weights []int
		want    string
	}{
		{"round_robin", []int{0, 0, 0}, "abcabcabc"},
		{"round_robin", []int{3, 1}, "aabaaaba"},
		{"round_robin", []int{5, 1, 1}, "aabacaaaabacaa"},
		{"first", []int{1, 5}, "aaaa"},
		// Short connections: each begins when there is none.
		{"least_conn", []int{0, 0, 0}, "abcabcabc"},
		{"", []int{1, 1}, "ababab"},
		{"least_conn", []int{3, 1}, "aabaaaba"},
	} {
		p, _ := newPool(t, tt.policy, tt.weights...)
		if got := picks(t, p, len(tt.want)); got != tt.want {
			t.Errorf("%s %v: got %s, want %s", tt.policy, tt.weights, got, tt.want)
		}
	}
}

// TestTurnsOfThoseLeft: the turns of the healthy ones are even while another one is down, and after it.
func TestTurnsOfThoseLeft(t *testing.T) {
	for _, policy := range []string{"round_robin", "least_conn"} {
		p, upstreams := newPool(t, policy, 1, 1, 1)
		down(upstreams[1], "gone")
		got := picks(t, p, 40)
		if strings.Contains(got, "b") || strings.Count(got, "a") != 20 {
			t.Errorf("%s with b down: got %s", policy, got)
		}
		up(upstreams[1])
		got = picks(t, p, 30)
		for _, name := range []string{"a", "b", "c"} {
			if n := strings.Count(got, name); n < 9 || n > 11 {
				t.Errorf("%s with b back: got %s", policy, got)
			}
		}
	}
}

// TestLeastConnProperty begins and ends sessions at random. Each new one goes where fewest are for the
// weight. When sessions only begin, or end as evenly, the counts for the weight are within one of each other.
func TestLeastConnProperty(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 4))
		weights := make([]int, 1+random.IntN(6))
		for i := range weights {
			weights[i] = 1
			if seed%2 == 1 {
				weights[i] += random.IntN(5)
			}
		}
		p, upstreams := newPool(t, "least_conn", weights...)
		weight := make(map[*Upstream]int)
		for i, u := range upstreams {
			weight[u] = weights[i]
		}
		load := func(u *Upstream) float64 { return float64(u.Status().Reserved) / float64(weight[u]) }
		var open []*Reservation
		for range 300 {
			if len(open) > 0 && random.IntN(5) < 2 {
				i := random.IntN(len(open))
				open[i].Release()
				open = append(open[:i], open[i+1:]...)
				continue
			}
			r := pick(t, p, "")
			before := (float64(r.Upstream().Status().Reserved) - 1) / float64(weight[r.Upstream()])
			for _, u := range upstreams {
				if u != r.Upstream() && load(u) < before {
					t.Fatalf("seed %d, weights %v: %s was taken at %.2f, and %s is at %.2f",
						seed, weights, r.Upstream().Address(), before, u.Address(), load(u))
				}
			}
			open = append(open, r)
		}

		// New sessions even out what random ends have left.
		for range 300 * len(weights) {
			open = append(open, pick(t, p, ""))
		}
		for _, u := range upstreams {
			for _, v := range upstreams {
				if load(u)-load(v) > 1 {
					t.Fatalf("seed %d, weights %v: %s is at %.2f, %s at %.2f",
						seed, weights, u.Address(), load(u), v.Address(), load(v))
				}
			}
		}
		for _, r := range open {
			r.Release()
		}
		for _, u := range upstreams {
			if n := u.Status().Reserved; n != 0 {
				t.Fatalf("seed %d: %d reservations of %s are left", seed, n, u.Address())
			}
		}
	}
}

// TestLeastConnBurst: sessions that begin at the same moment see each other.
func TestLeastConnBurst(t *testing.T) {
	p, upstreams := newPool(t, "least_conn", 1, 1, 1, 1)
	start := make(chan struct{})
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			<-start
			if _, err := p.Pick(netip.Addr{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	group.Wait()
	for _, u := range upstreams {
		if n := u.Status().Reserved; n != 10 {
			t.Errorf("%s: got %d of 40, want 10", u.Address(), n)
		}
	}
}

func TestRandom(t *testing.T) {
	p, _ := newPool(t, "random", 3, 1, 0)
	got := picks(t, p, 5000) // the bounds are six standard deviations away
	for name, want := range map[string]int{"a": 3000, "b": 1000, "c": 1000} {
		if n := strings.Count(got, name); n < want-210 || n > want+210 {
			t.Errorf("%s: got %d of 5000, want about %d", name, n, want)
		}
	}
}

func TestIPHash(t *testing.T) {
	p, upstreams := newPool(t, "ip_hash", 1, 1, 2)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
	chosen := func(p *Pool, key netip.Addr) *Upstream {
		t.Helper()
		r, err := p.Pick(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Release()
		return r.Upstream()
	}
	const n = 4000
	count := make(map[*Upstream]int)
	home := make([]*Upstream, n)
	for i := range home {
		home[i] = chosen(p, addr(i))
		count[home[i]]++
		if got := chosen(p, netip.AddrFrom16(addr(i).As16())); got != home[i] {
			t.Fatalf("%s: got %s, and %s as IPv6", addr(i), home[i].Address(), got.Address())
		}
	}
	for i, want := range []int{n / 4, n / 4, n / 2} {
		if got := count[upstreams[i]]; got < want-190 || got > want+190 { // six standard deviations
			t.Errorf("%s: got %d of %d, want about %d", upstreams[i].Address(), got, n, want)
		}
	}

	// Only the clients of the one that is down move, and they come back.
	down(upstreams[2], "gone")
	moved := make(map[*Upstream]int)
	for i := range home {
		got := chosen(p, addr(i))
		if home[i] != upstreams[2] && got != home[i] {
			t.Fatalf("%s moved from %s to %s, and c is down", addr(i), home[i].Address(), got.Address())
		}
		if home[i] == upstreams[2] {
			moved[got]++
		}
	}
	if len(moved) != 2 || moved[upstreams[2]] != 0 {
		t.Errorf("the clients of c went to %d upstreams, %d clients to c; want both others", len(moved), moved[upstreams[2]])
	}
	up(upstreams[2])
	for i := range home {
		if got := chosen(p, addr(i)); got != home[i] {
			t.Fatalf("%s did not come back to %s", addr(i), home[i].Address())
		}
	}

	// The order in which a configuration names them does not matter, and neither does the process.
	reversed, err := NewPool("ip_hash", []Member{
		{Upstream: upstreams[2], Weight: 2}, {Upstream: upstreams[1]}, {Upstream: upstreams[0]},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range home {
		if got := chosen(reversed, addr(i)); got != home[i] {
			t.Fatalf("%s: got %s, and %s in another order", addr(i), home[i].Address(), got.Address())
		}
	}
	if got := chosen(p, netip.Addr{}); got != chosen(p, netip.Addr{}) {
		t.Error("clients without an address have no home")
	}
	var fixed strings.Builder
	for i := range 16 {
		fixed.WriteByte(home[i].Address()[0])
	}
	if want := "bbcacccaccacccbb"; fixed.String() != want {
		t.Errorf("the first 16: got %s, want %s as in any other process", fixed.String(), want)
	}
}

func TestPickErrors(t *testing.T) {
	const none, refused = "none healthy", "1040"
	for _, tt := range []struct {
		name  string
		state [3]string // of a, b, c: words of down, tried, full
		want  string    // letters that may be picked, or the error
	}{
		{"all well", [3]string{"", "", ""}, "abc"},
		{"one down", [3]string{"", "down", ""}, "ac"},
		{"one tried", [3]string{"tried", "", ""}, "bc"},
		{"one full", [3]string{"", "", "full"}, "ab"},
		{"all down", [3]string{"down", "down", "down"}, none},
		{"all full", [3]string{"full", "full", "full"}, refused},
		{"all tried", [3]string{"tried", "tried", "tried"}, "tried"},
		{"full, the rest down", [3]string{"full", "down", "down"}, refused},
		{"full, the rest tried", [3]string{"full", "tried", "tried"}, refused},
		{"tried, the rest down", [3]string{"tried", "down", "down"}, "tried"},
		{"tried and down since", [3]string{"tried down", "down", "down"}, none},
		{"full and down", [3]string{"full down", "down", "down"}, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var members []Member
			tried := make(map[*Upstream]bool)
			for i, state := range tt.state {
				u := newUpstream(t, string(rune('a'+i))+":1")
				m := Member{Upstream: u, MaxConnections: 100}
				for _, word := range strings.Fields(state) {
					switch word {
					case "down":
						down(u, "gone fishing")
					case "tried":
						tried[u] = true
					case "full":
						m.MaxConnections = 1
						if _, ok := u.Reserve(1); !ok {
							t.Fatal("no place")
						}
					}
				}
				members = append(members, m)
			}
			p, err := NewPool("random", members)
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				r, err := p.Pick(netip.Addr{}, func(u *Upstream) bool { return tried[u] })
				var refusal *Refusal
				switch {
				case err == nil && strings.Contains(tt.want, r.Upstream().Address()[:1]):
					r.Release()
				case tt.want == none && errors.Is(err, ErrNoneHealthy) && strings.Contains(err.Error(), "b:1: gone"):
				case tt.want == "tried" && errors.Is(err, ErrAllTried):
				case tt.want == refused && errors.As(err, &refusal) && refusal.Code == 1040:
				default:
					t.Fatalf("got %v, %v; want %s", r, err, tt.want)
				}
			}
		})
	}
}

// TestPickRace: two pools share an upstream, and neither exceeds its places, whoever else is there.
func TestPickRace(t *testing.T) {
	const most = 5
	shared, spare := newUpstream(t, "a:1"), newUpstream(t, "b:2")
	var group sync.WaitGroup
	for range 2 {
		p, err := NewPool("first", []Member{
			{Upstream: shared, MaxConnections: most}, {Upstream: spare, MaxConnections: most},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			group.Go(func() {
				for range 300 {
					r, err := p.Pick(netip.Addr{}, nil)
					if err != nil {
						t.Errorf("eight goroutines and ten places: %v", err)
						return
					}
					if n := r.Upstream().Status().Reserved; n > most {
						t.Errorf("%d reservations of %s, at most %d", n, r.Upstream().Address(), most)
					}
					r.Release()
				}
			})
		}
	}
	group.Wait()
	if a, b := shared.Status().Reserved, spare.Status().Reserved; a != 0 || b != 0 {
		t.Errorf("in the end: got %d and %d reservations, want none", a, b)
	}
}
