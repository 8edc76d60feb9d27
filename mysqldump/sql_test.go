package mysqldump

import (
	"slices"
	"testing"
)

func TestScanner(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want []string
	}{
		{"nothing", "", nil},
		{"white space", " \t\r\n\v\f\x00", nil},
		{"words and other characters", "SELECT a.b1,$c_d FROM t;", []string{"SELECT", "a", ".", "b1", ",", "$c_d", "FROM", "t", ";"}},
		{"not ASCII", "USE größe", []string{"USE", "größe"}},
		{"not UTF-8", "a\x80b\xff c\x7fd", []string{"a\x80b\xff", "c", "\x7f", "d"}},
		{"strings", `'it''s' "say ""a""" 'a\'b' '\\'`, []string{`'it''s'`, `"say ""a"""`, `'a\'b'`, `'\\'`}},
		{"identifiers", "`a``b``` `a\\`", []string{"`a``b```", "`a\\`"}},
		{"string next to a word", "USE`a`x'b'", []string{"USE", "`a`", "x", "'b'"}},
		{"string without end", "a 'bc", []string{"a", "'bc"}},
		{"string that ends in a backslash", `a 'bc\`, []string{"a", `'bc\`}},
		{"comments", "a # b\nc -- d\ne --\tf\n/* g 'h */ i -- j", []string{"a", "c", "e", "i"}},
		{"comments at the end", "a --", []string{"a"}},
		{"no comment", "a--b", []string{"a", "-", "-", "b"}},
		{"no comment, but a division", "a / * b", []string{"a", "/", "*", "b"}},
		{"comment without end", "a /* b", []string{"a"}},
		{"line comment without end", "a # b", []string{"a"}},
		{"comment of three", "/**/a/***/", []string{"a"}},
		{"in a string", "'-- a' '# b' '/* c */'", []string{"'-- a'", "'# b'", "'/* c */'"}},
		{"executable comment", "a /*!50001 b */ c", []string{"a", "b", "c"}},
		{"executable comment without version", "/*! a */", []string{"a"}},
		{"executable comment of MariaDB", "/*M!100100 a*/b", []string{"a", "b"}},
		{"executable comment without end", "/*!50001 a", []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			s := scanner{text: []byte(tt.in)}
			for word := s.next(); word != nil; word = s.next() {
				got = append(got, string(word))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if s.pos != len(tt.in) {
				t.Errorf("got position %d at the end, want %d", s.pos, len(tt.in))
			}
		})
	}
}

// TestScannerCertain: what only some servers execute is a comment where the scanner has to be certain.
func TestScannerCertain(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"/*! a */ b", []string{"a", "b"}},
		{"/*!32312 a */ b", []string{"a", "b"}},
		{"/*!50699 a */ b", []string{"a", "b"}},
		{"/*!50700 a */ b", []string{"b"}},
		{"/*!80000 a; 'c' */ b", []string{"b"}},
		{"/*M!100100 a */ b", []string{"b"}},
		{"/*!99999999999999999999 a */ b", []string{"b"}},
		{"/*!80000 a", nil},
	} {
		var got []string
		s := scanner{text: []byte(tt.in), certain: true}
		for word := s.next(); word != nil; word = s.next() {
			got = append(got, string(word))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"shop": "shop", "`shop`": "shop", "`a``b`": "a`b", `"a""b"`: `a"b`, "``": "", "`": "`", "'shop'": "'shop'", "": "",
	} {
		if got := name([]byte(in)); got != want {
			t.Errorf("name(%s): got %s, want %s", in, got, want)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"SELECT 1", true},
		{"select 1;", true},
		{"InSeRt INTO t VALUES (1) ; \n", true},
		{"UPDATE t SET a = 1", true},
		{"DELETE FROM t", true},
		{"REPLACE t VALUES (1)", true},
		{"COMMIT", true},
		{"WITH a AS (SELECT 1) SELECT * FROM a", true},
		{"SHOW TABLES", true},
		{"SELECT 1; USE b", false},
		{"SELECT 1;;", false},
		{"SELECT ';'", false}, // needs a closer look
		{" SELECT 1", false},
		{"USE b", false},
		{"SET x = 1", false},
		{"SELECT", true},
		{"SELEC", false},
		{"", false},
		{"\x13\x05\x0c\x05\x03\x14 1", false}, // SELECT without the bits of letters
	} {
		if got := isPlain([]byte(tt.text)); got != tt.want {
			t.Errorf("isPlain(%q): got %v, want %v", tt.text, got, tt.want)
		}
	}
}

// TestSchemaAfter: current is "shop" throughout.
func TestSchemaAfter(t *testing.T) {
	const succeeded = true
	for _, tt := range []struct {
		text    string
		results int
		all     bool
		want    string
	}{
		{"USE stock", 1, succeeded, "stock"},
		{"use `a``b`", 1, succeeded, "a`b"},
		{`USE "stock"`, 1, succeeded, "stock"}, // ANSI_QUOTES
		{"USE stock", 0, !succeeded, "shop"},
		{"USE stock; USE nosuch", 1, !succeeded, "stock"},
		{"USE stock; USE nosuch", 0, !succeeded, "shop"},
		{"USE one; USE two", 2, succeeded, "two"},
		{"DO 1; USE stock; DO 2", 3, succeeded, "stock"},
		{"CALL p(); USE stock", 4, succeeded, "stock"}, // a procedure may have several results
		{"DROP DATABASE shop", 1, succeeded, ""},
		{"drop schema if exists `shop`", 1, succeeded, ""},
		{"DROP DATABASE other", 1, succeeded, "shop"},
		{"DROP TABLE shop", 1, succeeded, "shop"},
		{"DROP DATABASE shop", 0, !succeeded, "shop"},
		{"USE other; DROP DATABASE other", 2, succeeded, ""},
		{"USE other; DROP DATABASE shop", 2, succeeded, "other"},
		{"DROP DATABASE shop; USE other", 2, succeeded, "other"},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DO 1; DROP DATABASE shop; END", 1, succeeded, "shop"},
		{"BEGIN NOT ATOMIC DO 1; DO 2; END; USE stock", 2, succeeded, "stock"},
		{"SELECT 'a; USE stock; '", 1, succeeded, "shop"},
		{"SELECT `USE`; -- USE stock", 1, succeeded, "shop"},
		{"INSERT INTO t VALUES (1) /*; USE stock */", 1, succeeded, "shop"},
		{"USER()", 1, succeeded, "shop"},
		{"USE", 1, succeeded, "shop"},
		{"USE;", 1, succeeded, "shop"},
		{"DROP", 1, succeeded, "shop"},
		{"DROP DATABASE", 1, succeeded, "shop"},
		{";USE stock", 0, !succeeded, "shop"},
		{"", 0, succeeded, "shop"},
	} {
		got, changed := schemaAfter([]byte(tt.text), "shop", tt.results, tt.all)
		if got != tt.want || changed != (tt.want != "shop") {
			t.Errorf("%q, %d results: got %q, changed %v; want %q", tt.text, tt.results, got, changed, tt.want)
		}
	}
}
