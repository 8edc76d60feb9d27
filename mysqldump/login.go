package mysqldump

import (
	"bytes"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// cure is what a person can do about a conversation that TLS hides.
const cure = "the client has switched to TLS, so its statements cannot be seen: " +
	"to see them, put mysql_login before mysql_log, or let it connect to this address without TLS (ssl-mode=DISABLED)"

// hold keeps what the client sends ahead of the greeting, until it has come: some health checks do not wait
// for it. It can only be a login, which has sequence id 1, and what follows it.
func (s *Session) hold(p []byte) {
	s.client.pos += uint64(len(p))
	s.early = append(s.early, p[:min(len(p), loginLimit+1-len(s.early))]...)
	if len(s.early) > loginLimit || len(s.early) >= mysqlwire.HeaderLen && s.early[3] != 1 {
		s.early = nil
		s.outOfOrder(Client, "packet")
	}
}

// greeting looks at the server's first packet.
func (s *Session) greeting(payload []byte) {
	early := s.early
	s.early = nil
	if len(payload) > 0 && payload[0] == mysqlwire.HeaderERR {
		s.refuse(EventServerError, payload) // too many connections, host blocked ...
		return
	}
	g, err := mysqlwire.ParseGreeting(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.serverVersion = string(g.ServerVersion)
	s.serverCaps = g.Capabilities
	s.rec.ThreadID = g.ThreadID
	s.phase, s.detour = inLogin, straight
	s.client.pos -= uint64(len(early))
	s.feedClient(early)
}

// isMySQL reports whether the server has said that it is MySQL: MariaDB's greeting leaves CLIENT_MYSQL out.
func (s *Session) isMySQL() bool { return s.serverCaps.Has(mysqlwire.LongPassword) }

// login looks at the client's first packet.
func (s *Session) login(payload []byte) {
	if mysqlwire.IsTLSRequest(payload) {
		s.turnOpaque(EventTLS, ReasonTLS, cure)
		return
	}
	l, err := mysqlwire.ParseLogin(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.caps = l.Capabilities & s.serverCaps
	s.charset = mysqlwire.Charset(uint16(l.Collation))
	s.setCharset(s.charset)
	s.rec.Username, s.rec.Database = s.name(l.User), s.name(l.Database)
	s.authPlugin, s.attributes = string(l.AuthPlugin), bytes.Clone(l.Attributes)
	s.phase = inAuth
}

// authentication looks at a packet of the server between login and OK. The exchange itself is the
// plugins' own, and secret: only its end is of interest.
func (s *Session) authentication(payload []byte) {
	if len(payload) == 0 {
		return // a plugin's data, which MariaDB sends as it is
	}
	switch payload[0] {
	case mysqlwire.HeaderOK:
		s.accept(payload)
	case mysqlwire.HeaderERR:
		s.refuse(EventAuthError, payload)
	}
}

// accept looks at the OK that ends a login.
func (s *Session) accept(payload []byte) {
	ok, err := mysqlwire.ParseOK(payload, s.caps)
	if err != nil {
		s.fail(err)
		return
	}
	s.track(ok.Changes)
	s.applyTracked()
	s.rec.Answer = Answer{}
	s.ties.status = ok.Status
	s.phase = ready
	s.serverMark = s.server.pos
	s.answered, s.begun = s.now, false
	if r := s.event(EventConnect); r != nil {
		r.HasStatus, r.Status, r.Warnings = s.hasStatus(), ok.Status, ok.Warnings
		s.tellLogin(r)
		r.Compression = compressionName(s.caps)
		s.send(r)
	}
	s.attributes = nil
	if compressionName(s.caps) != "" {
		s.phase = compressing
		return
	}
	s.advance()
}

// refuse looks at an ERR that ends the conversation before a command could be sent.
func (s *Session) refuse(event Event, payload []byte) {
	e, err := mysqlwire.ParseERR(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.phase = refused
	if r := s.event(event); r != nil {
		r.ErrorCode, r.SQLState, r.ErrorMessage = e.Code, e.SQLState, e.Message
		s.tellLogin(r)
		s.send(r)
	}
	s.abandon(ServerClosed)
}

func (s *Session) tellLogin(r *Record) {
	r.ServerVersion, r.AuthPlugin, r.Attributes = s.serverVersion, s.authPlugin, s.attributes
}

// changeUser makes u the user after the server has accepted COM_CHANGE_USER, which also resets the
// session: nothing that was prepared is left.
//
// COM_CHANGE_USER
func (s *Session) changeUser(u *mysqlwire.ChangeUser) {
	if name := mysqlwire.Charset(u.Collation); u.Collation != 0 {
		s.charset = name
		s.setCharset(name)
	}
	s.rec.Username, s.rec.Database = s.name(u.User), s.name(u.Database)
	s.authPlugin = string(u.AuthPlugin)
	s.forgetStatements()
	if r := s.event(EventChangeUser); r != nil {
		r.AuthPlugin, r.Attributes = s.authPlugin, u.Attributes
		s.send(r)
	}
}

func (s *Session) forgetStatements() {
	s.stmts.clear()
	s.lastStmt = nil
	s.ties.locked, s.ties.statements = false, nil
}
