package mysqlproxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A heardConn gives what was said in pieces of at most size bytes, then err, and notes that something is written.
type heardConn struct {
	net.Conn
	said    []byte
	size    int
	err     error
	written int
}

func (c *heardConn) Read(p []byte) (int, error) {
	if len(c.said) == 0 {
		return 0, c.err
	}
	n := copy(p, c.said[:min(c.size, len(c.said))])
	c.said = c.said[n:]
	return n, nil
}

func (c *heardConn) Write(p []byte) (int, error) {
	c.written += len(p)
	return len(p), nil
}

// clientHello returns what a client of Go's sends first.
func clientHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	var said firstWrite
	_ = tls.Client(&said, config).Handshake() // it gets no answer
	if len(said.b) == 0 {
		t.Fatal("the client says nothing")
	}
	return said.b
}

// A firstWrite keeps what is written, and has nothing to read.
type firstWrite struct {
	net.Conn
	b []byte
}

func (w *firstWrite) Write(p []byte) (int, error) { w.b = append(w.b, p...); return len(p), nil }
func (*firstWrite) Read([]byte) (int, error)      { return 0, io.EOF }
func (*firstWrite) Close() error                  { return nil }

func (*firstWrite) SetWriteDeadline(time.Time) error { return nil }

// inRecords splits the handshake in the records of hello into records of size bytes.
func inRecords(hello []byte, size int) (records []byte) {
	var message []byte
	for b := hello; len(b) > 0; {
		n := int(b[3])<<8 | int(b[4])
		message, b = append(message, b[5:5+n]...), b[5+n:]
	}
	for len(message) > 0 {
		n := min(size, len(message))
		records = append(append(records, 22, 3, 1, byte(n>>8), byte(n)), message[:n]...)
		message = message[n:]
	}
	return records
}

// TestReadServerName: the name is found however the ClientHello is cut into records and segments, nothing of it is
// lost, and nothing is written.
func TestReadServerName(t *testing.T) {
	named := &tls.Config{ServerName: "db.Example.test"}
	large := &tls.Config{ServerName: "db.Example.test"}
	for i := range 200 {
		large.NextProtos = append(large.NextProtos, strings.Repeat(string(rune('a'+i%26)), 200))
	}
	old := &tls.Config{ServerName: "db.Example.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}
	tests := []struct {
		name  string
		hello []byte
		want  string
	}{
		{"usual", clientHello(t, named), "db.Example.test"},
		{"of more than a record", clientHello(t, large), "db.Example.test"},
		{"TLS 1.0", clientHello(t, old), "db.Example.test"},
		{"records of 100 bytes", inRecords(clientHello(t, named), 100), "db.Example.test"},
		{"records of 5 bytes", inRecords(clientHello(t, named), 5), "db.Example.test"},
		{"no name", clientHello(t, &tls.Config{InsecureSkipVerify: true}), ""},
		{"address", clientHello(t, &tls.Config{ServerName: "192.0.2.1"}), ""},
	}
	if n := len(tests[1].hello); n < 32<<10 {
		t.Fatalf("got a ClientHello of %d bytes, want one of several records", n)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, behind := range []string{"", "early data"} {
				for _, size := range []int{1, 2, 3, 5, 7, 100, 1 << 20} {
					said := append(bytes.Clone(tt.hello), behind...)
					conn := &heardConn{said: said, size: size, err: io.EOF}
					name, raw, err := ReadServerName(conn)
					if err != nil || name != tt.want {
						t.Errorf("in pieces of %d: got %q, %v, want %q", size, name, err, tt.want)
					}
					if whole := append(bytes.Clone(raw), conn.said...); len(raw) < len(tt.hello) || !bytes.Equal(whole, append(bytes.Clone(tt.hello), behind...)) {
						t.Errorf("in pieces of %d: got %d bytes and %d left, want %d and what is behind", size, len(raw), len(conn.said), len(tt.hello))
					}
					if conn.written > 0 {
						t.Errorf("%d bytes were written", conn.written)
					}
				}
			}
		})
	}
}

