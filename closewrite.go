package l4mysql

import (
	"errors"
	"net"

	"github.com/mholt/caddy-l4/layer4"
)

// closeWrite ends the writing side of conn. caddy-l4's `proxy` asks the connection that it was given for
// CloseWrite, to tell the client that the server has closed; neither layer4.Connection nor the stock
// `proxy_protocol` handler's has it, so it is looked for below them.
func closeWrite(conn net.Conn) error {
	for {
		switch c := conn.(type) {
		case interface{ CloseWrite() error }:
			return c.CloseWrite()
		case *layer4.Connection:
			conn = c.Conn
		case interface{ Raw() net.Conn }: // go-proxyproto
			conn = c.Raw()
		default:
			return errors.ErrUnsupported
		}
	}
}
