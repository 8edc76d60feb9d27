package l4mysql

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// The addresses of the tests. Each differs from each other in every part.
var (
	balancer = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 5510}
	stranger = &net.TCPAddr{IP: net.IPv4(198, 18, 0, 66), Port: 6601}
	listener = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 20), Port: 3306}
)

const (
	clientAddr = "203.0.113.7:40001"
	targetAddr = "198.51.100.9:3390"

	headerV1      = "PROXY TCP4 203.0.113.7 198.51.100.9 40001 3390\r\n"
	headerV1TCP6  = "PROXY TCP6 2001:db8::7 2001:db8:1::9 40002 3391\r\n"
	headerUnknown = "PROXY UNKNOWN\r\n"
)

const (
	signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"
	blockTCP4   = "\xcb\x00\x71\x07\xc6\x33\x64\x09\x9c\x41\x0d\x3e" // clientAddr, targetAddr
)

// headerV2 returns a version 2 header.
func headerV2(verCmd, family byte, block ...string) string {
	body := strings.Join(block, "")
	b := append([]byte(signatureV2), verCmd, family)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(body)))) + body
}

// tlv returns a TLV.
func tlv(typ byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{typ}, uint16(len(value)))) + value
}

// sslTLV returns PP2_TYPE_SSL.
func sslTLV(client byte, verify uint32, sub ...string) string {
	return tlv(0x20, string(binary.BigEndian.AppendUint32([]byte{client}, verify))+strings.Join(sub, ""))
}

// headerTCP4 is version 2's twin of headerV1.
func headerTCP4(tlvs ...string) string {
	return headerV2(0x21, 0x11, append([]string{blockTCP4}, tlvs...)...)
}

// newHandler provisions a handler that takes headers from balancer, and returns what it logs.
func newHandler(t testing.TB, h *ProxyHeader) (*ProxyHeader, *observer.ObservedLogs) {
	t.Helper()
	if h.Allow == nil {
		h.Allow = []string{"192.0.2.10"}
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		t.Fatalf("Provision: %v", err)
	}
	if err := h.Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	h.logger = zap.New(core)
	h.refusals = newRefusalLimit(time.Now)
	return h, logs
}

// refusalsIn returns the reasons in the refusals that were logged.
func refusalsIn(logs *observer.ObservedLogs) string {
	var reasons []string
	for _, entry := range logs.FilterLevelExact(zapcore.InfoLevel).All() {
		reasons = append(reasons, entry.ContextMap()["reason"].(string))
	}
	return strings.Join(reasons, " ")
}

// fakeSocket gives the end of a net.Pipe addresses.
type fakeSocket struct {
	net.Conn
	remote, local net.Addr
}

func (s *fakeSocket) RemoteAddr() net.Addr { return s.remote }
func (s *fakeSocket) LocalAddr() net.Addr  { return s.local }

// pipe returns both ends of a connection from peer. What one Write sends no other Read returns with.
func pipe(t testing.TB, peer net.Addr) (server, client net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return &fakeSocket{Conn: a, remote: peer, local: listener}, b
}

// A visit is what came of one connection through a handler.
type visit struct {
	called        bool // the next handler was
	data          string
	err           error  // that ended the next handler's reads; nil: io.EOF
	remote, local string // as the next handler saw them in the end
	kept          int
}

// run sends chunks, each in a write of its own, through h to a next handler that reads readSize bytes
// at a time. prefetched is what matchers have read before.
func run(t testing.TB, h *ProxyHeader, peer net.Addr, prefetched string, readSize int, chunks ...string) visit {
	t.Helper()
	server, client := pipe(t, peer)
	go func() {
		for _, chunk := range chunks {
			if chunk == "" {
				continue
			}
			if _, err := io.WriteString(client, chunk); err != nil {
				return
			}
		}
		_ = client.Close()
	}()

	var v visit
	cx := layer4.WrapConnection(server, []byte(prefetched), zap.NewNop())
	err := h.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
		v.called = true
		var data []byte
		buf := make([]byte, readSize)
		for {
			n, err := cx.Read(buf)
			data = append(data, buf[:n]...)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					v.err = err
				}
				break
			}
			if n == 0 {
				t.Errorf("Read returned 0 bytes and no error")
				break
			}
		}
		v.data = string(data)
		v.remote, v.local = cx.RemoteAddr().String(), cx.LocalAddr().String()
		v.kept = headerStateOf(cx).keptBytes()
		return nil
	}))
	if err != nil {
		t.Errorf("Handle: got %v, want nil: what a client does is no error", err)
	}
	_ = server.Close()
	return v
}

// allCuts calls f with s cut in two at every place.
func allCuts(s string, f func(first, second string)) {
	for i := range len(s) + 1 {
		f(s[:i], s[i:])
	}
}

// bytewise returns s as chunks of one byte.
func bytewise(s string) []string {
	return slices.Collect(func(yield func(string) bool) {
		for i := range len(s) {
			if !yield(s[i : i+1]) {
				return
			}
		}
	})
}

// brief shows bytes in a test's message.
func brief(s string) string {
	if len(s) > 80 {
		return hex.EncodeToString([]byte(s[:80])) + "..."
	}
	return hex.EncodeToString([]byte(s))
}
