package mysqlproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
)

// A session that nobody can follow may be left to the system, from socket to socket (splice). That is so on Linux
// only: elsewhere the standard library would copy, with a buffer that it keeps while nothing comes.
const splices = runtime.GOOS == "linux"

// splicedAtOnce is how many bytes go by before they are counted.
const splicedAtOnce = 1 << 20

// sockets returns the two that bytes of one side go through, or nils if they cannot be left to the system.
func (s *Session) sockets(from Side) (in, out *net.TCPConn) {
	if !splices || s.Raw == nil {
		return nil, nil
	}
	reads, writes := s.Raw(from)
	in, isTCP := reads.(*net.TCPConn)
	out, both := writes.(*net.TCPConn)
	if !isTCP || !both {
		return nil, nil
	}
	return in, out
}

// spliceClient hands on what the client sends, until there is an error.
func (s *Session) spliceClient() error {
	err := s.splice(Client, &s.client)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
		return err
	}
	// Which of the two has failed is not told. If it is the client, the next read says so.
	s.client.in, s.client.out = nil, nil
	s.serverDeaf(err)
	return nil
}

// splice copies until there is an error, which may be [io.EOF].
func (s *Session) splice(from Side, d *direction) error {
	limited := io.LimitedReader{R: d.in}
	for {
		limited.N = splicedAtOnce
		n, err := d.out.ReadFrom(&limited)
		if n > 0 {
			s.count(from, int(n))
		}
		switch {
		case err != nil:
			return err
		case limited.N > 0:
			return io.EOF
		}
	}
}
