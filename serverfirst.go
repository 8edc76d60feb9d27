package l4mysql

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// serverFirst is the way of a client that nobody has greeted: the upstream's greeting goes to it untouched, and so does
// everything else.
func (c *carriage) serverFirst() way {
	var server *mysqlproxy.CourteousLeg
	var greeting []byte
	return way{
		open: func(ctx context.Context, to *target) error {
			conn, g, raw, err := mysqlproxy.ReadGreeting(ctx, to.conn)
			if err != nil {
				return err
			}
			server, greeting = mysqlproxy.NewCourteousLeg(conn, &g, raw[3]), raw
			c.chosen(to, &g)
			answerRefusedHeader(c.cx)
			return nil
		},
		carry: func(to *target) {
			follower := newFollower(c.userChanged)
			follower.FromServer(greeting)
			if _, err := c.client.Write(greeting); err != nil {
				_ = server.Close()
				return
			}
			var client, upstream net.Conn = c.client, server
			if c.ProxyProtocol != nil {
				client = &singleHeader{clientLeg: c.client}
			}
			if c.lateHeader() {
				state := headerStateOf(c.cx)
				upstream = &headerFirst{CourteousLeg: server, header: func() ([]byte, error) {
					return c.ProxyProtocol.header(c.ProxyProtocol.outgoingOf(state), c.logger)
				}}
			}
			c.carry(to, client, upstream, follower)
		},
	}
}

// endToEnd fails if the config wants another TLS with an upstream than the client's own, which is all there is without
// a `mysql_login`.
func (h *MySQLProxy) endToEnd() error {
	for _, u := range h.Upstreams {
		if u.TLS != "" && u.TLS != tlsAsClient {
			return fmt.Errorf("tls %s: without mysql_login, TLS is between the client and the upstream; set tls as_client, "+
				"or put mysql_login before mysql_proxy", u.TLS)
		}
	}
	return nil
}

// passThrough is the way of a client whose TLS does not end here: the upstream gets what the client has sent, and
// answers it.
func (c *carriage) passThrough() way {
	var server *mysqlproxy.CourteousLeg
	return way{
		open: func(ctx context.Context, to *target) error {
			conn, g, raw, err := mysqlproxy.ReadGreeting(ctx, to.conn)
			if err != nil {
				return err
			}
			server = mysqlproxy.NewCourteousLeg(conn, &g, raw[3])
			c.chosen(to, &g)
			if err := c.passable(&g); err != nil {
				_ = server.Close()
				return err
			}
			_, err = server.Write(c.login.replay)
			return err
		},
		carry: func(to *target) {
			c.carry(to, c.client, server, nil)
		},
	}
}

// passable fails if an upstream cannot take over the client's TLS.
func (c *carriage) passable(g *mysqlwire.Greeting) error {
	if !g.Capabilities.Has(mysqlwire.TLS) {
		return errNoPassage
	}
	differing := mysqlproxy.Differing(c.login.parsed.Capabilities, c.login.greeting.Capabilities, g.Capabilities)
	if differing != 0 {
		return &mysqlproxy.CapabilityError{Lacking: differing}
	}
	return nil
}

// errNoPassage says that an upstream cannot take over a client's TLS.
var errNoPassage = errors.New("the upstream offers no TLS, which tls_passthrough needs; turn it on there")

// errHeaderToCome says that what an upstream must be told first is not known yet.
var errHeaderToCome = errors.New("the PROXY header for the upstream is due before the client's own has come; set mode require " +
	"in proxy_header, or proxy_protocol with mariadb, which takes it late")

// header returns the PROXY header that goes to the upstream first; nothing where none does.
func (c *carriage) header() ([]byte, error) {
	switch {
	case c.ProxyProtocol == nil || c.lateHeader():
		return nil, nil
	case c.headerToCome():
		return nil, errHeaderToCome
	}
	return c.ProxyProtocol.header(c.ProxyProtocol.outgoing(c.cx), c.logger)
}

// headerToCome reports whether a PROXY header of the client may still come.
func (c *carriage) headerToCome() bool {
	state := headerStateOf(c.cx)
	return state != nil && state.awaited.Load()
}

// lateHeader reports whether the header for the upstream goes with the client's first bytes.
func (c *carriage) lateHeader() bool {
	return c.ProxyProtocol != nil && c.ProxyProtocol.Server == serverMariaDB && c.login == nil && c.headerToCome()
}

// A headerFirst puts a PROXY header before the first bytes that are written.
type headerFirst struct {
	*mysqlproxy.CourteousLeg
	header func() ([]byte, error) // nil once it is written
}

// Write writes both at once: MariaDB reads a header in very few pieces.
func (h *headerFirst) Write(p []byte) (int, error) {
	if h.header == nil {
		return h.CourteousLeg.Write(p)
	}
	header, err := h.header()
	if err != nil {
		return 0, err
	}
	h.header = nil
	return h.WriteBehind(header, p)
}

// Interface guards
var _ net.Conn = (*headerFirst)(nil)
