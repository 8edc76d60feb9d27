package integration

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A hop stands between Caddy and a server. It hands on bytes and ends as they come, counts the connections, and can end
// them in the server's place. To the server it comes from an address of its own.
type hop struct {
	Addr     string
	listener net.Listener
	server   string
	from     net.Addr

	mu   sync.Mutex
	legs []*hopLeg
	bad  func(caddy, server *net.TCPConn) // what is done with a connection instead; nil: nothing
	hurt int                              // connections with which that was done
}

// behave says what is done with connections from now on, instead of handing on what comes. Both ends are closed then. nil
// ends that.
func (h *hop) behave(bad func(caddy, server *net.TCPConn)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad, h.hurt = bad, 0
}

// suffered returns how many connections have come since the last call of behave.
func (h *hop) suffered() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hurt
}

// A hopLeg is a connection from Caddy, and the one that it goes on with.
type hopLeg struct {
	caddy, server *net.TCPConn
	gate          sync.Mutex // held while nothing of the server's goes on
	dropped       atomic.Bool
	ended         chan struct{} // closed when Caddy has ended the connection
}

// startHop starts a hop before the server.
func startHop(t testing.TB, server, from string) *hop {
	t.Helper()
	l, err := net.Listen("tcp", local(0))
	if err != nil {
		t.Fatal(err)
	}
	h := &hop{Addr: l.Addr().String(), listener: l, server: server, from: &net.TCPAddr{IP: net.ParseIP(from)}}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.connect(conn.(*net.TCPConn))
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, leg := range h.all() {
			leg.drop(true)
		}
	})
	return h
}

// connect connects to the server for Caddy. A server that is not there is a connection that ends.
func (h *hop) connect(caddy *net.TCPConn) {
	conn, err := (&net.Dialer{LocalAddr: h.from}).Dial("tcp", h.server)
	if err != nil {
		_ = caddy.SetLinger(0)
		_ = caddy.Close()
		return
	}
	leg := &hopLeg{caddy: caddy, server: conn.(*net.TCPConn), ended: make(chan struct{})}
	h.mu.Lock()
	bad := h.bad
	if bad == nil {
		h.legs = append(h.legs, leg)
	} else {
		h.hurt++
	}
	h.mu.Unlock()
	if bad != nil {
		go func() {
			bad(caddy, leg.server)
			_ = caddy.Close()
			_ = leg.server.Close()
		}()
		return
	}
	go leg.fromServer()
	go leg.fromCaddy()
}

func (h *hop) all() []*hopLeg {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*hopLeg(nil), h.legs...)
}

// count returns how many connections Caddy has made, and how many of them it has not ended.
func (h *hop) count() (made, open int) {
	all := h.all()
	for _, leg := range all {
		select {
		case <-leg.ended:
		default:
			open++
		}
	}
	return len(all), open
}

func (l *hopLeg) fromCaddy() {
	defer close(l.ended)
	_, err := io.Copy(l.server, l.caddy)
	switch {
	case err == nil:
		_ = l.server.CloseWrite()
	case l.dropped.Load():
		_, _ = io.Copy(io.Discard, l.caddy)
	default:
		l.lost()
	}
}

func (l *hopLeg) fromServer() {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		l.gate.Lock()
		_, failed := l.caddy.Write(buf[:n])
		l.gate.Unlock()
		switch {
		case failed != nil:
			l.lost()
		case err == io.EOF: //nolint:errorlint // net.Conn.Read returns io.EOF itself
			_ = l.caddy.CloseWrite()
		case err != nil:
			l.lost()
		default:
			continue
		}
		<-l.ended
		_ = l.caddy.Close()
		_ = l.server.Close()
		return
	}
}

// lost resets both sides, because one of them is lost.
func (l *hopLeg) lost() {
	if l.dropped.Load() {
		return
	}
	for _, conn := range []*net.TCPConn{l.caddy, l.server} {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
}

// drop ends the connection in the server's place: with a RST, or in order. Then what Caddy still sends is taken in until
// it closes.
func (l *hopLeg) drop(reset bool) {
	l.dropped.Store(true)
	_ = l.server.SetLinger(0)
	_ = l.server.Close()
	if reset {
		_ = l.caddy.SetLinger(0)
		_ = l.caddy.Close()
		return
	}
	_ = l.caddy.CloseWrite()
}
