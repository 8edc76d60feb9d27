package l4mysql

import (
	"bytes"
	"net"
	"strings"
	"sync/atomic"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// A headerState is what is known of a connection's PROXY header. It is made before the header may have
// come, stands in the connection's variables, and may be asked from any goroutine: a late header shows
// up in it.
type headerState struct {
	peerAddr, localAddr net.Addr
	behindStock         bool // see [behindStockProxyProtocol]

	received atomic.Pointer[receivedHeader]
	awaited  atomic.Bool                                          // one may still come
	answer   atomic.Pointer[func(why reason) *mysqlproxy.Refusal] // what a client is told whose header is refused; nil: it may not speak MySQL
}

// answerRefusedHeader has a client of cx told, in MySQL, that a header that has yet to come is refused. It is called
// when the greeting goes to the client, which will have sent its login then.
func answerRefusedHeader(cx *layer4.Connection) {
	state := headerStateOf(cx)
	if state == nil || !state.awaited.Load() {
		return
	}
	peer, _ := splitAddr(state.peer())
	answer := func(why reason) *mysqlproxy.Refusal {
		if why == reasonUntrusted {
			return mysqlproxy.HeaderNotAccepted(peer)
		}
		return mysqlproxy.HeaderRefused()
	}
	state.answer.Store(&answer)
}

// A receivedHeader is what is left to know of an accepted header. It does not change any more.
type receivedHeader struct {
	number  uint8 // the header's version, 1 or 2
	command proxyheader.Command
	tlvs    proxyheader.TLVs // a copy

	source, destination net.Addr // nil where the header has no addresses: LOCAL, UNKNOWN, UNSPEC
	kept                int      // see [headerState.keptBytes]
}

// publishHeaderState returns cx's state, and makes it where no `proxy_header` handler did so before.
func publishHeaderState(cx *layer4.Connection) *headerState {
	state := headerStateOf(cx)
	if state == nil {
		state = new(headerState)
		state.peerAddr, state.localAddr = socketAddrs(cx)
		cx.SetVar(proxyHeaderVar, state)
		cx.Replacer().Map(state.replace)
	}
	state.behindStock = behindStockProxyProtocol(cx)
	return state
}

// headerStateOf returns cx's state, or nil where no `proxy_header` handler stands before. Only a
// handler or a matcher may call it, and only until it hands cx on.
func headerStateOf(cx *layer4.Connection) *headerState {
	state, _ := cx.GetVar(proxyHeaderVar).(*headerState)
	return state
}

// socketAddrs returns the addresses of the socket that cx was accepted on. cx.RemoteAddr is not asked:
// a handler before may have put an address there that the client chose. The replacer has them as they
// were at the accept.
func socketAddrs(cx *layer4.Connection) (peer, local net.Addr) {
	var ok bool
	val, _ := cx.Replacer().Get("l4.conn.remote_addr")
	if peer, ok = val.(net.Addr); !ok {
		peer = cx.RemoteAddr()
	}
	val, _ = cx.Replacer().Get("l4.conn.local_addr")
	if local, ok = val.(net.Addr); !ok {
		local = cx.LocalAddr()
	}
	return peer, local
}

// isDatagram reports whether a is the address of a datagram socket.
func isDatagram(a net.Addr) bool {
	network := a.Network()
	return strings.HasPrefix(network, "udp") || network == "unixgram"
}

// accept publishes h. Of its bytes only the TLVs are copied.
func (s *headerState) accept(h proxyheader.Header, kept int) {
	r := &receivedHeader{number: h.Version, command: h.Command, kept: kept}
	r.source, r.destination = h.SourceAddr(), h.DestinationAddr()
	if len(h.TLVs) > 0 {
		r.tlvs = bytes.Clone(h.TLVs)
	}
	s.received.Store(r)
}

// header returns the accepted header, or nil as long as there is none.
func (s *headerState) header() *receivedHeader { return s.received.Load() }

// peer returns the immediate peer's address: the load balancer's, where there is one.
func (s *headerState) peer() net.Addr { return s.peerAddr }

// local returns the address that the connection was accepted on.
func (s *headerState) local() net.Addr { return s.localAddr }

// source returns the original client's address: the header's, or else the peer's.
func (s *headerState) source() net.Addr {
	if h := s.header(); h != nil && h.source != nil {
		return h.source
	}
	return s.peerAddr
}

// destination returns the address that the original client connected to: the header's, or else local.
func (s *headerState) destination() net.Addr {
	if h := s.header(); h != nil && h.destination != nil {
		return h.destination
	}
	return s.localAddr
}

// keptBytes returns how many of the first bytes that the next handler reads are the header, because of
// `keep`. It is known once the first of them was read.
func (s *headerState) keptBytes() int {
	if h := s.header(); h != nil {
		return h.kept
	}
	return 0
}
