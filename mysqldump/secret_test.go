package mysqldump

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// shownOf is what a record shows of text.
func shownOf(text string) string {
	s := NewSession(&Options{}, nil)
	shown, _ := s.shown([]byte(text), false, !isPlain([]byte(text)) && maySecret([]byte(text)))
	return string(shown)
}

// TestSecretVectors: of statements that MySQL 9.7 was given, with what is secret in them.
func TestSecretVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/redaction.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		SQL        string   `json:"sql"`
		HiddenFrom string   `json:"hidden_from"`
		Secrets    []string `json:"secrets"`
		Keep       []string `json:"keep"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range vectors {
		if v.HiddenFrom != "passwords" {
			continue // all literals, once those are redacted
		}
		shown := shownOf(v.SQL)
		for _, secret := range v.Secrets {
			if strings.Contains(shown, secret) {
				t.Errorf("%s: got %q, want it without %q", v.SQL, shown, secret)
			}
			checked++
		}
		for _, word := range v.Keep {
			if !strings.Contains(strings.ToUpper(shown), strings.ToUpper(word)) { // the vectors have them in upper case
				t.Errorf("%s: got %q, want it with %q", v.SQL, shown, word)
			}
		}
	}
	if checked == 0 {
		t.Error("no vectors")
	}
}

func TestQuoteAt(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"IDENTIFIED BY RANDOM PASSWORD", "IDENTIFIED BY RANDOM PASSWORD"},
		{"BY 'a' AS 0x41", "BY "},
		{`BY "a'`, "BY "},
		{"AS 0x41 'a'", "AS "},
		{"AS 0X41 0x42", "AS "},
		{"USER `u`@h", "USER `u`@h"},
	} {
		if got := tt.text[:quoteAt([]byte(tt.text))]; got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTells(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"password", true},
		{"a.PassWord=", true},
		{"MASTER_PASSWORD='x'", true},
		{"(PASSWORD)", true},
		{"PASSWORD\xa0", true},
		{"\u00a0PASSWORD\u00a0", true},
		{"'a password'", true},
		{"passwords", false},
		{"mypassword", false},
		{"password1", false},
		{"PASS WORD", false},
		{"", false},
	} {
		if got := tells([]byte(tt.text), "IDENTIFIED", "PASSWORD"); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.text, got, tt.want)
		}
	}
}

// TestMaySecretEverywhere puts a statement with a password behind and inside of others.
func TestMaySecretEverywhere(t *testing.T) {
	const marker = "S3cr3t"
	statements := []string{
		"CREATE USER u IDENTIFIED BY '" + marker + "'",
		"alter user u identified by '" + marker + "'",
		"SET PASSWORD = '" + marker + "'",
		"SET PASSWORD FOR u = PASSWORD('" + marker + "')",
		"GRANT ALL ON *.* TO u IDENTIFIED BY '" + marker + "'",
		"CHANGE MASTER TO MASTER_PASSWORD = '" + marker + "'",
		"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '" + marker + "'",
		"CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (PASSWORD '" + marker + "')",
		"ALTER SERVER s OPTIONS (PASSWORD '" + marker + "')",
	}
	around := []string{
		"%s", "%s;", " \n\t%s", "/* a */%s", "-- a\n%s", "#a\n%s", "/*! %s */", "/*!50001 %s */", "/*M!100100 %s */", "/*!80000 %s",
		"SELECT 1; %s", "SELECT ';'; %s; SELECT 2", "USE b;%s", "%s; SELECT 'x'", "DO '\\'; %s; DO '", "(%s)", "\x00%s",
		`PREPARE p FROM "%s"`, "EXECUTE IMMEDIATE \"%s\"", "BEGIN NOT ATOMIC %s; END", "SET STATEMENT a = 1 FOR %s",
		"CREATE PROCEDURE p() BEGIN %s; END", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN %s; END",
	}
	for _, statement := range statements {
		for _, format := range around {
			text := strings.Replace(format, "%s", statement, 1)
			if shown := shownOf(text); strings.Contains(shown, marker) {
				t.Errorf("%q: got %q", text, shown)
			}
		}
		for _, space := range []string{"\n", "\t", "/**/", "/* ; */", "-- \n", "#\n"} {
			text := strings.ReplaceAll(statement, " ", space)
			if shown := shownOf(text); strings.Contains(shown, marker) {
				t.Errorf("%q: got %q", text, shown)
			}
		}
	}
}

// TestMaySecretFederated: the CONNECTION of a FEDERATED table holds a password; other tables' texts are shown.
func TestMaySecretFederated(t *testing.T) {
	const table = "CREATE TABLE t (id INT) ENGINE=FEDERATED connection='mysql://u:S3cr3t@h/d/t'"
	for _, format := range []string{"%s", "%s;", "SELECT 1; %s", "/*! %s */", `PREPARE p FROM "%s"`} {
		if text := strings.Replace(format, "%s", table, 1); strings.Contains(shownOf(text), "S3cr3t") {
			t.Errorf("%q: got %q", text, shownOf(text))
		}
	}
	if text := "CREATE TABLE t (password VARCHAR(20) DEFAULT 'none')"; shownOf(text) != text {
		t.Errorf("%q: got %q", text, shownOf(text))
	}
}

// TestMaySecretCut cuts statements with a password anywhere: a beginning must not tell more than the whole.
func TestMaySecretCut(t *testing.T) {
	for _, text := range []string{
		"CREATE USER 'u'@'h' IDENTIFIED BY 'S3cr3t'",
		"SET PASSWORD FOR 'u' = 'S3cr3t'",
		"GRANT ALL ON *.* TO 'u' IDENTIFIED BY 'S3cr3t'",
		"/* a */ ALTER USER u IDENTIFIED BY 'S3cr3t'",
		"SELECT 1; CHANGE MASTER TO MASTER_PASSWORD = 'S3cr3t'",
	} {
		for n := range len(text) {
			if shown := shownOf(text[:n]); strings.Contains(shown, "S3") {
				t.Errorf("%q: got %q", text[:n], shown)
			}
		}
	}
}

// TestHarmless: a text that was cut tells that its statement has no password if it begins with a word of one that
// has none.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT ?, '": true, "/* a comment */ insert INTO t": true, "-- comment\nWITH x AS": true, "((SELECT 1": true,
		"": false, "/* a comment": false, "(": false, "CALL p(": false, "SET @a = ": false, "CREATE TABLE t": false,
		"ALTER USER": false, "SELECTED": false, "/*! ALTER USER */ SELECT": false, "SELECT /*M!100100 1": false,
	} {
		if got := harmless([]byte(text)); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}
