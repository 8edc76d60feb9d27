package l4mysql

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// shortTimeout is long enough for a busy machine to do in it what must be done in time.
const shortTimeout = 200 * time.Millisecond

// next runs h on a connection from balancer and f in the next handler's place, with the client's end.
func next(t *testing.T, h *ProxyHeader, f func(cx *layer4.Connection, client io.Writer)) {
	t.Helper()
	server, client := pipe(t, balancer)
	err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
		f(cx, client)
		return nil
	}))
	if err != nil {
		t.Errorf("Handle: got %v, want nil", err)
	}
}

// TestOptionalTimeout: the timeout runs from the first byte that may begin a header, not before.
func TestOptionalTimeout(t *testing.T) {
	for _, sent := range []string{"\r\n", "PROX", headerTCP4()[:20], headerV1 + "P"} {
		h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional, Timeout: caddy.Duration(60 * time.Millisecond)})
		next(t, h, func(cx *layer4.Connection, client io.Writer) {
			begin := make(chan time.Time, 1)
			go func() {
				time.Sleep(90 * time.Millisecond) // longer than the timeout
				begin <- time.Now()
				_, _ = io.WriteString(client, sent)
			}()
			n, err := cx.Read(make([]byte, 100))
			if took := time.Since(<-begin); n != 0 || !errors.Is(err, io.EOF) || took < 60*time.Millisecond {
				t.Errorf("sent %q: got %d, %v %v after the first byte, want 0, EOF after 60ms", sent, n, err, took)
			}
			if n, err := cx.Read(make([]byte, 100)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("sent %q: read again: got %d, %v, want 0, EOF", sent, n, err)
			}
		})
		if got := refusalsIn(logs); got != "timeout" {
			t.Errorf("sent %q: got refusals %q, want timeout", sent, got)
		}
	}
}

// TestOptionalTimeoutIsForAll: the timeout is one for the whole header, not one for each byte of it.
func TestOptionalTimeoutIsForAll(t *testing.T) {
	for _, peer := range []net.Addr{balancer, stranger} {
		h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional, Timeout: caddy.Duration(60 * time.Millisecond)})
		server, client := pipe(t, peer)
		var sent atomic.Int32
		go func() {
			for _, b := range bytewise(signatureV2) {
				if _, err := io.WriteString(client, b); err != nil {
					return
				}
				sent.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		}()
		err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
			n, err := cx.Read(make([]byte, 100))
			if all := sent.Load() == int32(len(signatureV2)); n != 0 || !errors.Is(err, io.EOF) || all {
				t.Errorf("from %s: got %d, %v after %d bytes, want 0, EOF before the last", peer, n, err, sent.Load())
			}
			return nil
		}))
		if got := refusalsIn(logs); err != nil || got != "timeout" {
			t.Errorf("from %s: got %v, refusals %q, want timeout", peer, err, got)
		}
	}
}

// TestTimeoutEnds: once it is decided that there is no header, or no second one, no timeout is left on the
// connection.
func TestTimeoutEnds(t *testing.T) {
	for _, before := range []string{"", headerV1} {
		h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional, Timeout: caddy.Duration(shortTimeout)})
		next(t, h, func(cx *layer4.Connection, client io.Writer) {
			go func() {
				_, _ = io.WriteString(client, before+"P")
				_, _ = io.WriteString(client, "ING")
				time.Sleep(shortTimeout + 100*time.Millisecond)
				_, _ = io.WriteString(client, "later")
			}()
			data := make([]byte, len("PINGlater"))
			if n, err := io.ReadFull(cx, data); err != nil || string(data) != "PINGlater" {
				t.Errorf("behind %q: got %q, %v, want PINGlater", before, data[:n], err)
			}
		})
		if got := refusalsIn(logs); got != "" {
			t.Errorf("behind %q: got refusals %q, want none", before, got)
		}
	}
}

// TestUserDeadline: a deadline that the next handler sets holds before, within and behind a header, loses
// no byte, and is not taken for the header's.
func TestUserDeadline(t *testing.T) {
	in := headerTCP4() + payload
	allCuts(in, func(a, b string) {
		if len(a) == len(in) {
			return
		}
		h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
		next(t, h, func(cx *layer4.Connection, client io.Writer) {
			go func() { _, _ = io.WriteString(client, a) }()
			var data []byte
			buf := make([]byte, 100)
			timeouts := 0
			for string(data) != payload {
				if err := cx.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				n, err := cx.Read(buf)
				data = append(data, buf[:n]...)
				switch {
				case errors.Is(err, os.ErrDeadlineExceeded):
					if timeouts++; timeouts == 1 {
						go func() { _, _ = io.WriteString(client, b) }()
					} else if timeouts > 1000 {
						t.Fatalf("cut at %d: got %q and no more", len(a), data)
					}
				case err != nil:
					t.Fatalf("cut at %d: %v", len(a), err)
				}
			}
		})
		if got := refusalsIn(logs); got != "" {
			t.Errorf("cut at %d: got refusals %q, want none", len(a), got)
		}
	})
}

