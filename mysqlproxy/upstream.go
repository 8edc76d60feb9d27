package mysqlproxy

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// Health is what the checks of an upstream say.
type Health uint8

// The states of health. An upstream that no check has answered for yet is used like a healthy one.
const (
	HealthUnknown Health = iota
	Healthy
	Unhealthy
)

// String returns the state as logs have it.
func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	default:
		return "unknown"
	}
}

// An Upstream is what is known of one server: its last greeting, its health, and how many sessions it has
// from here. It belongs to the process: each pool that names the address shares it, before and after a
// change of the configuration. Its methods may be called by several goroutines.
type Upstream struct {
	network, address string
	greeted          chan struct{} // closed by the first greeting

	mu       sync.Mutex
	greeting mysqlwire.Greeting // its slices do not change
	health   Health
	since    time.Time // of health; zero while it is unknown
	failure  error     // of the last check; nil if it succeeded
	against  int       // checks in a row that say the opposite of health

	reserved, sessions int
}

// NewUpstream returns the upstream at address: host:port, or unix/ and the path of a socket.
func NewUpstream(address string) (*Upstream, error) {
	u := &Upstream{network: "tcp", address: address, greeted: make(chan struct{})}
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		if path == "" {
			return nil, fmt.Errorf("mysqlproxy: upstream %q: no path behind unix/", address)
		}
		u.network, u.address = "unix", path
		return u, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("mysqlproxy: upstream %q: %w", address, err)
	}
	if host == "" || port == "" {
		return nil, fmt.Errorf("mysqlproxy: upstream %q: want host:port or unix/path", address)
	}
	return u, nil
}

// Address returns the address as [NewUpstream] was given it.
func (u *Upstream) Address() string {
	if u.network == "unix" {
		return "unix/" + u.address
	}
	return u.address
}

// Dialable returns the address as [net.Dial] wants it.
func (u *Upstream) Dialable() (network, address string) { return u.network, u.address }

// SetGreeting keeps a copy of the server's greeting. Every greeting of the server is told, a session's like a
// health check's: a server that has another version after its restart is soon known by it.
func (u *Upstream) SetGreeting(g *mysqlwire.Greeting) {
	own := *g
	own.ServerVersion, own.AuthPlugin = bytes.Clone(g.ServerVersion), bytes.Clone(g.AuthPlugin)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.greeting = own
	select {
	case <-u.greeted:
	default:
		close(u.greeted)
	}
}

// Greeting returns the last greeting, and whether there was one. What its slices point to is not to be
// changed.
func (u *Upstream) Greeting() (g mysqlwire.Greeting, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case <-u.greeted:
		return u.greeting, true
	default:
		return g, false
	}
}

// Greeted is closed when there is a greeting.
func (u *Upstream) Greeted() <-chan struct{} { return u.greeted }

// A Status is an upstream at one moment.
type Status struct {
	Health   Health
	Since    time.Time // when Health became so; zero if it is unknown
	Failure  error     // why the last check failed; nil if it did not
	Reserved int       // reservations, with the sessions among them
	Sessions int       // sessions that the server has accepted
}

// Status returns how the upstream does.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status()
}

func (u *Upstream) status() Status {
	return Status{u.health, u.since, u.failure, u.reserved, u.sessions}
}

// Report tells of a check: failure is nil if it succeeded. The first one decides; from then on it takes fall
// failures in a row to become unhealthy, and rise successes to become healthy. Values below 1 count as 1. It
// returns how the upstream does now, and whether its health has changed.
func (u *Upstream) Report(failure error, fall, rise int, now time.Time) (s Status, changed bool) {
	says, needed := Healthy, rise
	if failure != nil {
		says, needed = Unhealthy, fall
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failure = failure
	if says == u.health {
		u.against = 0
		return u.status(), false
	}
	if u.against++; u.health != HealthUnknown && u.against < needed {
		return u.status(), false
	}
	u.health, u.since, u.against = says, now, 0
	return u.status(), true
}

// Reserve takes a place for a session, before the server is asked: sessions that begin together must see each
// other. It fails if most places are taken already; most 0 is no limit.
func (u *Upstream) Reserve(most int) (r *Reservation, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if most > 0 && u.reserved >= most {
		return nil, false
	}
	u.reserved++
	return &Reservation{upstream: u}, true
}

// A Reservation is a session's place in the count of an upstream. Its methods may be called by several
// goroutines.
type Reservation struct {
	upstream              *Upstream
	established, released bool // the upstream's lock guards them
}

// Upstream returns the upstream that the place is in.
func (r *Reservation) Upstream() *Upstream { return r.upstream }

// Establish says that the server has accepted the login. Only the first call before Release counts.
func (r *Reservation) Establish() {
	r.upstream.mu.Lock()
	defer r.upstream.mu.Unlock()
	if !r.established && !r.released {
		r.established = true
		r.upstream.sessions++
	}
}

// Release gives the place back. Only the first call counts, so that each path on which a session may end can
// call it.
func (r *Reservation) Release() {
	r.upstream.mu.Lock()
	defer r.upstream.mu.Unlock()
	if r.released {
		return
	}
	r.released = true
	r.upstream.reserved--
	if r.established {
		r.upstream.sessions--
	}
}
