package proxyheader

import (
	"errors"
	"fmt"
)

const (
	// MaxV1Length is the length in bytes of the longest version 1 line, CRLF included (section 2.1).
	MaxV1Length = 107
	// DefaultMaxLength is the limit of [Parse] on version 2's length field, in bytes. The field could name
	// 65535; a client certificate, the largest TLV in use, takes 1 to 2 KiB.
	DefaultMaxLength = 4096
)

// ErrShort and ErrNone are the answers of [Parse] that are neither a header nor a bad one.
var (
	// ErrShort: the bytes may be the start of a header that has not fully arrived.
	ErrShort = errors.New("proxyheader: the header has not fully arrived")
	// ErrNone: the bytes are not a header, whatever follows.
	ErrNone = errors.New("proxyheader: no header")
)

// The causes of a [ParseError]. They are few and stable enough to be a metric's label.
var (
	// ErrMalformed: the bytes break the specification's grammar.
	ErrMalformed = errors.New("malformed")
	// ErrTooLong: a version 1 line without its end in [MaxV1Length] bytes, or a version 2 length over the
	// limit.
	ErrTooLong = errors.New("too long")
	// ErrChecksum: PP2_TYPE_CRC32C is not the header's checksum.
	ErrChecksum = errors.New("wrong checksum")
	// ErrUnsupported: behind version 2's signature stands a version, command, family or transport that is
	// not assigned.
	ErrUnsupported = errors.New("unsupported")
)

// ParseError says why the bytes behind a signature are not a header. It names a place and never a value, so
// it can be logged.
type ParseError struct {
	// Field is the version and the specification's name of the field, as "v1.src_port", "v2.len" or
	// "v2.PP2_TYPE_SSL".
	Field string
	// Offset counts bytes from the header's start: the first byte that cannot be, or, for a TLV, the TLV's
	// first byte.
	Offset int
	// Err is ErrMalformed, ErrTooLong, ErrChecksum or ErrUnsupported.
	Err error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("proxyheader: %s at byte %d: %v", e.Field, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// Parse decodes the PROXY header at the start of b and returns its length in bytes. What follows it in b is
// payload and is not looked at.
//
// The error is [ErrShort] while b may be the start of a header that has not fully arrived, also for an
// empty b; [ErrNone] when no further byte can make b a header; or a [*ParseError] for a header that is bad.
// With an error the length is 0. An answer other than ErrShort comes with the first byte that decides it,
// except for version 2's addresses and TLVs, which are judged when all of them are there (section 2.2:
// a receiver "must not start to parse an address before the whole address block is received").
func Parse(b []byte) (Header, int, error) { return ParseMax(b, DefaultMaxLength) }

// ParseMax is [Parse] with another limit on version 2's length field, in bytes. A limit of 65535 or more
// accepts every length, and 0 only headers without addresses and TLVs. Version 1's limit does not change.
func ParseMax(b []byte, maxLength int) (Header, int, error) {
	switch Detect(b) {
	case Absent:
		return Header{}, 0, ErrNone
	case Possible:
		return Header{}, 0, ErrShort
	case Present:
	}
	if b[0] == sigV1[0] {
		return parseV1(b)
	}
	return parseV2(b, maxLength)
}
