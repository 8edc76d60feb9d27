package mysqldump

import "bytes"

// A charsetChange is what a text has done to the character sets of a session, by the servers' names.
type charsetChange struct {
	client, server       string // character_set_client, character_set_results; empty if not known
	hasClient, hasServer bool   // which of them the text has set
}

// charsetAfter returns what the statements of text have done to the session's character sets, for servers
// that do not track them. They have brought so many results; all says whether the last of them has
// succeeded. As a stored program may have SET in its body (see [schemaAfter]), what follows the
// statements that have brought results is left alone.
func charsetAfter(text []byte, results int, all bool) (change charsetChange) {
	s := scanner{text: text, certain: true}
	for n := 0; n < results || n == 0 && all; n++ {
		word := s.next()
		if word == nil {
			break
		}
		if is(word, "SET") {
			word = change.set(&s)
		}
		for word != nil && word[0] != ';' {
			word = s.next()
		}
	}
	return change
}

// set follows a SET statement behind its first word, and returns the word that ends it.
func (c *charsetChange) set(s *scanner) (end []byte) {
	global := false // holds for the assignments that follow, too, if they do not say otherwise
	for {
		word, here := s.next(), global
		switch {
		case is(word, "STATEMENT"): // SET STATEMENT variable = value FOR statement, of MariaDB
			for word != nil && word[0] != ';' && !is(word, "FOR") {
				word = s.next()
			}
			if is(word, "FOR") {
				if word = s.next(); is(word, "SET") {
					continue
				}
			}
			return word
		case is(word, "NAMES"), is(word, "CHARSET"):
			end = c.assign(s, true, true)
		case is(word, "CHARACTER"), is(word, "CHAR"):
			s.next() // SET
			end = c.assign(s, true, true)
		default:
			if isScope(word) {
				global = isGlobal(word)
				word, here = s.next(), global
			} else if at(word) {
				if word = s.next(); !at(word) {
					word = nil // a user variable
				} else if word, here = s.next(), false; isScope(word) {
					here = isGlobal(word)
					s.next() // a full stop
					word = s.next()
				}
			}
			variable := name(word)
			end = c.assign(s, !here && is([]byte(variable), "character_set_client"),
				!here && is([]byte(variable), "character_set_results"))
		}
		if end == nil || end[0] != ',' {
			return end
		}
	}
}

// assign reads the value that is given to the character sets named, and what else comes before the next
// assignment or the end, which it returns.
func (c *charsetChange) assign(s *scanner, client, server bool) (end []byte) {
	var value []byte
	words, depth := 0, 0
	for end = s.next(); end != nil && end[0] != ';' && (depth > 0 || end[0] != ','); end = s.next() {
		switch end[0] {
		case '(':
			depth++
		case ')':
			depth--
		case '=', ':':
			if words == 0 {
				continue
			}
		}
		if words == 0 {
			value = end
		}
		if words++; words == 2 && is(end, "COLLATE") {
			s.next()
			words = 1
		}
	}
	set := ""
	if words == 1 {
		set = charsetName(value)
	}
	if client {
		c.client, c.hasClient = set, true
	}
	if server {
		c.server, c.hasServer = set, true
	}
	return end
}

// charsetName returns the name of a character set that value is, empty if it is DEFAULT, NULL, a number
// or an expression.
func charsetName(value []byte) string {
	if len(value) > 2 && (value[0] == '\'' || value[0] == '"' || value[0] == '`') {
		value = value[1 : len(value)-1]
	}
	for _, b := range value {
		if !isWord(b) {
			return ""
		}
	}
	if len(value) == 0 || value[0] >= '0' && value[0] <= '9' || is(value, "DEFAULT") || is(value, "NULL") {
		return ""
	}
	return serverCharset(bytes.ToLower(value))
}

func at(word []byte) bool { return len(word) == 1 && word[0] == '@' }

func isGlobal(word []byte) bool {
	return is(word, "GLOBAL") || is(word, "PERSIST") || is(word, "PERSIST_ONLY")
}

func isScope(word []byte) bool { return isGlobal(word) || is(word, "SESSION") || is(word, "LOCAL") }
