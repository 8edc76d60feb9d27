package mysqlproxy

import (
	"net"
	"sync"
)

const (
	// lentSize is how many bytes are read and written at once, where there are as many.
	lentSize = 64 << 10

	// ownSize is the size in bytes of the buffer that a reader keeps where it has to wait with one.
	ownSize = 4 << 10
)

var lentBuffers = sync.Pool{New: func() any { return new([lentSize]byte) }}

// A Loan is the memory that one goroutine reads one connection into. Most connections of a database are idle most of
// the time, so 64 KiB are borrowed once there is something to read, and given back before the next wait. The zero
// value is ready. It must not be copied.
type Loan struct {
	lent   *[lentSize]byte // nil while nothing is borrowed
	own    []byte          // for a connection that can only be waited for with a buffer
	wide   bool            // the next of its reads is worth lent
	direct directRead
}

// Take returns the borrowed memory. A [LentReader] reads into it what it has already.
func (l *Loan) Take() []byte {
	if l.lent == nil {
		l.lent = lentBuffers.Get().(*[lentSize]byte)
	}
	return l.lent[:]
}

// giveBack ends the loan. What was read is not valid any more.
func (l *Loan) giveBack() {
	if l.lent != nil {
		lentBuffers.Put(l.lent)
		l.lent = nil
	}
}

// A LentReader is a connection above another one that can be read without a buffer to wait with.
type LentReader interface {
	// ReadLent reads like Read, but waits before it takes memory from l. The bytes lie there, and are valid until l
	// is read into again. As with Read, there may be bytes and an error.
	ReadLent(l *Loan) ([]byte, error)
}

// ReadLent reads conn into l. If conn is neither a [LentReader] nor a socket of a system that can wait without a buffer,
// it is read into 4 KiB that l keeps, and into 64 KiB as long as reads fill more than these.
//
// One l is for one connection. To read without allocating it keeps what it needs of the socket.
func ReadLent(conn net.Conn, l *Loan) ([]byte, error) {
	switch c := conn.(type) {
	case LentReader:
		return c.ReadLent(l)
	case *net.TCPConn:
		if readsDirectly {
			return l.readDirectly(c)
		}
	case *net.UnixConn:
		if readsDirectly {
			return l.readDirectly(c)
		}
	}
	return l.readWaiting(conn)
}

// readWaiting reads a connection that must be given a buffer before it waits, such as one with TLS.
func (l *Loan) readWaiting(conn net.Conn) ([]byte, error) {
	var buf []byte
	if l.wide {
		buf = l.Take()
	} else {
		l.giveBack()
		if l.own == nil {
			l.own = make([]byte, ownSize)
		}
		buf = l.own
	}
	n, err := conn.Read(buf)
	l.wide = n >= ownSize
	return buf[:n], err
}

// rest says that what was read was the last for now.
func (l *Loan) rest() { l.wide = false }

// ReadLent reads what follows the last packet.
func (c *Conn) ReadLent(l *Loan) ([]byte, error) {
	if c.Buffered() > 0 {
		p := l.Take()
		n, err := c.Read(p)
		return p[:n], err
	}
	c.buf, c.read = nil, 0
	return ReadLent(c.Conn, l)
}
