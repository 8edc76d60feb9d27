package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// answer is what the server sends next for the first command in flight.
//
//	first --OK, ERR, EOF, one string--> done
//	      --column count--> columns --> columnsEnd (an EOF, unless DEPRECATE_EOF) --> rows --EOF, OK, ERR--> done
//	      --0xfb--> file (the client sends it) --OK, ERR--> done
//	      --COM_STMT_PREPARE_OK--> definitions --> done
//	      --COM_STMT_FETCH--> rows            --COM_FIELD_LIST--> fields --EOF, OK, ERR--> done
//	      --COM_CHANGE_USER--> login --OK, ERR--> done
//	done with MORE_RESULTS --> first
type answer uint8

const (
	answerFirst       answer = iota // the first packet, of the answer or of its next result
	answerColumns                   // column definitions
	answerColumnsEnd                // the EOF after them
	answerRows                      // rows, or their end
	answerFields                    // column definitions without a count, or their end
	answerFile                      // OK or ERR after LOCAL INFILE
	answerDefinitions               // what follows COM_STMT_PREPARE_OK: definitions and their EOFs
	answerLogin                     // an authentication exchange
)

var answerNames = [...]string{"first", "columns", "columns_end", "rows", "fields", "file", "definitions", "login"}

func (a answer) String() string { return answerNames[a] }

// A shape is the form of a command's answer.
type shape uint8

const (
	shapeStatus  shape = iota // OK, EOF or ERR
	shapeNone                 // no answer
	shapeResult               // Text Resultset, Binary Protocol Resultset, OK, LOCAL INFILE, or ERR
	shapePrepare              // COM_STMT_PREPARE Response
	shapeRows                 // rows without definitions (COM_STMT_FETCH)
	shapeFields               // COM_FIELD_LIST Response
	shapeString               // a string without header (COM_STATISTICS)
	shapeLogin                // an authentication exchange (COM_CHANGE_USER)
	shapeBinlog               // a Binlog Network Stream (COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID)
	shapeOwn                  // ERR, or a conversation of its own, which is not followed
)

// answers has the shape of each command's answer; those not named, and unknown commands, have a status.
var answers = [256]shape{
	mysqlwire.ComQuit:             shapeNone,
	mysqlwire.ComStmtSendLongData: shapeNone, // even on error: EXECUTE reports it
	mysqlwire.ComStmtClose:        shapeNone,
	mysqlwire.ComBinlogDump:       shapeBinlog,
	mysqlwire.ComBinlogDumpGTID:   shapeBinlog,
	mysqlwire.ComTableDump:        shapeOwn,
	mysqlwire.ComClone:            shapeOwn,
	mysqlwire.ComMulti:            shapeOwn,
	mysqlwire.ComQuery:            shapeResult,
	mysqlwire.ComProcessInfo:      shapeResult,
	mysqlwire.ComStmtExecute:      shapeResult,
	mysqlwire.ComStmtBulkExecute:  shapeResult,
	mysqlwire.ComStmtPrepare:      shapePrepare,
	mysqlwire.ComStmtFetch:        shapeRows,
	mysqlwire.ComFieldList:        shapeFields,
	mysqlwire.ComStatistics:       shapeString,
	mysqlwire.ComChangeUser:       shapeLogin,
}

// maxColumns bounds a column count: servers allow 4096, and a count that is larger was none.
const maxColumns = 1 << 16

// serverBegins returns how many bytes to keep of the server's payload that begins with first. Rows and
// definitions are recognized by that byte alone.
func (s *Session) serverBegins(first byte) (keep int) {
	switch s.phase {
	case replicating:
		if first == mysqlwire.HeaderOK {
			return 1
		}
	case ready:
		switch s.answer {
		case answerColumns, answerDefinitions:
			if first != mysqlwire.HeaderERR {
				return 1
			}
		case answerRows, answerFields:
			if first != mysqlwire.HeaderERR && !s.endsRows(first, s.server.length) {
				return 1
			}
		default: // every packet says something
		}
	default: // the same
	}
	return controlLimit
}

