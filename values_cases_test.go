package l4mysql

import (
	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// argumentsCases are records with the keys of values.go and changes.go, and those of texts that are no
// UTF-8.
func argumentsCases() []fieldsCase {
	var (
		execute = `{"command":"COM_STMT_EXECUTE","stmt_id":3,"stmt_prepare_query":"INSERT","seq_num":0,"command_id":23,`
		bulk    = `{"command":"COM_STMT_BULK_EXECUTE","stmt_id":3,"stmt_prepare_query":"INSERT","seq_num":0,"command_id":250,`
		ended   = `,"bytes_in":0,"bytes_out":0}`
	)
	executed := func(c mysqlwire.Command, a mysqldump.Arguments) mysqldump.Record {
		return mysqldump.Record{Command: c, HasStmt: true, StmtID: 3, StmtPrepareQuery: []byte("INSERT"), Arguments: a}
	}
	attribute := func(name string, kind mysqldump.ValueKind, data string) mysqldump.QueryAttribute {
		return mysqldump.QueryAttribute{Name: []byte(name), Value: mysqldump.Value{Kind: kind, Data: []byte(data)}}
	}
	long := attribute("long", mysqldump.ValueText, "ab")
	long.Length, long.Cut = 3, true
	return []fieldsCase{
		{
			"an execution with parameters of all kinds", "",
			executed(mysqlwire.ComStmtExecute, mysqldump.Arguments{ValuesTruncated: true, Values: []mysqldump.Value{
				{Kind: mysqldump.ValueNumber, Data: []byte("-7")},
				{Kind: mysqldump.ValueNull},
				{Kind: mysqldump.ValueText, Data: []byte("it's"), Length: 4},
				{Kind: mysqldump.ValueBytes, Data: []byte("\x00\xff"), Length: 2},
				{Kind: mysqldump.ValueText, Data: []byte("beg"), Length: 7, Cut: true},
				{Kind: mysqldump.ValueBytes, Data: []byte("\x89PN"), Length: 1 << 40, Cut: true},
			}}),
			0,
			execute + `"values_truncated":true,"stmt_execute_values":[-7,null,"it's",{"base64":"AP8="},{"value":"beg","length":7},` +
				`{"base64":"iVBO","length":1099511627776}],` + asked + ended,
		},
		{
			"an execution without parameters", "",
			executed(mysqlwire.ComStmtExecute, mysqldump.Arguments{Values: []mysqldump.Value{}}),
			0,
			execute + `"stmt_execute_values":[],` + asked + ended,
		},
		{
			"an execution whose parameters could not be read", "",
			executed(mysqlwire.ComStmtExecute, mysqldump.Arguments{ValuesTruncated: true}),
			0,
			execute + `"values_truncated":true,` + asked + ended,
		},
		{
			"rows of parameters, of which the last is not all", "",
			executed(mysqlwire.ComStmtBulkExecute, mysqldump.Arguments{BulkRows: 3, RowWidth: 2, ValuesTruncated: true, Values: []mysqldump.Value{
				{Kind: mysqldump.ValueNumber, Data: []byte("1")},
				{Kind: mysqldump.ValueDefault},
				{Kind: mysqldump.ValueIgnored},
				{Kind: mysqldump.ValueText, Data: []byte{}},
				{Kind: mysqldump.ValueNull},
			}}),
			0,
			bulk + `"values_truncated":true,"bulk_rows":3,"stmt_execute_values":[[1,{"default":true}],[{"ignore":true},""],[null]],` + asked + ended,
		},
		{
			"rows of parameters that are not wanted", "",
			executed(mysqlwire.ComStmtBulkExecute, mysqldump.Arguments{BulkRows: 3}),
			0,
			bulk + `"bulk_rows":3,` + asked + ended,
		},
		{
			"a query with attributes", "",
			mysqldump.Record{
				Command: mysqlwire.ComQuery, Query: []byte("DO 0"), QueryLength: 4,
				Arguments: mysqldump.Arguments{QueryAttributes: []mysqldump.QueryAttribute{
					attribute("traceparent", mysqldump.ValueText, "00-4bf9-01"),
					attribute("", mysqldump.ValueNull, ""),
					attribute("n", mysqldump.ValueNumber, "18446744073709551615"),
					attribute("no\xfftext", mysqldump.ValueBytes, "\xfe"),
					long,
				}},
			},
			0,
			`{"command":"COM_QUERY","query":"DO 0","query_length":4,"seq_num":0,"command_id":3,"query_attrs":{"traceparent":"00-4bf9-01",` +
				`"":null,"n":18446744073709551615,"6e6fff74657874":{"base64":"/g=="},"long":{"value":"ab","length":3}},` + asked + ended,
		},
		{
			"a text that is no UTF-8", "",
			mysqldump.Record{Command: mysqlwire.ComStmtPrepare, Query: []byte("SELECT '\xe9'"), QueryLength: 10},
			0,
			`{"command":"COM_STMT_PREPARE","query":"SELECT '\ufffd'","query_base64":"U0VMRUNUICfpJw==","query_length":10,` +
				`"stmt_prepare_query":"SELECT '\ufffd'","stmt_prepare_query_base64":"U0VMRUNUICfpJw==","seq_num":0,"command_id":22,` + asked + ended,
		},
		{
			"a text that the server takes for another than UTF-8, where it is cut", "",
			mysqldump.Record{
				Command: mysqlwire.ComQuery, Query: []byte("'é\xc3"), QueryLength: 9, QueryTruncated: true, QueryRaw: true,
			},
			0,
			`{"command":"COM_QUERY","query":"'é\ufffd","query_base64":"J8Opww==","query_length":9,"query_truncated":true,"seq_num":0,` +
				`"command_id":3,` + asked + ended,
		},
		{
			"a statement that changes the session", "",
			mysqldump.Record{
				Command: mysqlwire.ComQuery, Query: []byte("USE x"), QueryLength: 5,
				Answer: mysqldump.Answer{
					Changes: mysqlwire.SessionState("\x01\x02\x01x" + "\x03\x06\x00\x04a1-9" + "\x05\x09\x08T_R_W___" +
						"\x00\x10\x0aautocommit\x04OFF " + "\x00\x06\x03sql\x01_" + "\x00\x0e\x0aautocommit\x02ON"),
					InfileBytes: 77, ProgressReports: 8, BytesIn: 9, BytesOut: 10,
				},
			},
			0,
			`{"command":"COM_QUERY","query":"USE x","query_length":5,"seq_num":0,"command_id":3,` + asked +
				`,"duration_us":0,"first_byte_us":0,"schema_change":"x","gtid":"a1-9","trx_state":"T_R_W___",` +
				`"session_variables":{"autocommit":"ON","sql":"_"},"infile_bytes":77,"progress_reports":8,"bytes_in":9,"bytes_out":10}`,
		},
	}
}
