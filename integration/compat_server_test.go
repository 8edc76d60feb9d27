package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sqlTextLimit is how many bytes of a statement's text the performance schema keeps.
const sqlTextLimit = 8 << 10

// compatOptions make either server keep what came of all statements of a cell, with their texts.
var compatOptions = []string{
	"--performance-schema-consumer-events-statements-current=ON",
	"--performance-schema-consumer-events-statements-history-long=ON",
	"--performance-schema-events-statements-history-long-size=4000",
	fmt.Sprint("--performance-schema-max-sql-text-length=", sqlTextLimit),
	"--max-allowed-packet=64M", "--local-infile=ON",
}

// A ServerEvent is a row of performance_schema.events_statements_history_long.
type ServerEvent struct {
	ID, Parent uint64 // Parent is 0 of what is no part of another statement
	Name       string // "statement/com/Prepare", "statement/sql/select"
	Database   string // before the statement
	Text       string // at most sqlTextLimit bytes, in UTF-8; empty where the server has none
	Rows       uint64
	Affected   uint64
	Warnings   int
	ErrorCode  uint16
	SQLState   string
	Message    string // at most messageLimit characters
}

// A ServerCommand is a command that the server has executed, as its own tables tell.
type ServerCommand struct {
	ServerEvent        // of several statements: the last one, with the text and the sum of the rows of all
	Command     string // by the name that records have
	Logged      string // the text in the general log
	rest        string // where the text goes on, if there are more statements
	before      uint64 // the rows of the statements before the last one
}

// comNames are the commands by their names in the performance schema, statement/com/.
var comNames = map[string]string{
	"Init DB": "COM_INIT_DB", "Prepare": "COM_STMT_PREPARE", "Execute": "COM_STMT_EXECUTE", "Fetch": "COM_STMT_FETCH",
	"Long Data": "COM_STMT_SEND_LONG_DATA", "Reset stmt": "COM_STMT_RESET", "Close stmt": "COM_STMT_CLOSE",
	"Bulk_execute": "COM_STMT_BULK_EXECUTE", "Change user": "COM_CHANGE_USER", "Set option": "COM_SET_OPTION",
	"Reset connection": "COM_RESET_CONNECTION", "Reset Connection": "COM_RESET_CONNECTION", "Ping": "COM_PING",
	"Statistics": "COM_STATISTICS", "Debug": "COM_DEBUG", "Kill": "COM_PROCESS_KILL", "Refresh": "COM_REFRESH",
	"Create DB": "COM_CREATE_DB", "Field List": "COM_FIELD_LIST", "Processlist": "COM_PROCESS_INFO",
	"Query": "COM_QUERY",
}

// commands returns what the server has executed for the one connection of an account, but COM_QUIT, at which
// server and client hang up on each other. MySQL does not tell which statements came in one COM_QUERY: texts,
// which the client is said to have sent, must be made of the server's statements without a rest.
func (m *Matrix) commands(t testing.TB, a Account, texts []string) []ServerCommand {
	t.Helper()
	var commands []ServerCommand
	diagnostics := 0 // how many warnings SHOW WARNINGS would show
	parents := make(map[uint64]int)
	for _, e := range m.events(t, a.Database()) {
		if e.Parent != 0 {
			parents[e.ID] = parents[e.Parent]
			commands[parents[e.ID]].addRows(e.Rows, m.server.mysql)
			continue
		}
		name, ok := comNames[strings.TrimPrefix(e.Name, "statement/com/")]
		switch {
		case e.Name == "statement/com/Quit":
			continue
		case strings.HasPrefix(e.Name, "statement/sql/"):
			name = "COM_QUERY"
		case !ok:
			t.Fatalf("the server has executed %s, which no command is known for", e.Name)
		}
		if strings.HasSuffix(e.Name, "/show_warnings") {
			e.Rows = uint64(diagnostics)
		} else {
			diagnostics = e.Warnings
		}
		if n := len(commands) - 1; n >= 0 && name == "COM_QUERY" && commands[n].goesOn(e, m.server.mysql) {
			commands[n].add(e, m.server.mysql)
		} else {
			c := ServerCommand{ServerEvent: e, Command: name}
			if !m.server.mysql {
				c.rest = e.Text
			} else if n+1 < len(texts) {
				c.beginWith(strings.TrimSpace(texts[n+1]))
			}
			commands = append(commands, c)
		}
		parents[e.ID] = len(commands) - 1
	}
	if !m.server.mysql {
		m.addLogged(t, a, commands)
		return commands
	}
	for i := range commands {
		if c := &commands[i]; c.ErrorCode == 0 { // what was not executed, was not there
			c.Text = strings.TrimSuffix(c.Text, c.rest)
		}
	}
	return commands
}

