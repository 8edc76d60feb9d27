package mysqlproxy

import (
	"io"
	"net"
	"testing"
)

// A nullTracker costs nothing: what is measured is the session.
type nullTracker struct{}

func (nullTracker) FromClient([]byte)    {}
func (nullTracker) FromServer([]byte)    {}
func (nullTracker) Idle() bool           { return true }
func (nullTracker) InTransaction() bool  { return false }
func (nullTracker) ExpectsCommand() bool { return true }
func (nullTracker) ChangingUser() bool   { return false }
func (nullTracker) Opaque() bool         { return false }

// carriers are what carries bytes between two connections: a session, and what it is compared with.
var carriers = []struct {
	name  string
	carry func(client, server net.Conn)
}{
	{"session", func(client, server net.Conn) {
		s := &Session{Client: client, Server: server, Tracker: nullTracker{}, Info: SessionInfo{ID: 0x8000_0001}}
		s.table = new(Sessions)
		s.Run()
	}},
	{"io.CopyBuffer", func(client, server net.Conn) {
		done := make(chan struct{})
		copyTo := func(to, from net.Conn) {
			// Without the methods by which one socket is spliced to another.
			_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, lentSize))
			_ = closeWrite(to)
		}
		go func() {
			defer close(done)
			copyTo(client, server)
		}()
		copyTo(server, client)
		<-done
	}},
}

// carried returns the outer ends of what is carried.
func carried(tb testing.TB, carry func(client, server net.Conn)) (client, server net.Conn) {
	tb.Helper()
	clientNear, client := dialed(tb, "tcp", "127.0.0.1:0")
	serverNear, server := dialed(tb, "tcp", "127.0.0.1:0")
	done := make(chan struct{})
	go func() {
		defer close(done)
		carry(clientNear, serverNear)
	}()
	tb.Cleanup(func() {
		_, _ = client.Close(), server.Close()
		<-done
	})
	return client, server
}

// roundTrip sends a command and its answer.
func roundTrip(tb testing.TB, client, server net.Conn, command, answer, buf []byte) {
	if _, err := client.Write(command); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(server, buf[:len(command)]); err != nil {
		tb.Fatal(err)
	}
	if _, err := server.Write(answer); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(client, buf[:len(answer)]); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkSession compares a session with io.CopyBuffer of the same size over sockets: a command with a short answer,
// and 64 MiB of an answer. It is to cost hardly more, and nothing of the heap.
func BenchmarkSession(b *testing.B) {
	command, answer := []byte(frame(0, statement)), []byte(frame(1, row)+frame(2, ended))
	for _, carrier := range carriers {
		b.Run("commands/"+carrier.name, func(b *testing.B) {
			client, server := carried(b, carrier.carry)
			buf := make([]byte, 1000)
			b.ReportAllocs()
			for b.Loop() {
				roundTrip(b, client, server, command, answer, buf)
			}
		})
		b.Run("bulk/"+carrier.name, func(b *testing.B) {
			client, server := carried(b, carrier.carry)
			const size = 64 << 20
			b.SetBytes(size)
			b.ReportAllocs()
			piece := make([]byte, 256<<10)
			buf := make([]byte, 256<<10)
			for b.Loop() {
				go func() {
					for range size / len(piece) {
						if _, err := server.Write(piece); err != nil {
							return
						}
					}
				}()
				for n := 0; n < size; {
					m, err := client.Read(buf)
					if err != nil {
						b.Fatal(err)
					}
					n += m
				}
			}
		})
	}
}
