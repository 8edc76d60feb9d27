package l4mysql

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/zapcore"
)

// filtered returns the encoder of Caddy's `format filter`, with a filter in JSON for one key.
func filtered(t testing.TB, key, filter string) zapcore.Encoder {
	t.Helper()
	encoder := &logging.FilterEncoder{
		WrappedRaw: json.RawMessage(`{"format": "json"}`),
		FieldsRaw:  map[string]json.RawMessage{key: json.RawMessage(filter)},
	}
	if err := encoder.Provision(newContext(t)); err != nil {
		t.Fatal(err)
	}
	return encoder
}

// values returns the values in a line, as JSON, by key.
func values(t testing.TB, line string) (m map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return m
}

// TestFieldsFilter: Caddy's filters work on every key. A text reaches them as text: as anything else,
// hash and regexp would let it through.
func TestFieldsFilter(t *testing.T) {
	for _, tt := range fieldsCases() {
		whole := tt.encode(t, filtered(t, "none", `{"filter": "delete"}`))
		for _, key := range keysOf(t, tt.encode(t, bare())) {
			deleted := tt.encode(t, filtered(t, key, `{"filter": "delete"}`))
			want := slices.DeleteFunc(keysOf(t, whole), func(k string) bool { return k == key })
			if got := keysOf(t, deleted); !slices.Equal(got, want) {
				t.Errorf("%s: without %s: got %q, want %q", tt.name, key, got, want)
			}
			replaced := values(t, tt.encode(t, filtered(t, key, `{"filter": "replace", "value": "X"}`)))
			if string(replaced[key]) != `"X"` {
				t.Errorf("%s: %s replaced: got %s", tt.name, key, replaced[key])
			}
			renamed := values(t, tt.encode(t, filtered(t, key, `{"filter": "rename", "name": "other"}`)))
			if got, want := renamed["other"], values(t, whole)[key]; !bytes.Equal(got, want) {
				t.Errorf("%s: %s renamed: got %s, want %s", tt.name, key, got, want)
			}
			if text := values(t, whole)[key]; text[0] != '"' {
				continue
			}
			matched := values(t, tt.encode(t, filtered(t, key, `{"filter": "regexp", "regexp": "(?s)^.*$", "value": "X"}`)))
			if string(matched[key]) != `"X"` {
				t.Errorf("%s: regexp on %s: got %s", tt.name, key, matched[key])
			}
			hashed := values(t, tt.encode(t, filtered(t, key, `{"filter": "hash"}`)))
			if !regexp.MustCompile(`^"[0-9a-f]{8}"$`).Match(hashed[key]) {
				t.Errorf("%s: hash of %s: got %s", tt.name, key, hashed[key])
			}
		}
	}
}

// caseWith returns the first case whose record has the key.
func caseWith(t testing.TB, key string) fieldsCase {
	t.Helper()
	for _, tt := range fieldsCases() {
		if slices.Contains(keysOf(t, tt.encode(t, bare())), key) {
			return tt
		}
	}
	t.Fatalf("no record has %s", key)
	return fieldsCase{}
}

// TestFieldsFilterNested: so they do on what is in an object.
func TestFieldsFilterNested(t *testing.T) {
	const del, hash = `{"filter": "delete"}`, `{"filter": "hash"}`
	tests := []struct{ key, filter, want string }{
		{"connect_attrs>_pid", del, `{"61ff62":"\ufffd"}`},
		{"query_attrs>traceparent", del, `{"":null,"n":18446744073709551615,"6e6fff74657874":{"base64":"/g=="},"long":{"value":"ab","length":3}}`},
		{
			"query_attrs>traceparent", hash,
			`{"traceparent":"5881b4f6","":null,"n":18446744073709551615,"6e6fff74657874":{"base64":"/g=="},"long":{"value":"ab","length":3}}`,
		},
		{
			"query_attrs>long>value", hash,
			`{"traceparent":"00-4bf9-01","":null,"n":18446744073709551615,"6e6fff74657874":{"base64":"/g=="},"long":{"value":"fb8e20fc","length":3}}`,
		},
		{"session_variables>autocommit", hash, `{"autocommit":"e8a01133","sql":"_"}`},
	}
	for _, tt := range tests {
		key, _, _ := strings.Cut(tt.key, ">")
		c := caseWith(t, key)
		if got := values(t, c.encode(t, filtered(t, tt.key, tt.filter)))[key]; string(got) != tt.want {
			t.Errorf("%s: %s: got %s, want %s", tt.key, tt.filter, got, tt.want)
		}
	}
}

// TestFieldsFilterLists: filters that change a text let objects and lists through as they are. The pages
// warn of it; where this test fails, they may stop.
func TestFieldsFilterLists(t *testing.T) {
	for _, key := range []string{"stmt_execute_values", "query_attrs", "session_variables", "connect_attrs"} {
		c := caseWith(t, key)
		want := values(t, c.encode(t, bare()))[key]
		for _, filter := range []string{`{"filter": "hash"}`, `{"filter": "regexp", "regexp": "(?s)^.*$", "value": "X"}`} {
			if got := values(t, c.encode(t, filtered(t, key, filter)))[key]; !bytes.Equal(got, want) {
				t.Errorf("%s: %s: got %s, want %s", key, filter, got, want)
			}
		}
	}
}
