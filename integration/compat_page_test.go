package integration

import (
	"fmt"
	"strings"
)

const compatIntro = `---
title: Compatibility
---

# Compatibility

<!-- ` + "`make test-mysql`" + ` writes this page. -->

Real clients do what clients do, one scenario at a time, through Caddy with
[` + "`mysql_log`" + `](handlers/mysql_log.md) and before a real server. Then the records are compared with what the
server itself has in ` + "`performance_schema.events_statements_history_long`" + `, statement by statement: the
command, the text, the schema, the rows that were sent, the rows that were affected, warnings, error number,
SQLSTATE and message. There is a record for each command that the server has executed, and the server has executed
each command that has a record. Values of parameters, ids of inserted rows, lengths of texts and of files, and query
attributes are compared with what the server has stored of them in a table.

*equal* says that there was no difference. A dash says that the client cannot do this, and why.
`

const compatRules = `
## Where the server counts otherwise

A record tells what the protocol says. Here the server's tables say it in another way, and the comparison knows:

- Several statements in one ` + "`COM_QUERY`" + ` are several to the server. Their record has the sum of their rows,
  and the warnings, the error and the message of the last one.
- A ` + "`CALL`" + ` has sent the rows that the statements of its procedure have sent. The row of OUT
  parameters, which ends the answer to a prepared one, is a result set to the client and none to the server.
- The server does not count the rows of ` + "`SHOW WARNINGS`" + ` as sent. There are as many as the statement
  before has warnings.
- An error has no warnings in the protocol.
- MariaDB has no rows of ` + "`COM_STMT_BULK_EXECUTE`" + `: they are counted in the table.
- MariaDB's performance schema has no texts of prepared statements: they are taken from the general log. Where
  the client's character set is not UTF-8, it has question marks: the literals are compared with what is stored.
- The server leaves out the spaces around a statement, and semicolons at its end.
- ` + "`COM_QUIT`" + ` is not compared.
`

// compatText is docs/compat.md: each server with all its clients.
func compatText(found []*Matrix) (string, error) {
	var b strings.Builder
	b.WriteString(compatIntro)
	if len(found) != len(compatServers) {
		return "", fmt.Errorf("no page is written of %d servers, want %d", len(found), len(compatServers))
	}
	for _, m := range found {
		if len(m.columns) != len(m.server.clients) {
			return "", fmt.Errorf("no page is written of %d clients with %s, want %d",
				len(m.columns), m.server.name, len(m.server.clients))
		}
		version, _, _ := strings.Cut(m.version, "-")
		fmt.Fprintf(&b, "\n## %s %s\n\n| Scenario |", m.server.name, version)
		for _, column := range m.columns {
			fmt.Fprintf(&b, " %s %s |", column.name, column.version)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(m.columns)) + "\n")
		for _, s := range compatScenarios {
			if s.server != "" && s.server != m.server.name {
				continue
			}
			fmt.Fprintf(&b, "| %s |", s.title)
			for _, column := range m.columns {
				fmt.Fprintf(&b, " %s |", column.cells[s.name])
			}
			b.WriteString("\n")
		}
	}
	b.WriteString(compatRules)
	return b.String(), nil
}
