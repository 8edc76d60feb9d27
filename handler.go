package l4mysql

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// ProxyHeader reads the PROXY protocol header, version 1 or 2, that a load balancer puts before the bytes
// of a connection, and makes the connection carry the original addresses.
//
// It is an intermediary handler for stream connections of any protocol: put it first. A header is believed
// only if the socket's peer is allowed to send one; from any other peer it closes the connection. So does
// a header that breaks the specification, and a second one right behind the first. The header's bytes never
// reach the next handler, unless Keep is set. Refusals are logged at INFO, for each peer and reason once a
// minute at most.
//
// In mode optional, what must be known before the client has sent a byte cannot be right: the address in
// an outgoing PROXY header that is written when the upstream is dialed, ip_hash, remote_ip, and the address
// that the http app sees behind the layer4 listener wrapper. Use mode require for these.
type ProxyHeader struct {
	// Allow names the peers that may send a header: IP addresses, CIDR ranges, `private_ranges` for all
	// private and loopback addresses, and `unix` for all peers on a unix socket. What is compared is the
	// socket's peer. IPv4 addresses in IPv6 count as IPv4, and zones are left out. Placeholders are
	// resolved at provision and may hold several of these words. Required.
	Allow []string `json:"allow,omitempty"`

	// Mode says what to do where an allowed peer sends no header. With `require` the connection waits for
	// the header and is closed without one; other peers are closed at once. With `optional` nothing waits:
	// the header is read with the first bytes that the client sends, however late, and without one the
	// connection goes on with the socket's addresses. Default: `require`.
	Mode string `json:"mode,omitempty"`

	// Timeout is how long to wait for the end of a header: in mode require from the start of the
	// connection, in mode optional from the first byte that may begin a header. Default: 5s, also for zero.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// MaxSize is the largest length, in bytes, that a version 2 header may claim for its addresses and
	// TLVs; at most 65535. Default: 4096, also for zero. (Version 1 has a limit of its own, 107 bytes.)
	MaxSize int `json:"max_size,omitempty"`

	// Keep hands the header's bytes on, unchanged, to the next handler: for a server that reads PROXY
	// headers itself.
	Keep bool `json:"keep,omitempty"`

	allow     proxyheader.AllowList
	logger    *zap.Logger
	refusals  *refusalLimit
	warnStock sync.Once
}

// The values of [ProxyHeader].Mode.
const (
	modeRequire  = "require"
	modeOptional = "optional"
)

const (
	defaultHeaderTimeout = 5 * time.Second
	maxHeaderSize        = 65535 // of v2's 16-bit length
)

// Provision sets up the handler.
func (h *ProxyHeader) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.refusals = refusals
	if h.Mode == "" {
		h.Mode = modeRequire
	}
	if h.Timeout == 0 {
		h.Timeout = caddy.Duration(defaultHeaderTimeout)
	}
	if h.MaxSize == 0 {
		h.MaxSize = proxyheader.DefaultMaxLength
	}
	var err error
	if h.allow, err = parseRanges(h.Allow); err != nil {
		return fmt.Errorf("allow: %w", err)
	}
	return registerMetrics(ctx)
}

// parseRanges resolves the placeholders in words and parses what they then hold.
func parseRanges(words []string) (proxyheader.AllowList, error) {
	repl := caddy.NewReplacer()
	var resolved []string
	for _, word := range words {
		value, err := repl.ReplaceOrErr(word, true, true)
		if err != nil {
			return proxyheader.AllowList{}, err
		}
		resolved = append(resolved, strings.Fields(value)...)
	}
	return proxyheader.ParseAllowList(resolved)
}

// Validate checks the configuration.
func (h *ProxyHeader) Validate() error {
	switch {
	case len(h.Allow) == 0:
		return errors.New("allow: required: name the load balancers that may send a header, " +
			`for example "allow 10.0.0.0/8" or "allow private_ranges"`)
	case h.Mode != modeRequire && h.Mode != modeOptional:
		return fmt.Errorf("mode: '%s' is neither require nor optional", h.Mode)
	case h.Timeout < 0:
		return fmt.Errorf("timeout: must not be negative, got %s", time.Duration(h.Timeout))
	case h.MaxSize < 0 || h.MaxSize > maxHeaderSize:
		return fmt.Errorf("max_size: must be from 0 to %d bytes, got %d", maxHeaderSize, h.MaxSize)
	}
	return nil
}

// Handle reads the header, or makes cx read it later, and hands cx on. cx stays the same connection, with a
// [headerConn] below it.
func (h *ProxyHeader) Handle(cx *layer4.Connection, next layer4.Handler) error {
	warnStockProxyProtocol(cx, &h.warnStock, h.logger)
	state := publishHeaderState(cx)
	if isDatagram(state.local()) {
		h.refuse(state.peer(), reasonUnsupported, "")
		return nil
	}
	conn := &headerConn{Conn: cx.Conn, handler: h, state: state, trusted: h.allow.Contains(state.peer())}
	state.awaited.Store(h.Mode == modeOptional)
	if !conn.await(cx) {
		return nil // what a client did wrong is no error of ours, and layer4 closes the connection
	}
	cx.Conn = conn
	cx.SetVar(proxyProtocolVar, conn)
	return next.Handle(cx)
}

// Interface guards
var (
	_ caddy.Provisioner  = (*ProxyHeader)(nil)
	_ caddy.Validator    = (*ProxyHeader)(nil)
	_ layer4.NextHandler = (*ProxyHeader)(nil)
)
