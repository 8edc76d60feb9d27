package l4mysql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// A dialError says that an upstream could not be reached.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// dial connects to the upstream u, and writes header, which may be empty, before anything else.
func (h *MySQLProxy) dial(ctx context.Context, u *mysqlproxy.Upstream, header []byte) (net.Conn, error) {
	timeout := time.Duration(h.DialTimeout)
	setDefault(&timeout, defaultDialTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	network, address := u.Dialable()
	conn, err := new(net.Dialer).DialContext(ctx, network, address) // with keepalive and TCP_NODELAY
	if err != nil {
		return nil, &dialError{err}
	}
	if len(header) == 0 {
		return conn, nil
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetWriteDeadline(deadline)
	_, err = conn.Write(header)
	_ = conn.SetWriteDeadline(time.Time{})
	if err != nil {
		_ = conn.Close()
		return nil, &dialError{fmt.Errorf("sending the PROXY header: %w", err)}
	}
	return conn, nil
}

// refusalFor returns what a client is told of err, which has kept it from an upstream. Addresses are not for
// somebody who has not logged in.
func refusalFor(err error) *mysqlproxy.Refusal {
	if refusal, ok := errors.AsType[*mysqlproxy.Refusal](err); ok {
		return refusal
	}
	if server, ok := errors.AsType[*mysqlproxy.ServerError](err); ok && server.Code != 0 {
		state := server.SQLState
		if len(state) != 5 {
			state = "HY000"
		}
		return &mysqlproxy.Refusal{Code: server.Code, SQLState: state, Message: server.Message}
	}
	text := "the upstream cannot be used; see Caddy's log"
	switch {
	case hint(err) != "":
		text = hint(err)
	case errors.Is(err, mysqlproxy.ErrNoneHealthy):
		text = "no upstream is healthy"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		text = "the upstream has not answered in time"
	case errors.As(err, new(*dialError)):
		text = "no upstream can be reached"
	}
	return mysqlproxy.UnknownError(text)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// hint names the way out of err, where there is one to name.
func hint(err error) string {
	_, isTLS := errors.AsType[*mysqlproxy.TLSError](err)
	switch {
	case errors.Is(err, mysqlproxy.ErrNoTLS):
		return "the upstream offers no TLS, and the login would go to it in clear; turn TLS on there, or set " +
			"tls prefer or tls off for the upstream"
	case isTLS && errors.As(err, new(*tls.CertificateVerificationError)):
		return "the upstream's certificate cannot be verified; set tls_trust_pool to its certificate authority, " +
			"tls_server_name to the name in it, or tls_insecure_skip_verify"
	case isTLS:
		return "TLS with the upstream failed; set tls off for it, or see Caddy's log"
	case errors.As(err, new(*mysqlproxy.CapabilityError)):
		return "the upstream is not capable of what the greeting offers, or of more; set greeting in mysql_login to " +
			"upstreams of one kind and version"
	}
	if server, ok := errors.AsType[*mysqlproxy.ServerError](err); ok && strings.Contains(strings.ToLower(server.Message), "proxy header") {
		return "the upstream does not take our PROXY header; add Caddy's address to its proxy_protocol_networks, or " +
			"leave out proxy_protocol"
	}
	return ""
}

// hint is [hint] with what this handler's options may be the cause of.
func (h *MySQLProxy) hint(err error) string {
	if text := hint(err); text != "" || h.ProxyProtocol == nil {
		return text
	}
	server, isServer := errors.AsType[*mysqlproxy.ServerError](err)
	leg, isLeg := errors.AsType[*mysqlproxy.LegError](err)
	// What servers say that take a PROXY header for a packet: bad handshake, packets out of order, and nothing.
	// A reset may have overtaken the ERR.
	if isServer && (server.Code == 1043 || server.Code == 1156) || isLeg && leg.Leg == mysqlproxy.Server ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) {
		return "the upstream may not take our PROXY header; add Caddy's address to its proxy_protocol_networks, or leave out " +
			"proxy_protocol if it does not speak the PROXY protocol, as Oracle's MySQL does not"
	}
	return ""
}
