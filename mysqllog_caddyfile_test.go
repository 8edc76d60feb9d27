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
				max_params 8
				max_param 1MB
				statements_memory 64KiB
				session_variables
				commands com_query com_stmt_execute
				events connect close
				log_name tenant
				queue 100
				overflow drop
			}`,
			`{"max_query":16384,"max_params":8,"max_param":1000000,"statements_memory":65536,"session_variables":true,"commands":["com_query","com_stmt_execute"],"events":["connect","close"],` +
				`"log_name":"tenant","queue":100,"overflow":"drop"}`, "",
		},
		{
			"lists in several lines", "mysql_log {\ncommands com_query\nevents all\ncommands com_ping\nevents close\n}",
			`{"commands":["com_query","com_ping"],"events":["all","close"]}`, "",
		},
		{"size in bytes", "mysql_log {\nmax_query 16\n}", `{"max_query":16}`, ""},
		{"zero", "mysql_log {\nmax_query 0\nmax_param 0\nstatements_memory 0\nqueue 0\n}", `{}`, ""},
		{"no parameters", "mysql_log {\nmax_params 0\n}", `{"max_params":-1}`, ""},
		{"argument", "mysql_log com_query", "", "mysql_log: unexpected 'com_query' on its line; options go into a block"},
		{"unknown option", "mysql_log {\nqueue 1\nformat json\n}", "", "format: not an option of mysql_log"},
		{"no max_query", "mysql_log {\nmax_query\n}", "", "max_query: a value is missing"},
		{"no size", "mysql_log {\nmax_query lots\n}", "", "max_query: 'lots' is not a size in bytes"},
		{"negative size", "mysql_log {\nmax_query -1\n}", "", "max_query: '-1' is not a size in bytes"},
		{"two sizes", "mysql_log {\nmax_query 1 2\n}", "", "max_query: takes one value, and '2' is another"},
		{"max_query twice, with zero", "mysql_log {\nmax_query 0\nmax_query 1\n}", "", "max_query: given twice"},
		{"no max_params", "mysql_log {\nmax_params\n}", "", "max_params: a value is missing"},
		{"max_params without a number", "mysql_log {\nmax_params none\n}", "", "max_params: 'none' is not a number"},
		{"max_params with a unit", "mysql_log {\nmax_params 1KiB\n}", "", "max_params: '1KiB' is not a number"},
		{"max_params twice, with zero", "mysql_log {\nmax_params 0\nmax_params 1\n}", "", "max_params: given twice"},
		{"two numbers", "mysql_log {\nmax_params 1 2\n}", "", "max_params: takes one value, and '2' is another"},
		{"no max_param", "mysql_log {\nmax_param\n}", "", "max_param: a value is missing"},
		{"max_param without a size", "mysql_log {\nmax_param long\n}", "", "max_param: 'long' is not a size in bytes"},
		{"negative max_param", "mysql_log {\nmax_param -1\n}", "", "max_param: '-1' is not a size in bytes"},
		{"max_param twice", "mysql_log {\nmax_param 1\nmax_param 1\n}", "", "max_param: given twice"},
		{"no statements_memory", "mysql_log {\nstatements_memory\n}", "", "statements_memory: a value is missing"},
		{"statements_memory without a size", "mysql_log {\nstatements_memory all\n}", "", "statements_memory: 'all' is not a size in bytes"},
		{"too much statements_memory", "mysql_log {\nstatements_memory 4GiB\n}", "", "statements_memory: '4GiB' is not a size in bytes"},
		{"statements_memory twice", "mysql_log {\nstatements_memory 1\nstatements_memory 1\n}", "", "statements_memory: given twice"},
		{"session_variables with a name", "mysql_log {\nsession_variables sql_mode\n}", "", "session_variables: takes no value, got 'sql_mode'"},
		{"session_variables twice", "mysql_log {\nsession_variables\nsession_variables\n}", "", "session_variables: given twice"},
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
