package l4mysql

import (
	"net"
	"sync"
	"time"
)

// A readDeadline is the read deadline of a connection that two have a say in: whoever uses the
// connection, and the header's timeout. The earlier one holds. It may be set from any goroutine.
type readDeadline struct {
	mu     sync.Mutex
	user   time.Time
	header time.Time // zero: no header is awaited
}

// setUser sets the user's deadline on conn; set is conn's own method to do so.
func (d *readDeadline) setUser(conn net.Conn, t time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.user = t
	if err := set(t); err != nil || d.header.IsZero() {
		return err
	}
	return d.apply(conn)
}

// start lets the header's timeout run, unless it does already.
func (d *readDeadline) start(conn net.Conn, timeout time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.header.IsZero() {
		return nil
	}
	d.header = time.Now().Add(timeout)
	return d.apply(conn)
}

// stop gives conn back the deadline that its user wants.
func (d *readDeadline) stop(conn net.Conn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.header.IsZero() {
		return nil
	}
	d.header = time.Time{}
	return d.apply(conn)
}

// expired reports whether the header's timeout has run out.
func (d *readDeadline) expired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.header.IsZero() && !time.Now().Before(d.header)
}

func (d *readDeadline) apply(conn net.Conn) error {
	t := d.header
	if t.IsZero() || !d.user.IsZero() && d.user.Before(t) {
		t = d.user
	}
	return conn.SetReadDeadline(t)
}

// SetDeadline sets both deadlines; a header's timeout may end a read earlier.
func (c *headerConn) SetDeadline(t time.Time) error {
	return c.deadline.setUser(c.Conn, t, c.Conn.SetDeadline)
}

// SetReadDeadline sets the read deadline; a header's timeout may end a read earlier.
func (c *headerConn) SetReadDeadline(t time.Time) error {
	return c.deadline.setUser(c.Conn, t, c.Conn.SetReadDeadline)
}

// A deadline that cannot be set is no reason to refuse: the next read says what is wrong with the connection.
func (c *headerConn) startTimeout() {
	_ = c.deadline.start(c.Conn, time.Duration(c.handler.Timeout))
}

func (c *headerConn) stopTimeout() { _ = c.deadline.stop(c.Conn) }
