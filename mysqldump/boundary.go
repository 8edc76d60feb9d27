package mysqldump

import (
	"slices"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// What follows is for who carries the conversation and may have to end it, or to say something in it. A session
// that follows for them alone needs no records: the zero [Options] make none. None of it allocates, and all of
// it may be asked after any [Session.Feed].

// Idle reports whether the conversation stands between two commands: the login is accepted, every command is
// answered, no packet has come in part, in neither direction, and no file is being sent (LOCAL INFILE). It is
// false for a conversation that cannot be followed, and where the server sends its binary log.
//
// A command without an answer (COM_STMT_CLOSE, COM_QUIT ...) is over with its last byte.
func (s *Session) Idle() bool {
	return s.phase == ready && s.flight.n == 0 && !s.infile && s.client.idle() && s.server.idle() &&
		(s.detour == straight || s.certain())
}

// ExpectsCommand reports whether the client's next byte begins a command: not the middle of one, not a file for
// LOCAL INFILE, not an answer in the exchange of COM_CHANGE_USER, and not compressed. Commands that were sent
// ahead may still be in flight.
func (s *Session) ExpectsCommand() bool {
	return s.phase == ready && !s.infile && s.client.idle() && s.packed == nil &&
		(s.flight.unsure == 0 || !s.changingUser()) && (s.detour == straight || s.certain())
}

// ChangingUser reports whether what the server sends next belongs to the exchange of COM_CHANGE_USER.
func (s *Session) ChangingUser() bool {
	return s.phase == ready && s.flight.n > 0 && s.flight.first().id == mysqlwire.ComChangeUser
}

// InTransaction reports whether the client would miss more than a connection if it ended now. It means something
// while [Session.Idle].
//
// It goes by the last status word that the server has sent, which says whether a transaction is open. An ERR has
// none: one that has rolled back the transaction, a deadlock's, leaves it open here until the next OK. Cursors
// that were not read to their end count, too, and long data for a prepared statement that is still to be executed,
// and tables that are locked if the server tells (LOCK TABLES, with session_track_transaction_info).
//
// Of temporary tables, user variables, GET_LOCK and the like nobody is told: they do not count.
func (s *Session) InTransaction() bool {
	const open = mysqlwire.StatusInTransaction | mysqlwire.StatusReadOnly
	return s.ties.status&open != 0 || s.ties.locked || len(s.ties.statements) > 0
}

// certain reports, of a session that has joined or that inflates, whether it knows where it is, and stands between
// two compressed packets.
func (s *Session) certain() bool {
	if c := s.packed; c != nil {
		return c.inflaters[Client].have == 0 && c.inflaters[Server].have == 0
	}
	return s.join == nil || s.join.trusted
}

// changingUser reports whether COM_CHANGE_USER is in flight.
func (s *Session) changingUser() bool {
	for i := range s.flight.n {
		if s.flight.at(i).id == mysqlwire.ComChangeUser {
			return true
		}
	}
	return false
}

// ties are what binds a client to its session between two commands.
type ties struct {
	status     mysqlwire.Status // the last one that the server has sent
	locked     bool             // it has said that tables are locked
	statements []uint32         // ids of those with an open cursor or with long data
}

// maxTies bounds the memory for ties.statements: of more than these the first count.
const maxTies = 64

// tie notes what c, now answered, leaves behind with the statement that it names. An execution uses the long data
// up and closes the statement's cursor, also if it fails; so does the end of a cursor's rows.
func (s *Session) tie(c *command) {
	leaves := c.id == mysqlwire.ComStmtSendLongData || s.rec.Status.Has(mysqlwire.StatusCursorExists)
	if !c.hasStmt || !leaves && len(s.ties.statements) == 0 {
		return
	}
	id := c.stmtID
	if id == lastPrepared && s.lastStmt != nil {
		id = s.lastStmt.id
	}
	cursor := s.rec.Status.Has(mysqlwire.StatusCursorExists) && !s.rec.Status.Has(mysqlwire.StatusLastRowSent)
	if c.id == mysqlwire.ComStmtFetch {
		// A server need not say that there is a cursor as long as rows come from it.
		cursor = s.rec.ErrorCode == 0 && !s.rec.Status.Has(mysqlwire.StatusLastRowSent)
	}
	i := slices.Index(s.ties.statements, id)
	switch tied := cursor || c.id == mysqlwire.ComStmtSendLongData; {
	case tied && i < 0 && len(s.ties.statements) < maxTies:
		s.ties.statements = append(s.ties.statements, id)
	case !tied && i >= 0:
		s.ties.statements = slices.Delete(s.ties.statements, i, i+1)
	}
}
