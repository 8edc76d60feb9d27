package l4mysql

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// The peer of the records in this file, and what all of them begin with.
const (
	testID     = "9m4e2mr0ui3e8a215n4g"
	connection = `"conn_id":"` + testID + `","conn_seq_num":41,"direction":"%s","client_addr":"192.0.2.10:5510",` +
		`"proxy_listen_addr":"192.0.2.20:3306",%s"origin_addr":"%s",`
	who = `"username":"app","database":"shop","character_set":"utf8mb4","thread_id":4294967295`
)

var (
	asked      = fmt.Sprintf(connection, "->", "", "192.0.2.10:5510") + who
	told       = fmt.Sprintf(connection, "<-", "", "192.0.2.10:5510") + who
	withHeader = fmt.Sprintf(connection, "->", `"proxy_client_addr":"192.0.2.20:41001","remote_addr":"192.0.2.30:3307",`+
		`"proxy_protocol_src_addr":"`+clientAddr+`","proxy_protocol_dst_addr":"`+targetAddr+`",`, clientAddr) +
		`"username":"app","database":"shop","character_set":"utf8mb4","thread_id":77`
)

// testPeer is the peer of a record, with a PROXY header and an upstream, or without both. It wants every key.
func testPeer(t testing.TB, header string) *conversation {
	t.Helper()
	c := &conversation{
		id: testID, start: time.Unix(1_795_167_202, 0), client: addrText(balancer), listen: addrText(listener), header: new(headerState), variables: true,
	}
	if header != "" {
		h, _, err := proxyheader.Parse([]byte(header))
		if err != nil {
			t.Fatal(err)
		}
		c.header.accept(h, 0)
		c.carrier = new(carrier)
		c.carrier.leg.Store(&upstreamLeg{remote: "192.0.2.30:3307", local: "192.0.2.20:41001", threadID: 77})
	}
	return c
}

// A fieldsCase is a record, and all that its line has of it.
type fieldsCase struct {
	name, header string
	record       mysqldump.Record
	dropped      uint64
	want         string
}

