package l4mysql

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"
)

// TestCloseWrite finds the socket below what layer4 and its handlers put over it.
func TestCloseWrite(t *testing.T) {
	wrap := func(conn net.Conn) *layer4.Connection { return layer4.WrapConnection(conn, nil, zap.NewNop()) }
	ours := func(conn net.Conn) *headerConn { return &headerConn{Conn: conn, state: new(headerState)} }
	tests := map[string]func(net.Conn) net.Conn{
		"socket":        func(c net.Conn) net.Conn { return c },
		"layer4":        func(c net.Conn) net.Conn { return wrap(c) },
		"headerConn":    func(c net.Conn) net.Conn { return ours(wrap(ours(c))) },
		"go-proxyproto": func(c net.Conn) net.Conn { return proxyproto.NewConn(wrap(c)) },
	}
	for name, over := range tests {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			addr := serve(t, func(conn *net.TCPConn) {
				if err := closeWrite(over(conn)); err != nil {
					ended <- err
					return
				}
				_, err := io.ReadAll(conn) // the other direction goes on
				ended <- err
			})
			conn := dial(t, addr)
			expectEnd(t, conn, "")
			write(t, conn, "still here")
			_ = conn.Close()
			if err := <-ended; err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := closeWrite(&fakeSocket{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without one: got %v, want ErrUnsupported", err)
	}
}
