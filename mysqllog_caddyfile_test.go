package l4mysql

import "testing"

func TestMySQLLogCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "mysql_log", `{}`, ""},
		{"empty block", "mysql_log {\n}", `{}`, ""},
		{"two options", "mysql_log {\nlog_name a\noverflow block\n}", `{"log_name":"a","overflow":"block"}`, ""},
		{
			"every option", `mysql_log {
				max_query 16KiB
				commands com_query com_stmt_execute
				events connect close
				log_name tenant
				queue 100
				overflow drop
			}`,
			`{"max_query":16384,"commands":["com_query","com_stmt_execute"],"events":["connect","close"],` +
				`"log_name":"tenant","queue":100,"overflow":"drop"}`, "",
		},
		{
			"lists in several lines", "mysql_log {\ncommands com_query\nevents all\ncommands com_ping\nevents close\n}",
			`{"commands":["com_query","com_ping"],"events":["all","close"]}`, "",
		},
		{"size in bytes", "mysql_log {\nmax_query 16\n}", `{"max_query":16}`, ""},
		{"zero", "mysql_log {\nmax_query 0\nqueue 0\n}", `{}`, ""},
		{"argument", "mysql_log com_query", "", "mysql_log: unexpected 'com_query' on its line; options go into a block"},
		{"unknown option", "mysql_log {\nqueue 1\nformat json\n}", "", "format: not an option of mysql_log"},
		{"no max_query", "mysql_log {\nmax_query\n}", "", "max_query: a value is missing"},
		{"no size", "mysql_log {\nmax_query lots\n}", "", "max_query: 'lots' is not a size in bytes"},
		{"negative size", "mysql_log {\nmax_query -1\n}", "", "max_query: '-1' is not a size in bytes"},
		{"two sizes", "mysql_log {\nmax_query 1 2\n}", "", "max_query: takes one value, and '2' is another"},
		{"max_query twice, with zero", "mysql_log {\nmax_query 0\nmax_query 1\n}", "", "max_query: given twice"},
		{"no command", "mysql_log {\ncommands\n}", "", "commands: a value is missing"},
		{"no event", "mysql_log {\nevents\n}", "", "events: a value is missing"},
		{"no log_name", "mysql_log {\nlog_name\n}", "", "log_name: a value is missing"},
		{"log_name twice", "mysql_log {\nlog_name a\nlog_name a\n}", "", "log_name: given twice"},
		{"no number", "mysql_log {\nqueue some\n}", "", "queue: 'some' is not a number"},
		{"queue twice", "mysql_log {\nqueue 1\nqueue 1\n}", "", "queue: given twice"},
		{"overflow twice", "mysql_log {\noverflow drop\noverflow drop\n}", "", "overflow: given twice"},
		{"two overflows", "mysql_log {\noverflow drop block\n}", "", "overflow: takes one value, and 'block' is another"},
		{"block in an option", "mysql_log {\nqueue 1 {\nx\n}\n}", "", "queue: unexpected block with 'x'"},
		{"block in a list", "mysql_log {\ncommands com_query {\nx\n}\n}", "", "commands: unexpected block with 'x'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(MySQLLog), tt.in, tt.want, tt.wantErr) })
	}
}
