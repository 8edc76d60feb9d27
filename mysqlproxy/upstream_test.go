package mysqlproxy

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

func newUpstream(t testing.TB, address string) *Upstream {
	t.Helper()
	u, err := NewUpstream(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNewUpstream(t *testing.T) {
	for _, tt := range []struct{ in, network, address, wantErr string }{
		{"db.example.com:3306", "tcp", "db.example.com:3306", ""},
		{"[2001:db8::7]:3307", "tcp", "[2001:db8::7]:3307", ""},
		{"unix//run/mysqld.sock", "unix", "/run/mysqld.sock", ""},
		{"unix/", "", "", "no path"},
		{"db.example.com", "", "", "missing port"},
		{"db.example.com:", "", "", "host:port"},
		{":3306", "", "", "host:port"},
		{"", "", "", "missing port"},
	} {
		u, err := NewUpstream(tt.in)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%q: got error %v, want %q in it", tt.in, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if network, address := u.Dialable(); network != tt.network || address != tt.address || u.Address() != tt.in {
			t.Errorf("%q: got %q, %q of %q", tt.in, network, address, u.Address())
		}
	}
}

func TestUpstreamGreeting(t *testing.T) {
	u := newUpstream(t, "a:1")
	select {
	case <-u.Greeted():
		t.Fatal("greeted before it was")
	default:
	}
	if g, ok := u.Greeting(); ok {
		t.Fatalf("got %+v before there was a greeting", g)
	}
	packet := []byte("8.4.3 some_plugin")
	u.SetGreeting(&mysqlwire.Greeting{ServerVersion: packet[:5], AuthPlugin: packet[6:], Capabilities: 7})
	copy(packet, "another packet....")
	<-u.Greeted()
	g, ok := u.Greeting()
	if !ok || string(g.ServerVersion) != "8.4.3" || string(g.AuthPlugin) != "some_plugin" || g.Capabilities != 7 {
		t.Errorf("got %+v, %t", g, ok)
	}
	u.SetGreeting(&mysqlwire.Greeting{ServerVersion: []byte("9.1.0")})
	if g, _ := u.Greeting(); string(g.ServerVersion) != "9.1.0" {
		t.Errorf("got %q, want the last greeting", g.ServerVersion)
	}
}

// TestReport: each letter of checks is one check, + or -, and each of want is the health after it.
func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name       string
		fall, rise int
		checks     string
		want       string // h, u; upper case where Report says that it has changed
	}{
		{"the first one decides", 3, 3, "+", "H"},
		{"the first one decides, too", 3, 3, "-", "U"},
		{"fall", 2, 1, "+--", "HhU"},
		{"fall in a row", 2, 1, "+-+-+--", "HhhhhhU"},
		{"rise", 2, 3, "-+++", "UuuH"},
		{"rise in a row", 2, 2, "-+-++", "UuuuH"},
		{"both", 2, 2, "+--++--", "HhUuHhU"},
		{"one is enough", 1, 1, "+-+-", "HUHU"},
		{"less than one is one", 0, -1, "+-+-", "HUHU"},
		{"no change", 2, 1, "++++", "Hhhh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newUpstream(t, "a:1")
			if s := u.Status(); s.Health != HealthUnknown || !s.Since.IsZero() || s.Failure != nil {
				t.Fatalf("before the first check: got %+v", s)
			}
			now := time.Unix(1000, 0)
			var got strings.Builder
			since := now
			for _, check := range tt.checks {
				now = now.Add(time.Second)
				var failure error
				if check == '-' {
					failure = errors.New("failed at " + now.String())
				}
				s, changed := u.Report(failure, tt.fall, tt.rise, now)
				letter := s.Health.String()[:1]
				if changed {
					letter = strings.ToUpper(letter)
					since = now
				}
				got.WriteString(letter)
				if !errors.Is(s.Failure, failure) || !s.Since.Equal(since) || s != u.Status() {
					t.Errorf("after %s: got %+v, want since %s, failure %v", got.String(), s, since, failure)
				}
			}
			if got.String() != tt.want {
				t.Errorf("after %s: got %s, want %s", tt.checks, got.String(), tt.want)
			}
		})
	}
}

func TestReservation(t *testing.T) {
	u := newUpstream(t, "a:1")
	counts := func(t *testing.T, reserved, sessions int) {
		t.Helper()
		if s := u.Status(); s.Reserved != reserved || s.Sessions != sessions {
			t.Fatalf("got %d reserved, %d sessions; want %d, %d", s.Reserved, s.Sessions, reserved, sessions)
		}
	}
	a, ok := u.Reserve(2)
	if !ok || a.Upstream() != u {
		t.Fatal("no place in an empty upstream")
	}
	b, ok := u.Reserve(2)
	if !ok {
		t.Fatal("no second place of two")
	}
	if _, ok := u.Reserve(2); ok {
		t.Fatal("a third place of two")
	}
	if c, ok := u.Reserve(0); !ok {
		t.Fatal("no place without a limit")
	} else {
		c.Release()
	}
	counts(t, 2, 0)
	a.Establish()
	a.Establish()
	counts(t, 2, 1)
	a.Release()
	a.Release()
	a.Establish()
	counts(t, 1, 0)
	b.Release()
	b.Establish()
	counts(t, 0, 0)
}

// TestReservationRace ends sessions on several paths at once: none counts twice, and none is left.
func TestReservationRace(t *testing.T) {
	const most = 7
	u := newUpstream(t, "a:1")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 300 {
				r, ok := u.Reserve(most)
				if !ok {
					continue
				}
				if s := u.Status(); s.Reserved < 1 || s.Reserved > most || s.Sessions > s.Reserved {
					t.Errorf("got %d reserved, %d sessions; at most %d", s.Reserved, s.Sessions, most)
				}
				var ends sync.WaitGroup
				ends.Go(r.Establish)
				ends.Go(r.Release)
				ends.Go(r.Release)
				ends.Wait()
			}
		})
	}
	group.Wait()
	if s := u.Status(); s.Reserved != 0 || s.Sessions != 0 {
		t.Errorf("in the end: got %d reserved, %d sessions, want none", s.Reserved, s.Sessions)
	}
}
