package mysqlwire

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// AppendValue appends the text of a value of type t to dst, as a server shows it: 18446744073709551615,
// 2026-03-04 05:06:07.123456, -838:59:59, 0000-00-00. b are the value's bytes, without a length before
// them. number says that the text is a number, as in JSON. ok is false, and dst as it was, if b is no such
// value. A string is appended as it is.
//
// Binary Protocol Value
func AppendValue(dst []byte, t FieldType, unsigned bool, b []byte) (text []byte, number, ok bool) {
	encoding, size := t.Encoding()
	switch {
	case encoding == EncodingString:
		return append(dst, b...), false, true
	case encoding == EncodingTemporal:
		text, ok = appendTemporal(dst, t, b)
		return text, false, ok
	case encoding == EncodingUnknown || len(b) != size || size == 0:
		return dst, false, false
	case t == TypeFloat:
		return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
	case t == TypeDouble:
		return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	}
	var wide [8]byte
	copy(wide[:], b)
	n := binary.LittleEndian.Uint64(wide[:])
	if unsigned || t == TypeYear {
		return strconv.AppendUint(dst, n, 10), true, true
	}
	shift := 64 - 8*size
	return strconv.AppendInt(dst, int64(n<<shift)>>shift, 10), true, true
}

func appendFloat(dst []byte, f float64, bits int) (text []byte, number, ok bool) {
	finite := !math.IsInf(f, 0) && !math.IsNaN(f) // the others are no numbers in JSON
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-15 || abs >= 1e15) { // where servers change it, too
		format = 'e'
	}
	text = strconv.AppendFloat(dst, f, format, -1, bits)
	if i := bytes.IndexByte(text[len(dst):], '+'); i > 0 { // servers write 1e15, not 1e+15
		text = slices.Delete(text, len(dst)+i, len(dst)+i+1)
	}
	return text, finite, true
}

// appendTemporal appends a DATE, DATETIME, TIMESTAMP or TIME. What its length leaves out is 0.
func appendTemporal(dst []byte, t FieldType, b []byte) (text []byte, ok bool) {
	var full [MaxTemporal]byte
	if len(b) > len(full) {
		return dst, false
	}
	copy(full[:], b)
	c := NewCursor(full[:])
	if t == TypeTime {
		switch len(b) {
		case 0, 8, 12:
			return appendTime(dst, &c, len(b)), true
		default:
			return dst, false
		}
	}
	switch len(b) {
	case 0, 4, 7, 11, 13:
		return appendDateTime(dst, t, &c, len(b)), true
	default:
		return dst, false
	}
}

// ProtocolBinary::MYSQL_TYPE_DATETIME
func appendDateTime(dst []byte, t FieldType, c *Cursor, size int) []byte {
	dst = appendPadded(dst, uint32(c.Uint16("year")), 4)
	dst = appendPadded(append(dst, '-'), uint32(c.Uint8("month")), 2)
	dst = appendPadded(append(dst, '-'), uint32(c.Uint8("day")), 2)
	if t == TypeDate { // Connector/J sends a time with it, and servers leave it out
		return dst
	}
	dst = appendClock(append(dst, ' '), c, size >= 11)
	if size == 13 { // the displacement of a time zone in minutes
		offset, sign := int16(c.Uint16("time_zone_displacement")), byte('+')
		minutes := uint32(offset)
		if offset < 0 {
			minutes, sign = uint32(-int32(offset)), '-'
		}
		dst = appendPadded(append(dst, sign), minutes/60, 2)
		dst = appendPadded(append(dst, ':'), minutes%60, 2)
	}
	return dst
}

// ProtocolBinary::MYSQL_TYPE_TIME
func appendTime(dst []byte, c *Cursor, size int) []byte {
	if c.Uint8("is_negative") != 0 {
		dst = append(dst, '-')
	}
	hours := uint64(c.Uint32("days"))*24 + uint64(c.Uint8("hour"))
	if hours < 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, hours, 10)
	dst = appendPadded(append(dst, ':'), uint32(c.Uint8("minute")), 2)
	dst = appendPadded(append(dst, ':'), uint32(c.Uint8("second")), 2)
	return appendMicroseconds(dst, c, size == 12)
}

func appendClock(dst []byte, c *Cursor, micro bool) []byte {
	dst = appendPadded(dst, uint32(c.Uint8("hour")), 2)
	dst = appendPadded(append(dst, ':'), uint32(c.Uint8("minute")), 2)
	dst = appendPadded(append(dst, ':'), uint32(c.Uint8("second")), 2)
	return appendMicroseconds(dst, c, micro)
}

// appendMicroseconds reads the microseconds where the value has them, and appends them if there are any.
func appendMicroseconds(dst []byte, c *Cursor, has bool) []byte {
	if !has {
		return dst
	}
	if micro := c.Uint32("microsecond"); micro != 0 {
		dst = appendPadded(append(dst, '.'), micro, 6)
	}
	return dst
}

// appendPadded appends n with zeros before it up to width digits.
func appendPadded(dst []byte, n uint32, width int) []byte {
	for least := uint32(math.Pow10(width - 1)); n < least && least > 1; least /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}