// fieldsCases have every key, each record of its kind with all keys and with as few as it can have.
func fieldsCases() []fieldsCase {
	someone := mysqldump.Who{Username: "app", Database: "shop", CharacterSet: "utf8mb4", ThreadID: math.MaxUint32}
	status := mysqlwire.StatusInTransaction | mysqlwire.StatusNoGoodIndexUsed | mysqlwire.StatusNoIndexUsed |
		mysqlwire.StatusSlow | mysqlwire.StatusCursorExists
	refusal := mysqldump.Answer{ErrorCode: 1045, SQLState: []byte("28000"), ErrorMessage: []byte("Access denied")}
	list := []fieldsCase{
		{
			"a query with all keys", headerV1,
			mysqldump.Record{
				Command: mysqlwire.ComQuery, PacketSeq: 5, Query: []byte("SELECT 'é"), QueryLength: math.MaxUint64, QueryTruncated: true, Pipelined: 6,
				Answer: mysqldump.Answer{
					Duration: 1234567 * time.Nanosecond, FirstByte: 999 * time.Nanosecond, HasColumns: true, Columns: 7, HasRows: true, Rows: 8,
					ResultSets: 9, HasOK: true, AffectedRows: 10, LastInsertID: math.MaxUint64, HasStatus: true, Status: status, Warnings: 11,
					ErrorCode: 1317, SQLState: []byte("70100"), ErrorMessage: []byte("Query execution was interrupted"),
					Info: []byte("Rows matched: 1"), BytesIn: 12, BytesOut: 13, Incomplete: mysqldump.ServerClosed,
				},
			},
			14,
			`{"command":"COM_QUERY","query":"SELECT 'é","query_length":18446744073709551615,"query_truncated":true,"seq_num":5,"command_id":3,` +
				withHeader + `,"duration_us":1234,"first_byte_us":0,"rows":8,"columns":7,"result_sets":9,"affected_rows":10,` +
				`"last_insert_id":18446744073709551615,"info":"Rows matched: 1","bytes_in":12,"bytes_out":13,"pipelined":6,` +
				`"incomplete":"server_closed","warnings":11,"in_transaction":true,"autocommit":false,"no_index_used":true,` +
				`"no_good_index_used":true,"slow":true,"cursor":true,"error_code":1317,"sqlstate":"70100",` +
				`"error_message":"Query execution was interrupted","dropped":14}`,
		},
		{
			"an empty query that is not answered", "",
			mysqldump.Record{
				Command: mysqlwire.ComQuery, Query: []byte{}, Answer: mysqldump.Answer{Duration: time.Second, BytesIn: 5, Incomplete: mysqldump.ClientClosed},
			},
			0,
			`{"command":"COM_QUERY","query":"","query_length":0,"seq_num":0,"command_id":3,` + asked +
				`,"duration_us":1000000,"bytes_in":5,"bytes_out":0,"incomplete":"client_closed"}`,
		},
		{
			"a prepared statement", "",
			mysqldump.Record{
				Command: mysqlwire.ComStmtPrepare, Query: []byte("SELECT ?"), QueryLength: 8, HasStmt: true, StmtID: 0,
				Answer: mysqldump.Answer{
					Duration: 20 * time.Microsecond, FirstByte: 10 * time.Microsecond, Prepared: true, Params: 1, HasColumns: true, Columns: 2,
					BytesIn: 13, BytesOut: 60,
				},
			},
			0,
			`{"command":"COM_STMT_PREPARE","query":"SELECT ?","query_length":8,"stmt_prepare_query":"SELECT ?","stmt_id":0,"seq_num":0,` +
				`"command_id":22,` + asked + `,"duration_us":20,"first_byte_us":10,"columns":2,"params":1,"bytes_in":13,"bytes_out":60}`,
		},
		{
			"its execution", "",
			mysqldump.Record{
				Command: mysqlwire.ComStmtExecute, HasStmt: true, StmtID: 3, StmtPrepareQuery: []byte("SELECT ?"), QueryTruncated: true,
				Answer: mysqldump.Answer{
					Duration: 20 * time.Microsecond, FirstByte: 10 * time.Microsecond, HasRows: true, HasColumns: true, HasStatus: true,
					Status: mysqlwire.StatusAutocommit, BytesIn: 20, BytesOut: 30,
				},
			},
			0,
			`{"command":"COM_STMT_EXECUTE","stmt_id":3,"stmt_prepare_query":"SELECT ?","query_truncated":true,"seq_num":0,"command_id":23,` + asked +
				`,"duration_us":20,"first_byte_us":10,"rows":0,"columns":0,"bytes_in":20,"bytes_out":30,"warnings":0,"in_transaction":false,"autocommit":true}`,
		},
		{
			"the execution of a statement that is not known", "",
			mysqldump.Record{
				Command: mysqlwire.ComStmtExecute, HasStmt: true, StmtID: 4, StmtTextLost: true, Answer: mysqldump.Answer{BytesIn: 20, BytesOut: 40, ErrorCode: 1243},
			},
			0,
			`{"command":"COM_STMT_EXECUTE","stmt_id":4,"stmt_text_lost":true,"seq_num":0,"command_id":23,` + asked +
				`,"duration_us":0,"first_byte_us":0,"bytes_in":20,"bytes_out":40,"error_code":1243,"error_message":""}`,
		},
		{
			"a command without an answer", "",
			mysqldump.Record{Command: mysqlwire.ComStmtClose, HasStmt: true, StmtID: 3, Answer: mysqldump.Answer{BytesIn: 9}},
			0,
			`{"command":"COM_STMT_CLOSE","stmt_id":3,"seq_num":0,"command_id":25,` + asked + `,"bytes_in":9,"bytes_out":0}`,
		},
		{
			"an empty packet", "",
			mysqldump.Record{Empty: true, Answer: mysqldump.Answer{BytesIn: 4, BytesOut: 9, HasOK: true}},
			0,
			`{"command":"COM_EMPTY","seq_num":0,"command_id":0,` + asked +
				`,"duration_us":0,"first_byte_us":0,"affected_rows":0,"last_insert_id":0,"bytes_in":4,"bytes_out":9}`,
		},
		{
			"connect", "",
			mysqldump.Record{
				Event: mysqldump.EventConnect, ServerVersion: "8.4.3", AuthPlugin: "caching_sha2_password",
				Compression: "zstd", Attributes: mysqlwire.Attributes("\x04_pid\x044711\x03a\xffb\x01\xfe"),
				Answer: mysqldump.Answer{HasStatus: true, Status: mysqlwire.StatusAutocommit},
			},
			2,
			`{"event":"connect",` + told + `,"server_version":"8.4.3","auth_plugin":"caching_sha2_password","compression":"zstd",` +
				`"connect_attrs":{"_pid":"4711","61ff62":"\ufffd"},"warnings":0,"in_transaction":false,"autocommit":true,"dropped":2}`,
		},
		{
			"connect without attributes", "",
			mysqldump.Record{Event: mysqldump.EventConnect, ServerVersion: "3.23.58"},
			0,
			`{"event":"connect",` + told + `,"server_version":"3.23.58"}`,
		},
		{
			"auth_error", "",
			mysqldump.Record{
				Event: mysqldump.EventAuthError, Answer: refusal, ServerVersion: "8.4.3", AuthPlugin: "dialog", Attributes: mysqlwire.Attributes{},
			},
			0,
			`{"event":"auth_error",` + told + `,"server_version":"8.4.3","auth_plugin":"dialog","connect_attrs":{},` +
				`"error_code":1045,"sqlstate":"28000","error_message":"Access denied"}`,
		},
		{
			"change_user", "",
			mysqldump.Record{Event: mysqldump.EventChangeUser, AuthPlugin: "mysql_native_password"},
			0,
			`{"event":"change_user",` + told + `,"auth_plugin":"mysql_native_password"}`,
		},
		{
			"server_error", "",
			mysqldump.Record{Event: mysqldump.EventServerError, Answer: mysqldump.Answer{ErrorCode: 1040, ErrorMessage: []byte("Too many connections")}},
			0,
			`{"event":"server_error",` + told + `,"error_code":1040,"error_message":"Too many connections"}`,
		},
		{
			"tls", "",
			mysqldump.Record{Event: mysqldump.EventTLS, Reason: "tls", Message: "the client has switched to TLS"},
			0,
			`{"event":"tls",` + asked + `,"reason":"tls","message":"the client has switched to TLS"}`,
		},
		{
			"opaque", headerV1,
			mysqldump.Record{Event: mysqldump.EventOpaque, Reason: "malformed", Message: "mysql: at byte 4: malformed"},
			0,
			`{"event":"opaque",` + withHeader + `,"reason":"malformed","message":"mysql: at byte 4: malformed"}`,
		},
		{
			"close", "",
			mysqldump.Record{Event: mysqldump.EventClose, At: 1500 * time.Microsecond, Commands: 3, Answer: mysqldump.Answer{BytesIn: 100, BytesOut: 200}},
			0,
			`{"event":"close",` + asked + `,"duration_us":1500,"bytes_in":100,"bytes_out":200,"commands":3}`,
		},
	}
	list = append(list, argumentsCases()...)
	for i := range list {
		list[i].record.Seq, list[i].record.Who = 41, someone
	}
	return append(list, fieldsCase{
		name:   "joined in the middle",
		record: mysqldump.Record{Command: mysqlwire.ComPing, Who: mysqldump.Who{Midstream: true}},
		want: `{"command":"COM_PING","seq_num":0,"command_id":14,"conn_id":"` + testID + `","conn_seq_num":0,"direction":"->",` +
			`"client_addr":"192.0.2.10:5510","proxy_listen_addr":"192.0.2.20:3306","origin_addr":"192.0.2.10:5510","character_set":"",` +
			`"midstream":true,"bytes_in":0,"bytes_out":0}`,
	}, fieldsCase{
		name:   "joined in the middle, and told who it is",
		record: mysqldump.Record{Event: mysqldump.EventClose, Who: mysqldump.Who{Username: "app", ThreadID: 7, Midstream: true}},
		want: `{"event":"close","conn_id":"` + testID + `","conn_seq_num":0,"direction":"->","client_addr":"192.0.2.10:5510",` +
			`"proxy_listen_addr":"192.0.2.20:3306","origin_addr":"192.0.2.10:5510","username":"app","character_set":"","midstream":true,` +
			`"duration_us":0,"bytes_in":0,"bytes_out":0,"commands":0}`,
	}, fieldsCase{
		name:   "nobody",
		record: mysqldump.Record{Event: mysqldump.EventClose},
		want: `{"event":"close","conn_id":"` + testID + `","conn_seq_num":0,"direction":"->","client_addr":"192.0.2.10:5510",` +
			`"proxy_listen_addr":"192.0.2.20:3306","origin_addr":"192.0.2.10:5510","username":"","character_set":"","thread_id":0,` +
			`"duration_us":0,"bytes_in":0,"bytes_out":0,"commands":0}`,
	})
}
