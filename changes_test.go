package l4mysql

import (
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// encodeChanges returns what a record with changes has of them, the keys with their values.
func encodeChanges(t testing.TB, variables bool, changes string) string {
	t.Helper()
	r := mysqldump.Record{Answer: mysqldump.Answer{Info: []byte("^"), Changes: mysqlwire.SessionState(changes)}}
	peer := testPeer(t, "")
	peer.variables = variables
	line := encodeRecord(t, bare(), newEntry(&r, peer))
	_, line, _ = strings.Cut(line, `"info":"^"`)
	line, _, found := strings.Cut(line, `,"bytes_in"`)
	if !found {
		t.Fatalf("no record: %q", line)
	}
	return strings.TrimPrefix(line, ",")
}

// TestChanges: records tell of what the server tells of, in its words, and of nothing else.
func TestChanges(t *testing.T) {
	const autocommit, sqlMode = "\x00\x0f\x0aautocommit\x03OFF", "\x00\x0a\x08sql_mode\x00"
	tests := []struct{ name, changes, want string }{
		{"nothing", "", ``},
		{"schema", "\x01\x05\x04shop", `"schema_change":"shop"`},
		{"no schema any more", "\x01\x01\x00", `"schema_change":""`},
		{"two schemas", "\x01\x02\x01a" + "\x01\x02\x01b", `"schema_change":"b"`},
		{"gtid", "\x03\x08\x00\x063e11:5", `"gtid":"3e11:5"`},
		{"gtid in a form that is not known", "\x03\x08\x01\x063e11:5", ``},
		{"transaction", "\x05\x09\x08T_R_W___", `"trx_state":"T_R_W___"`},
		{"no transaction any more", "\x05\x09\x08________", `"trx_state":"________"`},
		{"how transactions begin", "\x04\x0c\x0bREAD ONLY; ", ``},
		{"that something has changed", "\x02\x02\x011", ``},
		{"a variable", autocommit, `"session_variables":{"autocommit":"OFF"}`},
		{"a variable without a value", sqlMode, `"session_variables":{"sql_mode":""}`},
		{"variables", sqlMode + autocommit, `"session_variables":{"autocommit":"OFF","sql_mode":""}`},
		{"a variable twice", autocommit + "\x00\x0e\x0aautocommit\x02ON", `"session_variables":{"autocommit":"ON"}`},
		{"one that is cut off", "\x01\x05\x04shop" + autocommit[:9], `"schema_change":"shop"`},
		{"one that is not known", "\x09\x05\x04shop", ``},
		{
			"all", autocommit + "\x05\x09\x08T_______" + "\x03\x08\x00\x063e11:5" + "\x01\x05\x04shop",
			`"schema_change":"shop","gtid":"3e11:5","trx_state":"T_______","session_variables":{"autocommit":"OFF"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := encodeChanges(t, true, tt.changes); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			want, _, _ := strings.Cut(tt.want, `"session_variables"`)
			if got := encodeChanges(t, false, tt.changes); got != strings.TrimSuffix(want, ",") {
				t.Errorf("without the option: got %s, want %s", got, want)
			}
		})
	}
}
