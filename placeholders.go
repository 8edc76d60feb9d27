package l4mysql

import (
	"net"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// replace answers the placeholders below [proxyHeaderPrefix] with what is known at this moment. It is a
// caddy.ReplacerFunc, mapped once, and may be called from any goroutine.
func (s *headerState) replace(key string) (any, bool) {
	name, ok := strings.CutPrefix(key, proxyHeaderPrefix)
	if !ok {
		return nil, false
	}
	switch name {
	case keySrc:
		return addrText(s.source()), true
	case keySrcIP:
		ip, _ := splitAddr(s.source())
		return ip, true
	case keySrcPort:
		_, port := splitAddr(s.source())
		return port, true
	case keyDst:
		return addrText(s.destination()), true
	case keyDstIP:
		ip, _ := splitAddr(s.destination())
		return ip, true
	case keyDstPort:
		_, port := splitAddr(s.destination())
		return port, true
	case keyPeer:
		return addrText(s.peerAddr), true
	case keyVersion:
		return s.header().versionText(), true
	case keyCommand:
		return s.header().commandText(), true
	case keySSL, keySSLVersion, keySSLCN, keySSLCipher, keySSLSigAlg, keySSLKeyAlg, keySSLVerified:
		return s.header().lookup(strings.Replace(name, ".", "_", 1)), true
	}
	if tlv, ok := strings.CutPrefix(name, keyTLV); ok {
		return s.header().lookup(tlv), true
	}
	return nil, false
}

// versionText returns "1", "2", or "" for no header.
func (r *receivedHeader) versionText() string {
	if r == nil {
		return ""
	}
	return strconv.Itoa(int(r.number))
}

// commandText returns the specification's word for the command, or "" for no header.
func (r *receivedHeader) commandText() string {
	if r == nil {
		return ""
	}
	return r.command.String()
}

// lookup returns the text of the first TLV of that name or type, or "".
func (r *receivedHeader) lookup(name string) string {
	if r == nil {
		return ""
	}
	value, _ := r.tlvs.Lookup(name)
	return value
}

// addrText returns a as text. The path of a UNIX address comes from the network.
func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	if caddy.IsUnixNetwork(a.Network()) {
		return proxyheader.Text([]byte(a.String()))
	}
	return a.String()
}

// splitAddr returns a's IP address, with its zone, and its port; both are empty where a has none.
func splitAddr(a net.Addr) (ip, port string) {
	if a == nil || caddy.IsUnixNetwork(a.Network()) {
		return "", ""
	}
	ip, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", ""
	}
	return ip, port
}
