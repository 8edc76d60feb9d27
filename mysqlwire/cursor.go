package mysqlwire

import (
	"bytes"
	"encoding/binary"
)

// A Cursor reads the fields of one payload in wire order. After the first field that does not fit, every
// read returns a zero value and [Cursor.Err] names that field, so that a decoder needs no check per field.
//
// Only take indexes the payload. The zero Cursor reads an empty payload.
type Cursor struct {
	rest  []byte
	off   int
	field string // the field that failed; its cause is bad
	bad   error
}

// NewCursor returns a Cursor at the start of payload. What it returns points into payload.
func NewCursor(payload []byte) Cursor { return Cursor{rest: payload} }

// take is the one place where a length is turned into a slice: n comes from the wire and is compared
// before it is converted, because int(n) of 2^63 would be negative and pass.
func (c *Cursor) take(n uint64, field string) []byte {
	if c.bad != nil {
		return nil
	}
	if n > uint64(len(c.rest)) {
		c.fail(field, ErrTruncated)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	c.off += int(n)
	return b
}

func (c *Cursor) fail(field string, cause error) {
	if c.bad == nil {
		c.field, c.bad, c.rest = field, cause, nil
	}
}

// Len returns how many bytes are left.
func (c *Cursor) Len() int { return len(c.rest) }

// Failed reports whether a field did not fit.
func (c *Cursor) Failed() bool { return c.bad != nil }

// Err returns nil, or a [*ParseError] for the first field that did not fit; message is the packet's name.
func (c *Cursor) Err(message string) error {
	if c.bad == nil {
		return nil
	}
	return &ParseError{Message: message, Field: c.field, Offset: c.off, Err: c.bad}
}

// Uint8 reads int<1>.
func (c *Cursor) Uint8(field string) uint8 {
	if b := c.take(1, field); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads int<2>.
func (c *Cursor) Uint16(field string) uint16 {
	if b := c.take(2, field); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint24 reads int<3>.
func (c *Cursor) Uint24(field string) uint32 {
	if b := c.take(3, field); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

// Uint32 reads int<4>.
func (c *Cursor) Uint32(field string) uint32 {
	if b := c.take(4, field); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads int<8>.
func (c *Cursor) Uint64(field string) uint64 {
	if b := c.take(8, field); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// LenEnc reads int<lenenc>. 0xfb (NULL in a row) and 0xff are no integers: they fail with ErrMalformed.
func (c *Cursor) LenEnc(field string) uint64 {
	switch first := c.Uint8(field); first {
	case 0xfc:
		return uint64(c.Uint16(field))
	case 0xfd:
		return uint64(c.Uint24(field))
	case 0xfe:
		return c.Uint64(field)
	case 0xfb, 0xff:
		c.fail(field, ErrMalformed)
		return 0
	default:
		return uint64(first)
	}
}

// LenEncString reads string<lenenc>.
func (c *Cursor) LenEncString(field string) []byte { return c.take(c.LenEnc(field), field) }

// String reads string<fix> or string<var> of n bytes.
func (c *Cursor) String(n uint64, field string) []byte { return c.take(n, field) }

// Skip passes over n bytes.
func (c *Cursor) Skip(n uint64, field string) { c.take(n, field) }

// NulString reads string<NUL>. A string that the end of the payload ends instead is accepted, because
// real clients leave out the last NUL.
func (c *Cursor) NulString(field string) []byte {
	i := bytes.IndexByte(c.rest, 0)
	if i < 0 {
		return c.take(uint64(len(c.rest)), field)
	}
	b := c.take(uint64(i), field)
	c.take(1, field)
	return b
}

// Rest reads string<EOF>: everything that is left.
func (c *Cursor) Rest(field string) []byte { return c.take(uint64(len(c.rest)), field) }
