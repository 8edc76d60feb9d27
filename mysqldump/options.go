package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// The defaults of [Options].
const (
	DefaultMaxQuery         = 4096
	DefaultMaxParams        = 64
	DefaultMaxParam         = 1 << 10
	DefaultStatementsMemory = 256 << 10
)

// Options say what a [Session] records. One Options may serve any number of sessions; it must not be
// changed while a session uses it.
type Options struct {
	// MaxQuery is how many bytes of a statement to record; of longer ones the record has the beginning and
	// the full length. Zero means [DefaultMaxQuery].
	MaxQuery int

	// MaxParams is how many parameters of a prepared statement, and how many query attributes, to record.
	// Zero means [DefaultMaxParams]; if it is negative, none are.
	MaxParams int

	// MaxParam is how many bytes of each of them to record. Zero means [DefaultMaxParam].
	MaxParam int

	// StatementsMemory is how many bytes the texts of a session's prepared statements may take, with what
	// belongs to them. Then the least recently used are forgotten. Zero means [DefaultStatementsMemory].
	StatementsMemory int

	// Commands are the commands that make records. The others are followed all the same.
	Commands CommandSet

	// Events are the events that make records.
	Events EventSet
}

// A CommandSet is a set of commands. The zero set is empty.
type CommandSet [256]bool

// AllCommands returns the set of all commands.
func AllCommands() CommandSet {
	var s CommandSet
	for i := range s {
		s[i] = true
	}
	return s
}

// DefaultCommands returns the commands that are recorded unless the user says otherwise: all but those
// that only keep a connection or a prepared statement in order.
func DefaultCommands() CommandSet {
	s := AllCommands()
	for _, c := range []mysqlwire.Command{
		mysqlwire.ComPing, mysqlwire.ComStatistics, mysqlwire.ComQuit, mysqlwire.ComStmtClose, mysqlwire.ComStmtReset,
	} {
		s[c] = false
	}
	return s
}

// An EventSet is a set of events. The zero set is empty.
type EventSet uint16

// DefaultEvents are the events that are recorded unless the user says otherwise: all but EventClose.
const DefaultEvents = AllEvents &^ (1 << EventClose)

// AllEvents is the set of all events.
const AllEvents EventSet = 1<<EventConnect | 1<<EventAuthError | 1<<EventTLS | 1<<EventChangeUser |
	1<<EventServerError | 1<<EventClose | 1<<EventOpaque

// Has reports whether e is in the set.
func (s EventSet) Has(e Event) bool { return s&(1<<e) != 0 }
