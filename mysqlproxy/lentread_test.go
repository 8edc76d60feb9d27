package mysqlproxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestReadLent: bytes, deadlines and ends are those of Read, whatever the connection is.
func TestReadLent(t *testing.T) {
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	dials := map[string]pairing{"pipe": pipe}
	for name, dial := range pairs {
		dials[name] = dial
	}
	for name, dial := range dials {
		t.Run(name, func(t *testing.T) {
			near, far := dial(t)
			var l Loan
			_ = near.SetReadDeadline(time.Now().Add(time.Millisecond))
			if p, err := ReadLent(near, &l); len(p) != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q and error %v, want %v", p, err, os.ErrDeadlineExceeded)
			}
			_ = near.SetReadDeadline(time.Time{})
			go func() {
				_, _ = far.Write(want)
				_ = far.Close()
			}()
			var got []byte
			for {
				p, err := ReadLent(near, &l)
				if got = append(got, p...); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %d other bytes, want %d", len(got), len(want))
			}
			_ = near.Close()
			if p, err := ReadLent(near, &l); err == nil {
				t.Errorf("got %q of a connection that is closed, want an error", p)
			}
			l.giveBack()
		})
	}
}

// TestReadLentReset: the error of a socket that was reset is what Read returns.
func TestReadLentReset(t *testing.T) {
	near, far := tcp(t)
	if err := far.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	far.Close()
	var l Loan
	_, err := ReadLent(near, &l)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" || op.Addr == nil {
		t.Errorf("got %#v, want the error of a read with its addresses", err)
	}
}

// A lendingConn says whether memory is lent to the reader of a connection while it waits.
type lendingConn struct {
	net.Conn
	l       *Loan
	waiting chan bool // before each read
}

func (c *lendingConn) Read(p []byte) (int, error) {
	c.waiting <- c.l.lent != nil
	return c.Conn.Read(p)
}

// TestLoanWide: a connection that must be given a buffer gets a long one as long as it fills it.
func TestLoanWide(t *testing.T) {
	near, far := pipe(t)
	var l Loan
	conn := &lendingConn{near, &l, make(chan bool, 1)}
	for i, step := range []struct {
		size int // of a write, and of the read
		rest bool
		wide bool // before it
	}{
		{100, false, false},
		{ownSize, false, false},
		{ownSize, false, true},
		{lentSize, false, true},
		{ownSize - 1, false, true},
		{ownSize, false, false},
		{20000, true, true},
		{100, false, false},
	} {
		go func() { _, _ = far.Write(make([]byte, step.size)) }()
		p, err := ReadLent(conn, &l)
		if wide := <-conn.waiting; err != nil || len(p) != step.size || wide != step.wide {
			t.Errorf("step %d: got %d bytes and error %v with 64 KiB: %v, want %d, %v", i, len(p), err, wide, step.size, step.wide)
		}
		if step.rest {
			l.rest()
		}
	}
	if len(l.own) != ownSize || l.lent != nil {
		t.Errorf("kept %d bytes, 64 KiB more: %v", len(l.own), l.lent != nil)
	}
}

// TestLoanIdle: nothing is lent to who waits for a socket.
func TestLoanIdle(t *testing.T) {
	if !readsDirectly {
		t.Skip("this system does not tell when a socket can be read")
	}
	for name, dial := range map[string]pairing{"TCP": pairs["TCP"], "unix": pairs["unix"]} {
		t.Run(name, func(t *testing.T) {
			near, far := dial(t)
			var l Loan
			if _, err := far.Write([]byte("something")); err != nil {
				t.Fatal(err)
			}
			if p, err := ReadLent(NewConn(near), &l); err != nil || string(p) != "something" || l.lent == nil {
				t.Errorf("got %q and error %v, lent %v", p, err, l.lent)
			}
			_ = near.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := ReadLent(near, &l); err == nil || l.lent != nil || l.own != nil {
				t.Errorf("got error %v, lent %v, kept %d bytes; want a deadline, and nothing", err, l.lent, len(l.own))
			}
		})
	}
}
