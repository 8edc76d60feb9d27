package mysqlproxy

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// The sizes in bytes of the payloads that are looked at for KILL: the smallest that can have an id of the proxy's, and
// more than anybody writes.
const (
	minKill     = 1 + len("KILL 2147483648")
	maxKill     = 128
	processKill = 1 + 4 // COM_PROCESS_KILL
)

// A killCommand is a command that ends another session, or what it is at.
type killCommand struct {
	id    uint32 // the session's, one that the proxy has given
	query bool   // only the statement is ended

	payload    []byte
	start, end int // where the id stands in it: in decimal, or 4 bytes of COM_PROCESS_KILL
}

// mayBeKill reports whether b, which begins with a packet that may be cut off, may be a KILL as it goes on.
// attributes says that CLIENT_QUERY_ATTRIBUTES is in effect.
func mayBeKill(b []byte, attributes bool) bool {
	if len(b) < mysqlwire.HeaderLen {
		return true
	}
	n := mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(b))
	if n != processKill && n < minKill || n > maxKill || b[3] != 0 {
		return false
	}
	payload := b[mysqlwire.HeaderLen:min(len(b), mysqlwire.HeaderLen+n)]
	if len(payload) == 0 {
		return true
	}
	if payload[0] == byte(mysqlwire.ComProcessKill) || n == processKill {
		return payload[0] == byte(mysqlwire.ComProcessKill) && n == processKill
	}
	words, ok := killText(payload, attributes)
	if !ok {
		return false
	}
	word := words.next()
	return len(words.rest) == 0 && hasPrefixFold("KILL", word) || isWord(word, "KILL")
}

// killText returns the text of COM_QUERY. ok is false if it is none, or has query attributes. Of a payload that is
// cut off before the text, the text is empty.
func killText(payload []byte, attributes bool) (w words, ok bool) {
	prefix := []byte{byte(mysqlwire.ComQuery), 0, 1} // parameter_count, parameter_set_count
	if !attributes {
		prefix = prefix[:1]
	}
	for i, b := range prefix {
		if i == len(payload) {
			return words{rest: payload[i:], at: i}, true
		}
		if payload[i] != b {
			return w, false
		}
	}
	return words{rest: payload[len(prefix):], at: len(prefix)}, true
}

// parseKill returns the command in a whole payload, if it ends a session by an id that the proxy has given:
// COM_PROCESS_KILL, or COM_QUERY with
//
//	KILL [HARD | SOFT] [CONNECTION | QUERY] id [;]
//
// What stands behind MariaDB's KILL QUERY ID is no session's id.
func parseKill(payload []byte, attributes bool) (k killCommand, ok bool) {
	if len(payload) == processKill && payload[0] == byte(mysqlwire.ComProcessKill) {
		id := binary.LittleEndian.Uint32(payload[1:])
		return killCommand{id: id, payload: payload, start: 1, end: processKill}, IsOwnConnectionID(id)
	}
	w, ok := killText(payload, attributes)
	if !ok || !isWord(w.next(), "KILL") {
		return k, false
	}
	word := w.next()
	if isWord(word, "HARD") || isWord(word, "SOFT") {
		word = w.next()
	}
	if k.query = isWord(word, "QUERY"); k.query || isWord(word, "CONNECTION") {
		word = w.next()
	}
	digits, negative := bytes.CutPrefix(word, []byte("-")) // MariaDB Connector/J takes the id for a number with a sign
	n, err := strconv.ParseUint(string(digits), 10, 32)
	id := uint32(n)
	if negative {
		id = -id
	}
	if err != nil || !IsOwnConnectionID(id) {
		return k, false
	}
	k.id, k.payload, k.start, k.end = id, payload, w.at-len(word), w.at
	return k, w.ended()
}

// appendPacket appends the packet with another id to b.
func (k *killCommand) appendPacket(b []byte, id uint32) []byte {
	var buf [len("4294967295")]byte
	var text []byte
	if k.payload[0] == byte(mysqlwire.ComProcessKill) {
		text = binary.LittleEndian.AppendUint32(buf[:0], id)
	} else {
		text = strconv.AppendUint(buf[:0], uint64(id), 10)
	}
	b = mysqlwire.AppendHeader(b, k.start+len(text)+len(k.payload)-k.end, 0)
	b = append(b, k.payload[:k.start]...)
	b = append(b, text...)
	return append(b, k.payload[k.end:]...)
}

// words reads a text word by word.
type words struct {
	rest []byte
	at   int // of rest in the payload
}

// next returns the next word, empty at the end of the text or before a semicolon.
func (w *words) next() []byte {
	w.skip(isSpace)
	start := w.rest
	n := w.skip(func(b byte) bool { return !isSpace(b) && b != ';' })
	return start[:n]
}

// ended reports whether nothing follows but white space and one semicolon.
func (w *words) ended() bool {
	w.skip(isSpace)
	if len(w.rest) > 0 && w.rest[0] == ';' {
		w.rest = w.rest[1:]
	}
	for _, b := range w.rest {
		if !isSpace(b) {
			return false
		}
	}
	return true
}

func (w *words) skip(is func(byte) bool) (n int) {
	for n < len(w.rest) && is(w.rest[n]) {
		n++
	}
	w.rest, w.at = w.rest[n:], w.at+n
	return n
}

// isSpace reports what servers take for white space in a statement.
func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

// isWord reports whether word is this one, in any case. Unlike for [bytes.EqualFold], only ASCII has cases: the server
// takes no Kelvin sign for a K.
func isWord(word []byte, want string) bool {
	return len(word) == len(want) && hasPrefixFold(want, word)
}

// hasPrefixFold reports whether word begins with prefix, in any case. word is in capitals.
func hasPrefixFold(word string, prefix []byte) bool {
	if len(prefix) > len(word) {
		return false
	}
	for i, b := range prefix {
		if b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b != word[i] {
			return false
		}
	}
	return true
}
