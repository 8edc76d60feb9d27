package l4mysql

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxyprotocol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func provision(t *testing.T, h *ProxyHeader) error {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		return err
	}
	return h.Validate()
}

func TestProxyHeaderDefaults(t *testing.T) {
	h := &ProxyHeader{Allow: []string{"10.0.0.0/8"}}
	if err := provision(t, h); err != nil {
		t.Fatal(err)
	}
	if h.Mode != "require" || time.Duration(h.Timeout) != 5*time.Second || h.MaxSize != 4096 || h.Keep {
		t.Errorf("got %+v, want require, 5s, 4096 bytes, not keep", h)
	}
}

// TestProxyHeaderConfigErrors: an error begins with the option's name and shows the value.
func TestProxyHeaderConfigErrors(t *testing.T) {
	allow := []string{"10.0.0.0/8"}
	tests := []struct {
		name    string
		h       *ProxyHeader
		wantErr string
	}{
		{"no allow", &ProxyHeader{}, `allow: required: name the load balancers that may send a header, for example "allow 10.0.0.0/8" or "allow private_ranges"`},
		{"no such range", &ProxyHeader{Allow: []string{"10.0.0.0/8", "10.0.0.0/33"}}, `allow: "10.0.0.0/33"`},
		{"host name", &ProxyHeader{Allow: []string{"lb.example.com"}}, `allow: "lb.example.com"`},
		{"placeholder without a value", &ProxyHeader{Allow: []string{"{env.TEST_NO_SUCH}"}}, "allow: evaluated placeholder {env.TEST_NO_SUCH} is empty"},
		{"placeholder not known", &ProxyHeader{Allow: []string{"{nonsense}"}}, "allow: unrecognized placeholder {nonsense}"},
		{"mode", &ProxyHeader{Allow: allow, Mode: "lazy"}, "mode: 'lazy' is neither require nor optional"},
		{"timeout", &ProxyHeader{Allow: allow, Timeout: caddy.Duration(-time.Second)}, "timeout: must not be negative, got -1s"},
		{"max_size below", &ProxyHeader{Allow: allow, MaxSize: -1}, "max_size: must be from 0 to 65535 bytes, got -1"},
		{"max_size above", &ProxyHeader{Allow: allow, MaxSize: 65536}, "max_size: must be from 0 to 65535 bytes, got 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := provision(t, tt.h); err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
				t.Errorf("got %v, want %s", err, tt.wantErr)
			}
		})
	}
}

// TestAllow: who may send a header, by the socket's peer.
func TestAllow(t *testing.T) {
	t.Setenv("TEST_BALANCERS", "192.0.2.8/30 2001:db8::/32")
	tests := []struct {
		allow string
		peer  net.Addr
		want  bool
	}{
		{"192.0.2.10", balancer, true},
		{"192.0.2.0/24", balancer, true},
		{"192.0.2.0/24", stranger, false},
		{"::ffff:192.0.2.10", balancer, true},
		{"192.0.2.10", &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.10"), Port: 1}, true},
		{"fe80::1", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}, true},
		{"private_ranges", balancer, false},
		{"private_ranges", &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 1}, true},
		{"{env.TEST_BALANCERS}", balancer, true},
		{"{env.TEST_BALANCERS}", &net.TCPAddr{IP: net.ParseIP("2001:db8::5"), Port: 1}, true},
		{"{env.TEST_BALANCERS}", stranger, false},
	}
	for _, tt := range tests {
		h, logs := newHandler(t, &ProxyHeader{Allow: []string{tt.allow}})
		got := run(t, h, tt.peer, "", 4096, headerV1+payload)
		if got.called != tt.want || refusalsIn(logs) == "" != tt.want {
			t.Errorf("allow %s, peer %s: got %t, refusals %q, want %t", tt.allow, tt.peer, got.called, refusalsIn(logs), tt.want)
		}
	}
}

// TestUntrustedAtOnce: in mode require a peer that is not allowed is not waited for.
func TestUntrustedAtOnce(t *testing.T) {
	h, logs := newHandler(t, &ProxyHeader{})
	server, _ := pipe(t, stranger)
	start := time.Now()
	err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(*layer4.Connection) error {
		t.Errorf("the next handler was called")
		return nil
	}))
	if took := time.Since(start); err != nil || took > time.Second || refusalsIn(logs) != "untrusted" {
		t.Errorf("got %v after %v, refusals %q, want untrusted at once", err, took, refusalsIn(logs))
	}
}

// TestPeerIsTheSocket: an address that a handler before has put on the connection, as the stock handler
// does from a header that anybody may send, allows nothing and is not taken for the peer's.
func TestPeerIsTheSocket(t *testing.T) {
	h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
	server, client := pipe(t, stranger)
	go func() { _, _ = client.Write([]byte(headerV1 + payload)) }()
	cx := layer4.WrapConnection(server, nil, zap.NewNop())
	cx.SetVar(proxyProtocolVar, server)
	cx = cx.Wrap(&fakeSocket{Conn: cx, remote: balancer, local: balancer})
	err := h.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
		if conn := cx.GetVar(proxyProtocolVar); conn != cx.Conn {
			t.Errorf("%s: got %T, want this handler's connection", proxyProtocolVar, conn)
		}
		state := headerStateOf(cx)
		if state.peer() != net.Addr(stranger) || state.local() != net.Addr(listener) {
			t.Errorf("got %s and %s, want the socket's %s and %s", state.peer(), state.local(), stranger, listener)
		}
		_, _ = cx.Read(make([]byte, 100))
		return nil
	}))
	if err != nil || refusalsIn(logs) != "untrusted" {
		t.Errorf("got %v, refusals %q, want untrusted", err, refusalsIn(logs))
	}
}

// TestSecondHandler: what the first handler has read stays known behind a second one, whether it took the
// header off or kept it.
func TestSecondHandler(t *testing.T) {
	for _, keep := range []bool{false, true} {
		first, _ := newHandler(t, &ProxyHeader{Keep: keep})
		second, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
		server, client := pipe(t, balancer)
		go func() {
			_, _ = client.Write([]byte(headerV1 + payload))
			_ = client.Close()
		}()
		var data []byte
		err := first.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
			return second.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
				buf := make([]byte, 4096)
				n, err := cx.Read(buf)
				data = buf[:n]
				if got := cx.Replacer().ReplaceAll("{l4.proxy_header.src}", ""); got != clientAddr || cx.RemoteAddr().String() != clientAddr {
					t.Errorf("keep=%t: got %s and %s, want %s", keep, got, cx.RemoteAddr(), clientAddr)
				}
				if state := headerStateOf(cx); state.header() == nil || state.keptBytes() != 0 {
					t.Errorf("keep=%t: got %v, %d bytes kept, want a header and none: the second handler took them off",
						keep, state.header(), state.keptBytes())
				}
				return err
			}))
		}))
		if err != nil || string(data) != payload || refusalsIn(logs) != "" {
			t.Errorf("keep=%t: got %q, %v, refusals %q, want %q", keep, data, err, refusalsIn(logs), payload)
		}
	}
}

// TestWarnStockProxyProtocol: each handler that sees a connection from the stock handler warns, once.
func TestWarnStockProxyProtocol(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	stock := new(l4proxyprotocol.Handler)
	if err := stock.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	ours, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
	core, otherLogs := observer.New(zapcore.DebugLevel)
	var once sync.Once
	for range 3 {
		server, client := pipe(t, balancer)
		go func() { _, _ = client.Write([]byte(headerV1)) }()
		err := stock.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
			return ours.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
				warnStockProxyProtocol(cx, &once, zap.New(core)) // another handler of this package
				return nil
			}))
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, l := range map[string]*observer.ObservedLogs{"proxy_header": logs, "the handler behind it": otherLogs} {
		if got := l.FilterLevelExact(zapcore.WarnLevel).Len(); got != 1 {
			t.Errorf("%s: got %d warnings, want 1: %v", name, got, l.All())
		}
	}

	alone, aloneLogs := newHandler(t, &ProxyHeader{})
	run(t, alone, balancer, "", 4096, headerV1)
	if got := aloneLogs.FilterLevelExact(zapcore.WarnLevel).Len(); got != 0 {
		t.Errorf("without the stock handler: got %d warnings, want none", got)
	}
}

func TestDatagram(t *testing.T) {
	for _, local := range []net.Addr{
		&net.UDPAddr{IP: net.IPv4(192, 0, 2, 20), Port: 53},
		&net.UnixAddr{Name: "/run/l4.sock", Net: "unixgram"},
	} {
		h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
		server, _ := pipe(t, balancer)
		server.(*fakeSocket).local = local
		err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(*layer4.Connection) error {
			t.Errorf("%s: the next handler was called", local.Network())
			return nil
		}))
		if got := refusalsIn(logs); err != nil || got != "unsupported" {
			t.Errorf("%s: got %v and refusals %q, want unsupported", local.Network(), err, got)
		}
	}
}
