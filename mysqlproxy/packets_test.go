package mysqlproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A readConn is a connection on which only its bytes are of interest.
type readConn struct {
	net.Conn
	r     io.Reader
	sizes []int // of the reads
}

func (c *readConn) Read(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.r.Read(p)
}

// frame returns a packet.
func frame(seq uint8, payload string) string {
	return string(mysqlwire.AppendHeader(nil, len(payload), seq)) + payload
}

// TestReadPacket: packets and what follows them come out whole, however the bytes arrive.
func TestReadPacket(t *testing.T) {
	long := strings.Repeat("long", 5000)
	stream := frame(7, "one") + frame(8, "") + frame(255, long) + "\x16\x03\x01and more"
	readers := map[string]func(io.Reader) io.Reader{
		"at once":       func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"in halves":     iotest.HalfReader,
		"with its end":  iotest.DataErrReader,
		"byte with end": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
	}
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			c := NewConn(&readConn{r: reader(strings.NewReader(stream))})
			for _, want := range []struct {
				seq     uint8
				payload string
			}{{7, "one"}, {8, ""}, {255, long}} {
				payload, seq, err := c.ReadPacket(len(long))
				if err != nil || seq != want.seq || string(payload) != want.payload {
					t.Fatalf("got %d bytes of packet %d and error %v, want %d of %d", len(payload), seq, err, len(want.payload), want.seq)
				}
			}
			rest, err := io.ReadAll(c)
			if err != nil || string(rest) != "\x16\x03\x01and more" {
				t.Errorf("got %q and error %v behind the packets", rest, err)
			}
			if c.Buffered() != 0 || c.buf != nil {
				t.Errorf("%d bytes are left, and a buffer of %d", c.Buffered(), cap(c.buf))
			}
		})
	}
}

// TestReadPacketLimit: what is too large is refused by its header, and is still there to be read.
func TestReadPacketLimit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header string
		limit  int
	}{
		{"above the limit", "\x05\x00\x00\x03", 4},
		{"several packets", "\xff\xff\xff\x03", mysqlwire.MaxPayload + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewConn(&readConn{r: strings.NewReader(tt.header + "12345")})
			for range 2 {
				if _, _, err := c.ReadPacket(tt.limit); !errors.Is(err, ErrPacketTooLarge) {
					t.Errorf("got error %v, want %v", err, ErrPacketTooLarge)
				}
			}
			if rest, _ := io.ReadAll(c); string(rest) != tt.header+"12345" {
				t.Errorf("got %q, want the whole packet", rest)
			}
		})
	}
}

// TestReadPacketMemory: a header that announces much makes no buffer.
func TestReadPacketMemory(t *testing.T) {
	in := &readConn{r: strings.NewReader("\xfe\xff\xff\x00" + strings.Repeat("x", 3000))}
	c := NewConn(in)
	if _, _, err := c.ReadPacket(mysqlwire.MaxPayload); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if cap(c.buf) > 4*3004 {
		t.Errorf("got a buffer of %d bytes for 3004 that came", cap(c.buf))
	}
	for _, size := range in.sizes {
		if size == 0 {
			t.Error("got a read of no bytes")
		}
	}
}

// TestReadPacketEnd: the end between packets is another error than the end within one.
func TestReadPacketEnd(t *testing.T) {
	whole := frame(1, "abc")
	for n := range len(whole) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		c := NewConn(&readConn{r: strings.NewReader(whole[:n])})
		if _, _, err := c.ReadPacket(100); !errors.Is(err, want) {
			t.Errorf("after %d bytes: got error %v, want %v", n, err, want)
		}
	}
	c := NewConn(&readConn{r: iotest.ErrReader(nil)})
	if _, _, err := c.ReadPacket(100); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("of a connection that reads nothing: got error %v, want %v", err, io.ErrNoProgress)
	}
}

// TestReadPacketInterrupted: a deadline in the midst of a packet loses nothing of it.
func TestReadPacketInterrupted(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := NewConn(near)
	packet := frame(3, "interrupted")
	for i := range len(packet) {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, _, err := c.ReadPacket(100); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %d bytes: got error %v, want %v", i, err, os.ErrDeadlineExceeded)
		}
		_ = c.SetReadDeadline(time.Time{})
		sent := make(chan error, 1)
		go func() {
			_, err := far.Write([]byte(packet[i : i+1]))
			sent <- err
		}()
		if i < len(packet)-1 {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, _, _ = c.ReadPacket(100)
		} else if payload, seq, err := c.ReadPacket(100); err != nil || seq != 3 || string(payload) != "interrupted" {
			t.Errorf("got %q of packet %d and error %v", payload, seq, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
}

// TestWritePacket: each packet is one write.
func TestWritePacket(t *testing.T) {
	w := new(writeConn)
	c := NewConn(w)
	for i, payload := range []string{"first", ""} {
		if err := c.WritePacket(uint8(200+i), []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if len(w.writes) != i+1 || w.writes[i] != frame(uint8(200+i), payload) {
			t.Errorf("got writes %q", w.writes)
		}
	}
	if err := c.WritePacket(0, make([]byte, mysqlwire.MaxPayload)); !errors.Is(err, ErrPacketTooLarge) || len(w.writes) != 2 {
		t.Errorf("got error %v and %d writes, want %v and none more", err, len(w.writes), ErrPacketTooLarge)
	}
	if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: got error %v, want %v", err, errors.ErrUnsupported)
	}
	if half := new(halfConn); NewConn(half).CloseWrite() != nil || !half.closed {
		t.Error("CloseWrite does not reach the connection inside")
	}
}

type writeConn struct {
	net.Conn
	writes []string
}

func (c *writeConn) Write(p []byte) (int, error) {
	c.writes = append(c.writes, string(p))
	return len(p), nil
}

type halfConn struct {
	net.Conn
	closed bool
}

func (c *halfConn) CloseWrite() error {
	c.closed = true
	return nil
}

// FuzzReadPacket: any bytes are packets and a rest, and no byte is lost or made.
func FuzzReadPacket(f *testing.F) {
	f.Add([]byte(frame(1, "abc")+frame(2, "")+"x"), uint8(3), false)
	f.Add([]byte("\xff\xff\xff\x00"), uint8(9), true)
	f.Fuzz(func(t *testing.T, in []byte, limit uint8, slow bool) {
		var r io.Reader = bytes.NewReader(in)
		if slow {
			r = iotest.OneByteReader(r)
		}
		c := NewConn(&readConn{r: r})
		var got []byte
		for {
			payload, seq, err := c.ReadPacket(int(limit))
			if err != nil {
				break
			}
			if len(payload) > int(limit) {
				t.Fatalf("got %d bytes, above the limit of %d", len(payload), limit)
			}
			got = append(got, frame(seq, string(payload))...)
		}
		rest, err := io.ReadAll(c)
		if got = append(got, rest...); err != nil || !bytes.Equal(got, in) {
			t.Errorf("got %x and error %v, want %x", got, err, in)
		}
	})
}
