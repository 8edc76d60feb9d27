package l4mysql

import (
	"encoding/json"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// encodeValue returns a value as a parameter and as a query attribute.
func encodeValue(t testing.TB, v mysqldump.Value) (parameter, attribute string) {
	t.Helper()
	line := (&fieldsCase{record: mysqldump.Record{Arguments: mysqldump.Arguments{
		Values: []mysqldump.Value{v}, QueryAttributes: []mysqldump.QueryAttribute{{Name: []byte("a"), Value: v}},
	}}}).encode(t, bare())
	var attrs map[string]json.RawMessage
	if err := json.Unmarshal(values(t, line)["query_attrs"], &attrs); err != nil {
		t.Fatal(err)
	}
	return string(parametersOf(t, line)[0]), string(attrs["a"])
}

// TestValuesNumbers: a number is the number that was sent, to its last digit.
func TestValuesNumbers(t *testing.T) {
	for _, number := range []string{
		"0", "1", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "-9223372036854775808",
		"0.1", "-0", "-0.5", "3.1415927", "123456789012345.67", "1e300", "-1.7976931348623157e308", "5e-324",
	} {
		parameter, attribute := encodeValue(t, mysqldump.Value{Kind: mysqldump.ValueNumber, Data: []byte(number)})
		if parameter != number || attribute != number {
			t.Errorf("got %s and %s, want %s", parameter, attribute, number)
		}
	}
}

// TestValuesTexts: what can stand as text does. Bytes are told of in base64, and so is what is left of
// them by a cut; a text is cut between characters.
func TestValuesTexts(t *testing.T) {
	const text, raw = mysqldump.ValueText, mysqldump.ValueBytes
	tests := []struct {
		name, data string
		kind       mysqldump.ValueKind
		cut        bool
		want       string
	}{
		{"text", "a\"é🙂", text, false, `"a\"é🙂"`},
		{"empty text", "", text, false, `""`},
		{"empty bytes", "", raw, false, `""`},
		{"text with NUL", "a\x00", text, false, `"a\u0000"`},
		{"text that is none", "a\xff", text, false, `{"base64":"Yf8="}`},
		{"bytes that are a text", "é", raw, false, `"é"`},
		{"bytes with NUL", "a\x00", raw, false, `{"base64":"YQA="}`},
		{"bytes", "\x80", raw, false, `{"base64":"gA=="}`},
		{"text that ends in a character", "a\xc3", text, false, `{"base64":"YcM="}`},
		{"nothing but a length", "", text, true, `{"value":"","length":99}`},
		{"cut", "ab", text, true, `{"value":"ab","length":99}`},
		{"cut behind a character", "aé", text, true, `{"value":"aé","length":99}`},
		{"cut in a character of 2 bytes", "a\xc3", text, true, `{"value":"a","length":99}`},
		{"cut in a character of 3 bytes", "a\xe2\x82", text, true, `{"value":"a","length":99}`},
		{"cut in a character of 4 bytes", "\xf0\x9f\x99", text, true, `{"value":"","length":99}`},
		{"cut bytes that may be a text", "a\xc3", raw, true, `{"value":"a","length":99}`},
		{"cut bytes", "\xff\xc3", raw, true, `{"base64":"/8M=","length":99}`},
		{"cut bytes with NUL", "\x00\xc3", raw, true, `{"base64":"AMM=","length":99}`},
		{"cut behind what begins no character", "a\x82", text, true, `{"base64":"YYI=","length":99}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := mysqldump.Value{Kind: tt.kind, Data: []byte(tt.data), Length: 99, Cut: tt.cut}
			parameter, attribute := encodeValue(t, v)
			if parameter != tt.want || attribute != tt.want {
				t.Errorf("got %s and %s, want %s", parameter, attribute, tt.want)
			}
		})
	}
}

// TestIncomplete: the beginnings of characters are found, and nothing else is.
func TestIncomplete(t *testing.T) {
	for _, char := range []string{"a", "é", "€", "🙂"} {
		for n := range len(char) + 1 {
			want := n % len(char)
			if got := incomplete([]byte("x" + char[:n])); got != want {
				t.Errorf("%q: got %d, want %d", char[:n], got, want)
			}
		}
	}
	for _, in := range []string{"", "\x80", "\x80\x80\x80\x80", "\xff", "\xc0", "\xed\xa0", "\xf5\x80"} {
		if got := incomplete([]byte(in)); got != 0 {
			t.Errorf("%q: got %d, want 0", in, got)
		}
	}
}

// TestTextCut: a statement that max_query has cut in a character ends before it, and has no bytes besides.
func TestTextCut(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT '\xc3":     `"SELECT '"`,
		"SELECT '\xe2\x82": `"SELECT '"`,
		"SELECT 'é":        `"SELECT 'é"`,
	} {
		line := (&fieldsCase{record: mysqldump.Record{Query: []byte(in), QueryTruncated: true}}).encode(t, bare())
		got := values(t, line)
		if string(got["query"]) != want || got["query_base64"] != nil {
			t.Errorf("%q: got %s", in, line)
		}
	}
	r := mysqldump.Record{Query: []byte("\xff\xc3"), QueryTruncated: true}
	got := values(t, (&fieldsCase{record: r}).encode(t, bare()))
	if string(got["query"]) != `"\ufffd"` || string(got["query_base64"]) != `"/8M="` {
		t.Errorf("of what is no UTF-8: got %s and %s, want all bytes", got["query"], got["query_base64"])
	}
}
