package l4mysql

import (
	"net"
	"sync/atomic"

	"github.com/mholt/caddy-l4/layer4"
)

// A carrier is what is known of the upstream of a connection: it is made before there is one, stands in the
// connection's variables, and may be asked from any goroutine.
type carrier struct{ leg atomic.Pointer[upstreamLeg] }

// An upstreamLeg is the connection to an upstream. It does not change.
type upstreamLeg struct {
	upstream      string // as the config names it
	remote, local string // the addresses of both ends; local is empty on a unix socket
	threadID      uint32 // the server's id of the connection
}

// publishCarrier returns cx's carrier, and makes it where no handler did so before.
func publishCarrier(cx *layer4.Connection) *carrier {
	c, _ := cx.GetVar(carrierVar).(*carrier)
	if c == nil {
		c = new(carrier)
		cx.SetVar(carrierVar, c)
		cx.Replacer().Map(c.replace)
	}
	return c
}

// carries publishes the connection to an upstream.
func (c *carrier) carries(upstream string, conn net.Conn, threadID uint32) {
	leg := &upstreamLeg{upstream: upstream, remote: addrText(conn.RemoteAddr()), threadID: threadID}
	if local := conn.LocalAddr(); local.Network() != "unix" { // that end of it has no name
		leg.local = addrText(local)
	}
	c.leg.Store(leg)
}

// upstreamLeg returns the connection to the upstream, or nil as long as there is none.
func (c *conversation) upstreamLeg() *upstreamLeg {
	if c.carrier == nil {
		return nil
	}
	return c.carrier.leg.Load()
}

// replace answers the placeholder for the upstream, empty as long as there is none.
func (c *carrier) replace(key string) (any, bool) {
	if key != mysqlPrefix+keyUpstream {
		return nil, false
	}
	if leg := c.leg.Load(); leg != nil {
		return leg.upstream, true
	}
	return "", true
}
