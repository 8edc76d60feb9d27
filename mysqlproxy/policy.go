package mysqlproxy

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/netip"
)

// A policy returns the index of the candidate to take. There is at least one. It may change their order.
type policy func(p *Pool, key netip.Addr, candidates []candidate) int

var policies = map[string]policy{
	"":            leastConn,
	"least_conn":  leastConn,
	"round_robin": roundRobin,
	"random":      random,
	"first":       first,
	"ip_hash":     ipHash,
}

// leastConn takes the one with the fewest reservations for its weight, and by turns between equals: else all
// of many short connections, none of which sees another, would go to the first.
func leastConn(p *Pool, key netip.Addr, candidates []candidate) int {
	equals := 0 // in front; none has less
	for i := range candidates {
		switch less, equal := lessLoad(&candidates[i], &candidates[0]); {
		case less:
			candidates[0], candidates[i] = candidates[i], candidates[0]
			equals = 1
		case equal:
			candidates[equals], candidates[i] = candidates[i], candidates[equals]
			equals++
		}
	}
	return roundRobin(p, key, candidates[:equals])
}

// lessLoad compares reservations divided by weight.
func lessLoad(a, b *candidate) (less, equal bool) {
	x, y := int64(a.reserved)*int64(b.Weight), int64(b.reserved)*int64(a.Weight)
	return x < y, x == y
}

// roundRobin takes one after the other, each as often as its weight says, and the turns of the heavier spread
// out (a, b, a, not a, a, b). Those that are no candidates keep their place.
func roundRobin(p *Pool, _ netip.Addr, candidates []candidate) int {
	best, total := 0, 0
	for i := range candidates {
		c := &candidates[i]
		p.credit[c.index] += c.Weight
		total += c.Weight
		if p.credit[c.index] > p.credit[candidates[best].index] {
			best = i
		}
	}
	p.credit[candidates[best].index] -= total
	return best
}

// random takes one at random, by weight.
func random(_ *Pool, _ netip.Addr, candidates []candidate) int {
	total := 0
	for i := range candidates {
		total += candidates[i].Weight
	}
	i, n := 0, rand.IntN(total)
	for n >= candidates[i].Weight {
		n -= candidates[i].Weight
		i++
	}
	return i
}

// first takes the first in the order of the configuration: the others stand by.
func first(*Pool, netip.Addr, []candidate) int { return 0 }

// ipHash takes the same upstream for the same key, as long as it is a candidate: only the clients of one that
// fails go elsewhere, and they come back. Any process with the same upstreams makes the same choice. All
// clients without an IP address have one key.
//
// Weighted rendezvous hashing: of numbers drawn from (key, upstream), the highest wins.
func ipHash(_ *Pool, key netip.Addr, candidates []candidate) int {
	best, highest := 0, math.Inf(-1)
	ip := key.As16()
	for i := range candidates {
		h := fnv.New64a()
		h.Write(ip[:])
		h.Write([]byte(candidates[i].Upstream.Address()))
		if score := -float64(candidates[i].Weight) / math.Log(fraction(h.Sum64())); score > highest {
			best, highest = i, score
		}
	}
	return best
}

// fraction turns a hash into a number between 0 and 1, neither included. FNV's last bytes hardly reach the
// upper bits, which count most: MurmurHash3's finalizer spreads them.
func fraction(h uint64) float64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return (float64(h>>12) + 0.5) / (1 << 52)
}
