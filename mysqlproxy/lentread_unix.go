//go:build unix

package mysqlproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

const readsDirectly = true

// A socket is a connection of the operating system's.
type socket interface {
	net.Conn
	syscall.Conn
}

// directRead is what a Loan keeps to read a socket itself.
type directRead struct {
	conn net.Conn
	raw  syscall.RawConn       // conn's
	try  func(fd uintptr) bool // [Loan.tryRead]: a method value that is made for each read would be allocated

	n   int // of the last read
	err error
}

// readDirectly reads conn by the call that [net.TCPConn.Read] uses, in the same way but for the buffer: there is none
// while it waits. Deadlines hold.
func (l *Loan) readDirectly(conn socket) ([]byte, error) {
	d := &l.direct
	if d.conn != net.Conn(conn) {
		raw, err := conn.SyscallConn()
		if err != nil {
			return nil, err
		}
		d.conn, d.raw, d.try = conn, raw, l.tryRead
	}
	if err := d.raw.Read(d.try); err != nil {
		l.giveBack()
		return nil, err
	}
	if d.n > 0 {
		return l.lent[:d.n], nil
	}
	l.giveBack()
	if d.err != nil {
		return nil, &net.OpError{
			Op: "read", Net: conn.LocalAddr().Network(), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(),
			Err: os.NewSyscallError("read", d.err),
		}
	}
	return nil, io.EOF
}

// tryRead reads what is there. It reports false if it has to be called again once there is something.
func (l *Loan) tryRead(fd uintptr) bool {
	d := &l.direct
	for {
		d.n, d.err = syscall.Read(int(fd), l.Take())
		switch {
		case errors.Is(d.err, syscall.EINTR):
		case errors.Is(d.err, syscall.EAGAIN):
			l.giveBack()
			return false
		default:
			return true
		}
	}
}
