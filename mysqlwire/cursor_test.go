package mysqlwire

import (
	"bytes"
	"errors"
	"testing"
)

// reads are the cursor's reads, each with bytes that it takes as a whole and what it makes of them.
var reads = []struct {
	name string
	in   string
	read func(c *Cursor) any
	want any
}{
	{"Uint8", "\x81", func(c *Cursor) any { return c.Uint8("f") }, uint8(0x81)},
	{"Uint16", "\x81\x92", func(c *Cursor) any { return c.Uint16("f") }, uint16(0x9281)},
	{"Uint24", "\x81\x92\xa3", func(c *Cursor) any { return c.Uint24("f") }, uint32(0xa39281)},
	{"Uint32", "\x81\x92\xa3\xb4", func(c *Cursor) any { return c.Uint32("f") }, uint32(0xb4a39281)},
	{"Uint64", "\x81\x92\xa3\xb4\xc5\xd6\xe7\xf8", func(c *Cursor) any { return c.Uint64("f") }, uint64(0xf8e7d6c5b4a39281)},
	{"LenEnc 1 byte", "\xfa", func(c *Cursor) any { return c.LenEnc("f") }, uint64(0xfa)},
	{"LenEnc 3 bytes", "\xfc\x81\x92", func(c *Cursor) any { return c.LenEnc("f") }, uint64(0x9281)},
	{"LenEnc 4 bytes", "\xfd\x81\x92\xa3", func(c *Cursor) any { return c.LenEnc("f") }, uint64(0xa39281)},
	{"LenEnc 9 bytes", "\xfe\x81\x92\xa3\xb4\xc5\xd6\xe7\xf8", func(c *Cursor) any { return c.LenEnc("f") }, uint64(0xf8e7d6c5b4a39281)},
	{"LenEncString", "\x03abc", func(c *Cursor) any { return string(c.LenEncString("f")) }, "abc"},
	{"LenEncString, long length", "\xfe\x03\x00\x00\x00\x00\x00\x00\x00abc", func(c *Cursor) any { return string(c.LenEncString("f")) }, "abc"},
	{"String", "abcd", func(c *Cursor) any { return string(c.String(4, "f")) }, "abcd"},
	{"Skip", "abcd", func(c *Cursor) any { c.Skip(4, "f"); return nil }, nil},
}

// TestCursorPrefixes reads each kind of field whole, cut after every byte, and with more behind it.
func TestCursorPrefixes(t *testing.T) {
	for _, tt := range reads {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCursor([]byte(tt.in + "more"))
			if got := tt.read(&c); got != tt.want || c.Err("M") != nil || c.Len() != len("more") {
				t.Errorf("got %v, %d bytes left, %v; want %v, 4, no error", got, c.Len(), c.Err("M"), tt.want)
			}
			if got := c.Uint8("next"); got != 'm' {
				t.Errorf("got %q next, want 'm'", got)
			}
			for n := range len(tt.in) {
				c := NewCursor([]byte(tt.in[:n]))
				tt.read(&c)
				var bad *ParseError
				if !errors.As(c.Err("M"), &bad) || bad.Field != "f" || bad.Message != "M" || !errors.Is(bad, ErrTruncated) || bad.Offset > n {
					t.Errorf("cut after %d: got %v, want M.f truncated", n, c.Err("M"))
				}
				if !c.Failed() || c.Len() != 0 {
					t.Errorf("cut after %d: got failed %v, %d bytes left; want true, 0", n, c.Failed(), c.Len())
				}
			}
		})
	}
}

func TestCursorLenEnc(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint64
		err  error
	}{
		{"\x00", 0, nil},
		{"\xfa", 250, nil},
		{"\xfb", 0, ErrMalformed}, // NULL
		{"\xfc\xff\xff", 1<<16 - 1, nil},
		{"\xfc\x00\x00", 0, nil}, // longer than it needs to be
		{"\xfd\xff\xff\xff", 1<<24 - 1, nil},
		{"\xfe\x00\x00\x00\x00\x00\x00\x00\x80", 1 << 63, nil},
		{"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 1<<64 - 1, nil},
		{"\xff", 0, ErrMalformed},
		{"", 0, ErrTruncated},
	} {
		c := NewCursor([]byte(tt.in))
		if got := c.LenEnc("f"); got != tt.want || !errors.Is(c.Err("M"), tt.err) {
			t.Errorf("LenEnc(%x): got %d, %v; want %d, %v", tt.in, got, c.Err("M"), tt.want, tt.err)
		}
	}
}

// TestCursorHugeLength: a length that is negative as an int must not pass.
func TestCursorHugeLength(t *testing.T) {
	for _, n := range []uint64{5, 1 << 31, 1 << 32, 1<<32 + 1, 1 << 63, 1<<63 + 1, 1<<64 - 1} {
		c := NewCursor([]byte("abcd"))
		if got := c.String(n, "f"); got != nil || !errors.Is(c.Err("M"), ErrTruncated) {
			t.Errorf("String(%d) of 4 bytes: got %q, %v; want none, truncated", n, got, c.Err("M"))
		}
	}
}

// TestCursorSticky: after a failure every read returns nothing, and the error names the first field.
func TestCursorSticky(t *testing.T) {
	c := NewCursor([]byte("\x01\x02\x03"))
	c.Uint8("one")
	c.Uint32("two")
	for _, tt := range reads {
		switch got := tt.read(&c); got {
		case nil, "", uint8(0), uint16(0), uint32(0), uint64(0):
		default:
			t.Errorf("%s after a failure: got %v", tt.name, got)
		}
	}
	if b := c.NulString("three"); b != nil {
		t.Errorf("NulString after a failure: got %q", b)
	}
	if b := c.Rest("four"); len(b) != 0 {
		t.Errorf("Rest after a failure: got %q", b)
	}
	want := ParseError{Message: "M", Field: "two", Offset: 1, Err: ErrTruncated}
	var got *ParseError
	if !errors.As(c.Err("M"), &got) || *got != want {
		t.Errorf("got %v, want %v", got, &want)
	}
}

func TestCursorNulString(t *testing.T) {
	for _, tt := range []struct{ in, want, rest string }{
		{"abc\x00de", "abc", "de"},
		{"\x00de", "", "de"},
		{"abc", "abc", ""}, // the end of the payload is the end of the string
		{"", "", ""},
	} {
		c := NewCursor([]byte(tt.in))
		if got, rest := c.NulString("f"), c.Rest("g"); string(got) != tt.want || string(rest) != tt.rest || c.Failed() {
			t.Errorf("NulString(%q): got %q, rest %q, %v; want %q, %q, no error", tt.in, got, rest, c.Err("M"), tt.want, tt.rest)
		}
	}
}

// TestCursorSlices: what the cursor returns points into the payload, and appending to it does not write there.
func TestCursorSlices(t *testing.T) {
	payload := []byte("\x02abcd\x00ef")
	c := NewCursor(payload)
	for _, b := range [][]byte{c.LenEncString("a"), c.NulString("b"), c.String(1, "c")} {
		if cap(b) != len(b) {
			t.Errorf("%q: got capacity %d, want %d", b, cap(b), len(b))
		}
		b[0] = 'X'
	}
	if want := "\x02XbXd\x00Xf"; !bytes.Equal(payload, []byte(want)) {
		t.Errorf("got payload %q, want %q", payload, want)
	}
	var zero Cursor
	if zero.Len() != 0 || zero.Failed() {
		t.Errorf("zero cursor: got %d bytes, failed %v; want 0, false", zero.Len(), zero.Failed())
	}
}
