package mysqldump

import (
	"bytes"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// longDataHeader is how many bytes stand before the data of COM_STMT_SEND_LONG_DATA.
const longDataHeader = 1 + 6

// beginArguments makes the arguments of c be read, which the client has begun to send.
func (s *Session) beginArguments(c *command) {
	if s.reader == nil {
		s.reader = s.newReader(s.sentTo)
	}
	s.client.kind = kindArguments
	s.reader.caps = s.caps
	s.reader.begin(c.id, s.flight.arguments(c), s.flight.room())
}

func (s *Session) newReader(find func(id uint32) (*statement, bool)) *argumentReader {
	return &argumentReader{maxParams: s.maxParams, maxParam: s.maxParam, caps: s.caps, find: find}
}

// argumentPiece reads a piece of a payload, and keeps what of it is text.
func (s *Session) argumentPiece(piece []byte) {
	d := &s.client
	if !s.reader.begun { // with the command
		s.reader.begun = true
		piece = piece[1:]
	}
	text := s.reader.feed(piece)
	d.buf = append(d.buf, text[:max(0, min(len(text), 1+s.keepText-len(d.buf)))]...)
}

// argumentsWhole reads a payload that came in one piece. It returns what argumentPiece keeps of one that
// did not: the command, and its text or the statement's id.
func (s *Session) argumentsWhole(payload []byte) []byte {
	text := s.reader.feed(payload[1:])
	if s.reader.id == mysqlwire.ComQuery {
		payload = payload[len(payload)-1-len(text):]
	}
	return payload[:min(len(payload), 1+s.keepText)]
}

// endArguments ends the reading of what c carries. It reports whether the text of c was found.
func (s *Session) endArguments(c *command) bool {
	a, st := c.args, s.reader.stmt
	found := s.reader.end()
	if st != nil {
		c.secret = st.hides() // it may be forgotten before the answer
		s.executed(st)
	}
	if a.late && s.longAhead {
		a.lose() // which parameters have no bytes there is not known
	}
	s.longAhead = false
	s.flight.hold(c, len(a.data)+argumentSize*(len(a.params)+len(a.attrs)))
	if a.late {
		if s.flight.unsettle(c); s.flight.unsure == 1 { // what it waits for has come meanwhile
			s.settle()
		}
	}
	return found
}

// hides reports whether a value of s may be a password: of a text that was cut only the words that begin it tell
// that none is.
func (s *statement) hides() bool { return s.secret || s.cut && !s.plain && !harmless(s.text) }

// executed does to st what the end of COM_STMT_EXECUTE does: the long data has been used.
func (s *Session) executed(st *statement) {
	st.long, st.lost = nil, false
	if st.weight() != st.size {
		s.stmts.weigh(st)
	}
}

// takeArguments takes over what c, which names a prepared statement, says beside that; in stands behind
// the statement's id.
//
// What commands do to a statement's parameters follows the order of sending, since no answer tells of it.
func (s *Session) takeArguments(c *command, in *mysqlwire.Cursor) {
	switch {
	case c.args != nil:
		s.endArguments(c)
	case c.id == mysqlwire.ComStmtSendLongData:
		param, limit := int(in.Uint16("param_id")), s.maxParam
		if param >= s.maxParams {
			limit = 0 // that it has come must be known, to find what follows it
		}
		switch st := s.known(c.stmtID); {
		case s.flight.unsure > 0 && c.stmtID == lastPrepared:
			s.longAhead = true
		case st == nil || in.Failed():
		case s.flight.unsure > 0:
			st.lost = true // an execution before it may still have to be read
		default:
			limit = max(0, min(limit, s.stmts.limit-st.size))
			st.addLong(param, in.Rest("data"), s.client.length-longDataHeader, limit)
			s.stmts.weigh(st)
		}
	case c.id == mysqlwire.ComStmtReset:
		if st := s.known(c.stmtID); st != nil {
			s.executed(st)
		}
	}
}

// sentTo returns the statement that a command names which the client is sending, or nil. late says that it
// depends on answers that have not come.
func (s *Session) sentTo(id uint32) (st *statement, late bool) {
	if s.flight.unsure > 0 {
		return nil, true
	}
	return s.known(id), false
}

// readLate reads the arguments of c that could not be read when they came, because the statement was
// still being prepared.
func (s *Session) readLate(c *command) {
	payload := bytes.Clone(c.args.data)
	r := s.newReader(func(id uint32) (*statement, bool) { return s.known(id), false })
	r.begin(c.id, c.args, len(payload)+argumentSize*s.maxParams)
	r.feed(payload)
	st := r.stmt
	r.end()
	if st != nil {
		c.secret = st.hides()
		s.executed(st)
	}
}

// settle reads, once the answer to a command has told what it means for prepared statements, the arguments
// that have waited for it, in the order of sending.
func (s *Session) settle() {
	for i := range s.flight.n {
		switch c := s.flight.at(i); {
		case c.unsure && (c.args == nil || !c.args.late):
			return
		case c.unsure:
			s.readLate(c)
			s.flight.settled(c)
		}
	}
}
