package mysqldump

import (
	"bytes"
	"slices"
)

// quoteAt returns how much of a text that may hold a password is recorded, and of an error's message about
// it: the position of the first quote or hexadecimal literal. All that follows is left out, because what is
// quoted how depends on settings that are not known here.
func quoteAt(text []byte) int {
	n := len(text)
	if i := bytes.IndexAny(text, `'"`); i >= 0 {
		n = i
	}
	for _, hex := range []string{"0x", "0X"} {
		if i := bytes.Index(text[:n], []byte(hex)); i >= 0 {
			n = i
		}
	}
	return n
}

// plain are the words that begin statements which carry no passwords.
var plain = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SHOW", "USE", "COMMIT", "ROLLBACK", "DROP",
	"TRUNCATE", "DESCRIBE", "DESC", "EXPLAIN", "KILL", "LOCK", "UNLOCK", "FLUSH", "VALUES", "TABLE", "LOAD",
	"CHECK", "ANALYZE", "OPTIMIZE", "REPAIR", "RENAME", "SAVEPOINT", "DEALLOCATE", "HELP",
}

// telling are the words of which each statement that can carry a password has one, wherever it begins.
var telling = []string{"IDENTIFIED", "PASSWORD", "SERVER", "CHANGE", "CONNECTION"}

// maySecret reports whether text may carry a password. It is quick for what most statements are: a single
// one that begins with a plain word. Anything else is searched for telling words, wherever they stand: a
// text with several statements also inside its strings, since what is a string is for the server to know.
func maySecret(text []byte) bool {
	s := scanner{text: text}
	first := s.next()
	if first == nil {
		return false
	}
	if !isSingle(text) || bytes.Contains(text, []byte("/*!")) || bytes.Contains(text, []byte("/*M!")) {
		return tells(text, telling...)
	}
	for _, word := range plain {
		if is(first, word) {
			return false
		}
	}
	switch {
	case is(first, "CHANGE"):
		return true
	case is(first, "PREPARE"), is(first, "EXECUTE"): // of a text that may be any of these
		return tells(text, telling...)
	case is(first, "CREATE"), is(first, "ALTER"):
		second := s.next()
		if is(second, "OR") { // REPLACE
			s.next()
			second = s.next()
		}
		if is(second, "TABLE") || is(second, "DATABASE") || is(second, "SCHEMA") || is(second, "INDEX") {
			return tells(text, "CONNECTION") // of a FEDERATED table: mysql://user:password@host
		}
		return is(second, "USER") || is(second, "SERVER") || tells(text, "IDENTIFIED", "PASSWORD")
	case is(first, "SET"), is(first, "START"):
		return tells(text, "PASSWORD", "IDENTIFIED")
	default:
		return tells(text, "IDENTIFIED", "PASSWORD")
	}
}

// harmless reports whether a single statement that begins with text carries no password, however it goes on.
func harmless(text []byte) bool {
	s := scanner{text: text}
	first := s.next()
	for first != nil && first[0] == '(' { // (SELECT ...)
		first = s.next()
	}
	return slices.ContainsFunc(plain, func(word string) bool { return is(first, word) }) &&
		!bytes.Contains(text, []byte("/*!")) && !bytes.Contains(text, []byte("/*M!"))
}

// tells reports whether one of the keywords stands in text, in whatever case, also as the end of a longer
// word such as MASTER_PASSWORD.
func tells(text []byte, keywords ...string) bool {
	isLetter := func(c byte) bool { return isWord(c) && c < 0x80 } // some of the others are spaces, such as U+00A0
	for i := 0; i < len(text); i++ {
		if !isLetter(text[i]) {
			continue
		}
		start := i
		for i < len(text) && isLetter(text[i]) {
			i++
		}
		for _, k := range keywords {
			if n := i - len(k); n >= start && is(text[n:i], k) && (n == start || text[n-1] == '_') {
				return true
			}
		}
	}
	return false
}
