package mysqlproxy

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A CourteousLeg is the connection to an upstream with which a client logs in itself: it hands bytes on as they are. If
// the client leaves before the login is over, Close ends the login in the client's stead, because a server counts a
// connection that just ends as an error of this host, and blocks it after some (ER_HOST_IS_BLOCKED). That takes at most
// two seconds. It cannot be done inside TLS, nor in the middle of a packet.
//
// One goroutine may read while another one writes; Close is called when neither does any more.
type CourteousLeg struct {
	*Leg
	over atomic.Bool // the login is, or nothing can be done for it

	mu             sync.Mutex // guards what follows and the Leg's Capabilities, as long as the login goes on
	client, server loginWalk
	spoken         bool // the client has sent a packet
}

// NewCourteousLeg returns the leg over c, from which an upstream's greeting was read.
func NewCourteousLeg(c *Conn, g *mysqlwire.Greeting, greetingSeq uint8) *CourteousLeg {
	return &CourteousLeg{Leg: &Leg{Conn: c, Greeting: *g, Secret: isUnix(c.Conn), seq: greetingSeq + 1}}
}

// Read reads what the server sends.
func (c *CourteousLeg) Read(p []byte) (int, error) {
	n, err := c.Leg.Read(p)
	c.fromServer(p[:n])
	return n, err
}

// ReadLent is Read with memory that is taken when there is something to read.
func (c *CourteousLeg) ReadLent(l *Loan) ([]byte, error) {
	p, err := c.Leg.ReadLent(l)
	c.fromServer(p)
	return p, err
}

// Write hands bytes of the client on.
func (c *CourteousLeg) Write(p []byte) (int, error) {
	c.fromClient(p)
	return c.Leg.Write(p)
}

// WriteBehind is Write with something before p that is no MySQL: a PROXY header. Both go at once.
func (c *CourteousLeg) WriteBehind(header, p []byte) (int, error) {
	c.fromClient(p)
	n, err := c.Leg.Write(append(header, p...))
	return max(0, n-len(header)), err
}

// CloseWrite ends the writing side. It is unsupported during the login, in which nobody has a use for half a connection.
func (c *CourteousLeg) CloseWrite() error {
	if !c.over.Load() {
		return errors.ErrUnsupported
	}
	return c.Leg.CloseWrite()
}

// Close ends the login, if it is not over, and closes the connection.
func (c *CourteousLeg) Close() error {
	if c.over.Swap(true) || c.client.within() || c.server.within() {
		return c.Leg.Close()
	}
	if !c.spoken {
		_ = c.SetDeadline(time.Now().Add(farewell)) // a session that fails leaves one that is over
		if c.write(nobody(c.Greeting.Capabilities), nil) != nil {
			return c.Leg.Close()
		}
	}
	c.dismiss()
	return nil
}

func (c *CourteousLeg) fromServer(p []byte) {
	if !c.over.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.server.walk(p, c.serverPacket)
	}
}

func (c *CourteousLeg) fromClient(p []byte) {
	if !c.over.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.client.walk(p, c.clientPacket)
	}
}

// clientPacket reports whether the login goes on.
func (c *CourteousLeg) clientPacket(payload []byte, _ uint8) bool {
	if !c.spoken {
		c.spoken = true
		l, _ := mysqlwire.ParseLogin(payload) // the server says what is wrong with it
		c.Capabilities = l.Capabilities & c.Greeting.Capabilities
		if mysqlwire.IsTLSRequest(payload) {
			c.over.Store(true)
			return false
		}
	}
	c.paid()
	return true
}

// serverPacket reports whether the login goes on.
func (c *CourteousLeg) serverPacket(payload []byte, seq uint8) bool {
	c.note(payload, seq)
	if debt := c.debt.Load(); debt == owesGoodbye || debt == owesSilence {
		c.over.Store(true)
		return false
	}
	return true
}

// A loginWalk finds the packets in the bytes of one side of a login.
type loginWalk struct {
	buf  []byte
	lost bool // it was too long
}

// within reports whether a packet has come in part.
func (w *loginWalk) within() bool { return len(w.buf) > 0 || w.lost }

// walk calls packet for each packet that p completes, until it reports false or there is one that no login has.
func (w *loginWalk) walk(p []byte, packet func(payload []byte, seq uint8) bool) {
	if w.lost {
		return
	}
	w.buf = append(w.buf, p...)
	for len(w.buf) >= mysqlwire.HeaderLen {
		header := [mysqlwire.HeaderLen]byte(w.buf)
		n := mysqlwire.PayloadLen(&header)
		end := mysqlwire.HeaderLen + n
		if n > maxLoginPacket {
			w.buf, w.lost = nil, true
			return
		}
		if len(w.buf) < end {
			return
		}
		if !packet(w.buf[mysqlwire.HeaderLen:end], header[3]) {
			w.buf = nil
			return
		}
		w.buf = w.buf[end:]
	}
	if len(w.buf) == 0 {
		w.buf = nil
	}
}
