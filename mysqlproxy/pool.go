package mysqlproxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

var (
	// ErrNoneHealthy says that each upstream that is left has failed its checks.
	ErrNoneHealthy = errors.New("mysqlproxy: no upstream is healthy")

	// ErrAllTried says that each upstream that could be used was tried for this login.
	ErrAllTried = errors.New("mysqlproxy: no other upstream to try")
)

// maxWeight keeps what policies compute with weights within an int of 32 bits, or 64 where they multiply.
const maxWeight = 1 << 16

// A Member is an upstream in a pool.
type Member struct {
	Upstream       *Upstream
	Weight         int // its share, compared to the others': at most 65536; 0 is 1
	MaxConnections int // with the reservations of every pool that names the upstream; 0 is no limit
}

// A Pool chooses between upstreams. Its methods may be called by several goroutines.
type Pool struct {
	members []Member
	choose  policy

	mu         sync.Mutex // one choice after the other: each sees the reservations of those before
	candidates []candidate
	credit     []int // of each member, for turns
}

// A candidate is a member that could be chosen, as it was when the choice began.
type candidate struct {
	*Member
	index    int // among the pool's members
	reserved int
}

// NewPool returns a pool with the policy of that name: "least_conn", "round_robin", "random", "first",
// "ip_hash", or "", which is least_conn.
func NewPool(policyName string, members []Member) (*Pool, error) {
	choose, ok := policies[policyName]
	if !ok {
		return nil, fmt.Errorf("mysqlproxy: no policy %q", policyName)
	}
	if len(members) == 0 {
		return nil, errors.New("mysqlproxy: a pool needs an upstream")
	}
	p := &Pool{members: slices.Clone(members), choose: choose, credit: make([]int, len(members))}
	for i := range p.members {
		m := &p.members[i]
		switch {
		case m.Weight < 0 || m.Weight > maxWeight:
			return nil, fmt.Errorf("mysqlproxy: upstream %s: weight must be in [1, %d], got %d",
				m.Upstream.Address(), maxWeight, m.Weight)
		case m.MaxConnections < 0:
			return nil, fmt.Errorf("mysqlproxy: upstream %s: max_connections must not be negative, got %d",
				m.Upstream.Address(), m.MaxConnections)
		case slices.ContainsFunc(p.members[:i], func(o Member) bool { return o.Upstream == m.Upstream }):
			return nil, fmt.Errorf("mysqlproxy: upstream %s stands there twice", m.Upstream.Address())
		}
		m.Weight = max(m.Weight, 1)
	}
	return p, nil
}

// Members returns the members, in the order of the configuration.
func (p *Pool) Members() []Member { return slices.Clone(p.members) }

// Pick chooses an upstream for a login from the original address key, and reserves a place there. Those that
// are not healthy and those that tried reports are left out; a nil tried reports none. It is called while others
// wait to pick.
//
// It fails with a [*Refusal] if the rest have no place, with [ErrAllTried] if nothing is left because of
// tried, and else with [ErrNoneHealthy] and what the checks say.
func (p *Pool) Pick(key netip.Addr, tried func(*Upstream) bool) (*Reservation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.candidates = p.candidates[:0]
	full, usedUp := false, false
	for i := range p.members {
		m := &p.members[i]
		s := m.Upstream.Status()
		switch {
		case s.Health == Unhealthy:
		case tried != nil && tried(m.Upstream):
			usedUp = true
		case m.MaxConnections > 0 && s.Reserved >= m.MaxConnections:
			full = true
		default:
			p.candidates = append(p.candidates, candidate{m, i, s.Reserved})
		}
	}
	for len(p.candidates) > 0 {
		i := p.choose(p, key, p.candidates)
		c := p.candidates[i]
		if r, ok := c.Upstream.Reserve(c.MaxConnections); ok {
			return r, nil
		}
		full = true // another pool has taken the last place
		p.candidates = slices.Delete(p.candidates, i, i+1)
	}
	switch {
	case full:
		return nil, TooManyConnections()
	case usedUp:
		return nil, ErrAllTried
	default:
		return nil, p.noneHealthy()
	}
}

func (p *Pool) noneHealthy() error {
	var why []string
	for _, m := range p.members {
		if s := m.Upstream.Status(); s.Failure != nil {
			why = append(why, fmt.Sprintf("%s: %v", m.Upstream.Address(), s.Failure))
		}
	}
	return fmt.Errorf("%w (%s)", ErrNoneHealthy, strings.Join(why, "; "))
}
