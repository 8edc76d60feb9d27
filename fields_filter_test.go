package l4mysql

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
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

// TestFieldsFilterNested: so they do on one of the attributes.
func TestFieldsFilterNested(t *testing.T) {
	for _, tt := range fieldsCases() {
		if tt.name == "connect" {
			got := values(t, tt.encode(t, filtered(t, "connect_attrs>_pid", `{"filter": "delete"}`)))
			if string(got["connect_attrs"]) != `{"61ff62":"\ufffd"}` {
				t.Errorf("got %s", got["connect_attrs"])
			}
			return
		}
	}
	t.Error("no record with attributes")
}
