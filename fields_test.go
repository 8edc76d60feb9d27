package l4mysql

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/xid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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
	withHeader = fmt.Sprintf(connection, "->", `"proxy_protocol_src_addr":"`+clientAddr+
		`","proxy_protocol_dst_addr":"`+targetAddr+`",`, clientAddr) + who
)

// testPeer is the peer of a record, with a PROXY header or without.
func testPeer(t testing.TB, header string) *conversation {
	t.Helper()
	id, err := xid.FromString(testID)
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{id: id, start: time.Unix(1_795_167_202, 0), client: balancer, listen: listener, header: new(headerState)}
	if header != "" {
		h, _, err := proxyheader.Parse([]byte(header))
		if err != nil {
			t.Fatal(err)
		}
		c.header.accept(h, 0)
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
				Attributes: mysqlwire.Attributes("\x04_pid\x044711\x03a\xffb\x01\xfe"), Answer: mysqldump.Answer{HasStatus: true, Status: mysqlwire.StatusAutocommit},
			},
			2,
			`{"event":"connect",` + told + `,"server_version":"8.4.3","auth_plugin":"caching_sha2_password",` +
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
	for i := range list {
		list[i].record.Seq, list[i].record.Who = 41, someone
	}
	return append(list, fieldsCase{
		"nobody", "",
		mysqldump.Record{Event: mysqldump.EventClose},
		0,
		`{"event":"close","conn_id":"` + testID + `","conn_seq_num":0,"direction":"->","client_addr":"192.0.2.10:5510",` +
			`"proxy_listen_addr":"192.0.2.20:3306","origin_addr":"192.0.2.10:5510","username":"","character_set":"","thread_id":0,` +
			`"duration_us":0,"bytes_in":0,"bytes_out":0,"commands":0}`,
	})
}

// encode returns the line of a case, as encoder writes it, without what stands in every line of a log.
func (c *fieldsCase) encode(t testing.TB, encoder zapcore.Encoder) string {
	t.Helper()
	e := newEntry(&c.record, testPeer(t, c.header))
	e.dropped = c.dropped
	b, err := encoder.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Inline(e)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// bare is zap's JSON encoder, without the keys of a log line.
func bare() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{SkipLineEnding: true})
}

// keysOf returns the keys of a line, in their order.
func keysOf(t testing.TB, line string) (keys []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch token := token.(type) {
		case json.Delim:
			if depth++; token == '}' {
				depth -= 2
			}
		case string:
			if depth == 1 {
				keys = append(keys, token)
				var value json.RawMessage
				if err := d.Decode(&value); err != nil {
					t.Fatalf("%v in %s", err, line)
				}
			}
		}
	}
	return keys
}

// TestFields has the whole line of each kind of record: every key, with its value, where it belongs, and
// nothing else; and no key twice.
func TestFields(t *testing.T) {
	for _, tt := range fieldsCases() {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.encode(t, bare())
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			keys := keysOf(t, got)
			slices.Sort(keys)
			if unique := slices.Compact(slices.Clone(keys)); len(unique) != len(keys) {
				t.Errorf("a key is there twice: %q", keys)
			}
		})
	}
}

// TestFieldsKeys: the records of TestFields have every key that the source has.
func TestFieldsKeys(t *testing.T) {
	source, err := os.ReadFile("fields.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, match := range regexp.MustCompile(`\((?:enc, )?"([a-z_]+)", `).FindAllSubmatch(source, -1) {
		want[string(match[1])] = true
	}
	got := map[string]bool{}
	for _, tt := range fieldsCases() {
		for _, key := range keysOf(t, tt.encode(t, bare())) {
			got[key] = true
		}
	}
	if len(want) < 40 || !maps.Equal(got, want) {
		t.Errorf("got keys %q, the source has %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestFieldsAddresses: an address is text in any network, and a UNIX path, which the peer chooses, is
// hex where it is not.
func TestFieldsAddresses(t *testing.T) {
	r := mysqldump.Record{Event: mysqldump.EventClose}
	for _, tt := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 40002}, "[2001:db8::7]:40002"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "eth0"}, "[fe80::1%eth0]:1"},
		{&net.UnixAddr{Net: "unix", Name: "/run/mysql.sock"}, "/run/mysql.sock"},
		{&net.UnixAddr{Net: "unix", Name: "\x1b[2J"}, "1b5b324a"},
		{nil, ""},
	} {
		peer := &conversation{client: tt.addr, listen: tt.addr}
		b, err := bare().EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Inline(newEntry(&r, peer))})
		if err != nil {
			t.Fatal(err)
		}
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"client_addr", "proxy_listen_addr", "origin_addr"} {
			if line[key] != tt.want {
				t.Errorf("%s: got %q, want %q", key, line[key], tt.want)
			}
		}
	}
}

// TestFieldsText: any bytes make valid JSON. What is not UTF-8 is replaced; NUL, quotes and line ends are
// escaped, so that no statement can forge a line.
func TestFieldsText(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT 'a\xffb'":     "SELECT 'a\ufffdb'",
		"SELECT '\xc3":        "SELECT '\ufffd",
		"a\x00b":              "a\x00b",
		"a\"}\n{\"query\":\"": "a\"}\n{\"query\":\"",
		"\u2028\\":            "\u2028\\",
	} {
		text := []byte(in)
		r := mysqldump.Record{
			Command: mysqlwire.ComQuery, Query: text, StmtPrepareQuery: text,
			Answer: mysqldump.Answer{Info: text, ErrorCode: 1, ErrorMessage: text, SQLState: text},
		}
		got := (&fieldsCase{record: r}).encode(t, bare())
		if strings.Count(got, "\n") > 0 {
			t.Errorf("%q makes more than one line: %s", in, got)
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(got), &line); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		for _, key := range []string{"query", "stmt_prepare_query", "info", "error_message", "sqlstate"} {
			if line[key] != want {
				t.Errorf("%s: got %q, want %q", key, line[key], want)
			}
		}
	}
}
