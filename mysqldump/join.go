package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// joining is what a session has to know of itself that has joined a conversation in the middle.
type joining struct {
	turns   int  // chances to join that came to nothing
	trusted bool // an answer was followed to its end
	eof     bool // it is known whether CLIENT_DEPRECATE_EOF is in effect
	head    [mysqlwire.HeaderLen]byte
	have    int // bytes of head: the beginning of the answer that must show that it is one
}

// sent are the commands that clients send.
var sent = func() (set CommandSet) {
	for c := mysqlwire.ComQuit; c <= mysqlwire.ComResetConnection; c++ {
		set[c] = true
	}
	for _, c := range []mysqlwire.Command{ // what servers use only inside
		mysqlwire.ComConnect, mysqlwire.ComTime, mysqlwire.ComDelayedInsert, mysqlwire.ComConnectOut, mysqlwire.ComDaemon,
	} {
		set[c] = false
	}
	set[mysqlwire.ComStmtBulkExecute] = true
	return set
}()

// maxTurns is after how many chances a session gives up.
const maxTurns = 256

// assumed are the capabilities that all clients of the last two decades have, and those whose absence
// shows in the packets themselves.
const assumed = mysqlwire.Protocol41 | mysqlwire.Transactions | mysqlwire.SecureConnection | mysqlwire.PluginAuth |
	mysqlwire.ConnectAttrs | mysqlwire.DeprecateEOF | mysqlwire.MariaDBProgress

// Join returns a session for a conversation whose beginning was not seen, as in a capture that was
// started later. It tells nothing until it has found its place: the client speaks after the server has
// spoken, in whole packets that are commands, and what the server says then is an answer to them. Nothing
// that was said before is assumed: user, schema, character set and prepared statements are unknown until
// a command or the server names them, and the records have Midstream set. If it does not find its place
// it turns opaque.
func Join(opts *Options, emit func(*Record)) *Session {
	s := NewSession(opts, emit)
	s.join = new(joining)
	s.rec.Midstream = true
	s.phase, s.detour = seeking, joins
	return s
}

// feedJoining looks for the place at which a command begins: where the direction changes.
func (s *Session) feedJoining(side Side, p []byte) {
	switch {
	case side == Client && s.phase > trying:
		s.feedClient(p)
	case s.phase > trying:
		s.feedServer(p)
	case side == Client && s.phase == missed:
	case side == Client:
		if s.phase == seeking {
			s.client, s.server, s.flight = stream{}, stream{}, flight{}
			s.caps, s.join.have, s.join.eof = assumed, 0, false
			s.clientMark, s.serverMark, s.begun = 0, 0, false
			s.phase = trying
		}
		s.feedClient(p)
	case s.phase == trying:
		s.confirm(p)
	case s.phase == missed:
		s.seekAgain()
	}
}

// confirm looks whether p, which the server sends after what may have been commands, can be the answer.
func (s *Session) confirm(p []byte) {
	j := s.join
	if !s.begun {
		s.begun, s.firstByte = true, s.now
	}
	n := copy(j.head[j.have:], p)
	if j.have += n; j.have < len(j.head) {
		return
	}
	if !s.client.idle() || !s.expectsAnswer() || j.head[3] != 1 || mysqlwire.PayloadLen(&j.head) == 0 {
		s.seekAgain()
		return
	}
	s.phase = ready
	s.advance()
	s.feedServer(j.head[:])
	if s.phase == ready {
		s.feedServer(p[n:])
	}
}

// expectsAnswer reports whether a command in flight has an answer.
func (s *Session) expectsAnswer() bool {
	for i := range s.flight.n {
		if answers[s.flight.at(i).id] != shapeNone {
			return true
		}
	}
	return false
}

// seekAgain waits for the next chance, or gives up.
func (s *Session) seekAgain() {
	j := s.join
	if j.turns++; j.turns > maxTurns {
		j.trusted = true // that there is nothing to find
		s.flight = flight{}
		s.turnOpaque(EventOpaque, "midstream", "no place was found at which a command begins")
		return
	}
	j.trusted = false
	s.flight, s.rec.Answer, s.infile = flight{}, Answer{}, false
	s.begun, s.results, s.changed = false, 0, changed{}
	s.phase, s.answer = seeking, answerFirst
}

// learnEOF finds out whether CLIENT_DEPRECATE_EOF is in effect, from the packet that follows the first
// column definitions: an EOF has 5 bytes, the OK that replaces the one at the end of the rows at least 7.
func (s *Session) learnEOF(payload []byte, length uint64) {
	s.join.eof = true
	switch {
	case payload[0] == mysqlwire.HeaderEOF && length == 5:
		s.caps &^= mysqlwire.DeprecateEOF
		s.columnsEnd(payload, length)
		return
	case payload[0] == mysqlwire.HeaderEOF && length < 7: // neither
		s.seekAgain()
		return
	}
	s.answer = answerRows
	s.serverPacket(payload, length)
}

// unsure reports whether it is not known yet if CLIENT_DEPRECATE_EOF is in effect.
func (s *Session) unsure() bool { return s.join != nil && !s.join.eof }
