package mysqlproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrHelloTooLarge says that a TLS ClientHello is longer than [ReadServerName] reads.
var ErrHelloTooLarge = errors.New("mysqlproxy: ClientHello too large")

// maxHello is how many bytes are read for a ClientHello. With a few kilobytes of post-quantum keys it is a large one.
const maxHello = 64 << 10

// ReadServerName reads a TLS ClientHello from conn, whose TLS ends elsewhere, and returns the server name in it
// (SNI), which is empty if there is none and otherwise the client's claim. raw is all that was read, for who does
// end the TLS: the ClientHello, and more if more has come with it. It is there with an error, too.
//
// Nothing is written. The deadlines are conn's own. An error of conn is returned as it is, io.EOF and
// [io.ErrUnexpectedEOF] for its end; others are [ErrHelloTooLarge] and those of what is no ClientHello.
func ReadServerName(conn net.Conn) (name string, raw []byte, err error) {
	r := &helloReader{Conn: conn}
	errRead := errors.New("read")
	// It is Go's own server that reads: whoever parses a ClientHello in another way sees another name.
	err = tls.Server(r, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, errRead
	}}).Handshake()
	switch {
	case errors.Is(err, errRead):
		return name, r.raw, nil
	case r.err == io.EOF && len(r.raw) > 0: //nolint:errorlint // net.Conn.Read returns io.EOF itself
		return "", r.raw, io.ErrUnexpectedEOF
	case r.err != nil:
		return "", r.raw, r.err
	}
	return "", r.raw, fmt.Errorf("mysqlproxy: ClientHello: %w", err)
}

// A helloReader keeps what is read, and writes nothing: the handshake that it is for ends with an alert.
type helloReader struct {
	net.Conn
	raw []byte
	err error // of a read
}

func (r *helloReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	room := maxHello - len(r.raw)
	if room == 0 {
		r.err = ErrHelloTooLarge
		return 0, r.err
	}
	n, err := r.Conn.Read(p[:min(len(p), room)])
	r.raw, r.err = append(r.raw, p[:n]...), err
	return n, err
}

func (r *helloReader) Write(p []byte) (int, error) { return len(p), nil }