// serverPacket looks at a complete payload of the server, of which payload has the beginning and length
// is the whole.
func (s *Session) serverPacket(payload []byte, length uint64) {
	if s.phase != ready || s.flight.n == 0 || s.quit || len(payload) == 0 || payload[0] == mysqlwire.HeaderERR {
		s.rarePacket(payload)
		return
	}
	switch s.answer {
	case answerFirst:
		if !s.flight.first().complete { // only an ERR can come so early
			s.outOfOrder(Server, "packet before the end of its command")
			return
		}
		s.firstPacket(payload, length)
	case answerColumns:
		if payload[0] == mysqlwire.HeaderEOF {
			s.malformed("column definition")
			return
		}
		if s.definitions--; s.definitions == 0 {
			s.columnsDone()
		}
	case answerColumnsEnd:
		s.columnsEnd(payload, length)
	case answerRows:
		if s.endsRows(payload[0], length) {
			s.endPacket(payload)
		} else {
			s.rec.Rows++
		}
	case answerFields:
		if s.endsRows(payload[0], length) {
			s.endPacket(payload)
		} else {
			s.rec.Columns++
		}
	case answerFile:
		if payload[0] != mysqlwire.HeaderOK || s.infile {
			s.malformed("answer to LOCAL INFILE")
			return
		}
		s.okPacket(payload)
	case answerDefinitions:
		s.definition(payload)
	case answerLogin:
		switch {
		case payload[0] != mysqlwire.HeaderOK:
		case s.flight.first().change == nil:
			s.malformed("COM_CHANGE_USER") // and yet accepted: nobody knows who the user is
		default:
			s.okPacket(payload)
		}
	}
}

// rarePacket looks at what is not the next packet of a successful answer.
func (s *Session) rarePacket(payload []byte) {
	failed := len(payload) > 0 && payload[0] == mysqlwire.HeaderERR
	switch {
	case s.phase == seeking: // it has just given up its place
	case s.phase == inGreeting:
		s.greeting(payload)
	case s.phase == inLogin && failed: // the client has taken too long
		s.refuse(EventServerError, payload)
	case s.phase == inLogin:
		s.outOfOrder(Server, "packet")
	case s.phase == inAuth:
		s.authentication(payload)
	case s.phase == replicating:
		s.binlogEvent(payload)
	case s.quit: // old servers answer COM_QUIT with OK
		s.serverMark = s.server.pos
	case len(payload) == 0 && s.answer == answerLogin: // a plugin's data
	case len(payload) == 0:
		s.malformed("packet")
	case failed && s.isProgress(payload):
	case s.flight.n == 0:
		s.unsolicited(payload)
	default:
		s.errorPacket(payload)
	}
}

// firstPacket looks at the first packet of an answer, which is no ERR.
func (s *Session) firstPacket(payload []byte, length uint64) {
	c := s.flight.first()
	form := answers[c.id]
	if c.empty {
		form = shapeStatus
	}
	switch form {
	case shapeResult:
		s.resultPacket(payload, length)
	case shapePrepare:
		s.preparePacket(payload)
	case shapeRows:
		s.rec.HasRows = true
		s.answer = answerRows
		s.serverPacket(payload, length)
	case shapeFields:
		s.rec.HasColumns = true
		s.answer = answerFields
		s.serverPacket(payload, length)
	case shapeString:
		s.done()
	case shapeLogin:
		s.answer = answerLogin
		s.serverPacket(payload, length)
	case shapeBinlog:
		s.binlogPacket(payload, length)
	case shapeOwn:
		s.finish()
		s.turnOpaque(EventOpaque, "unsupported", c.id.String()+" makes a conversation of its own")
	default:
		switch payload[0] {
		case mysqlwire.HeaderOK:
			s.okPacket(payload)
		case mysqlwire.HeaderEOF:
			s.endPacket(payload)
		default:
			s.malformed("answer to " + c.id.String())
		}
	}
}
