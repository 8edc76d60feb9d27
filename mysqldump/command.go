package mysqldump

import (
	"bytes"
	"math"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// clientBegins decides what the client's packet is, from the state and never from its bytes, and returns
// how many bytes of the payload to keep. first is its first byte, the command if it is one.
func (s *Session) clientBegins(first byte) (keep int) {
	d := &s.client
	d.kind = kindCommand
	if s.phase != ready || s.infile || d.seq != 0 {
		if d.kind = s.kindOf(first); d.kind == kindLogin {
			return loginLimit
		}
		if d.kind != kindCommand {
			return 0
		}
	}
	c := s.flight.push()
	if c == nil {
		s.turnOpaque(EventOpaque, "pipeline", "the client sent more commands than are followed before it read an answer")
		return 0
	}
	s.commands++
	c.id, c.seq, c.sent = mysqlwire.Command(first), d.seq, s.now
	switch c.id {
	case mysqlwire.ComChangeUser:
		s.flight.unsettle(c)
		return loginLimit
	case mysqlwire.ComStmtPrepare:
		s.longAhead = false
		s.flight.unsettle(c)
	case mysqlwire.ComResetConnection:
		s.flight.unsettle(c)
	case mysqlwire.ComStmtSendLongData:
		return longDataHeader + s.maxParam
	case mysqlwire.ComQuery:
		if s.caps.Has(mysqlwire.QueryAttributes) {
			s.beginArguments(c)
			return math.MaxInt // the reader takes what it needs
		}
	case mysqlwire.ComStmtExecute, mysqlwire.ComStmtBulkExecute:
		s.beginArguments(c)
		return math.MaxInt
	default: // nothing stands before a text
	}
	return 1 + s.keepText
}

// kindOf returns what the client's packet is that begins with first.
func (s *Session) kindOf(first byte) kind {
	d := &s.client
	switch {
	case s.phase == trying && (d.seq != 0 || !sent[first]) || s.phase == missed:
		s.phase = missed
		return kindOther
	case s.phase == inLogin:
		return kindLogin
	case s.infile:
		return kindData
	case s.phase == replicating:
		return kindReplica
	// A packet of an authentication exchange goes on with the server's sequence ids. Sequence id 0 is a new
	// command, which may come before the login is answered.
	case d.seq != 0 && (s.phase == inAuth || s.flight.n > 0 && s.flight.first().id == mysqlwire.ComChangeUser):
		return kindAuth
	default:
		return kindCommand
	}
}

// clientPacket looks at a complete payload of the client; of a long one payload is the beginning.
func (s *Session) clientPacket(payload []byte) {
	d := &s.client
	switch d.kind {
	case kindLogin:
		s.login(payload)
		s.clientMark = d.pos
	case kindAuth, kindAnswered, kindReplica:
		s.clientMark = d.pos
	case kindData:
		if s.answer == answerFile {
			s.rec.InfileBytes += d.length
		}
		if d.length == 0 { // LOCAL INFILE Data: an empty packet ends it
			s.infile = false
			if s.flight.n > 0 {
				s.flight.first().bytesIn += d.pos - s.clientMark
			}
			s.clientMark = d.pos
		}
	case kindArguments:
		if !s.reader.begun { // it came in one piece
			payload = s.argumentsWhole(payload)
		}
		fallthrough
	case kindCommand:
		if s.flight.n > 0 {
			s.commandComplete(s.flight.last(), payload)
		}
	case kindOther: // the session is opaque
	}
}

// commandComplete takes over what a command says, once its last byte has been seen.
func (s *Session) commandComplete(c *command, payload []byte) {
	c.complete, c.sent = true, s.now
	c.bytesIn = s.client.pos - s.clientMark
	s.clientMark = s.client.pos
	if len(payload) == 0 {
		c.empty = true
		return
	}
	arg := payload[1:]
	switch c.id {
	case mysqlwire.ComQuery, mysqlwire.ComStmtPrepare, mysqlwire.ComInitDB, mysqlwire.ComCreateDB, mysqlwire.ComDropDB:
		s.takeText(c, arg)
	case mysqlwire.ComStmtExecute, mysqlwire.ComStmtFetch, mysqlwire.ComStmtReset, mysqlwire.ComStmtClose,
		mysqlwire.ComStmtSendLongData, mysqlwire.ComStmtBulkExecute:
		in := mysqlwire.NewCursor(arg)
		c.stmtID = in.Uint32("statement_id")
		c.hasStmt = !in.Failed()
		s.takeArguments(c, &in)
	case mysqlwire.ComChangeUser:
		if len(arg) > s.flight.room() {
			s.turnOpaque(EventOpaque, "pipeline", "the client sent more logins than are followed before it read an answer")
			return
		}
		if u, err := mysqlwire.ParseChangeUser(arg, s.caps); err == nil {
			c.change = cloneChangeUser(u)
			s.flight.hold(c, len(arg))
		}
	default: // nothing in the argument is recorded
	}
	if answers[c.id] == shapeNone {
		s.advance()
	}
}

// takeText takes over the text that is the argument of c, of which arg is what has been kept.
func (s *Session) takeText(c *command, arg []byte) {
	c.textLen = s.client.length - 1
	if s.join != nil && c.args == nil && c.id == mysqlwire.ComQuery && len(arg) > 0 && arg[0] < '\t' {
		// No statement begins with such a byte: it counts query attributes.
		s.caps |= mysqlwire.QueryAttributes
		s.beginArguments(c)
		arg = s.reader.feed(arg)
	}
	if c.args != nil {
		if c.textLen -= s.reader.consumed; !s.endArguments(c) { // it is not known where the text begins
			c.textLen, c.cut = 0, true
			return
		}
	}
	s.flight.keep(c, arg, s.keepText)
	if c.id == mysqlwire.ComQuery || c.id == mysqlwire.ComStmtPrepare { // the others have a name
		c.plain = isPlain(arg) // the bytes just copied to c.text would be slower to read
		c.secret = !c.plain && maySecret(c.text)
	}
}

// advance ends commands that have no answer, as soon as all before them are answered.
func (s *Session) advance() {
	for s.phase == ready && s.flight.n > 0 {
		c := s.flight.first()
		if !c.complete || answers[c.id] != shapeNone || c.empty {
			return
		}
		if c.id == mysqlwire.ComStmtClose {
			s.closeStatement(c)
		}
		s.quit = s.quit || c.id == mysqlwire.ComQuit
		s.finish()
	}
}

// lastPrepared is the statement id that means the statement prepared last (MariaDB).
const lastPrepared = 0xffff_ffff

// statement returns the statement that c names, once it is its turn, or nil if its text is not known.
func (s *Session) statement(c *command) *statement { return s.known(c.stmtID) }

// known returns the statement with the given id, as far as the answers of the server tell, or nil.
func (s *Session) known(id uint32) *statement {
	if id == lastPrepared {
		return s.lastStmt
	}
	return s.stmts.get(id)
}

func (s *Session) closeStatement(c *command) {
	s.tie(c)
	if st := s.statement(c); st != nil && c.hasStmt {
		s.stmts.drop(st.id)
		if st == s.lastStmt {
			s.lastStmt = nil
		}
	}
}

// cloneChangeUser returns u with bytes of its own: they are needed until the answer.
func cloneChangeUser(u mysqlwire.ChangeUser) *mysqlwire.ChangeUser {
	u.User, u.Database = bytes.Clone(u.User), bytes.Clone(u.Database)
	u.AuthPlugin, u.Attributes = bytes.Clone(u.AuthPlugin), bytes.Clone(u.Attributes)
	return &u
}
