package l4mysql

import (
	"io"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap/zapcore"
)

// TestLeave: a TCP check, which sends nothing, is neither refused nor logged above DEBUG.
func TestLeave(t *testing.T) {
	for _, mode := range []string{modeRequire, modeOptional} {
		h, logs := newHandler(t, &ProxyHeader{Mode: mode})
		before := counted(t, "", "", resultEmpty)
		got := run(t, h, balancer, "", 4096)
		if got.called != (mode == modeOptional) || got.data != "" || got.err != nil {
			t.Errorf("%s: got %+v", mode, got)
		}
		if n := counted(t, "", "", resultEmpty) - before; n != 1 {
			t.Errorf("%s: counted %v times, want 1", mode, n)
		}
		for _, entry := range logs.All() {
			if entry.Level > zapcore.DebugLevel {
				t.Errorf("%s: got %s line %q, want DEBUG only", mode, entry.Level, entry.Message)
			}
		}
		if logs.Len() != 1 {
			t.Errorf("%s: got %d lines, want 1", mode, logs.Len())
		}
	}
}

// TestWriteAfterRefusal: a write that fails because the connection was just refused is told to have
// succeeded, so that the proxy does not log it. Any other failed write is told as it is.
func TestWriteAfterRefusal(t *testing.T) {
	h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
	for _, in := range []string{"PROXY bad", payload} {
		next(t, h, func(cx *layer4.Connection, client io.Writer) {
			go func() {
				_, _ = io.WriteString(client, in)
				_ = client.(io.Closer).Close()
			}()
			_, _ = io.Copy(io.Discard, cx)
			n, err := cx.Write([]byte("answer"))
			if in == payload && err == nil {
				t.Errorf("to a client that left: got %d, nil, want an error", n)
			}
			if in != payload && (n != 6 || err != nil) {
				t.Errorf("after a refusal: got %d, %v, want 6, nil", n, err)
			}
			if in != payload {
				conn := cx.Conn.(*headerConn)
				conn.refusedAt.Add(-int64(writeGrace))
				if n, err := cx.Write([]byte("answer")); err == nil {
					t.Errorf("after the grace: got %d, nil, want an error", n)
				}
			}
		})
	}
}
