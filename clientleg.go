package l4mysql

import (
	"errors"
	"net"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// A clientLeg is a client's connection as a session reads it.
type clientLeg struct{ *layer4.Connection }

// CloseWrite ends the writing side.
func (c *clientLeg) CloseWrite() error { return closeWrite(c.Connection) }

// ReadLent reads with memory that is taken when there is something to read. Bytes that matchers have prefetched come
// first. What is read past caddy-l4's own Read is not in its statistics at DEBUG.
func (c *clientLeg) ReadLent(l *mysqlproxy.Loan) ([]byte, error) {
	if len(c.MatchingBytes()) > 0 {
		p := l.Take()
		n, err := c.Read(p)
		return p[:n], err
	}
	return mysqlproxy.ReadLent(c.Conn, l)
}

// ReadLent is Read with memory that is taken when there is something to read.
func (c *headerConn) ReadLent(l *mysqlproxy.Loan) ([]byte, error) {
	if c.phase == passing && c.free == 0 && c.err == nil {
		return mysqlproxy.ReadLent(c.Conn, l)
	}
	p := l.Take()
	n, err := c.Read(p)
	return p[:n], err
}

// ReadLent is Read with memory that is taken when there is something to read.
func (t *tap) ReadLent(l *mysqlproxy.Loan) ([]byte, error) {
	p, err := mysqlproxy.ReadLent(t.Conn, l)
	t.received(p, err)
	return p, err
}

// bareSocket returns the socket below conn if nothing above it looks at the bytes, else nil. To read, nothing may hold
// some either; who writes must not ask for that, because another goroutine reads.
func bareSocket(conn net.Conn, read bool) net.Conn {
	for {
		switch c := conn.(type) {
		case *clientLeg:
			conn = c.Connection
		case *layer4.Connection:
			if read && len(c.MatchingBytes()) > 0 {
				return nil
			}
			conn = c.Conn
		case *headerConn:
			if read && (c.phase != passing || c.free > 0 || c.err != nil) {
				return nil
			}
			conn = c.Conn
		case *mysqlproxy.CourteousLeg:
			conn = c.Conn
		case *mysqlproxy.Conn:
			if read && c.Buffered() > 0 {
				return nil
			}
			conn = c.Conn
		case *net.TCPConn, *net.UnixConn:
			return conn
		default:
			return nil
		}
	}
}

// errForgedHeader says that a client has sent a PROXY header to a server that would believe it.
var errForgedHeader = errors.New("the client has sent a PROXY header behind which another would go to the upstream")

// A singleHeader refuses a client whose first bytes are a PROXY header. The upstream has got ours, and MariaDB believes
// the last one.
type singleHeader struct {
	*clientLeg
	first [16]byte // as many as Detect may need
	n     int
	done  bool
}

// Read reads what the client sends.
func (s *singleHeader) Read(p []byte) (int, error) {
	n, err := s.clientLeg.Read(p)
	if !s.done && s.forged(p[:n]) {
		return 0, errForgedHeader
	}
	return n, err
}

// ReadLent is Read with memory that is taken when there is something to read.
func (s *singleHeader) ReadLent(l *mysqlproxy.Loan) ([]byte, error) {
	p, err := s.clientLeg.ReadLent(l)
	if !s.done && s.forged(p) {
		return p[:0], errForgedHeader
	}
	return p, err
}

// forged looks at what may begin a header. Its beginning may have been handed on, but a header that does not end is none.
func (s *singleHeader) forged(p []byte) bool {
	s.n += copy(s.first[s.n:], p)
	switch proxyheader.Detect(s.first[:s.n]) {
	case proxyheader.Present:
		return true
	case proxyheader.Absent:
		s.done = true
	case proxyheader.Possible:
	}
	return false
}

// Interface guards
var (
	_ mysqlproxy.LentReader = (*clientLeg)(nil)
	_ mysqlproxy.LentReader = (*headerConn)(nil)
	_ mysqlproxy.LentReader = (*tap)(nil)
	_ mysqlproxy.LentReader = (*singleHeader)(nil)
)