// TestReadServerNameErrors: what is no ClientHello, and one that does not end.
func TestReadServerNameErrors(t *testing.T) {
	hello := clientHello(t, &tls.Config{ServerName: "db.test"})
	records := bytes.Repeat([]byte("\x16\x03\x01\x40\x00"+strings.Repeat("\x00", 1<<14)), 5)
	copy(records[5:], "\x01\x00\xff\xff")
	var network net.Error
	tests := []struct {
		name string
		said []byte
		err  error
		want func(error) bool
	}{
		{"nothing", nil, io.EOF, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"a part", hello[:len(hello)-1], io.EOF, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"silence", hello[:9], os.ErrDeadlineExceeded, func(err error) bool { return errors.As(err, &network) && network.Timeout() }},
		{"too large", records, io.EOF, func(err error) bool { return errors.Is(err, ErrHelloTooLarge) }},
		{"another protocol", []byte("GET / HTTP/1.1\r\n\r\n"), io.EOF, func(err error) bool { return errors.As(err, new(tls.RecordHeaderError)) }},
		{"another message", []byte("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), io.EOF, func(err error) bool { return !errors.Is(err, io.EOF) }},
		{"malformed", []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), io.EOF, func(err error) bool { return !errors.Is(err, io.EOF) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := &heardConn{said: bytes.Clone(tt.said), size: 1000, err: tt.err}
			name, raw, err := ReadServerName(conn)
			if err == nil || !tt.want(err) || name != "" || conn.written > 0 {
				t.Errorf("got %q, %v, %d bytes written", name, err, conn.written)
			}
			if !bytes.HasPrefix(tt.said, raw) || len(raw) > maxHello {
				t.Errorf("got %d bytes, not those that were sent", len(raw))
			}
		})
	}
}

// TestReadServerNameReplay: who ends the TLS gets along with what was read.
func TestReadServerNameReplay(t *testing.T) {
	noLeak(t)
	certificate := selfSigned(t, "db.test")
	client, front := tcp(t)
	upstream, server := tcp(t)
	_ = front.SetDeadline(time.Now().Add(10 * time.Second))
	done := make(chan error, 2)
	go func() {
		conn := tls.Client(client, &tls.Config{ServerName: "db.test", InsecureSkipVerify: true})
		if _, err := conn.Write([]byte("hello")); err != nil {
			done <- err
			return
		}
		got := make([]byte, 5)
		_, err := io.ReadFull(conn, got)
		if err == nil && string(got) != "HELLO" {
			err = errors.New("got " + string(got))
		}
		done <- err
	}()
	go func() {
		conn := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}})
		got := make([]byte, 5)
		_, err := io.ReadFull(conn, got)
		if err == nil {
			_, err = conn.Write(bytes.ToUpper(got))
		}
		done <- err
	}()
	name, raw, err := ReadServerName(front)
	if err != nil || name != "db.test" {
		t.Fatalf("got %q, %v", name, err)
	}
	if _, err := upstream.Write(raw); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{upstream, front}, {front, upstream}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	_ = front.Close()
	_ = upstream.Close()
	<-ended
	<-ended
}

// FuzzReadServerName: no bytes make it panic, and all that it says that it has read it has.
func FuzzReadServerName(f *testing.F) {
	hello := clientHello(f, &tls.Config{ServerName: "db.test", MaxVersion: tls.VersionTLS12}) // a short one
	f.Add(hello, 1000)
	f.Add(inRecords(hello, 50), 7)
	f.Fuzz(func(t *testing.T, said []byte, size int) {
		size = max(1, size)
		conn := &heardConn{said: bytes.Clone(said), size: size, err: io.EOF}
		name, raw, err := ReadServerName(conn)
		if !bytes.Equal(append(raw, conn.said...), said) || conn.written > 0 {
			t.Fatalf("got %d of %d bytes, %d written", len(raw), len(said), conn.written)
		}
		again, _, errAgain := ReadServerName(&heardConn{said: bytes.Clone(said), size: 1 << 20, err: io.EOF})
		if name != again || (err == nil) != (errAgain == nil) {
			t.Fatalf("got %q, %v in pieces of %d, %q, %v at once", name, err, size, again, errAgain)
		}
	})
}
