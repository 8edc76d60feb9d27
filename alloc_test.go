package l4mysql

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// maxPerConnection is what the handler may take from the heap for one connection, in bytes.
const maxPerConnection = 1024

// haproxyHeader has what `send-proxy-v2 proxy-v2-options crc32c,unique-id,authority` sends, but for the
// checksum.
var haproxyHeader = headerTCP4(tlv(0x05, "C0A80001:1F90_0A000001:0CEA_65A1B2C3_0001:7B"), tlv(0x02, "db.example.com"))

// idle is a socket's end whose deadlines cost nothing.
type idle struct{ memory }

func (*idle) SetReadDeadline(time.Time) error { return nil }

// connections handles b.N connections that begin with in. Without h only layer4 does.
func connections(b *testing.B, h *ProxyHeader, in string) {
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	logger, buf, p := zap.NewNop(), make([]byte, 0, 2048), make([]byte, 4096)
	reader := strings.NewReader(in)
	conn := &idle{memory{fakeSocket{remote: balancer, local: listener}, reader}}
	read := layer4.HandlerFunc(func(cx *layer4.Connection) error {
		for {
			if _, err := cx.Read(p); err != nil {
				return nil
			}
		}
	})
	for b.Loop() {
		reader.Reset(in)
		cx := layer4.WrapConnection(conn, buf, logger)
		if h == nil {
			_ = read(cx)
			continue
		}
		if err := h.Handle(cx, read); err != nil || headerStateOf(cx).header() == nil {
			b.Fatalf("got %v, and no header", err)
		}
	}
}

// BenchmarkHandle is a whole connection with HAProxy's header and a MySQL packet, through the handler and,
// as layer4, without it. The difference is at most [maxPerConnection].
func BenchmarkHandle(b *testing.B) {
	in := haproxyHeader + payload
	b.Run("layer4", func(b *testing.B) { connections(b, nil, in) })
	for _, mode := range []string{modeRequire, modeOptional} {
		h, _ := newHandler(b, &ProxyHeader{Mode: mode})
		h.logger = zap.NewNop()
		b.Run(mode, func(b *testing.B) { connections(b, h, in) })
	}
}

// TestMemoryPerConnection is the claim of BenchmarkHandle.
func TestMemoryPerConnection(t *testing.T) {
	in := haproxyHeader + payload
	base := testing.Benchmark(func(b *testing.B) { connections(b, nil, in) }).AllocedBytesPerOp()
	for _, mode := range []string{modeRequire, modeOptional} {
		h, _ := newHandler(t, &ProxyHeader{Mode: mode})
		h.logger = zap.NewNop()
		got := testing.Benchmark(func(b *testing.B) { connections(b, h, in) }).AllocedBytesPerOp() - base
		if got > maxPerConnection {
			t.Errorf("%s: got %d bytes for each connection, want at most %d", mode, got, maxPerConnection)
		}
		if got < 100 {
			t.Errorf("%s: got %d bytes: the measurement is wrong", mode, got)
		}
		t.Logf("%s: %d bytes for each connection", mode, got)
	}
}

// TestPassingAllocates: behind the header a read costs nothing.
func TestPassingAllocates(t *testing.T) {
	h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
	conn := &idle{memory{fakeSocket{remote: balancer, local: listener}, io.MultiReader(strings.NewReader(headerV1), endless{})}}
	p := make([]byte, 64)
	err := h.Handle(layer4.WrapConnection(conn, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
		if _, err := cx.Read(p); err != nil {
			return err
		}
		if got := testing.AllocsPerRun(100, func() { _, _ = cx.Read(p) }); got != 0 {
			t.Errorf("got %v allocations for each read, want 0", got)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// endless is a client that does not stop.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
