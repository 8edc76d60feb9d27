package mysqldump

import (
	"bytes"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// done ends the answer to the first command in flight.
func (s *Session) done() {
	s.finish()
	if s.flight.n > 0 {
		s.advance()
	} else if len(s.flight.ring) > keptRing {
		s.flight.ring, s.flight.head = nil, 0
	}
}

// asked returns when the server could begin with c: when c was complete, and the command before it
// answered.
func (s *Session) asked(c *command) time.Duration { return max(c.sent, s.answered) }

// finish records the first command in flight with what is known of its answer, does to the session what
// the command has done to the server's, and takes it out of flight.
func (s *Session) finish() {
	c := s.flight.first()
	if s.join != nil && answers[c.id] != shapeNone && s.rec.Incomplete == "" {
		s.join.trusted = true
	}
	if !c.complete {
		s.answeredEarly(c)
	}
	if s.infile { // the file has not ended: what has come of it
		c.bytesIn += s.client.pos - s.clientMark
		s.clientMark = s.client.pos
		s.rec.InfileBytes += s.client.arrived()
	}
	if s.opts.Commands[c.id] {
		s.record(c)
	}
	s.apply(c)
	if c.more || cap(c.text) > leastText { // asked here, so that the compiler puts pop in line
		s.rec.Query = nil // it points into the text
		settles := c.unsure
		s.flight.release(c)
		if s.flight.pop(); settles && s.flight.unsure > 0 {
			s.settle()
		}
	} else {
		s.flight.pop()
	}
	s.rec.Answer = Answer{}
	s.answer = answerFirst
	s.answered, s.begun = s.now, false
	s.serverMark = s.server.pos
	s.results = 0
}

// answeredEarly takes over what has arrived of a command that the server has answered before it was
// complete, as it does with one that is too long.
func (s *Session) answeredEarly(c *command) {
	c.bytesIn = s.client.pos - s.clientMark
	s.clientMark = s.client.pos
	switch b := s.client.buf; {
	case len(b) > 0 && hasText[c.id]:
		s.takeText(c, b[1:])
	case c.args != nil:
		in := mysqlwire.NewCursor(b)
		in.Skip(1, "command")
		c.stmtID = in.Uint32("statement_id")
		c.hasStmt = !in.Failed()
		s.endArguments(c)
	}
	s.client.kind = kindAnswered // also where a text was looked at for arguments
}

// abandon records what is in flight as it stands: it will have no answer, or none that can be followed.
// A command that is not complete is left out.
func (s *Session) abandon(why string) {
	if s.phase != ready {
		s.serverMark = s.server.pos // no command had its turn
	}
	if s.join != nil && !s.join.trusted {
		s.flight = flight{} // nobody knows whether they are commands
	}
	for s.flight.n > 0 {
		c := s.flight.first()
		if !c.complete { // the last one
			s.flight = flight{}
			return
		}
		if answers[c.id] != shapeNone {
			s.rec.Incomplete = why
		}
		s.finish()
	}
}

// apply does to the session what c, now answered, has done to the server's.
func (s *Session) apply(c *command) {
	succeeded := s.rec.ErrorCode == 0 && s.rec.Incomplete == ""
	switch c.id {
	case mysqlwire.ComQuery:
		if !c.plain {
			s.applyText(s.clientText, c.text, succeeded)
		}
	case mysqlwire.ComStmtExecute:
		if st := s.statement(c); st != nil && !st.plain {
			s.applyText(st.set, st.text, succeeded)
		}
		s.tie(c)
	case mysqlwire.ComStmtBulkExecute, mysqlwire.ComStmtSendLongData, mysqlwire.ComStmtFetch, mysqlwire.ComStmtReset:
		s.tie(c)
	case mysqlwire.ComStmtPrepare:
		s.lastStmt = nil
		if succeeded {
			s.lastStmt = &statement{
				id: c.stmtID, text: bytes.Clone(c.text), cut: c.cut, plain: c.plain, secret: c.secret, params: int(s.rec.Params),
				set: s.clientText,
			}
			s.stmts.put(s.lastStmt)
		}
	case mysqlwire.ComInitDB:
		if succeeded {
			s.rec.Database = s.name(c.text)
		}
	case mysqlwire.ComDropDB:
		if succeeded && s.name(c.text) == s.rec.Database {
			s.rec.Database = ""
		}
	case mysqlwire.ComResetConnection:
		if succeeded {
			s.forgetStatements()
			s.resetCharset()
		}
	case mysqlwire.ComChangeUser:
		if succeeded && c.change != nil {
			s.changeUser(c.change)
		}
	default: // changes nothing that records tell
	}
	if s.changed.any {
		s.applyTracked() // the server's own word is last
	}
}

// applyText follows the statements that change the default schema and the character set, for servers that
// do not track them.
func (s *Session) applyText(set *charset, text []byte, succeeded bool) {
	if set.needed(text) { // in some sets a character may end with a byte that looks like a backslash
		if converted, ok := set.appendUTF8(nil, text, true); ok {
			text = converted
		}
	}
	if name, changed := schemaAfter(text, s.rec.Database, s.results, succeeded); changed {
		s.rec.Database = name
	}
	s.applyCharsets(charsetAfter(text, s.results, succeeded))
}
