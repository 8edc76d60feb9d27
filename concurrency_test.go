package l4mysql

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// TestConcurrency is for the race detector: as behind the stock proxy one goroutine reads and one writes,
// and both, and a third that sets deadlines, ask for addresses and placeholders while the header comes.
// Each of them sees the socket's address until, at some moment, the original one.
func TestConcurrency(t *testing.T) {
	m, err := newMatcher(t, &MatchProxyHeader{Version: []int{2}, TLV: map[string][]string{"unique_id": {"id"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{headerTCP4(tlv(0x05, "id")), headerTCP4(tlv(0x05, "id")) + headerV1, "PROXY bad"} {
		h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
		server, client := pipe(t, balancer)
		go func() {
			for i := range len(in) {
				if _, err := io.WriteString(client, in[i:i+1]); err != nil {
					return
				}
			}
			_, _ = io.WriteString(client, payload)
			_ = client.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()

		err := h.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
			done := make(chan struct{})
			look := func() {
				src, _ := cx.Replacer().GetString("l4.proxy_header.src")
				id, _ := cx.Replacer().GetString("l4.proxy_header.tlv.unique_id")
				if remote := cx.RemoteAddr().String(); src == clientAddr && (remote != src || id == "" && strings.HasPrefix(in, "\r")) {
					t.Errorf("got src %s, remote %s, unique_id %q", src, remote, id)
				}
				_, _ = m.Match(cx)
			}
			var others sync.WaitGroup
			for _, f := range []func() error{
				func() error { _, err := cx.Write([]byte("answer")); return err },
				func() error { return cx.SetReadDeadline(time.Now().Add(time.Hour)) },
			} {
				others.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
							look()
							if err := f(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
								t.Errorf("got %v", err)
								return
							}
						}
					}
				})
			}
			data, err := io.ReadAll(cx)
			close(done)
			others.Wait()
			if want := in == headerTCP4(tlv(0x05, "id")); err != nil || want != (string(data) == payload) {
				t.Errorf("got %q, %v", data, err)
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	}
}