// addRows adds the rows that a statement of a procedure has sent. In MySQL, these count on from statement to
// statement.
func (c *ServerCommand) addRows(n uint64, mysql bool) {
	if mysql {
		c.Rows = max(c.Rows, c.before+n)
	} else {
		c.Rows += n
	}
}

// beginWith makes a text that begins with the statement the text of the command.
func (c *ServerCommand) beginWith(text string) {
	if rest, ok := strings.CutPrefix(text, c.Text); ok {
		c.Text, c.rest = text, afterStatement(rest)
	}
}

func afterStatement(rest string) string { return strings.TrimLeft(rest, "; \n") }

// goesOn reports whether e is the next statement of the same command. In MariaDB, each has the text from there
// to the end; in MySQL, its own.
func (c *ServerCommand) goesOn(e ServerEvent, mysql bool) bool {
	if c.Command != "COM_QUERY" || c.ErrorCode != 0 || e.Text == "" {
		return false
	}
	if mysql {
		return strings.HasPrefix(c.rest, e.Text)
	}
	before, ok := strings.CutSuffix(c.rest, e.Text)
	return ok && strings.HasSuffix(strings.TrimSpace(before), ";")
}

// add adds the next statement of the same command.
func (c *ServerCommand) add(e ServerEvent, mysql bool) {
	if mysql {
		c.rest = afterStatement(strings.TrimPrefix(c.rest, e.Text))
	} else {
		c.rest = e.Text
	}
	c.before = c.Rows
	e.Database, e.Text, e.Rows, e.Affected = c.Database, c.Text, c.Rows+e.Rows, c.Affected+e.Affected
	c.ServerEvent = e
}

// addLogged adds what the general log has: MariaDB's performance schema has no texts of prepared statements.
// (MySQL's has them, and its general log has not what could not be parsed.)
func (m *Matrix) addLogged(t testing.TB, a Account, commands []ServerCommand) {
	t.Helper()
	log := m.db.generalLog(t, a.User)
	for i := range commands {
		c := &commands[i]
		if !slices.Contains([]string{"COM_QUERY", "COM_STMT_PREPARE", "COM_STMT_EXECUTE"}, c.Command) ||
			c.Command == "COM_STMT_PREPARE" && c.ErrorCode != 0 { // which is not logged
			continue
		}
		n := slices.IndexFunc(log, func(e LogEntry) bool { return commandNames[e.Command] == c.Command })
		if n < 0 {
			t.Fatalf("the general log has no %s for %v", c.Command, c)
		}
		c.Logged = log[n].Argument
		log = log[n+1:]
	}
}

// events returns what the server has of the connection that works in a schema, in order.
func (m *Matrix) events(t testing.TB, schema string) []ServerEvent {
	t.Helper()
	rows, err := m.db.Admin.QueryContext(t.Context(), `
		SELECT event_id, IF(nesting_event_type = 'STATEMENT', nesting_event_id, NULL), event_name,
			COALESCE(current_schema, ''), COALESCE(sql_text, ''), rows_sent, rows_affected, warnings, mysql_errno,
			IF(mysql_errno = 0, '', returned_sqlstate), COALESCE(message_text, '')
		FROM performance_schema.events_statements_history_long
		WHERE thread_id IN (
			SELECT thread_id FROM performance_schema.events_statements_history_long WHERE current_schema = ?)
		ORDER BY thread_id, event_id`, schema)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var events []ServerEvent
	for rows.Next() {
		var e ServerEvent
		var parent sql.Null[uint64]
		if err := rows.Scan(&e.ID, &parent, &e.Name, &e.Database, &e.Text, &e.Rows, &e.Affected, &e.Warnings,
			&e.ErrorCode, &e.SQLState, &e.Message); err != nil {
			t.Fatal(err)
		}
		e.Parent = parent.V
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}
