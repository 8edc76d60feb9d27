package mysqldump

import (
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// An Event says what a [Record] tells of.
type Event uint8

// The events. EventCommand is a command and its answer; the others concern the connection.
const (
	EventCommand     Event = 0
	EventConnect     Event = 1 // the server has accepted the login
	EventAuthError   Event = 2 // the server has refused the login
	EventTLS         Event = 3 // the client has switched to TLS; nothing is seen from here on
	EventChangeUser  Event = 4 // the server has accepted COM_CHANGE_USER; the record has the new user
	EventServerError Event = 5 // the server has sent an error that answers no command
	EventClose       Event = 6 // the connection has ended
	EventOpaque      Event = 7 // the conversation can no longer be followed
)

var eventNames = [...]string{
	"command", "connect", "auth_error", "tls", "change_user", "server_error", "close", "opaque",
}

// String returns the name under which the event is recorded and configured, such as "auth_error".
func (e Event) String() string { return eventNames[e] }

// ParseEvent returns the event with the given name. EventCommand has none.
func ParseEvent(name string) (Event, bool) {
	for i, n := range eventNames {
		if n == name && Event(i) != EventCommand {
			return Event(i), true
		}
	}
	return 0, false
}

// Why a command has no answer: the values of [Record.Incomplete].
const (
	ClientClosed = "client_closed" // the client has gone
	ServerClosed = "server_closed" // the server has gone
	WentOpaque   = "opaque"        // the session could not follow the answer
)

// ReasonTLS is the [Record.Reason] of EventTLS.
const ReasonTLS = "tls"

// A Record tells of one command with its answer, or of one event. Its slices are valid until the callback
// that received it returns.
type Record struct {
	Event Event
	At    time.Duration // when the command was complete, or the event was seen, as given to Feed
	Seq   uint64        // number of this record in its session, from 1, without gaps

	Who

	// The command.
	Command          mysqlwire.Command
	Empty            bool   // the packet was empty: it has no command
	PacketSeq        uint8  // sequence id of its first packet
	Query            []byte // the text of COM_QUERY or COM_STMT_PREPARE, or the name in COM_INIT_DB and its like; nil if the command has none
	QueryLength      uint64 // its full length in bytes
	QueryTruncated   bool   // Query, or StmtPrepareQuery, is cut
	QueryRaw         bool   // Query, or StmtPrepareQuery, is not UTF-8 but as the client has sent it: its character set has no decoder
	HasStmt          bool   // StmtID is set
	StmtID           uint32 // of a prepared statement
	StmtPrepareQuery []byte // the text that the statement was prepared from
	StmtTextLost     bool   // that text is no longer known
	Pipelined        int    // how many commands before it had no answer yet when it was sent

	Arguments

	Answer // to the command; of an event only what is in the packet that made it

	// Events only.
	Reason        string // of EventOpaque and EventTLS: one of few words
	Message       string // the same in words for a person
	ServerVersion string // EventConnect, EventAuthError
	Compression   string // EventConnect: "zlib", "zstd", or "" for none
	AuthPlugin    string // that the client named: EventConnect, EventAuthError, EventChangeUser
	Attributes    mysqlwire.Attributes
	Commands      uint64 // EventClose: how many commands the connection has sent, recorded or not
}

// Arguments are the values that a command carries beside its text.
type Arguments struct {
	Values          []Value // the parameters of COM_STMT_EXECUTE; of COM_STMT_BULK_EXECUTE those of the first rows, row by row
	RowWidth        int     // how many Values are a row; 0 unless it is COM_STMT_BULK_EXECUTE
	BulkRows        uint64  // how many rows of parameters COM_STMT_BULK_EXECUTE has
	ValuesTruncated bool    // Values or QueryAttributes are not all, or some of them are cut
	QueryAttributes []QueryAttribute
}

// Who is the user of a session, and its default schema, when a command was sent or an event seen.
type Who struct {
	Username     string
	Database     string // empty if none is chosen
	CharacterSet string // of the client's texts, by the server's name; empty if it is not known
	ThreadID     uint32 // the server's id of the connection, from its greeting
	Midstream    bool   // the session has joined in the middle: what it has not seen is empty
}

// An Answer is what came of a command.
type Answer struct {
	Duration        time.Duration // from the command's last byte, or the end of the answer before it, to the answer's last byte
	FirstByte       time.Duration // the same to the answer's first byte
	HasColumns      bool          // Columns is set
	HasRows         bool          // Rows is set
	HasOK           bool          // AffectedRows and LastInsertID are set
	HasStatus       bool          // Status and Warnings are set
	Prepared        bool          // Params is set: it answers COM_STMT_PREPARE
	Params          uint32
	Columns         uint32 // of the last result set
	ResultSets      uint32
	Rows            uint64 // of all result sets
	AffectedRows    uint64 // of all statements
	LastInsertID    uint64 // the first that is not 0
	Warnings        uint16 // of the last statement
	Status          mysqlwire.Status
	ErrorCode       uint16 // 0: no error
	SQLState        []byte // 5 bytes or nil
	ErrorMessage    []byte
	Info            []byte                 // human readable, of the last OK packet
	Changes         mysqlwire.SessionState // of the session, as the server tells of them to clients that ask for it
	InfileBytes     uint64                 // of the file that the client has sent for LOCAL INFILE, without packet headers
	ProgressReports uint32                 // that MariaDB has sent while it worked
	BytesIn         uint64                 // of the command, packet headers and LOCAL INFILE data included, authentication data not
	BytesOut        uint64                 // of the answer, packet headers included
	Incomplete      string                 // why there is no whole answer: empty, or one of the constants
}

// CommandName returns the name of the command, such as "COM_QUERY"; "COM_EMPTY" for an empty packet and
// "" for an event.
func (r *Record) CommandName() string {
	switch {
	case r.Event != EventCommand:
		return ""
	case r.Empty:
		return "COM_EMPTY"
	default:
		return r.Command.String()
	}
}
