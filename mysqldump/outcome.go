package mysqldump

import (
	"bytes"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// endPacket looks at the EOF that ends rows, or at the OK with EOF's header that replaces it under
// CLIENT_DEPRECATE_EOF. An OK has at least 7 bytes, an EOF 5 or, before 4.1, one.
func (s *Session) endPacket(payload []byte) {
	if s.caps.Has(mysqlwire.DeprecateEOF) && len(payload) >= 7 {
		s.okPacket(payload)
		return
	}
	eof, err := mysqlwire.ParseEOF(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.end(eof.Status, eof.Warnings, len(payload) > 1)
}

func (s *Session) okPacket(payload []byte) {
	ok, err := mysqlwire.ParseOK(payload, s.caps)
	if s.join != nil && ok.Status.Has(mysqlwire.StatusSessionState) && !s.caps.Has(mysqlwire.SessionTrack) {
		s.caps |= mysqlwire.SessionTrack
		ok, err = mysqlwire.ParseOK(payload, s.caps)
	}
	if err != nil {
		s.fail(err)
		return
	}
	r := &s.rec
	r.HasOK = true
	r.AffectedRows += ok.AffectedRows
	if r.LastInsertID == 0 {
		r.LastInsertID = ok.LastInsertID
	}
	r.Info = ok.Info
	if ok.Changes != nil {
		s.track(ok.Changes)
	}
	if ok.Status.Has(mysqlwire.StatusMoreResults) { // they are in the packet, and the record waits for the next one
		r.Info = bytes.Clone(r.Info)
		if s.changed.inPacket {
			r.Changes, s.changed.inPacket = bytes.Clone(r.Changes), false
		}
		// The messages of the results to come are in it already; the text is the client's, and in the set of before.
		s.applyCharsets(charsetChange{server: s.changed.server, hasServer: s.changed.hasServer})
	}
	s.end(ok.Status, ok.Warnings, s.hasStatus())
}

// hasStatus reports whether OK packets have a status: before 4.1 some have none.
func (s *Session) hasStatus() bool {
	return s.caps&(mysqlwire.Protocol41|mysqlwire.Transactions) != 0
}

// end ends one result: another follows, or the answer is complete.
func (s *Session) end(status mysqlwire.Status, warnings uint16, has bool) {
	s.rec.HasStatus, s.rec.Status, s.rec.Warnings = has, status, warnings
	s.ties.status = status
	s.results++
	if status.Has(mysqlwire.StatusMoreResults) && answers[s.flight.first().id] == shapeResult {
		s.answer = answerFirst
		return
	}
	s.done()
}

func (s *Session) errorPacket(payload []byte) {
	e, err := mysqlwire.ParseERR(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.rec.ErrorCode, s.rec.SQLState, s.rec.ErrorMessage = e.Code, e.SQLState, e.Message
	s.done()
}

// isProgress reports whether an ERR packet is MariaDB's progress report, which may come at any point of
// an answer and ends nothing.
func (s *Session) isProgress(payload []byte) bool {
	if !s.caps.Has(mysqlwire.MariaDBProgress) {
		return false
	}
	e, err := mysqlwire.ParseERR(payload)
	if err != nil || e.Code != mysqlwire.ProgressReport {
		return false
	}
	if s.flight.n > 0 {
		s.rec.ProgressReports++
	}
	return true
}

// unsolicited looks at a packet that answers no command: before a server closes an idle connection, some
// say why.
func (s *Session) unsolicited(payload []byte) {
	if payload[0] != mysqlwire.HeaderERR {
		s.outOfOrder(Server, "packet without a command")
		return
	}
	e, err := mysqlwire.ParseERR(payload)
	if err != nil {
		s.fail(err)
		return
	}
	s.serverMark, s.begun = s.server.pos, false
	if r := s.event(EventServerError); r != nil {
		r.ErrorCode, r.SQLState, r.ErrorMessage = e.Code, e.SQLState, e.Message
		s.send(r)
	}
}

func (s *Session) malformed(what string) {
	s.fail(&mysqlwire.ParseError{Message: what, Err: mysqlwire.ErrMalformed})
}
