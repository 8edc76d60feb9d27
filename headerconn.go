package l4mysql

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// A headerConn reads the PROXY header that stands before a connection's bytes, and passes on what comes
// behind it. Only the first bytes are ever looked at:
//
//	atStart --header--> behindHeader --anything but a second header--> passing
//	   |                     |                                           ^
//	   |                     +--second header--> refused                 |
//	   +--bad header, or one that may not be sent--> refused             |
//	   +--no header, where there may be none-----------------------------+
//
// In mode require the handler waits for the header; else it is read with the first bytes that the client
// sends, inside the next handler's Read, so that a server that speaks first is not held up. As with any
// layer4 connection, one goroutine at a time reads; all other methods may be called from any.
type headerConn struct {
	net.Conn
	handler *ProxyHeader
	state   *headerState
	trusted bool // the peer may send a header

	// What follows belongs to the goroutine that reads.
	phase phase
	held  heldBytes
	free  int    // how many of the held bytes may be handed on
	ahead int    // how many of the bytes not handed on are an accepted header that `keep` passes on
	err   error  // of the last read, to be returned behind the held bytes
	why   reason // it was refused

	deadline  readDeadline
	refusedAt atomic.Int64 // Unix time in nanoseconds; 0: it was not
}

// phase is what a headerConn expects next.
type phase uint8

const (
	atStart      phase = iota // the client's first bytes, which may be a header
	behindHeader              // the bytes right behind an accepted header
	passing                   // nothing is looked at any more
	refused                   // nothing is handed on any more
)

func (p phase) String() string {
	return [...]string{"at start", "behind header", "passing", "refused"}[p]
}

// await takes what matchers have prefetched and, in mode require, waits for the header. It reports
// whether the connection may go on.
func (c *headerConn) await(cx *layer4.Connection) bool {
	required := c.handler.Mode == modeRequire
	if required && !c.trusted {
		c.refuse(reasonUntrusted, "")
		return false
	}
	if required {
		c.startTimeout()
	}
	c.takePrefetched(cx)
	for required && c.phase == atStart && c.err == nil {
		c.lookAtHeld(c.held.fill(c.Conn))
	}
	return c.phase != refused && (c.phase != atStart || !required)
}

// takePrefetched looks at the bytes in cx's own buffer, once. What may be handed on stays there, where it
// is counted already.
func (c *headerConn) takePrefetched(cx *layer4.Connection) {
	prefetched := cx.MatchingBytes()
	if len(prefetched) == 0 {
		return
	}
	drop, free := c.look(prefetched, nil)
	if free == 0 {
		c.held.put(prefetched[drop:])
		drop = len(prefetched)
	}
	_, _ = io.CopyN(io.Discard, cx, int64(drop)) // from a buffer that holds as many
}

// Read reads what is behind the header. It returns io.EOF once the connection is refused: `proxy` then
// ends both sides, and nobody logs an error for what a client did.
func (c *headerConn) Read(p []byte) (int, error) {
	if c.phase == passing && c.free == 0 && c.err == nil {
		return c.Conn.Read(p)
	}
	for c.free == 0 {
		switch {
		case c.phase == refused:
			c.hangUp()
			return 0, io.EOF
		case c.err != nil:
			err := c.err
			c.err = nil
			return 0, err
		case c.phase == passing || len(p) == 0:
			return c.Conn.Read(p)
		case len(c.held.b) > 0:
			c.lookAtHeld(c.held.fill(c.Conn))
		default:
			n, err := c.Conn.Read(p)
			drop, free := c.look(p[:n], err)
			n = copy(p, p[drop:n])
			if free > 0 {
				return free, nil
			}
			c.held.put(p[:n])
		}
	}
	n := copy(p, c.held.b[:c.free])
	c.free -= n
	c.held.drop(n)
	return n, nil
}

func (c *headerConn) lookAtHeld(err error) {
	drop, free := c.look(c.held.b, err)
	c.held.drop(drop)
	c.free = free
}

// look judges b, all bytes of the client that were not handed on, after a read that ended with err. It
// returns how many of them to drop from the start, and how many of the others may be handed on: all or
// none, because the rest has to wait for more bytes.
func (c *headerConn) look(b []byte, err error) (drop, free int) {
	c.err = err
	if c.phase == atStart {
		drop = c.lookForHeader(b)
	}
	if c.phase == behindHeader {
		c.lookForSecond(b[drop+c.ahead:])
	}
	if err != nil && c.undecided(b[drop:]) {
		c.ended(b[drop:], err)
	}
	switch {
	case c.phase == refused:
		c.stopTimeout()
		return len(b), 0
	case c.undecided(b[drop:]):
		if len(b) > drop {
			c.startTimeout()
		}
		return drop, 0
	}
	c.stopTimeout()
	c.ahead = 0
	return drop, len(b) - drop
}

// undecided reports whether b, the bytes not handed on, wait for more. Right behind a header with nothing
// after it none do.
func (c *headerConn) undecided(b []byte) bool {
	return c.phase == atStart || c.phase == behindHeader && len(b) > c.ahead
}

// lookForHeader judges the client's first bytes and returns how many of them to drop.
func (c *headerConn) lookForHeader(b []byte) (drop int) {
	if !c.trusted {
		switch proxyheader.Detect(b) {
		case proxyheader.Present:
			c.refuse(reasonUntrusted, versionOf(b))
		case proxyheader.Absent:
			c.pass()
		case proxyheader.Possible:
		}
		return 0
	}
	h, n, err := proxyheader.ParseMax(b, c.handler.MaxSize)
	switch {
	case err == nil:
		return c.accept(h, n)
	case errors.Is(err, proxyheader.ErrShort):
	case errors.Is(err, proxyheader.ErrNone):
		c.pass()
	default:
		c.refuse(reasonOf(err), versionOf(b), zap.Error(err))
	}
	return 0
}

// lookForSecond judges the bytes behind an accepted header. A load balancer that lets through what its
// client has forged sends a second header there, and some servers believe the last one.
func (c *headerConn) lookForSecond(b []byte) {
	switch proxyheader.Detect(b) {
	case proxyheader.Present:
		c.refuse(reasonDuplicate, versionOf(b))
	case proxyheader.Absent:
		c.phase = passing
	case proxyheader.Possible:
	}
}

// ended judges b, bytes that wait for more, after a read that failed with err.
func (c *headerConn) ended(b []byte, err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && c.deadline.expired():
		if len(b) == 0 {
			c.refuse(reasonMissing, "", zap.String("hint", hintLate))
		} else {
			c.refuse(reasonTimeout, versionOf(b))
		}
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
		// Not the client's doing. It may be read again, and then the same bytes are looked at.
	case len(b) == 0:
		c.leave()
	case c.phase == atStart && proxyheader.Detect(b) == proxyheader.Present:
		c.refuse(reasonMalformed, versionOf(b), zap.Error(io.ErrUnexpectedEOF))
	case c.phase == atStart:
		c.pass()
	default:
		c.phase = passing
	}
}

// RemoteAddr returns the original client's address once a header named it.
func (c *headerConn) RemoteAddr() net.Addr {
	if h := c.state.header(); h != nil && h.source != nil {
		return h.source
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr returns the original destination once a header named it.
func (c *headerConn) LocalAddr() net.Addr {
	if h := c.state.header(); h != nil && h.destination != nil {
		return h.destination
	}
	return c.Conn.LocalAddr()
}

// CloseWrite ends the writing side, so that a server's close reaches the client.
func (c *headerConn) CloseWrite() error { return closeWrite(c.Conn) }
