package l4mysql

import (
	"net"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/rs/xid"
)

// A conversation is what all records of one connection have in common: who talks, and since when. Its
// addresses may be asked from any goroutine, because the queue's asks when the connection has gone on.
type conversation struct {
	id     xid.ID
	start  time.Time
	client net.Addr // the socket's peer: the load balancer, where there is one
	listen net.Addr // the address that the connection was accepted on
	header *headerState
	stock  net.Conn // of caddy-l4's own `proxy_protocol` handler, whose addresses are the header's
}

func newConversation(cx *layer4.Connection) *conversation {
	c := &conversation{id: xid.New(), start: time.Now(), header: headerStateOf(cx)}
	c.client, c.listen = socketAddrs(cx)
	if c.header == nil {
		c.stock, _ = cx.GetVar(proxyProtocolVar).(net.Conn)
	}
	return c
}

func (c *conversation) clientAddr() string { return addrText(c.client) }
func (c *conversation) listenAddr() string { return addrText(c.listen) }

// headerAddrs returns the addresses in the connection's PROXY header, empty as long as there is none, or
// if it has none.
func (c *conversation) headerAddrs() (source, destination string) {
	switch {
	case c.stock != nil:
		return addrText(c.stock.RemoteAddr()), addrText(c.stock.LocalAddr())
	case c.header == nil:
		return "", ""
	}
	h := c.header.header()
	if h == nil || h.source == nil {
		return "", ""
	}
	return addrText(h.source), addrText(h.destination)
}

// keptBytes returns how many of the client's first bytes are a PROXY header.
func (c *conversation) keptBytes() int {
	if c.header == nil {
		return 0
	}
	return c.header.keptBytes()
}
