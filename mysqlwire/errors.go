package mysqlwire

import (
	"errors"
	"strconv"
)

// The causes of a [ParseError]. They are few and stable, so that they can label a metric.
var (
	ErrTruncated  = errors.New("truncated")    // the payload ends inside a field
	ErrMalformed  = errors.New("malformed")    // a field has a value that the protocol does not allow
	ErrOutOfOrder = errors.New("out of order") // a packet came where the protocol expects another, or none
)

// A ParseError tells where decoding stopped. It names fields and never quotes their contents, which may
// be credentials.
type ParseError struct {
	Message string // the manual's name of the packet, for example "HandshakeResponse41"
	Field   string // the manual's name of the field; empty if the packet as a whole is at fault
	Offset  int    // of the field in the payload, in bytes
	Err     error  // ErrTruncated, ErrMalformed or ErrOutOfOrder
}

// Error returns a coordinate, such as "mysql: HandshakeResponse41.auth_response at byte 45: truncated".
func (e *ParseError) Error() string {
	if e.Field == "" {
		return "mysql: " + e.Message + ": " + e.Err.Error()
	}
	return "mysql: " + e.Message + "." + e.Field + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }
