package l4mysql

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"
)

// inPackets returns data as frames of a compressed conversation, of at most size bytes each before compression.
// What is short goes as it is, as clients and servers do.
func inPackets(t testing.TB, size int, data string) string {
	t.Helper()
	var frames strings.Builder
	for seq := byte(0); data != ""; seq++ {
		part := data[:min(size, len(data))]
		data = data[len(part):]
		body, plain := part, 0
		if len(part) >= 50 {
			var b bytes.Buffer
			w := zlib.NewWriter(&b)
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			body, plain = b.String(), len(part)
		}
		frames.Write([]byte{byte(len(body)), byte(len(body) >> 8), 0, seq, byte(plain), byte(plain >> 8), 0})
		frames.WriteString(body)
	}
	return frames.String()
}

// with returns the login of [mysqlLogin] with further capabilities.
func with(capabilities uint32) string {
	b := []byte(mysqlLogin)
	for i := range 4 {
		b[4+i] |= byte(capabilities >> (8 * i))
	}
	return string(b)
}

// TestMySQLLogExecute: the parameters of a prepared statement are in the log, as many and as long as the
// options say.
func TestMySQLLogExecute(t *testing.T) {
	const all = "[123456789 -1 9223372036854775807 Alice <nil> Baker Street  2026-11-20 12:34:56.123456 € 12]"
	tests := []struct {
		name      string
		in        MySQLLog
		values    string
		truncated bool
	}{
		{"default", MySQLLog{}, all, false},
		{"as many as there are", MySQLLog{MaxParams: 8}, all, false},
		{"fewer", MySQLLog{MaxParams: 4}, "[123456789 -1 9223372036854775807 Alice]", true},
		{"none", MySQLLog{MaxParams: -1}, "<nil>", false},
		{
			"short ones",
			MySQLLog{MaxParam: 4},
			"[123456789 -1 9223372036854775807 map[length:5 value:Alic] <nil> map[length:13 value:Bake] " +
				"2026-11-20 12:34:56.123456 map[length:6 value:€ ]]", true,
		},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			h, sink := newLog(t, &tt.in)
			newTalk(t, func(k *talk) {
				k.login()
				k.asks(executePrepare)
				k.answers(mysqlPrepared(7, 8))
				k.asks(executePacket)
				k.answers(mysqlOK(1))
			}, h)
			records := recordsOf(t, h, sink)
			wantRecords(t, records, "connect", "command COM_STMT_PREPARE "+executeText, "command COM_STMT_EXECUTE")
			execute := records[2]
			if got := fmt.Sprint(execute["stmt_execute_values"]); got != tt.values {
				t.Errorf("got %s, want %s", got, tt.values)
			}
			if _, got := execute["values_truncated"]; got != tt.truncated {
				t.Errorf("values_truncated: got %t, want %t", got, tt.truncated)
			}
			if execute["stmt_prepare_query"] != executeText {
				t.Errorf("stmt_prepare_query: got %v", execute["stmt_prepare_query"])
			}
		})
	}
}

// TestMySQLLogStatementsMemory: the text of a statement that was used before others is forgotten.
func TestMySQLLogStatementsMemory(t *testing.T) {
	for memory, lost := range map[int]bool{0: false, 400: true} {
		h, sink := newLog(t, &MySQLLog{StatementsMemory: memory, Commands: []string{"com_stmt_execute"}})
		newTalk(t, func(k *talk) {
			k.login()
			for id := byte(7); id < 9; id++ {
				k.asks(executePrepare)
				k.answers(mysqlPrepared(id, 8))
			}
			k.asks(executePacket)
			k.answers(mysqlOK(1))
		}, h)
		records := recordsOf(t, h, sink)
		wantRecords(t, records, "connect", "command COM_STMT_EXECUTE")
		_, gotLost := records[1]["stmt_text_lost"]
		_, gotValues := records[1]["stmt_execute_values"]
		if gotLost != lost || gotValues == lost {
			t.Errorf("%d bytes: got %v", memory, map[string]any(records[1]))
		}
	}
}

