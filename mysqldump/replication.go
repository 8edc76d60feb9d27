package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// binlogPacket looks at the first packet of a Binlog Network Stream, which is no ERR. The command is told
// now: the stream may go on for months. What comes from here on is walked over and counted. The replica
// answers semi-synchronous events, and these answers are no commands.
//
// COM_BINLOG_DUMP
func (s *Session) binlogPacket(payload []byte, length uint64) {
	switch {
	case payload[0] == mysqlwire.HeaderOK:
		s.finish()
		s.phase = replicating
	case payload[0] == mysqlwire.HeaderEOF && length < 9: // nothing to send, and BINLOG_DUMP_NON_BLOCK
		if s.endPacket(payload); s.phase == ready {
			s.phase = refused
		}
	default:
		s.malformed("event of the binary log")
	}
}

// binlogEvent looks at a packet of the stream. An EOF or ERR is the last: the server closes the connection
// after it.
func (s *Session) binlogEvent(payload []byte) {
	switch {
	case len(payload) == 0:
		s.malformed("event of the binary log")
	case payload[0] == mysqlwire.HeaderERR:
		if s.unsolicited(payload); s.phase == replicating {
			s.phase = refused
		}
	case payload[0] == mysqlwire.HeaderEOF:
		s.phase = refused
	}
}
