package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// record emits the record of c.
func (s *Session) record(c *command) {
	r := &s.rec
	r.At = c.sent
	r.Command, r.Empty, r.PacketSeq, r.Pipelined = c.id, c.empty, c.seq, c.before
	r.HasStmt, r.StmtID = c.hasStmt, c.stmtID
	r.QueryLength = c.textLen
	if hasText[c.id] {
		r.Query, r.QueryTruncated = s.shown(c.text, c.cut, c.secret)
	} else {
		r.Query, r.QueryTruncated = nil, false
	}
	aside := c.args != nil || s.aside
	if aside {
		s.recordAside(c)
	}
	if r.ErrorCode != 0 && c.hasStmt {
		s.hideStatement(c)
	}
	if c.secret || c.cut {
		// Messages quote the statement, and nobody knows what stands where it was cut.
		r.ErrorMessage = r.ErrorMessage[:quoteAt(r.ErrorMessage)]
	}
	r.BytesIn = c.bytesIn
	if answers[c.id] != shapeNone {
		r.BytesOut = s.server.pos - s.serverMark
		asked := s.asked(c)
		r.Duration = s.now - asked
		if s.begun {
			r.FirstByte = max(0, s.firstByte-asked)
		}
	}
	s.send(r)
	if aside {
		s.clearAside()
	}
}

// hideStatement makes the error message of c, which names a prepared statement, be treated as the
// statement's text is: it may quote it.
func (s *Session) hideStatement(c *command) {
	if st := s.statement(c); st == nil {
		c.cut = true
	} else {
		c.cut, c.secret = c.cut || st.cut, c.secret || st.secret
	}
}

// recordAside fills in what most records do not have.
func (s *Session) recordAside(c *command) {
	r := &s.rec
	set := s.clientText
	if c.id == mysqlwire.ComStmtExecute || c.id == mysqlwire.ComStmtBulkExecute {
		if st := s.statement(c); st != nil {
			set = st.set
			r.StmtPrepareQuery, r.QueryTruncated = s.shown(st.text, st.cut, st.secret)
		} else {
			r.StmtTextLost = true
		}
	}
	if c.args != nil && !c.secret { // of a statement that may hold a password, the values may be one
		s.tellArguments(c)
	}
	s.convertTexts(set)
}

// clearAside forgets it, and gives back what would be large for a session that may be idle now.
func (s *Session) clearAside() {
	r := &s.rec
	r.StmtPrepareQuery, r.StmtTextLost = nil, false
	r.Arguments, r.QueryRaw = Arguments{}, false
	if s.converted = s.converted[:0]; cap(s.converted) > keptText {
		s.converted = nil
	}
	clear(s.values)
	if s.values = s.values[:0]; cap(s.values) > keptValues {
		s.values = nil
	}
	clear(s.attrs)
	if s.attrs = s.attrs[:0]; cap(s.attrs) > keptValues {
		s.attrs = nil
	}
}

// shown returns what a record shows of a text, and whether that is less than all of it.
func (s *Session) shown(text []byte, cut, secret bool) ([]byte, bool) {
	n := min(len(text), s.maxQuery)
	if secret {
		n = min(n, quoteAt(text))
	}
	if n == 0 {
		return []byte{}, cut || len(text) > 0 // an empty text is a text
	}
	return text[:n], cut || n < len(text)
}

// hasText are the commands whose argument is a text that records show.
var hasText = [256]bool{
	mysqlwire.ComQuery: true, mysqlwire.ComStmtPrepare: true,
	mysqlwire.ComInitDB: true, mysqlwire.ComCreateDB: true, mysqlwire.ComDropDB: true,
}

// keptValues is the number of values up to which their memory is kept for the next record.
const keptValues = 16

// tellArguments adds the arguments of c to its record.
func (s *Session) tellArguments(c *command) {
	a, r := c.args, &s.rec
	if st := s.statement(c); c.id != mysqlwire.ComQuery && st != nil && st.hides() {
		return
	}
	r.BulkRows, r.RowWidth = a.rows, a.width
	if s.maxParams == 0 {
		return
	}
	if r.ValuesTruncated = a.cut || a.late; a.late { // nobody knows what is in it: no answer has told
		return
	}
	if s.values == nil {
		s.values = make([]Value, 0, 8) // of no parameters there is an empty list
	}
	s.values = s.values[:0]
	for i := range a.params {
		s.values = append(s.values, s.value(a, &a.params[i]))
	}
	if c.id != mysqlwire.ComQuery && !a.lost {
		r.Values = s.values
	}
	s.attrs = s.attrs[:0]
	for i := range a.attrs {
		name, _ := s.inUTF8(s.clientText, a.bytes(a.attrs[i].name), true)
		s.attrs = append(s.attrs, QueryAttribute{name, s.value(a, &a.attrs[i])})
	}
	r.QueryAttributes = s.attrs
}

// value returns an argument as it is recorded.
func (s *Session) value(a *arguments, v *argument) Value {
	data, kind := a.bytes(v.value), v.kind
	if v.text && s.clientText != nil {
		text, ok := s.inUTF8(s.clientText, data, v.cut)
		if data = text; !ok {
			kind = ValueBytes
		}
	}
	return Value{Kind: kind, Data: data, Length: v.length, Cut: v.cut}
}
