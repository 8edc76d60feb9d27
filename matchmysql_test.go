package l4mysql

import (
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"testing"
)

// newMySQLMatcher parses and validates a matcher, and sends it through JSON first, as a Caddyfile does.
func newMySQLMatcher(t *testing.T, m *MatchMySQL) (*MatchMySQL, error) {
	t.Helper()
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded := new(MatchMySQL)
	if err := json.Unmarshal(encoded, decoded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, decoded) {
		t.Errorf("got %+v from JSON %s, want %+v", decoded, encoded, m)
	}
	if err := decoded.parse(); err != nil {
		return nil, err
	}
	return decoded, decoded.Validate()
}

func TestMySQLMatcher(t *testing.T) {
	t.Setenv("TEST_TENANT", "acme")
	logins := []struct {
		name  string
		login *login
	}{
		{"none", nil}, // there was no mysql_login
		{"bare", newLogin(t, syntaxPlain, "app", "")},
		{"shop", newLogin(t, syntaxPlain, "app", "shop")},
		{"dump", newLogin(t, syntaxPlain, "backup", "shop", "_client_name", "libmysql", "program_name", "mysqldump", "os_user", "root", "_pid", "7")},
		{"cli", newLogin(t, syntaxPlain, "root", "mysql", "_client_name", "libmariadb", "program_name", "mysql")},
		{"shell", newLogin(t, syntaxPlain, "Root", "Shop", "_client_name", "libmysql", "program_name", "mysqlsh")},
		{"go", newLogin(t, syntaxPlain, "app_go", "shop_eu", "_client_name", "Go-MySQL-Driver", "zone", "a")},
		{"acme", newLogin(t, syntaxTenant, "acme:app:reader?zone=a,tier=gold", "shop", "zone", "b", "shift", "night")},
		{"bytes", newLogin(t, syntaxPlain, "b\xfccher", "\xff*")},
		{"tls", newTLSLogin(t, "DB.Example.com", "app")},
		{"nosni", newTLSLogin(t, "", "app")},
		{"passed", newPassedLogin("db.example.com")},
	}
	type named = map[string][]string
	tests := []struct {
		name string
		m    MatchMySQL
		want string // of logins
	}{
		{"bare", MatchMySQL{}, "bare shop dump cli shell go acme bytes tls nosni passed"},
		{"user", MatchMySQL{User: named{"app": {}}}, "bare shop acme tls nosni"},
		{"user by glob", MatchMySQL{User: named{"app*": {}}}, "bare shop go acme tls nosni"},
		{"users", MatchMySQL{User: named{"root": {}, "backup": {}}}, "dump cli"},
		{"any user", MatchMySQL{User: named{"*": {}}}, "bare shop dump cli shell go acme bytes tls nosni"},
		{"user with a database", MatchMySQL{User: named{"app": {"shop"}}}, "shop acme"},
		{"user with databases", MatchMySQL{User: named{"app*": {"crm", "shop*"}}}, "shop go acme"},
		{"user without a database", MatchMySQL{User: named{"app": {""}}}, "bare tls nosni"},
		{"users, one with a database", MatchMySQL{User: named{"app": {"shop"}, "root": {}}}, "shop cli acme"},
		{"users that overlap", MatchMySQL{User: named{"app*": {"shop_eu"}, "app": {"shop"}}}, "shop go acme"},
		{"user in the name with its tenant", MatchMySQL{User: named{"acme:app*": {}}}, ""},
		{"user in bytes", MatchMySQL{User: named{"b*cher": {}}}, "bytes"},
		{"nobody", MatchMySQL{User: named{"": {}}}, ""},
		{"database", MatchMySQL{Database: []string{"shop"}}, "shop dump acme"},
		{"databases", MatchMySQL{Database: []string{"mysql", "*_eu"}}, "cli go"},
		{"no database", MatchMySQL{Database: []string{""}}, "bare tls nosni"},
		{"any database", MatchMySQL{Database: []string{"*"}}, "bare shop dump cli shell go acme bytes tls nosni"},
		{"user and another database", MatchMySQL{User: named{"app": {"shop"}}, Database: []string{"crm"}}, ""},
		{"tenant", MatchMySQL{Tenant: []string{"sys", "acme"}}, "acme"},
		{"tenant by placeholder", MatchMySQL{Tenant: []string{"{env.TEST_TENANT}"}}, "acme"},
		{"no tenant", MatchMySQL{Tenant: []string{""}, Database: []string{"shop"}}, "shop dump"},
		{"label", MatchMySQL{Label: named{"zone": {"a"}}}, "go acme"},
		{"label by glob", MatchMySQL{Label: named{"tier": {"silver", "g*d"}}}, "acme"},
		{"labels", MatchMySQL{Label: named{"zone": {"a"}, "shift": {"night"}}}, "acme"},
		{"label with another value", MatchMySQL{Label: named{"zone": {"a"}, "shift": {"day"}}}, ""},
		{"label of the attribute that the user name replaces", MatchMySQL{Label: named{"zone": {"b"}}}, ""},
		{"label that is not there", MatchMySQL{Label: named{"none": {"", "*"}}}, ""},
		{"reserved labels", MatchMySQL{Label: named{"os_user": {"*"}}}, ""},
		{"label of the program", MatchMySQL{Label: named{"program_name": {"*"}}}, ""},
		{"label of the library", MatchMySQL{Label: named{"_pid": {"*"}}}, ""},
		{"attr", MatchMySQL{Attr: named{"zone": {"b", "c"}}}, "acme"},
		{"attr that is a label", MatchMySQL{Attr: named{"tier": {"*"}}}, ""},
		{"attrs", MatchMySQL{Attr: named{"os_user": {"root"}, "_pid": {"*"}}}, "dump"},
		{"attrs, one missing", MatchMySQL{Attr: named{"os_user": {"root"}, "zone": {"*"}}}, ""},
		{"client", MatchMySQL{Client: []string{"mysql"}}, "cli"},
		{"client by glob", MatchMySQL{Client: []string{"mysqlsh*", "mysqldump"}}, "dump shell"},
		{"client by its library", MatchMySQL{Client: []string{"Go-MySQL-*", "libmysql"}}, "go"},
		{"client unknown", MatchMySQL{Client: []string{""}, User: named{"app": {}}}, "bare shop acme tls nosni"},
		{"tls", MatchMySQL{TLS: "enabled"}, "tls nosni passed"},
		{"no tls", MatchMySQL{TLS: "disabled"}, "bare shop dump cli shell go acme bytes"},
		{"tls or not", MatchMySQL{TLS: "*"}, "bare shop dump cli shell go acme bytes tls nosni passed"},
		{"tls and user", MatchMySQL{TLS: "enabled", User: named{"*": {}}}, "tls nosni"},
		{"sni", MatchMySQL{SNI: []string{"db.example.com"}}, "tls passed"},
		{"sni by glob", MatchMySQL{SNI: []string{"other", "DB.*"}}, "tls passed"},
		{"no sni", MatchMySQL{SNI: []string{""}, TLS: "enabled"}, "nosni"},
		{"sni and database", MatchMySQL{SNI: []string{"*.example.com"}, Database: []string{"*"}}, "tls"},
		{"sni and tenant", MatchMySQL{SNI: []string{"*"}, Tenant: []string{"*"}, TLS: "enabled"}, "tls nosni"},
		{"sni and label", MatchMySQL{SNI: []string{"db*"}, Label: named{"zone": {"*"}}}, ""},
		{"sni and client", MatchMySQL{SNI: []string{"db*"}, Client: []string{"*"}}, "tls"},
		{"every option", MatchMySQL{
			User: named{"app": {"shop"}}, Database: []string{"s*"}, Tenant: []string{"acme"}, Label: named{"tier": {"gold"}},
			Attr: named{"shift": {"night"}}, Client: []string{""}, TLS: "disabled", SNI: []string{""},
		}, "acme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := newMySQLMatcher(t, &tt.m)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range logins {
				// There is nobody to read from or to write to: it would hang if it did.
				matched, err := m.Match(withLogin(t, l.login))
				if err != nil {
					t.Error(err)
				}
				if matched {
					got = append(got, l.name)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMySQLMatcherErrors(t *testing.T) {
	t.Setenv("TEST_EMPTY", "")
	type named = map[string][]string
	tests := []struct {
		m       MatchMySQL
		wantErr string
	}{
		{MatchMySQL{TLS: "on"}, "tls: 'on' is none of enabled, disabled, *"},
		{MatchMySQL{Label: named{"zone": {}}}, "label: zone has no value to match"},
		{MatchMySQL{Label: named{"": {"a"}}}, "label: '' is no name"},
		{MatchMySQL{Attr: named{"_pid": {}}}, "attr: _pid has no value to match"},
		{MatchMySQL{Attr: named{"": {"a"}}}, "attr: '' is no name"},
		{MatchMySQL{User: named{"{env.TEST_EMPTY}": {}}}, "user: '{env.TEST_EMPTY}': "},
		{MatchMySQL{User: named{"app": {"{env.TEST_EMPTY}"}}}, "user: '{env.TEST_EMPTY}': "},
		{MatchMySQL{Database: []string{"{l4.mysql.user}"}}, "database: '{l4.mysql.user}': "},
		{MatchMySQL{Tenant: []string{"a{env.TEST_EMPTY}"}}, "tenant: 'a{env.TEST_EMPTY}': "},
		{MatchMySQL{Label: named{"zone": {"{env.TEST_EMPTY}"}}}, "label: '{env.TEST_EMPTY}': "},
		{MatchMySQL{Attr: named{"zone": {"{env.TEST_EMPTY}"}}}, "attr: '{env.TEST_EMPTY}': "},
		{MatchMySQL{Client: []string{"{env.TEST_EMPTY}"}}, "client: '{env.TEST_EMPTY}': "},
		{MatchMySQL{SNI: []string{"{env.TEST_EMPTY}"}}, "sni: '{env.TEST_EMPTY}': "},
	}
	for _, tt := range tests {
		if _, err := newMySQLMatcher(t, &tt.m); err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
			t.Errorf("got %v, want %s", err, tt.wantErr)
		}
	}
}

func TestMatchMySQLCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "mysql", `{}`, ""},
		{"empty block", "mysql {\n}", `{}`, ""},
		{"two options", "mysql {\nuser app\ntls enabled\n}", `{"user":{"app":[]},"tls":"enabled"}`, ""},
		{
			"every option", `mysql {
				user app shop crm
				user root
				user app shop_*
				database shop
				database crm *_eu
				tenant acme ""
				label zone a b
				label tier gold
				label zone c
				attr program_name mysqldump
				attr _os Linux "Win 64"
				client mysql mysqlsh*
				tls *
				sni *.example.com db
			}`,
			`{"user":{"app":["shop","crm","shop_*"],"root":[]},"database":["shop","crm","*_eu"],"tenant":["acme",""],` +
				`"label":{"tier":["gold"],"zone":["a","b","c"]},"attr":{"_os":["Linux","Win 64"],"program_name":["mysqldump"]},` +
				`"client":["mysql","mysqlsh*"],"tls":"*","sni":["*.example.com","db"]}`, "",
		},
		{"user with any database, then with one", "mysql {\nuser app\nuser app shop\n}", `{"user":{"app":[]}}`, ""},
		{"user with a database, then with any", "mysql {\nuser app shop\nuser app\nuser app crm\n}", `{"user":{"app":[]}}`, ""},
		{"user without a database", "mysql {\nuser app \"\"\n}", `{"user":{"app":[""]}}`, ""},
		{"argument", "mysql app", "", "mysql: unexpected 'app' on its line; options go into a block"},
		{"unknown option", "mysql {\nuser app\nrole reader\n}", "", "role: not an option of mysql"},
		{"no user", "mysql {\nuser\n}", "", "user: a value is missing"},
		{"no database", "mysql {\ndatabase\n}", "", "database: a value is missing"},
		{"no tenant", "mysql {\ntenant\n}", "", "tenant: a value is missing"},
		{"label without a name", "mysql {\nlabel\n}", "", "label: a value is missing"},
		{"label without a value", "mysql {\nlabel zone\n}", "", "label: a value is missing"},
		{"attr without a value", "mysql {\nattr _pid\n}", "", "attr: a value is missing"},
		{"no client", "mysql {\nclient\n}", "", "client: a value is missing"},
		{"no tls", "mysql {\ntls\n}", "", "tls: a value is missing"},
		{"two tls", "mysql {\ntls enabled disabled\n}", "", "tls: takes one value, and 'disabled' is another"},
		{"tls twice", "mysql {\ntls enabled\ntls disabled\n}", "", "tls: given twice"},
		{"no sni", "mysql {\nsni\n}", "", "sni: a value is missing"},
		{"block in an option", "mysql {\nuser app {\nshop\n}\n}", "", "user: unexpected block with 'shop'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(MatchMySQL), tt.in, tt.want, tt.wantErr) })
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"", []string{""}, []string{"a", "*"}},
		{"*", []string{"", "a", "*", "a/b", "\x00\xff\n"}, nil},
		{"**", []string{"", "a"}, nil},
		{"app", []string{"app"}, []string{"", "App", "app ", "xapp", "appx"}},
		{"app*", []string{"app", "app1", "app*"}, []string{"ap", "xapp"}},
		{"*app", []string{"app", "1app", "appapp"}, []string{"pp", "appx"}},
		{"a*a", []string{"aa", "aba", "aaa"}, []string{"a", "ab", ""}},
		{"ab*ba", []string{"abba", "abxba"}, []string{"aba", "ab"}},
		{"*b*", []string{"b", "abc", "bb"}, []string{"", "ac"}},
		{"a*b*c", []string{"abc", "aXbYc", "abbc", "abcbc"}, []string{"ac", "acb", "abcX"}},
		{"*ab*ab*", []string{"abab", "xabyabz"}, []string{"aba", "ab"}},
		{"a**c", []string{"ac", "abc"}, []string{"a"}},
		{"[a-c]?", []string{"[a-c]?"}, []string{"ab", "b?"}},
		{"a/*", []string{"a/b/c"}, []string{"a"}},
		{`a\*`, []string{`a\`, `a\x`}, []string{"a*"}},
	}
	for _, tt := range tests {
		globs, err := parseGlobs("test", []string{tt.pattern})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tt.yes {
			if !globs.match(s) {
				t.Errorf("%q does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.no {
			if globs.match(s) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
	}
}

// TestGlobAll compares with path.Match, for every short pattern and text.
func TestGlobAll(t *testing.T) {
	words := func(alphabet string, length int) []string {
		all := []string{""}
		for i := 0; i < len(all) && len(all[i]) < length; i++ {
			for _, c := range alphabet {
				all = append(all, all[i]+string(c))
			}
		}
		return all
	}
	texts := words("ab", 6)
	for _, pattern := range words("ab*", 5) {
		g := glob(strings.Split(pattern, "*"))
		for _, text := range texts {
			if want, err := path.Match(pattern, text); err != nil || g.match(text) != want {
				t.Fatalf("%q and %q: got %t, want %t, %v", pattern, text, !want, want, err)
			}
		}
	}
}

// TestGlobLong: matching that tries each place of each asterisk would not come to an end.
func TestGlobLong(t *testing.T) {
	g := glob(strings.Split(strings.Repeat("*a", 5000)+"*b", "*"))
	if text := strings.Repeat("a", 64<<10); g.match(text) || !g.match(text+"b") {
		t.Error("got no match and a match reversed")
	}
}
