package mysqldump

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// A charset turns text in one of MySQL's character sets into UTF-8, as the server does. It has no state:
// all sessions share the few that there are (charsets.go). nil is the charset of text that is UTF-8 anyway.
type charset struct {
	// forms are what the characters above ASCII look like; none for a set that is not converted, which is
	// told of as it stands.
	forms []form
	// decoder turns one character into UTF-8.
	decoder transform.Transformer
	// but are the characters that decoder takes for others than the server does, by their first bytes.
	but []exception
	// notASCII says that the bytes below 0x80 are not all ASCII.
	notASCII bool
}

// A form is one shape of characters: for each byte the ranges that it lies in, as pairs of first and last.
type form []string

// needed reports whether text has to be converted to be UTF-8.
func (c *charset) needed(text []byte) bool {
	return c != nil && (c.notASCII || ascii(text) < len(text))
}

// appendUTF8 appends text to dst as UTF-8. ok is false where c has no decoder or the text is not valid in
// c, and then nothing is appended. A text that was cut may end within a character, which is left out.
func (c *charset) appendUTF8(dst, text []byte, cut bool) (converted []byte, ok bool) {
	if !c.needed(text) {
		return append(dst, text...), true
	}
	if c.forms == nil {
		return dst, false
	}
	converted = slices.Grow(dst, len(text))
	for {
		n := ascii(text)
		converted = append(converted, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			return converted, true
		}
		f, whole := c.form(text)
		switch {
		case f == nil, !whole && !cut:
			return dst, false
		case !whole:
			return converted, true
		}
		if converted, ok = c.appendChar(converted, text[:len(f)], f); !ok {
			return dst, false
		}
		text = text[len(f):]
	}
}

// ascii returns how many bytes at the start of text are ASCII.
func ascii(text []byte) int {
	for i, b := range text {
		if b >= utf8.RuneSelf {
			return i
		}
	}
	return len(text)
}

// form returns the form of the character at the start of text, nil if none begins like that, and whether
// all of it is there.
func (c *charset) form(text []byte) (f form, whole bool) {
	for _, candidate := range c.forms {
		n := 0
		for n < min(len(candidate), len(text)) && within(text[n], candidate[n]) {
			n++
		}
		if n == len(candidate) {
			return candidate, true
		}
		if n == len(text) {
			f = candidate
		}
	}
	return f, false
}

func within(b byte, ranges string) bool {
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] <= b && b <= ranges[i+1] {
			return true
		}
	}
	return false
}

// appendChar appends one character of the given form.
func (c *charset) appendChar(dst, char []byte, f form) (converted []byte, ok bool) {
	for i := range c.but {
		e := &c.but[i]
		if e.first > string(char) {
			break
		}
		if e.holds(char) {
			r := e.at(e.index(char, f))
			return utf8.AppendRune(dst, r), r != utf8.RuneError
		}
	}
	dst = slices.Grow(dst, utf8.UTFMax)
	n, _, err := c.decoder.Transform(dst[len(dst):cap(dst)], char, true)
	converted = dst[:len(dst)+n]
	r, size := utf8.DecodeRune(converted[len(dst):])
	return converted, err == nil && size == n && r != utf8.RuneError
}
