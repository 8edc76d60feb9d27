package mysqlproxy

import (
	"fmt"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Refusal is an ERR packet that the proxy makes itself, with a server's code, SQLSTATE and text. Codes
// of 2000 to 2999 are never among them: they are those of client libraries, which take such an ERR packet
// for a malformed one.
type Refusal struct {
	Code     uint16
	SQLState string // 5 bytes
	Message  string // what servers say, of at most maxMessage bytes
}

// maxMessage is the size of a client's buffer for the text, in bytes without the NUL (MYSQL_ERRMSG_SIZE).
const maxMessage = 511

// Error returns the refusal as clients print it.
func (r *Refusal) Error() string {
	return fmt.Sprintf("ERROR %d (%s): %s", r.Code, r.SQLState, r.Message)
}

// Append appends the payload of the ERR packet to b.
func (r *Refusal) Append(b []byte) []byte {
	return mysqlwire.AppendERR(b, r.Code, r.SQLState, r.Message[:min(len(r.Message), maxMessage)])
}

// AppendGreeting appends the payload of the ERR packet that stands in place of a greeting, without a SQLSTATE.
func (r *Refusal) AppendGreeting(b []byte) []byte {
	early := *r
	early.SQLState = ""
	return early.Append(b)
}

// The refusals, by their codes. The texts are those of MySQL 9's and MariaDB's message files.

// TooManyConnections is ER_CON_COUNT_ERROR: no upstream has room for another connection.
func TooManyConnections() *Refusal {
	return &Refusal{1040, "08004", "Too many connections"}
}

// BadHandshake is ER_HANDSHAKE_ERROR: a login that cannot be understood, or that claims what was not offered.
// The detail follows the server's text, and may be empty.
func BadHandshake(detail string) *Refusal {
	if detail != "" {
		detail = ": " + detail
	}
	return &Refusal{1043, "08S01", "Bad handshake" + detail}
}

// AccessDenied is ER_ACCESS_DENIED_ERROR. host is the original client's address, and password tells whether
// the client sent authentication data.
func AccessDenied(user, host string, password bool) *Refusal {
	using := "NO"
	if password {
		using = "YES"
	}
	return &Refusal{1045, "28000", fmt.Sprintf(
		"Access denied for user '%.48s'@'%.64s' (using password: %s)", user, host, using)}
}

// ShutdownInProgress is ER_SERVER_SHUTDOWN: Caddy is about to end.
func ShutdownInProgress() *Refusal {
	return &Refusal{1053, "08S01", "Server shutdown in progress"}
}

// UnknownError is ER_UNKNOWN_ERROR, the code for what no server's code says. The text is the proxy's own.
func UnknownError(text string) *Refusal {
	return &Refusal{1105, "HY000", text}
}

// HeaderRefused is ER_UNKNOWN_ERROR with MariaDB's text for a PROXY header that it cannot read.
func HeaderRefused() *Refusal { return UnknownError("Failed to parse proxy header") }

// HeaderNotAccepted is ER_HOST_NOT_PRIVILEGED with MariaDB's text for a PROXY header from an address that may not
// send one.
func HeaderNotAccepted(host string) *Refusal {
	return &Refusal{1130, "HY000", fmt.Sprintf("Proxy header is not accepted from %.255s", host)}
}

// OutOfOrder is ER_NET_PACKETS_OUT_OF_ORDER: a packet of the client has another sequence id than it must have.
func OutOfOrder() *Refusal { return &Refusal{1156, "08S01", "Got packets out of order"} }

// ReadTimeout is ER_NET_READ_INTERRUPTED: the client has not sent in time what it should.
func ReadTimeout() *Refusal {
	return &Refusal{1159, "08S01", "Got timeout reading communication packets"}
}

// TLSRequired is ER_SECURE_TRANSPORT_REQUIRED: a login without TLS where there must be TLS.
func TLSRequired() *Refusal {
	const text = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
	return &Refusal{3159, "HY000", text}
}
