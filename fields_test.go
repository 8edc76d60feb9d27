package l4mysql

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// encode returns the line of a case, as encoder writes it, without what stands in every line of a log.
func (c *fieldsCase) encode(t testing.TB, encoder zapcore.Encoder) string {
	t.Helper()
	e := newEntry(&c.record, testPeer(t, c.header))
	e.dropped = c.dropped
	return encodeRecord(t, encoder, e)
}

// encodeRecord returns the line of a record.
func encodeRecord(t testing.TB, encoder zapcore.Encoder, e *entry) string {
	t.Helper()
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
	want := map[string]bool{}
	for _, file := range []string{"fields.go", "values.go", "changes.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(addText)?\((?:enc, )?"([a-z0-9_]+)", `).FindAllSubmatch(source, -1) {
			want[string(match[2])] = true
			if len(match[1]) > 0 {
				want[string(match[2])+"_base64"] = true
			}
		}
	}
	got := map[string]bool{}
	for _, tt := range fieldsCases() {
		line := tt.encode(t, bare())
		for _, key := range keysOf(t, line) {
			got[key] = true
		}
		for _, parameter := range parametersOf(t, line) {
			if parameter[0] == '{' {
				for _, key := range keysOf(t, string(parameter)) {
					got[key] = true
				}
			}
		}
	}
	if len(want) < 60 || !maps.Equal(got, want) {
		t.Errorf("got keys %q, the source has %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// parametersOf returns the parameters in a line, as JSON, those of rows one after the other.
func parametersOf(t testing.TB, line string) (list []json.RawMessage) {
	t.Helper()
	var all []json.RawMessage
	if text := values(t, line)["stmt_execute_values"]; text != nil {
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	for _, v := range all {
		if v[0] != '[' {
			list = append(list, v)
			continue
		}
		var row []json.RawMessage
		if err := json.Unmarshal(v, &row); err != nil {
			t.Fatalf("%v: %s", err, v)
		}
		list = append(list, row...)
	}
	return list
}

// TestFieldsDocumented: docs/records.md has a row for every key, and for no other.
func TestFieldsDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|[^|]+\\|[^|]+\\|[^|]+\\|$").FindAllSubmatch(page, -1) {
		got[string(row[1])] = true
	}
	want := map[string]bool{"ts": true, "level": true, "logger": true, "msg": true}
	for _, tt := range fieldsCases() {
		for _, key := range keysOf(t, tt.encode(t, bare())) {
			want[key] = true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got rows for %q, the records have %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
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
		peer := &conversation{client: addrText(tt.addr), listen: addrText(tt.addr)}
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
		value := mysqldump.Value{Kind: mysqldump.ValueText, Data: text}
		name := append([]byte{byte(len(text))}, text...)
		tracked := func(kind byte, data ...byte) []byte { return append([]byte{kind, byte(len(data))}, data...) }
		r := mysqldump.Record{
			Command: mysqlwire.ComQuery, Query: text, StmtPrepareQuery: text,
			Arguments: mysqldump.Arguments{
				Values: []mysqldump.Value{value}, QueryAttributes: []mysqldump.QueryAttribute{{Name: text, Value: value}},
			},
			Answer: mysqldump.Answer{
				Info: text, ErrorCode: 1, ErrorMessage: text, SQLState: text,
				Changes: slices.Concat(tracked(1, name...), tracked(3, append([]byte{0}, name...)...), tracked(5, name...),
					tracked(0, append(slices.Clone(name), name...)...)),
			},
		}
		got := (&fieldsCase{record: r}).encode(t, bare())
		if strings.Count(got, "\n") > 0 {
			t.Errorf("%q makes more than one line: %s", in, got)
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(got), &line); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		for _, key := range []string{
			"query", "stmt_prepare_query", "info", "error_message", "sqlstate", "schema_change", "gtid", "trx_state",
		} {
			if line[key] != want {
				t.Errorf("%s: got %q, want %q", key, line[key], want)
			}
		}
		if got := line["session_variables"].(map[string]any)[want]; got != want {
			t.Errorf("session_variables: got %q, want %q", got, want)
		}
	}
}