// TestUserDeadlineRestored: what was set while a header was awaited holds when it is there, and "none"
// does too.
func TestUserDeadlineRestored(t *testing.T) {
	for _, user := range []time.Duration{0, 2 * shortTimeout} {
		for _, set := range []func(*layer4.Connection, time.Time) error{(*layer4.Connection).SetReadDeadline, (*layer4.Connection).SetDeadline} {
			h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional, Timeout: caddy.Duration(shortTimeout)})
			next(t, h, func(cx *layer4.Connection, client io.Writer) {
				go func() {
					_, _ = io.WriteString(client, headerV1[:9])
					var at time.Time
					if user > 0 {
						at = time.Now().Add(user)
					}
					if err := set(cx, at); err != nil {
						t.Errorf("setting a deadline: %v", err)
					}
					_, _ = io.WriteString(client, headerV1[9:]+"a")
					if user == 0 {
						time.Sleep(shortTimeout + 100*time.Millisecond)
						_, _ = io.WriteString(client, "b")
					}
				}()
				buf := make([]byte, 10)
				if n, err := cx.Read(buf); string(buf[:n]) != "a" || err != nil {
					t.Errorf("got %q, %v, want a", buf[:n], err)
				}
				n, err := cx.Read(buf)
				if user > 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %q, %v, want the user's deadline", buf[:n], err)
				}
				if user == 0 && (string(buf[:n]) != "b" || err != nil) {
					t.Errorf("got %q, %v, want b and no deadline", buf[:n], err)
				}
			})
		}
	}
}

// TestShorterUserDeadline: setting a later deadline does not lengthen the header's timeout.
func TestShorterUserDeadline(t *testing.T) {
	h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional, Timeout: caddy.Duration(40 * time.Millisecond)})
	next(t, h, func(cx *layer4.Connection, client io.Writer) {
		go func() {
			_, _ = io.WriteString(client, "PROXY ")
			_ = cx.SetReadDeadline(time.Now().Add(time.Hour))
			_ = cx.SetDeadline(time.Now().Add(time.Hour))
			_ = cx.SetReadDeadline(time.Time{})
		}()
		if _, err := cx.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want EOF", err)
		}
	})
	if got := refusalsIn(logs); got != "timeout" {
		t.Errorf("got refusals %q, want timeout", got)
	}
}

// TestRequireTimeout: without a header the connection ends after timeout, and says what it waited for.
func TestRequireTimeout(t *testing.T) {
	tests := []struct {
		sent   string
		reason reason
		hint   bool
	}{
		{"", reasonMissing, true},
		{"P", reasonTimeout, false},
		{headerTCP4()[:27], reasonTimeout, false},
	}
	for _, tt := range tests {
		h, logs := newHandler(t, &ProxyHeader{Timeout: caddy.Duration(shortTimeout)})
		server, client := pipe(t, balancer)
		if tt.sent != "" {
			go func() { _, _ = io.WriteString(client, tt.sent) }()
		}
		start := time.Now()
		err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(*layer4.Connection) error {
			t.Errorf("sent %q: the next handler was called", tt.sent)
			return nil
		}))
		took := time.Since(start)
		if err != nil || took < shortTimeout || took > 5*time.Second {
			t.Errorf("sent %q: got %v after %v, want nil after %v", tt.sent, err, took, shortTimeout)
		}
		if got := refusalsIn(logs); got != string(tt.reason) {
			t.Errorf("sent %q: got refusals %q, want %s", tt.sent, got, tt.reason)
		}
		if _, hint := logs.All()[0].ContextMap()["hint"]; hint != tt.hint {
			t.Errorf("sent %q: got a hint: %t, want %t", tt.sent, hint, tt.hint)
		}
	}
}

// TestRequireClearsDeadline: the header's timeout is over with the header.
func TestRequireClearsDeadline(t *testing.T) {
	h, _ := newHandler(t, &ProxyHeader{Timeout: caddy.Duration(shortTimeout)})
	server, client := pipe(t, balancer)
	go func() {
		_, _ = io.WriteString(client, headerV1)
		time.Sleep(shortTimeout + 100*time.Millisecond)
		_, _ = io.WriteString(client, "later")
	}()
	err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
		buf := make([]byte, 16)
		if n, err := cx.Read(buf); string(buf[:n]) != "later" {
			t.Errorf("Read: got %q, %v, want later", buf[:n], err)
		}
		return nil
	}))
	if err != nil {
		t.Errorf("Handle: %v", err)
	}
}
