package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A ServerSession is what a MariaDB server knows of one connection.
type ServerSession struct {
	Thread     uint64 // its id in the process list
	Login      string // "user@address on database using TCP/IP"
	Statements []Statement
}

// A Statement is a command that a server has executed: the general log has its text, the performance schema
// what came of it. Only the commands that make records by default are here.
type Statement struct {
	Command   string  // by the name that records have, as COM_QUERY
	Text      string  // of an execution with its values in it; empty where the general log has none
	Time      float64 // when the general log was written, in seconds since 1970; 0 where it was not
	Database  string
	Rows      uint64
	Affected  uint64
	ErrorCode uint16
	SQLState  string
	Message   string // of the error or of the OK; no more than messageLimit characters
}

// messageLimit is how many characters the performance schema keeps of a message.
const messageLimit = 128

// statementOptions make a server keep what came of all statements of a test.
var statementOptions = []string{
	"--performance-schema-consumer-events-statements-current=ON",
	"--performance-schema-consumer-events-statements-history-long=ON",
	"--performance-schema-events-statements-history-long-size=20000",
}

// commandNames are the commands that make records by default, by their names in the general log.
var commandNames = map[string]string{
	"Query": "COM_QUERY", "Init DB": "COM_INIT_DB", "Prepare": "COM_STMT_PREPARE", "Execute": "COM_STMT_EXECUTE",
}

// serverSession waits until the one session of a user has ended, and returns what the server knows of it. The
// server must have statementOptions, and the user a schema of the same name, which nobody else works in.
func (m *MariaDB) serverSession(t testing.TB, user string) ServerSession {
	t.Helper()
	log := m.endedLog(t, user)
	s := ServerSession{Thread: log[0].ThreadID, Login: log[0].Argument}
	if log[0].Command != "Connect" {
		t.Fatalf("the first entry of the general log is %+v, want a login", log[0])
	}
	log = log[1:]
	take := func(command string) LogEntry {
		t.Helper()
		if len(log) == 0 || log[0].Command != command || log[0].ThreadID != s.Thread {
			t.Fatalf("the performance schema has a %s, the general log of thread %d goes on with %+v", command, s.Thread, log)
		}
		entry := log[0]
		log = log[1:]
		return entry
	}
	for _, e := range m.statementEvents(t, user) {
		command := strings.TrimPrefix(e.Command, "statement/com/")
		if strings.HasPrefix(command, "statement/sql/") {
			command = "Query"
		}
		var entry LogEntry
		switch {
		case command == "Ping", command == "Prepare" && e.ErrorCode != 0: // which the general log leaves out
		default:
			entry = take(command)
		}
		// PREPARE and EXECUTE are statements, and to the general log also what they stand for.
		if inner := map[string]string{
			"statement/sql/prepare_sql": "Prepare", "statement/sql/execute_sql": "Execute",
		}[e.Command]; inner != "" && e.ErrorCode == 0 {
			take(inner)
		}
		if name, ok := commandNames[command]; ok {
			e.Command, e.Text, e.Time = name, entry.Argument, entry.Time
			s.Statements = append(s.Statements, e)
		}
	}
	if len(log) > 0 {
		t.Fatalf("the general log has %+v, which the performance schema has not", log)
	}
	return s
}

// endedLog waits until each session of a user has ended in order, and returns the general log.
func (m *MariaDB) endedLog(t testing.TB, user string) []LogEntry {
	t.Helper()
	var log []LogEntry
	eventually(t, func() error {
		log = m.generalLog(t, user)
		open := make(map[uint64]bool)
		for _, entry := range log {
			open[entry.ThreadID] = entry.Command != "Quit"
		}
		if len(open) == 0 {
			return errors.New("the general log has no session of " + user)
		}
		for id := range open {
			if open[id] {
				return fmt.Errorf("the general log says that thread %d has not ended", id)
			}
		}
		return nil
	})
	return log
}

// statementEvents returns what the performance schema has of the session that works in a schema, in order.
// Command is the event's name, and Text is empty.
func (m *MariaDB) statementEvents(t testing.TB, schema string) []Statement {
	t.Helper()
	rows, err := m.Admin.QueryContext(t.Context(), `
		SELECT event_name, COALESCE(current_schema, ''), rows_sent, rows_affected, mysql_errno,
			IF(mysql_errno = 0, '', returned_sqlstate), COALESCE(message_text, '')
		FROM performance_schema.events_statements_history_long
		WHERE nesting_event_level = 0 AND thread_id IN (
			SELECT thread_id FROM performance_schema.events_statements_history_long WHERE current_schema = ?)
		ORDER BY thread_id, event_id`, schema)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var events []Statement
	for rows.Next() {
		var e Statement
		if err := rows.Scan(&e.Command, &e.Database, &e.Rows, &e.Affected, &e.ErrorCode, &e.SQLState, &e.Message); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// queries returns the texts of a thread's queries in a general log, in order.
func queries(log []LogEntry, thread uint64) []string {
	var texts []string
	for _, entry := range log {
		if entry.ThreadID == thread && entry.Command == "Query" {
			texts = append(texts, entry.Argument)
		}
	}
	return texts
}

// threads returns the threads in a general log.
func threads(log []LogEntry) []uint64 {
	var ids []uint64
	for _, entry := range log {
		if !slices.Contains(ids, entry.ThreadID) {
			ids = append(ids, entry.ThreadID)
		}
	}
	return ids
}

// A Process is a row of the server's process list, and the connection's character set. A script keeps its own
// in the table who, so that the server says what it is, and not the client.
type Process struct {
	ID      uint64
	User    string
	Host    string // address:port
	Charset string
}

// keepProcess is the statement that makes the table who.
const keepProcess = "CREATE TABLE who AS SELECT id, user, host, @@character_set_client AS charset" +
	" FROM information_schema.processlist WHERE id = connection_id()"

// keptProcess returns what keepProcess has kept in a schema.
func (m *MariaDB) keptProcess(t testing.TB, schema string) Process {
	t.Helper()
	var p Process
	row := m.Admin.QueryRowContext(t.Context(), "SELECT id, user, host, charset FROM "+schema+".who")
	if err := row.Scan(&p.ID, &p.User, &p.Host, &p.Charset); err != nil {
		t.Fatal(err)
	}
	return p
}
