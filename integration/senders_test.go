package integration

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
)

// A Sender is a load balancer that sends PROXY headers.
type Sender struct {
	Addr     string                              // where it takes connections
	Source   netip.Addr                          // where it says that they come from
	Sessions func(t testing.TB, n int) []Session // what its log says of the n connections that it had
}

// senders are the load balancers that every way of a connection is tried with, each with the header of its
// kind. start makes one that has caddy as its server.
var senders = []struct {
	name  string
	start func(t testing.TB, caddy Endpoint) Sender
}{
	{"send-proxy", func(t testing.TB, caddy Endpoint) Sender {
		return startSender(t, randomIPv4(), "127.0.0.1", caddy.IPv4+" send-proxy")
	}},
	{"send-proxy-v2", func(t testing.TB, caddy Endpoint) Sender {
		return startSender(t, randomIPv4(), "127.0.0.1", caddy.IPv4+" send-proxy-v2")
	}},
	{"send-proxy IPv6", func(t testing.TB, caddy Endpoint) Sender {
		return startSender(t, randomIPv6(), "[::1]", caddy.IPv6+" send-proxy")
	}},
	{"send-proxy-v2 IPv6", func(t testing.TB, caddy Endpoint) Sender {
		return startSender(t, randomIPv6(), "[::1]", caddy.IPv6+" send-proxy-v2")
	}},
	{"send-proxy-v2-ssl-cn", func(t testing.TB, caddy Endpoint) Sender {
		return startTLSSender(t, randomIPv4(), "127.0.0.1", caddy.IPv4).Sender
	}},
	{"send-proxy-v2-ssl-cn IPv6", func(t testing.TB, caddy Endpoint) Sender {
		return startTLSSender(t, randomIPv6(), "[::1]", caddy.IPv6).Sender
	}},
	{"nginx", startNginxSender},
}

// An Endpoint is a port of Caddy on both loopback addresses.
type Endpoint struct {
	IPv4, IPv6 string // host:port
}

// newEndpoint returns an endpoint that is free.
func newEndpoint(t testing.TB) Endpoint {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	return Endpoint{"127.0.0.1:" + port, "[::1]:" + port}
}

// String returns both addresses as a Caddyfile names them.
func (e Endpoint) String() string { return e.IPv4 + " " + e.IPv6 }

// startSender starts HAProxy before one server. The clients' address is the given one instead of the
// loopback address that they really have; their port is the real one.
func startSender(t testing.TB, source netip.Addr, listen, server string) Sender {
	t.Helper()
	addr := fmt.Sprintf("%s:%d", listen, freePort(t))
	h := startHAProxy(t, fmt.Sprintf(`
listen in
	bind %s
	tcp-request connection set-src str(%s)
	unique-id-format %%[uuid]
	server caddy %s
`, addr, source, server))
	return Sender{addr, source, func(t testing.TB, n int) []Session { return h.sessions(t, "in", n) }}
}

// A TLSSender is a Sender where TLS ends.
type TLSSender struct {
	Sender
	CommonName string // of the client's certificate
	ServerName string // that the client asked for
}

// startTLSSender is startSender with a HAProxy where TLS ends: its header carries the client's certificate,
// the server's name, a unique id and a checksum. Clients need no TLS of their own, because HAProxy is also
// the client that has the certificate.
func startTLSSender(t testing.TB, source netip.Addr, listen, server string) TLSSender {
	t.Helper()
	authority, commonName, serverName := newAuthority(t), word(), word()+".example"
	addr, inner := fmt.Sprintf("%s:%d", listen, freePort(t)), fmt.Sprintf("%s:%d", listen, freePort(t))
	h := startHAProxy(t, fmt.Sprintf(`
listen in
	bind %[1]s
	tcp-request connection set-src str(%[2]s)
	server tls %[3]s ssl crt %[4]s ca-file %[5]s verify required verifyhost %[6]s sni str(%[6]s) send-proxy-v2
listen tls
	bind %[3]s accept-proxy ssl crt %[7]s ca-file %[5]s verify required
	unique-id-format %%[uuid]
	server caddy %[8]s send-proxy-v2-ssl-cn proxy-v2-options crc32c,unique-id,authority
`, addr, source, inner, authority.issue(t, commonName), authority.File, serverName, authority.issue(t, serverName), server))
	sessions := func(t testing.TB, n int) []Session { return h.sessions(t, "tls", n) }
	return TLSSender{Sender{addr, source, sessions}, commonName, serverName}
}

// startNginxSender starts nginx, which sends headers of version 1.
func startNginxSender(t testing.TB, caddy Endpoint) Sender {
	t.Helper()
	addr := local(freePort(t))
	n := startNginx(t, fmt.Sprintf(`
	server {
		listen %s;
		proxy_pass %s;
		proxy_protocol on;
	}
`, addr, caddy.IPv4))
	return Sender{addr, netip.MustParseAddr("127.0.0.1"), n.sessions}
}
