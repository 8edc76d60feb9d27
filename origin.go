package l4mysql

import (
	"net"

	"github.com/mholt/caddy-l4/layer4"
)

// originAddr returns the original client's address: a PROXY header's, or else the socket's peer. Only a handler may
// ask, and only until it hands cx on.
func originAddr(cx *layer4.Connection) net.Addr {
	if state := headerStateOf(cx); state != nil {
		return state.source()
	}
	if conn, ok := cx.GetVar(proxyProtocolVar).(net.Conn); ok {
		return conn.RemoteAddr()
	}
	peer, _ := socketAddrs(cx)
	return peer
}

func originText(cx *layer4.Connection) string { return addrText(originAddr(cx)) }

// originHost returns what servers call the host of a client at that address.
func originHost(cx *layer4.Connection) string {
	if ip, _ := splitAddr(originAddr(cx)); ip != "" {
		return ip
	}
	return "localhost"
}

// isUnix reports whether cx was accepted on a unix socket, which nobody else can read.
func isUnix(cx *layer4.Connection) bool {
	_, local := socketAddrs(cx)
	return local.Network() == "unix"
}