// TestMySQLLogCompressed: a compressed conversation arrives in the log, however it is cut into frames and
// reads. A command's bytes are those of its packets, the connection's those that were on the wire.
func TestMySQLLogCompressed(t *testing.T) {
	text := "SELECT '" + strings.Repeat("compressed ", 50) + "'"
	query, answer := mysqlQuery(text), mysqlRows(strings.Repeat("x", 99), strings.Repeat("y", 99))
	loginCompressed := with(0x20)
	for _, size := range []int{3, 60, 100, 1000} {
		for _, step := range []int{1, 10, 10000} {
			h, sink := newLog(t, &MySQLLog{})
			var sent, got int
			newTalk(t, func(k *talk) {
				k.answers(mysqlGreeting)
				k.asks(loginCompressed)
				k.answers(mysqlLoginOK)
				asked, answered := inPackets(t, size, query+executePrepare), inPackets(t, size, answer+mysqlPrepared(7, 8))
				for i := 0; i < len(asked); i += step {
					k.asks(asked[i:min(i+step, len(asked))])
				}
				for i := 0; i < len(answered); i += step {
					k.answers(answered[i:min(i+step, len(answered))])
				}
				execute, ok := inPackets(t, size, executePacket), inPackets(t, size, mysqlOK(1))
				k.asks(execute)
				k.answers(ok)
				sent = len(loginCompressed) + len(asked) + len(execute)
				got = len(mysqlGreeting) + len(mysqlLoginOK) + len(answered) + len(ok)
				k.serverCloses()
			}, h)
			records := recordsOf(t, h, sink)
			wantRecords(t, records, "connect", "command COM_QUERY "+text+" rows=2", "command COM_STMT_PREPARE "+executeText,
				"command COM_STMT_EXECUTE", "close")
			if records[0]["compression"] != "zlib" {
				t.Errorf("compression: got %v", records[0]["compression"])
			}
			in, out := number(t, records[1], "bytes_in"), number(t, records[1], "bytes_out")
			if in != len(query) || out != len(answer) {
				t.Errorf("the query: got %d and %d bytes, want %d and %d", in, out, len(query), len(answer))
			}
			if values, _ := records[3]["stmt_execute_values"].([]any); len(values) != 8 || values[3] != "Alice" {
				t.Errorf("got %v", records[3]["stmt_execute_values"])
			}
			in, out = number(t, records[4], "bytes_in"), number(t, records[4], "bytes_out")
			if in != sent || out != got {
				t.Errorf("the connection: got %d and %d bytes, want %d and %d", in, out, sent, got)
			}
		}
	}
}

// TestMySQLLogCompressionMalformed: frames that are none are passed on, and said once.
func TestMySQLLogCompressionMalformed(t *testing.T) {
	h, sink := newLog(t, &MySQLLog{})
	frame := "\x08\x00\x00\x00\x63\x00\x00not zlib"
	newTalk(t, func(k *talk) {
		k.answers(mysqlGreeting)
		k.asks(with(0x20))
		k.answers(mysqlLoginOK)
		k.asks(frame)
		k.asks("and more")
		k.answers("the answer")
		if !strings.HasSuffix(k.client.got.String(), "the answer") {
			t.Errorf("the client got %q", k.client.got.String())
		}
	}, h)
	wantRecords(t, recordsOf(t, h, sink), "connect", "opaque reason=malformed")
	if got := strings.Count(sink.String(), `"msg":"stopped decoding"`); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
}

// TestMySQLLogQueryAttributes: query attributes stand beside the text, not in it.
func TestMySQLLogQueryAttributes(t *testing.T) {
	h, sink := newLog(t, &MySQLLog{})
	newTalk(t, func(k *talk) {
		k.answers(mysqlGreeting)
		k.asks(with(0x0800_0000))
		k.answers(mysqlLoginOK)
		k.asks(mysqlQuery("\x02\x01" + "\x00" + "\x01" + "\xfe\x00\x05trace" + "\x08\x80\x01n" +
			"\x0700-4bf9" + strings.Repeat("\xff", 8) + "SELECT 1"))
		k.answers(mysqlRows("1"))
	}, h)
	records := recordsOf(t, h, sink)
	wantRecords(t, records, "connect", "command COM_QUERY SELECT 1 rows=1")
	if got := fmt.Sprint(records[1]["query_attrs"]); got != "map[n:18446744073709551615 trace:00-4bf9]" {
		t.Errorf("got %s", got)
	}
	if got := number(t, records[1], "query_length"); got != len("SELECT 1") {
		t.Errorf("query_length: got %d", got)
	}
}

// TestMySQLLogSessionVariables: what the server tells of is in the log, system variables if that is asked
// for.
func TestMySQLLogSessionVariables(t *testing.T) {
	changes := "\x00\x0f\x0aautocommit\x03OFF" + "\x01\x05\x04shop"
	for _, variables := range []bool{false, true} {
		h, sink := newLog(t, &MySQLLog{SessionVariables: variables})
		newTalk(t, func(k *talk) {
			k.login()
			k.asks(mysqlQuery("CALL p()"))
			state := string([]byte{byte(len(changes))}) + changes
			k.answers(packet(1, "\x00\x00\x00", "\x02\x40", "\x00\x00", "\x00", state))
		}, h)
		records := recordsOf(t, h, sink)
		wantRecords(t, records, "connect", "command COM_QUERY CALL p()")
		got, want := fmt.Sprint(records[1]["session_variables"]), "<nil>"
		if variables {
			want = "map[autocommit:OFF]"
		}
		if got != want || records[1]["schema_change"] != "shop" {
			t.Errorf("got %s and %v, want %s and shop", got, records[1]["schema_change"], want)
		}
	}
}
