package mysqlproxy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// ErrNoTLS says that TLS is wanted and the upstream does not offer it.
var ErrNoTLS = errors.New("mysqlproxy: the upstream offers no TLS")

// A TLSError says that the TLS handshake with the upstream has failed. [errors.As] with a
// [*tls.CertificateVerificationError] tells whether it was for the upstream's certificate.
type TLSError struct{ Err error }

func (e *TLSError) Error() string { return "mysqlproxy: TLS with the upstream: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TLSError) Unwrap() error { return e.Err }

// A CapabilityError says that the upstream lacks what a client's session needs.
type CapabilityError struct{ Lacking mysqlwire.Capability }

func (e *CapabilityError) Error() string {
	return "mysqlproxy: the upstream lacks " + capabilityNames(e.Lacking)
}

// A ServerError is an ERR packet of the upstream.
type ServerError struct {
	Code     uint16
	SQLState string // empty if the server sent none
	Message  string // as the server sent it
}

func (e *ServerError) Error() string {
	message := strings.ToValidUTF8(e.Message, "\uFFFD")
	if e.SQLState == "" {
		return fmt.Sprintf("mysqlproxy: ERR %d of the upstream: %s", e.Code, message)
	}
	return fmt.Sprintf("mysqlproxy: ERR %d (%s) of the upstream: %s", e.Code, e.SQLState, message)
}

// serverError returns the ERR packet with this payload. An ERR without a code is an error, too.
func serverError(payload []byte) error {
	e, err := mysqlwire.ParseERR(payload)
	if err != nil {
		return err
	}
	return &ServerError{e.Code, string(e.SQLState), string(e.Message)}
}

// A Side is one end of a session: its client or its server.
type Side uint8

// The sides of a session.
const (
	Client Side = iota + 1
	Server
)

func (s Side) String() string {
	switch s {
	case Client:
		return "client"
	case Server:
		return "server"
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// A LegError says which leg has ended a login, and how: closed ([io.EOF]), silent or not reading until the time
// was over ([os.ErrDeadlineExceeded]), beyond a limit ([ErrPacketTooLarge]).
type LegError struct {
	Leg Side
	Err error
}

func (e *LegError) Error() string {
	return "mysqlproxy: login, " + e.Leg.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *LegError) Unwrap() error { return e.Err }

// A SecrecyError says that an authentication plugin does not work between a leg that others may read and one
// that they cannot: the client does as its own leg allows, the server expects what its own does. Where it is the
// server's leg that others may read, [Relay.RSABridge] makes caching_sha2_password and sha256_password work.
type SecrecyError struct {
	Plugin string // one of few known names
	Leg    Side   // the leg that others may read
}

func (e *SecrecyError) Error() string { return "mysqlproxy: " + e.text() }

// text is for the client, and names the ways out.
func (e *SecrecyError) text() string {
	if e.Leg == Client {
		return e.Plugin + " needs TLS on the client's connection, too, because the upstream's is secret; " +
			"or reach the upstream over TCP without TLS"
	}
	text := e.Plugin + " would send the password in clear to the upstream; use TLS"
	if e.Plugin != sha256Password {
		text += " or a unix socket"
	}
	text += " towards it"
	if e.Plugin == sha256Password || e.Plugin == cachingSHA2 {
		text += ", or set rsa_bridge"
	}
	return text
}
