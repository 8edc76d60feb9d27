package mysqlproxy

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"testing"
)

// TestSplice: a session that nobody can follow goes from socket to socket, and ends like any other.
func TestSplice(t *testing.T) {
	big := make([]byte, 5<<20)
	_, _ = rand.Read(big)
	for _, tt := range []struct {
		name string
		dial pairing
		raw  bool // the system may have it
	}{
		{"sockets", tcp, true},
		{"unix sockets", pairs["unix"], true},
		{"something above them", tcp, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.dial)
			asked := make(chan bool, 2)
			r.Raw = func(from Side) (in, out net.Conn) {
				asked <- true
				if !tt.raw {
					return nil, nil
				}
				return r.sockets(from)
			}
			r.run()
			r.client.sends(frame(0, toyTLS))
			r.server.wants(frame(0, toyTLS))
			for range 2 {
				for _, way := range []struct{ from, to *end }{{r.client, r.server}, {r.server, r.client}} {
					way.from.sendsApart(string(big))
					got := make([]byte, len(big))
					if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, big) {
						t.Fatalf("got other bytes, and error %v", err)
					}
				}
				r.drain() // wakes both
			}
			if splices {
				<-asked
				<-asked
			}
			r.client.closesWrite()
			r.server.wantsEOF()
			r.server.sends("more")
			r.client.wants("more")
			r.server.closes()
			r.client.wantsEOF()
			r.wantEnd(ClientClosed)
			client, server := r.counted[Client].Load(), r.counted[Server].Load()
			if want := int64(2 * len(big)); client != want+int64(len(frame(0, toyTLS))) || server != want+4 {
				t.Errorf("counted %d and %d bytes, want %d more", client, server, want)
			}
		})
	}
}

// TestSpliceEnds: how a session ends that the system has.
func TestSpliceEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(*rig)
		want   EndReason
	}{
		{"the server closes", func(r *rig) {
			r.server.sends("last words")
			r.server.closes()
			r.client.wants("last words")
			r.client.wantsEOF()
			r.client.closes()
		}, ServerClosed},
		{"the server closes, and the client does not", func(r *rig) {
			r.server.closes()
			r.client.wantsEOF()
		}, ServerClosed},
		{"the server is lost", func(r *rig) {
			r.server.resets()
			r.client.wantsEOF()
			r.client.closes()
		}, ServerLost},
		{"the client is lost", func(r *rig) {
			r.client.resets()
			r.server.wantsEOF()
			r.server.closes()
		}, ClientClosed}, // the system tells it once, and not of which side
		{"cut", func(r *rig) {
			r.cut()
			r.server.wantsEOF()
			r.client.wantsEOF()
		}, WasCut},
		{"cut, and nobody reads", func(r *rig) {
			flood := string(make([]byte, 32<<20))
			r.server.sendsApart(flood)
			r.client.sendsApart(flood)
			until(r.t, "the sockets are full", func() bool {
				return r.counted[Client].Load() > 100 && r.counted[Server].Load() > 100
			})
			r.cut()
		}, WasCut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tcp)
			r.Tracker, r.patience = nil, 1
			r.Raw = r.sockets
			r.run()
			r.client.sends("one")
			r.server.wants("one")
			r.server.sends("two")
			r.client.wants("two")
			tt.script(r)
			r.wantEnd(tt.want)
			_, _ = r.client.Close(), r.server.Close()
		})
	}
}

// sockets is a Raw for legs with nothing above them.
func (r *rig) sockets(from Side) (in, out net.Conn) {
	if from == Client {
		return r.Client, r.Server
	}
	return r.Server, r.Client
}
