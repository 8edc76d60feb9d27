package proxyheader

import (
	"encoding/hex"
	"unicode"
	"unicode/utf8"
)

// Text returns b as it may be shown: as it is where it is valid UTF-8 and every character is printable
// (letters, marks, numbers, punctuation, symbols and the ASCII space), else in lower-case hex. So a value
// from the network brings no control, line-breaking or text-direction character into a log or a
// placeholder.
func Text(b []byte) string {
	if !utf8.Valid(b) {
		return hex.EncodeToString(b)
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return hex.EncodeToString(b)
		}
	}
	return string(b)
}
