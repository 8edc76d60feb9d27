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
	id        string // an xid, as text like the addresses: every record has them
	start     time.Time
	client    string // the socket's peer: the load balancer, where there is one
	listen    string // the address that the connection was accepted on
	header    *headerState
	carrier   *carrier // tells of the upstream, once `mysql_proxy` has one
	variables bool     // records have the system variables that the server tells of
	stock     net.Conn // of caddy-l4's own `proxy_protocol` handler, whose addresses are the header's
}

func newConversation(cx *layer4.Connection) *conversation {
	client, listen := socketAddrs(cx)
	c := &conversation{
		id: xid.New().String(), start: time.Now(), client: addrText(client), listen: addrText(listen),
		header: headerStateOf(cx), carrier: publishCarrier(cx),
	}
	if c.header == nil {
		c.stock, _ = cx.GetVar(proxyProtocolVar).(net.Conn)
	}
	return c
}

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
