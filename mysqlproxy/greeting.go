package mysqlproxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Flavour is one of the two servers that MySQL has become. Client libraries speak to each in another way.
type Flavour string

// The flavours. Percona Server, TiDB, Vitess and others are MySQL to their clients.
const (
	MySQL   Flavour = "MySQL"
	MariaDB Flavour = "MariaDB"
)

// FlavourOf tells which server has sent g. The version can be set by the server's administrator, but
// clients go by it, too: a MariaDB in disguise is MySQL to them unless it offers MariaDB's capabilities.
func FlavourOf(g *mysqlwire.Greeting) Flavour {
	// MariaDB 10 hides its major version from old replicas.
	if g.Capabilities&extendedCapabilities != 0 ||
		bytes.Contains(g.ServerVersion, []byte("MariaDB")) || bytes.HasPrefix(g.ServerVersion, []byte("5.5.5-")) {
		return MariaDB
	}
	return MySQL
}

// A Source is an upstream's greeting.
type Source struct {
	Address  string // for errors
	Greeting mysqlwire.Greeting
}

// MirrorOptions are what the greeting for clients does not take from the upstreams.
type MirrorOptions struct {
	TLS           bool   // offer TLS
	ServerVersion string // empty: the first upstream's
	AuthPlugin    string // empty: the first upstream's
}

// Mirror returns the greeting for clients whose upstream is not chosen yet: it may be any of sources. It
// offers what the proxy can carry and each of them has. Version, character set, status and authentication
// plugin are the first one's. The thread id is left to the caller.
//
// It fails if there is no source, if some are MariaDB and others MySQL, and if one lacks what an
// authentication switch needs. The error names the upstreams.
func Mirror(sources []Source, o MirrorOptions) (mysqlwire.Greeting, error) {
	if len(sources) == 0 {
		return mysqlwire.Greeting{}, errors.New("mysqlproxy: no upstream has greeted")
	}
	first := &sources[0]
	flavour := FlavourOf(&first.Greeting)
	caps := Carried
	for i := range sources {
		s := &sources[i]
		if f := FlavourOf(&s.Greeting); f != flavour {
			return mysqlwire.Greeting{}, fmt.Errorf(
				"mysqlproxy: upstreams of both flavours: %s is %s, %s is %s", first.Address, flavour, s.Address, f)
		}
		if lacks := needed &^ s.Greeting.Capabilities; lacks != 0 {
			return mysqlwire.Greeting{}, fmt.Errorf(
				"mysqlproxy: upstream %s lacks %s", s.Address, capabilityNames(lacks))
		}
		caps &= s.Greeting.Capabilities
	}
	caps &^= mysqlwire.TLS | mysqlwire.LongPassword
	if o.TLS {
		caps |= mysqlwire.TLS
	}
	if caps&extendedCapabilities == 0 {
		caps |= mysqlwire.LongPassword // or clients of MariaDB would look for extended ones
	}

	g := first.Greeting
	g.Capabilities, g.ThreadID = caps, 0
	if o.ServerVersion != "" {
		g.ServerVersion = []byte(o.ServerVersion)
	}
	if o.AuthPlugin != "" {
		g.AuthPlugin = []byte(o.AuthPlugin)
	}
	return g, nil
}

// Scramble returns a nonce for a greeting: 20 random bytes of 7 bits, none of them NUL, which ends it, or
// '$', which separates fields where caching_sha2_password stores it.
func Scramble() (scramble [20]byte) {
	var random [64]byte
	for n := 0; n < len(scramble); {
		rand.Read(random[:])
		for _, b := range random {
			if b &= 0x7f; b != 0 && b != '$' && n < len(scramble) {
				scramble[n] = b
				n++
			}
		}
	}
	return scramble
}
