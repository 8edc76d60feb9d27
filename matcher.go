package l4mysql

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// MatchProxyHeader matches what a `proxy_header` handler before it has read. Without options it matches a
// connection that a load balancer relays for a client: one whose header has the command PROXY. With
// options, each of them must match, and an option matches if one of its values does.
//
// It never reads and never waits. Before a header has come, which in the handler's mode optional may be
// late or never, and without that handler, Src, Dst and DstPort look at the socket's addresses, and
// everything else does not match. Put it behind the handler, in a later route or in a `subroute`.
type MatchProxyHeader struct {
	// Version is the header's version: 1 or 2.
	Version []int `json:"version,omitempty"`

	// Command is the header's command: `PROXY` for a relayed connection, `LOCAL` for one of the load
	// balancer's own, as a health check (UNKNOWN, in version 1).
	Command []string `json:"command,omitempty"`

	// Src is where the original client is: IP addresses, CIDR ranges, `private_ranges`, or `unix` for a
	// client on a unix socket. Placeholders are resolved at provision.
	Src []string `json:"src,omitempty"`

	// Dst is the address that the original client connected to, as in Src.
	Dst []string `json:"dst,omitempty"`

	// DstPort is the port that the original client connected to.
	DstPort []int `json:"dst_port,omitempty"`

	// TLV has values of the header's TLVs by name (`authority`, `unique_id`, `aws_vpce_id`, ...) or by
	// type (`0xNN`), each as the placeholder {l4.proxy_header.tlv.<name>} gives it. Every name must match.
	// Placeholders are resolved at provision.
	TLV map[string][]string `json:"tlv,omitempty"`

	// SSL is the TLS between the client and the load balancer: `verified` with a verified client
	// certificate, `any` for every TLS, `none` where the header tells of none.
	SSL []string `json:"ssl,omitempty"`

	// SSLCN is the common name of the client's certificate, which `ssl verified` says is to be believed.
	// Placeholders are resolved at provision.
	SSLCN []string `json:"ssl_cn,omitempty"`

	src, dst proxyheader.AllowList
	tlv      map[string][]string
	sslCN    []string
}

// The values of [MatchProxyHeader].SSL.
const (
	sslVerified = "verified"
	sslAny      = "any"
	sslNone     = "none"
)

// Provision sets up the matcher.
func (m *MatchProxyHeader) Provision(_ caddy.Context) error {
	var err error
	if m.src, err = parseRanges(m.Src); err != nil {
		return fmt.Errorf("src: %w", err)
	}
	if m.dst, err = parseRanges(m.Dst); err != nil {
		return fmt.Errorf("dst: %w", err)
	}
	m.tlv = make(map[string][]string, len(m.TLV))
	for name, values := range m.TLV {
		m.tlv[name] = resolve(values)
	}
	m.sslCN = resolve(m.SSLCN)
	return nil
}

// resolve resolves the placeholders in values; one that is not known becomes empty.
func resolve(values []string) []string {
	repl := caddy.NewReplacer()
	resolved := make([]string, 0, len(values))
	for _, value := range values {
		resolved = append(resolved, repl.ReplaceAll(value, ""))
	}
	return resolved
}

// Validate checks the configuration.
func (m *MatchProxyHeader) Validate() error {
	for _, version := range m.Version {
		if version != 1 && version != 2 {
			return fmt.Errorf("version: %d is neither 1 nor 2", version)
		}
	}
	for _, command := range m.Command {
		if command != proxyheader.Proxy.String() && command != proxyheader.Local.String() {
			return fmt.Errorf("command: '%s' is neither PROXY nor LOCAL", command)
		}
	}
	for _, port := range m.DstPort {
		if port < 0 || port > 65535 {
			return fmt.Errorf("dst_port: %d is not a port", port)
		}
	}
	for name, values := range m.TLV {
		if !proxyheader.ValidName(name) {
			return fmt.Errorf("tlv: '%s' is neither the name of a TLV nor a type as 0xNN", name)
		}
		if len(values) == 0 {
			return fmt.Errorf("tlv: %s has no value to match", name)
		}
	}
	for _, ssl := range m.SSL {
		if ssl != sslVerified && ssl != sslAny && ssl != sslNone {
			return fmt.Errorf("ssl: '%s' is none of verified, any, none", ssl)
		}
	}
	return nil
}

// Match reports whether the header on cx, or what the socket says in its stead, matches.
func (m *MatchProxyHeader) Match(cx *layer4.Connection) (bool, error) {
	state := headerStateOf(cx)
	if state == nil {
		state = new(headerState)
		state.peerAddr, state.localAddr = socketAddrs(cx)
	}
	return m.matchAddrs(state) && m.matchHeader(state.header()), nil
}

func (m *MatchProxyHeader) matchAddrs(s *headerState) bool {
	if len(m.Src) > 0 && !m.src.Contains(s.source()) {
		return false
	}
	if len(m.Dst) > 0 && !m.dst.Contains(s.destination()) {
		return false
	}
	if len(m.DstPort) > 0 {
		_, text := splitAddr(s.destination())
		port, err := strconv.Atoi(text)
		return err == nil && slices.Contains(m.DstPort, port)
	}
	return true
}

// matchHeader matches what is known from a header only. h may be nil.
func (m *MatchProxyHeader) matchHeader(h *receivedHeader) bool {
	options := len(m.Version) + len(m.Command) + len(m.TLV) + len(m.SSL) + len(m.SSLCN)
	bare := options+len(m.Src)+len(m.Dst)+len(m.DstPort) == 0
	switch {
	case bare:
		return h != nil && h.command == proxyheader.Proxy
	case options == 0:
		return true
	case h == nil:
		return false
	}
	if len(m.Version) > 0 && !slices.Contains(m.Version, int(h.number)) {
		return false
	}
	if len(m.Command) > 0 && !slices.Contains(m.Command, h.commandText()) {
		return false
	}
	for name, values := range m.tlv {
		if value, ok := h.tlvs.Lookup(name); !ok || !slices.Contains(values, value) {
			return false
		}
	}
	if len(m.SSL) == 0 && len(m.SSLCN) == 0 {
		return true
	}
	ssl, _ := h.tlvs.SSL()
	if len(m.SSL) > 0 && !slices.ContainsFunc(m.SSL, func(want string) bool { return matchSSL(&ssl, want) }) {
		return false
	}
	cn, ok := ssl.Lookup("cn")
	return len(m.SSLCN) == 0 || ok && slices.Contains(m.sslCN, cn)
}

// matchSSL matches the TLS that the load balancer ended; the zero value is none.
func matchSSL(ssl *proxyheader.SSL, want string) bool {
	switch want {
	case sslVerified:
		return ssl.Verified()
	case sslAny:
		return ssl.TLS()
	}
	return !ssl.TLS()
}

// Interface guards
var (
	_ caddy.Provisioner  = (*MatchProxyHeader)(nil)
	_ caddy.Validator    = (*MatchProxyHeader)(nil)
	_ layer4.ConnMatcher = (*MatchProxyHeader)(nil)
)
