package integration

import (
	"context"
	"fmt"
	"testing"
)

// A compatScenario is a row of the matrix.
type compatScenario struct {
	name, title string
	uses        string            // a command that the server must have executed, or the scenario shows nothing
	codes       []uint16          // errors that the server must have answered with, likewise
	server      string            // the one server that has it, if only one has
	absent      map[string]string // clients that cannot do it, and in one word why
	singleByte  bool              // whether texts are in latin1
	meanwhile   func(ctx context.Context, m *Matrix, user string) error
	check       func(t *testing.T, m *Matrix, task Task, records []CompatRecord)
}

// without is absent, for a reason that several clients have. A client is named alone, or with the server.
func without(reason string, clients ...string) map[string]string {
	absent := make(map[string]string)
	for _, client := range clients {
		absent[client] = reason
	}
	return absent
}

var (
	withoutPrepared = without("text-only", "mariadb", "mysql", "PyMySQL")
	onlyMySQLi      = without("unsupported", "mariadb", "mysql", "PyMySQL", "go-sql-driver", "Connector/J")
	onlyConnectorJ  = without("unsupported", "mariadb", "mysql", "PyMySQL", "go-sql-driver", "mysqli")
	onlyMySQL       = without("unsupported", "mariadb", "PyMySQL", "go-sql-driver", "mysqli", "Connector/J")
	withoutLatin1   = without("UTF-8-only", "Connector/J")
)

// compatScenarios are the rows. What a client does in each is in its own program: testdata/compat, and
// driverScenarios for Go.
var compatScenarios = []compatScenario{
	{name: "text", title: "Text queries"},
	{name: "multi", title: "Several statements in one query"},
	{name: "call", title: "CALL with result sets"},
	{name: "out", title: "CALL with OUT parameters"},
	{name: "prepared", title: "Prepared statements", uses: "COM_STMT_EXECUTE", absent: withoutPrepared},
	{name: "values", title: "Values of parameters", absent: withoutPrepared, check: checkValues},
	{
		name: "longdata", title: "Long data", uses: "COM_STMT_SEND_LONG_DATA",
		absent: withoutPrepared, check: checkValues,
	},
	{name: "cursor", title: "Cursors", uses: "COM_STMT_FETCH", absent: onlyMySQLi},
	{
		name: "bulk", title: "Bulk execution", uses: "COM_STMT_BULK_EXECUTE", server: "MariaDB",
		absent: onlyConnectorJ, check: checkBulk,
	},
	{name: "pipeline", title: "Pipelining", uses: "COM_STMT_EXECUTE", absent: onlyConnectorJ, check: checkPipeline},
	{name: "infile", title: "LOAD DATA LOCAL", check: checkInfile},
	{name: "errors", title: "Errors", codes: []uint16{1064, 1146, 1062, 1054, 1242}},
	{name: "errors_multi", title: "Errors in the second statement", codes: []uint16{1146, 1064}},
	{
		name: "errors_prepared", title: "Errors of prepared statements", uses: "COM_STMT_EXECUTE",
		codes: []uint16{1146, 1062, 1242}, absent: withoutPrepared,
	},
	{name: "transaction", title: "Transactions", codes: []uint16{1792}},
	{name: "schema", title: "Change of the schema", codes: []uint16{1044}},
	{
		name: "change_user", title: "Change of the user", uses: "COM_CHANGE_USER", codes: []uint16{1045},
		absent: onlyMySQLi,
	},
	{
		name: "reset", title: "Reset of the connection", uses: "COM_RESET_CONNECTION",
		absent: without("unsupported", "mariadb", "PyMySQL", "go-sql-driver", "mysqli", "MySQL Connector/J"),
	},
	{name: "kill", title: "A query that is killed", codes: []uint16{1317}, meanwhile: killQuery},
	{name: "big_result", title: "Results of thousands of rows"},
	{name: "big_text", title: "Texts longer than `max_query`", check: checkLengths},
	{name: "huge_text", title: "Texts longer than 16 MiB", check: checkLengths},
	{name: "returning", title: "INSERT … RETURNING", server: "MariaDB"},
	{name: "warnings", title: "Warnings"},
	{name: "insert_id", title: "Ids of inserted rows", check: checkInsertIDs},
	{
		name: "latin1", title: "latin1, from the login on", singleByte: true,
		absent: withoutLatin1, check: checkLatin1,
	},
	{
		name: "names", title: "latin1, from SET NAMES on", singleByte: true,
		absent: withoutLatin1, check: checkLatin1,
	},
	{
		name: "compression", title: "Compression (zlib)",
		absent: without("unsupported", "PyMySQL"), check: checkCompressed,
	},
	{name: "zstd", title: "Compression (zstd)", server: "MySQL", absent: onlyMySQL, check: checkCompressed},
	{name: "attributes", title: "Query attributes", server: "MySQL", absent: onlyMySQL, check: checkAttributes},
	{name: "commands", title: "Commands beside statements"},
}

// killQuery kills what a user has asked as soon as that runs.
func killQuery(ctx context.Context, m *Matrix, user string) error {
	var thread uint64
	err := poll(func() error {
		row := m.db.Admin.QueryRowContext(ctx,
			"SELECT id FROM information_schema.processlist WHERE user = ? AND info = ?", user, endlessQuery)
		return row.Scan(&thread)
	})
	if err == nil {
		_, err = m.db.Admin.ExecContext(ctx, fmt.Sprint("KILL QUERY ", thread))
	}
	return err
}
