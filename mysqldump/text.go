package mysqldump

// setCharset makes name the character set of the client's texts, and of the server's messages: logins and
// SET NAMES set both. An empty name is one that is not known.
func (s *Session) setCharset(name string) {
	s.rec.CharacterSet = name
	s.clientText = charsetNamed(name)
	s.serverText = s.clientText
	s.aside = s.clientText != nil
}

// resetCharset does what COM_RESET_CONNECTION does to the character sets: MariaDB returns to those of the
// login, MySQL to global variables, which are not known here.
func (s *Session) resetCharset() {
	if s.isMySQL() {
		s.charset = ""
	}
	s.setCharset(s.charset)
}

// applyCharsets makes the character sets hold that a command, or the server, has named.
func (s *Session) applyCharsets(c charsetChange) {
	if c.hasClient {
		server := s.serverText
		s.setCharset(c.client)
		s.serverText = server
	}
	if c.hasServer {
		s.serverText = charsetNamed(c.server)
	}
	s.aside = s.clientText != nil || s.serverText != nil
}

// inUTF8 returns text, which is in c, in UTF-8: the text itself, or a copy that is valid as long as the
// record. cut says that its end may be missing. ok is false, and the text as it was, if it cannot be
// converted.
func (s *Session) inUTF8(c *charset, text []byte, cut bool) (converted []byte, ok bool) {
	if !c.needed(text) {
		return text, true
	}
	start := len(s.converted)
	s.converted, ok = c.appendUTF8(s.converted, text, cut)
	if !ok {
		return text, false
	}
	return s.converted[start:len(s.converted):len(s.converted)], true
}

// name returns the name of a user or schema, which the client has sent, in UTF-8 as far as it can be.
func (s *Session) name(b []byte) string {
	if s.clientText.needed(b) {
		if converted, ok := s.clientText.appendUTF8(nil, b, false); ok {
			return string(converted)
		}
	}
	return string(b)
}

// convertTexts converts the texts of the record. A prepared statement's is in the character set prepared.
func (s *Session) convertTexts(prepared *charset) {
	r := &s.rec
	var ok bool
	if r.Query != nil {
		r.Query, ok = s.inUTF8(s.clientText, r.Query, r.QueryTruncated)
		r.QueryRaw = !ok
	}
	if r.StmtPrepareQuery != nil {
		r.StmtPrepareQuery, ok = s.inUTF8(prepared, r.StmtPrepareQuery, r.QueryTruncated)
		r.QueryRaw = !ok
	}
	r.ErrorMessage, _ = s.inUTF8(s.serverText, r.ErrorMessage, true)
	r.Info, _ = s.inUTF8(s.serverText, r.Info, true)
}
