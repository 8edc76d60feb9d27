package mysqlproxy

import (
	"errors"
	"io"
	"net"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// ErrPacketTooLarge says that a packet is longer than the login phase allows.
var ErrPacketTooLarge = errors.New("mysqlproxy: packet too large for a login")

// minRead is the size in bytes of the first buffer of a [Conn]: nearly every packet of a login fits.
const minRead = 1024

// A Conn is a connection whose first part is read and written packet by packet: the login. Read gives what
// was received beyond the last packet before it reads on, so that a TLS handshake or a copy loop that takes
// over from packets misses no byte. Deadlines and everything else are those of the connection inside.
//
// One goroutine may read while another one writes.
type Conn struct {
	net.Conn
	buf  []byte // received; nil when nothing is left
	read int    // how much of buf was given away
}

// NewConn returns a Conn over conn, of which no byte was read.
func NewConn(conn net.Conn) *Conn { return &Conn{Conn: conn} }

// ReadPacket reads one packet, whose payload may be empty. The payload is valid until the next read.
//
// A payload of more than limit bytes, or one that another packet continues, is [ErrPacketTooLarge], and the
// packet stays unread. Memory is taken for what has arrived, not for what a header announces. io.EOF means
// that the peer has closed between two packets, io.ErrUnexpectedEOF that it has within one. After an error
// that is temporary, a deadline, the next call goes on where this one has stopped.
func (c *Conn) ReadPacket(limit int) (payload []byte, seq uint8, err error) {
	n, seq, err := c.peek()
	if err != nil {
		return nil, 0, err
	}
	if n > limit || n == mysqlwire.MaxPayload {
		return nil, 0, ErrPacketTooLarge
	}
	end := mysqlwire.HeaderLen + n
	if err := c.fill(end); err != nil {
		return nil, 0, err
	}
	payload = c.buf[c.read+mysqlwire.HeaderLen : c.read+end : c.read+end]
	c.read += end
	return payload, seq, nil
}

// peek waits for the header of the next packet and leaves it unread.
func (c *Conn) peek() (n int, seq uint8, err error) {
	if err := c.fill(mysqlwire.HeaderLen); err != nil {
		return 0, 0, err
	}
	header := [mysqlwire.HeaderLen]byte(c.buf[c.read:])
	return mysqlwire.PayloadLen(&header), header[3], nil
}

// fill waits until n bytes are there to be given away.
func (c *Conn) fill(n int) error {
	for empty := 0; c.Buffered() < n; {
		c.makeRoom()
		m, err := c.Conn.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+m]
		switch {
		case m > 0: // an error beside them comes again
			empty = 0
		case err == io.EOF && c.Buffered() > 0: //nolint:errorlint // net.Conn.Read returns io.EOF itself
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		default:
			if empty++; empty == 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// makeRoom makes the buffer longer than what is in it. It doubles only when it is full of bytes to be given
// away, so it is never much longer than what has arrived.
func (c *Conn) makeRoom() {
	if c.read > 0 {
		c.buf = c.buf[:copy(c.buf, c.buf[c.read:])]
		c.read = 0
	}
	if len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, max(minRead, 2*cap(c.buf))), c.buf...)
	}
}

// Buffered returns how many bytes Read has to give before it reads from the connection inside.
func (c *Conn) Buffered() int { return len(c.buf) - c.read }

// Read reads what follows the last packet.
func (c *Conn) Read(p []byte) (int, error) {
	if c.Buffered() == 0 {
		c.buf, c.read = nil, 0 // a session goes on for long after its login
		return c.Conn.Read(p)
	}
	n := copy(p, c.buf[c.read:])
	c.read += n
	return n, nil
}

// WritePacket writes one packet, with one Write. A payload that needs a second packet is [ErrPacketTooLarge].
// The packet is put together in memory of its own, which is not kept: it may hold authentication data.
func (c *Conn) WritePacket(seq uint8, payload []byte) error {
	if len(payload) >= mysqlwire.MaxPayload {
		return ErrPacketTooLarge
	}
	b := make([]byte, 0, mysqlwire.HeaderLen+len(payload))
	b = mysqlwire.AppendHeader(b, len(payload), seq)
	_, err := c.Conn.Write(append(b, payload...))
	return err
}

// CloseWrite ends the writing side, where the connection inside can. Otherwise it is [errors.ErrUnsupported].
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
