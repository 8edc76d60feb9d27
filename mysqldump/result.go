package mysqldump

import (
	"math"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// flaggedCount are the capabilities under which a flag follows the column count: do definitions follow?
const flaggedCount = mysqlwire.OptionalResultSetMetadata | mysqlwire.MariaDBCacheMetadata

// resultPacket looks at the first packet of a result.
//
// COM_QUERY Response
func (s *Session) resultPacket(payload []byte, length uint64) {
	switch payload[0] {
	case mysqlwire.HeaderOK:
		s.okPacket(payload)
		return
	case mysqlwire.HeaderLocalInfile:
		if s.flight.n > 1 {
			// The server will read what the client has sent ahead as the file.
			s.turnOpaque(EventOpaque, "pipelined_infile", "the client has sent commands ahead of a file that the server asked for")
			return
		}
		s.infile, s.answer = true, answerFile
		return
	}
	columns, follow := uint64(payload[0]), true
	flagged := s.caps&flaggedCount != 0
	if length > 1 || columns > 0xfa || flagged {
		c := mysqlwire.NewCursor(payload)
		columns = c.LenEnc("column_count")
		if s.join != nil && c.Len() == 1 {
			flagged = true
			s.caps |= mysqlwire.OptionalResultSetMetadata
		}
		// On the wire the count comes first and the flag after it.
		if flagged {
			follow = c.Uint8("metadata_follows") != 0
		}
		if c.Failed() || c.Len() > 0 || columns == 0 || columns >= maxColumns || uint64(len(payload)) != length {
			s.malformed("column count")
			return
		}
	}
	s.columnsFollow(uint32(columns), follow)
}

// columnsFollow begins a result set of n columns, with or without their definitions.
func (s *Session) columnsFollow(n uint32, definitions bool) {
	s.rec.HasColumns, s.rec.HasRows = true, true
	s.rec.Columns = n
	s.rec.ResultSets++
	if !definitions {
		s.columnsDone()
		return
	}
	s.definitions = n
	s.answer = answerColumns
}

func (s *Session) columnsDone() {
	s.answer = answerColumnsEnd
	if s.caps.Has(mysqlwire.DeprecateEOF) && !s.unsure() {
		s.answer = answerRows
	}
}

// columnsEnd looks at the EOF after column definitions. One that tells of a cursor ends the answer: the
// rows come with COM_STMT_FETCH.
func (s *Session) columnsEnd(payload []byte, length uint64) {
	if s.unsure() {
		s.learnEOF(payload, length)
		return
	}
	if payload[0] != mysqlwire.HeaderEOF || length >= 9 {
		s.malformed("end of column definitions")
		return
	}
	eof, err := mysqlwire.ParseEOF(payload)
	switch {
	case err != nil:
		s.fail(err)
	case eof.Status.Has(mysqlwire.StatusCursorExists):
		s.end(eof.Status, eof.Warnings, true)
	default:
		s.answer = answerRows
	}
}

// endsRows reports whether a payload of the given length that begins with first ends the rows. A row
// begins with 0xfe only if its first value takes 16 MiB or more, so that its packets are full.
func (s *Session) endsRows(first byte, length uint64) bool {
	if s.caps.Has(mysqlwire.DeprecateEOF) {
		return first == mysqlwire.HeaderEOF && length < mysqlwire.MaxPayload
	}
	return first == mysqlwire.HeaderEOF && length < 9
}

// skipPlain passes over what most answers begin with, as far as it is complete in p and in its plain form:
// the column count, the column definitions, the EOF after them, and rows. It returns the rest of p, which
// begins with what needs a closer look, or with the beginning of a packet.
func (s *Session) skipPlain(p []byte) []byte {
	size := len(p)
	if s.answer == answerFirst && len(p) > 4 && p[0] == 1 && p[1]|p[2] == 0 && p[4] != 0 && p[4] < mysqlwire.HeaderLocalInfile {
		if c := s.flight.first(); c.complete && answers[c.id] == shapeResult && s.caps&flaggedCount == 0 {
			s.columnsFollow(uint32(p[4]), true)
			p = p[5:]
		}
	}
	if s.answer == answerColumns {
		rest, n := skipPackets(p, uint64(s.definitions))
		p = rest
		if s.definitions -= uint32(n); s.definitions == 0 {
			s.columnsDone()
			if s.answer == answerColumnsEnd && len(p) >= 9 && p[0] == 5 && p[1]|p[2] == 0 && p[4] == mysqlwire.HeaderEOF &&
				s.join == nil && !mysqlwire.Status(p[7]).Has(mysqlwire.StatusCursorExists) {
				s.answer = answerRows
				p = p[9:]
			}
		}
	}
	if s.answer == answerRows {
		rest, n := skipPackets(p, math.MaxUint64)
		p = rest
		s.rec.Rows += n
	}
	s.server.pos += uint64(size - len(p))
	return p
}

// skipPackets passes over at most limit complete packets whose first byte says that they are definitions
// or rows, and returns the rest of p and how many they were.
func skipPackets(p []byte, limit uint64) (rest []byte, count uint64) {
	for count < limit && len(p) > mysqlwire.HeaderLen && p[4] < mysqlwire.HeaderEOF {
		n := mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(p))
		if n == 0 || n == mysqlwire.MaxPayload || n > len(p)-mysqlwire.HeaderLen {
			break
		}
		p = p[mysqlwire.HeaderLen+n:]
		count++
	}
	return p, count
}

// preparePacket looks at the first packet of an answer to COM_STMT_PREPARE.
//
// COM_STMT_PREPARE Response
func (s *Session) preparePacket(payload []byte) {
	if payload[0] != mysqlwire.HeaderOK {
		s.malformed("answer to COM_STMT_PREPARE")
		return
	}
	p, err := mysqlwire.ParsePrepareOK(payload, s.caps)
	if err != nil {
		s.fail(err)
		return
	}
	if s.unsure() && p.Params+p.Columns > 0 {
		s.abandon(WentOpaque)
		s.seekAgain() // nobody knows how many packets follow
		return
	}
	c := s.flight.first()
	c.stmtID, c.hasStmt = p.StatementID, true
	s.rec.Prepared, s.rec.Params = true, uint32(p.Params)
	s.rec.HasColumns, s.rec.Columns = true, uint32(p.Columns)
	s.definitions = 0
	if !p.NoMetadata {
		for _, n := range [...]uint16{p.Params, p.Columns} {
			s.definitions += uint32(n)
			if n > 0 && !s.caps.Has(mysqlwire.DeprecateEOF) {
				s.definitions++ // the EOF after them
			}
		}
	}
	s.answer = answerDefinitions
	if s.definitions == 0 {
		s.done()
	}
}

// definition looks at a packet that follows COM_STMT_PREPARE_OK: the definitions of the parameters and of
// the columns, each followed by an EOF, unless CLIENT_DEPRECATE_EOF is in effect.
func (s *Session) definition(payload []byte) {
	eof := !s.caps.Has(mysqlwire.DeprecateEOF) && (s.definitions == 1 ||
		s.rec.Params > 0 && s.rec.Columns > 0 && s.definitions == s.rec.Columns+2)
	if eof != (payload[0] == mysqlwire.HeaderEOF) {
		s.malformed("definitions of a prepared statement")
		return
	}
	if s.definitions--; s.definitions == 0 {
		s.done()
	}
}
