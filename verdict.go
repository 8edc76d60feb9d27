package l4mysql

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// writeGrace is how long the writes to a refused connection are told to have succeeded. `proxy` logs a
// failed write at ERROR until its other goroutine has seen the end of the client's bytes, which is a
// moment later.
const writeGrace = time.Second

// accept publishes the header h, the first n bytes of the connection, and returns how many bytes to drop.
func (c *headerConn) accept(h proxyheader.Header, n int) (drop int) {
	if c.handler.Keep {
		c.ahead = n
	} else {
		drop = n
	}
	c.phase = behindHeader
	c.state.accept(h, c.ahead)
	c.state.awaited.Store(false)
	r := c.state.header()
	proxyHeaders.WithLabelValues(r.versionText(), r.commandText(), resultOK).Inc()
	if entry := c.handler.logger.Check(zap.DebugLevel, "received PROXY header"); entry != nil {
		entry.Write(zap.Stringer("remote", c.state.peer()), zap.String("version", r.versionText()),
			zap.String("command", r.commandText()), zap.String("src", addrText(c.state.source())))
	}
	return drop
}

// pass lets the client's first bytes through, which are no header, unless there must be one.
func (c *headerConn) pass() {
	if c.handler.Mode == modeRequire {
		c.refuse(reasonMissing, "")
		return
	}
	c.phase = passing
	c.state.awaited.Store(false)
	proxyHeaders.WithLabelValues("", "", resultNone).Inc()
}

// leave notes that the peer went away without a byte, as a TCP check does. That is no refusal, but in
// mode require the next handler need not hear of it.
func (c *headerConn) leave() {
	c.phase = passing
	if c.handler.Mode == modeRequire {
		c.phase = refused
	}
	proxyHeaders.WithLabelValues("", "", resultEmpty).Inc()
	if entry := c.handler.logger.Check(zap.DebugLevel, "peer left without sending a byte"); entry != nil {
		entry.Write(zap.Stringer("remote", c.state.peer()))
	}
}

// refuse ends the connection for the reason r. version is that of the header in question, or "", and more
// goes into the log line.
func (c *headerConn) refuse(r reason, version string, more ...zap.Field) {
	c.phase, c.why = refused, r
	c.handler.refuse(c.state.peer(), r, version, more...)
}

// hangUp closes the connection below, so that the client notices at once, whatever the server does. Where it speaks
// MySQL it is told why, as MariaDB does.
func (c *headerConn) hangUp() {
	if !c.refusedAt.CompareAndSwap(0, time.Now().UnixNano()) {
		return
	}
	if answer := c.state.answer.Load(); answer != nil {
		sayGoodbye(c.Conn, 2, (*answer)(c.why)) // the login behind the header is the client's packet 1
		return
	}
	_ = c.Close()
}

// Write passes p on. See [writeGrace] for a write that fails because of a refusal.
func (c *headerConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if at := c.refusedAt.Load(); err != nil && at != 0 && time.Since(time.Unix(0, at)) < writeGrace {
		return len(p), nil
	}
	return n, err
}

// hintLate names the most frequent cause of a header that does not come in time.
const hintLate = "if the load balancer sends the header with the first data, as AWS NLB does, set mode optional"

// refuse counts and logs that a connection from peer is refused.
func (h *ProxyHeader) refuse(peer net.Addr, r reason, version string, more ...zap.Field) {
	proxyHeaders.WithLabelValues(version, "", string(r)).Inc()
	h.refusals.log(h.logger, "refused connection", peer, r, more...)
}

// reasonOf returns the reason to refuse a header that could not be parsed.
func reasonOf(err error) reason {
	switch {
	case errors.Is(err, proxyheader.ErrTooLong):
		return reasonTooLong
	case errors.Is(err, proxyheader.ErrChecksum):
		return reasonChecksum
	case errors.Is(err, proxyheader.ErrUnsupported):
		return reasonUnsupported
	}
	return reasonMalformed
}

// versionOf returns the version of the header that b begins with, as far as b tells.
func versionOf(b []byte) string {
	switch {
	case proxyheader.Detect(b) != proxyheader.Present:
		return ""
	case b[0] == 'P':
		return "1"
	}
	return "2"
}

// addrOf returns a's IP address, or none.
func addrOf(a net.Addr) netip.Addr {
	ip, _ := splitAddr(a)
	addr, _ := netip.ParseAddr(ip)
	return addr.Unmap()
}
