package mysqldump

import "bytes"

// A scanner reads the words of SQL text: identifiers, keywords and numbers, and single other characters.
// It passes over white space and comments, and takes a quoted string as one word. It knows enough of
// SQL to find a statement's first words and its end, and no more.
type scanner struct {
	text    []byte
	pos     int
	certain bool // take executable comments that not every server executes for comments
}

// everywhere is the version below which executable comments are executed by all servers of today: MariaDB
// leaves out those of MySQL 5.7 and newer, and any server those of a version above its own.
const everywhere = 50700

// next returns the next word, or nil at the end.
func (s *scanner) next() []byte {
	s.space()
	if s.pos == len(s.text) {
		return nil
	}
	start := s.pos
	switch c := s.text[start]; {
	case c == '\'' || c == '"' || c == '`':
		s.quoted(c)
	case isWord(c):
		for s.pos < len(s.text) && isWord(s.text[s.pos]) {
			s.pos++
		}
	default:
		s.pos++
	}
	return s.text[start:s.pos]
}

// space passes over white space and comments. An executable comment's contents are code: only its
// opening and version are passed over, and its end.
func (s *scanner) space() {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch c := rest[0]; {
		case c <= ' ':
			s.pos++
		case c == '#', bytes.HasPrefix(rest, []byte("--")) && (len(rest) == 2 || rest[2] <= ' '):
			s.skipPast("\n")
		case bytes.HasPrefix(rest, []byte("/*!")), bytes.HasPrefix(rest, []byte("/*M!")):
			s.pos += bytes.IndexByte(rest, '!') + 1
			version := 0
			for ; s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9'; s.pos++ {
				version = min(10*version+int(s.text[s.pos]-'0'), 1e6)
			}
			if s.certain && version >= everywhere {
				s.skipPast("*/")
			}
		case bytes.HasPrefix(rest, []byte("*/")):
			s.pos += 2
		case bytes.HasPrefix(rest, []byte("/*")):
			s.pos += 2
			s.skipPast("*/")
		default:
			return
		}
	}
}

func (s *scanner) skipPast(end string) {
	if i := bytes.Index(s.text[s.pos:], []byte(end)); i >= 0 {
		s.pos += i + len(end)
	} else {
		s.pos = len(s.text)
	}
}

// quoted passes over a string or identifier in quotes q; a doubled quote and, but for backticks, a
// backslash take the next character in.
func (s *scanner) quoted(q byte) {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '\\' && q != '`':
			s.pos++
		case c == q:
			if s.pos+1 == len(s.text) || s.text[s.pos+1] != q {
				s.pos++
				return
			}
			s.pos++
		}
	}
	s.pos = len(s.text)
}

func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

func is(word []byte, keyword string) bool {
	return len(word) == len(keyword) && bytes.EqualFold(word, []byte(keyword))
}

// name returns the identifier that word is, without its quotes.
func name(word []byte) string {
	if len(word) < 2 || word[0] != '`' && word[0] != '"' {
		return string(word)
	}
	q := word[:1]
	return string(bytes.ReplaceAll(word[1:len(word)-1], append(q[:1:1], q...), q))
}

// isPlain reports whether text is a single statement that begins with one of the commonest words, and
// so neither changes the schema nor carries a password. It is the quick look that most texts get alone.
func isPlain(text []byte) bool {
	if len(text) < 6 {
		return false
	}
	switch uint32(text[0]|0x20)<<24 | uint32(text[1]|0x20)<<16 | uint32(text[2]|0x20)<<8 | uint32(text[3]|0x20) {
	case 's'<<24 | 'e'<<16 | 'l'<<8 | 'e', // SELECT
		'i'<<24 | 'n'<<16 | 's'<<8 | 'e', // INSERT
		'u'<<24 | 'p'<<16 | 'd'<<8 | 'a', // UPDATE
		'd'<<24 | 'e'<<16 | 'l'<<8 | 'e', // DELETE
		'r'<<24 | 'e'<<16 | 'p'<<8 | 'l', // REPLACE
		'c'<<24 | 'o'<<16 | 'm'<<8 | 'm', // COMMIT
		'w'<<24 | 'i'<<16 | 't'<<8 | 'h', // WITH
		's'<<24 | 'h'<<16 | 'o'<<8 | 'w': // SHOW
		return bytes.IndexByte(text, ';') < 0 || isSingle(text)
	}
	return false
}

// isSingle reports whether text holds no semicolon but at its end, and so a single statement.
func isSingle(text []byte) bool {
	i := bytes.IndexByte(text, ';')
	return i < 0 || len(bytes.TrimSpace(text[i+1:])) == 0
}

// schemaAfter returns the default schema after the statements of text, which had current before them.
// They have brought so many results; all says whether the last of them has succeeded. What follows a
// semicolon may stand in the body of a stored program, which has one result as a whole: there cannot be
// USE in it, but DROP DATABASE can.
func schemaAfter(text []byte, current string, results int, all bool) (schema string, changed bool) {
	s := scanner{text: text, certain: true}
	schema = current
	for n := 0; n < results || all; n++ {
		first := s.next()
		if first == nil {
			break
		}
		word := first
		switch {
		case is(first, "USE"):
			if word = s.next(); word != nil && word[0] != ';' {
				schema, changed = name(word), true
			}
		case is(first, "DROP") && n < results:
			var last []byte
			if kind := s.next(); is(kind, "DATABASE") || is(kind, "SCHEMA") {
				for word = s.next(); word != nil && word[0] != ';'; word = s.next() {
					last = word
				}
				if name(last) == schema {
					schema, changed = "", true
				}
			}
		}
		for word != nil && word[0] != ';' {
			word = s.next()
		}
	}
	return schema, changed
}
