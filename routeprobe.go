package l4mysql

import (
	"net"
	"time"

	"github.com/mholt/caddy-l4/layer4"
)

// A routeProbe finds out whether routes stand behind a handler in its own route, as a `subroute` has them. A list of
// routes begins with a read deadline for its matchers. Where the handler is the last in its route instead, the next
// handler returns at once, without touching the connection, and the routes that follow have yet to come.
//
// It takes itself out when it knows, and when a `mysql_proxy` has the connection. A tap goes below it.
type routeProbe struct {
	net.Conn
	cx     *layer4.Connection
	routed bool
}

func watchRoutes(cx *layer4.Connection) *routeProbe {
	p := &routeProbe{Conn: cx.Conn, cx: cx}
	cx.Conn = p
	return p
}

// SetReadDeadline is what a list of routes calls first.
func (p *routeProbe) SetReadDeadline(t time.Time) error {
	p.routed = true
	p.leave()
	return p.Conn.SetReadDeadline(t)
}

// CloseWrite ends the writing side.
func (p *routeProbe) CloseWrite() error { return closeWrite(p.Conn) }

func (p *routeProbe) leave() {
	if p.cx.Conn == net.Conn(p) {
		p.cx.Conn = p.Conn
	}
}

// settle takes a probe out of cx: what is read through it need not pass it.
func settle(cx *layer4.Connection) {
	if p, ok := cx.Conn.(*routeProbe); ok {
		p.leave()
	}
}
