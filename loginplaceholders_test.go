package l4mysql

import (
	"strings"
	"sync"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// newLogin returns what `mysql_login` makes of a login with these connection attributes: names, each followed
// by its value.
func newLogin(t testing.TB, syntax, user, database string, attributes ...string) *login {
	t.Helper()
	sent := mysqlwire.Login{
		Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth | mysqlwire.ConnectAttrs,
		Collation:    45,
		User:         []byte(user),
		Database:     []byte(database),
		AuthPlugin:   []byte("caching_sha2_password"),
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		sent.Attributes = mysqlwire.AppendAttribute(sent.Attributes, []byte(attributes[i]), []byte(attributes[i+1]))
	}
	parsed, err := mysqlwire.ParseLogin(mysqlwire.AppendLogin(nil, &sent, []byte("S3cr3t")))
	if err != nil {
		t.Fatal(err)
	}
	name, err := parseUserName(syntax, parsed.User)
	if err != nil {
		t.Fatal(err)
	}
	return &login{parsed: parsed, name: name}
}

// newTLSLogin is newLogin for a client with TLS that ends here.
func newTLSLogin(t testing.TB, sni, user string) *login {
	t.Helper()
	l := newLogin(t, syntaxPlain, user, "")
	l.tls, l.sni = true, sni
	return l
}

// newPassedLogin returns a login with tls_passthrough.
func newPassedLogin(sni string) *login { return &login{sni: sni, replay: []byte("\x16\x03\x01")} }

// withLogin returns a connection on which `mysql_login` has read l, if it is not nil. Its client says nothing.
func withLogin(t testing.TB, l *login) *layer4.Connection {
	t.Helper()
	server, _ := pipe(t, balancer)
	cx := layer4.WrapConnection(server, nil, zap.NewNop())
	if l != nil {
		cx.SetVar(loginVar, l)
		cx.Replacer().Map(l.replace)
	}
	return cx
}

// TestLoginPlaceholders has the value of every placeholder, for each kind of login.
func TestLoginPlaceholders(t *testing.T) {
	latin1 := newLogin(t, syntaxPlain, "b\xfccher", "caf\xe9")
	latin1.parsed.Collation = 8
	tests := []struct {
		name  string
		login *login
		want  map[string]string
	}{
		{"plain", newLogin(t, syntaxPlain, "acme:app?zone=a", "shop"), map[string]string{
			"user": "acme:app?zone=a", "database": "shop", "tenant": "", "role": "", "label.zone": "", "attr.zone": "", "client": "",
			"charset": "utf8mb4", "plugin": "caching_sha2_password", "tls": "false", "sni": "",
		}},
		{"tenant", newLogin(t, syntaxTenant, "acme:app:reader?zone=a,tier:gold", ""), map[string]string{
			"user": "app", "database": "", "tenant": "acme", "role": "reader", "label.zone": "a", "label.tier": "gold", "label.none": "",
			"attr.zone": "",
		}},
		{
			"attributes", newLogin(t, syntaxTenant, "app?zone=a", "", "_client_name", "libmysql", "program_name", "mysqldump",
				"zone", "z", "tier", "gold", "os_user", "ada", "os_sudouser", "bob", "_pid", "4711", "tier", "second"),
			map[string]string{
				"attr._client_name": "libmysql", "attr.program_name": "mysqldump", "attr.zone": "z", "attr.tier": "gold", "attr.Zone": "",
				"attr.os_user": "ada", "attr._pid": "4711", "attr.none": "", "attr.": "", "client": "mysqldump",
				"label.zone": "a", "label.tier": "gold", "label.program_name": "", "label.os_user": "", "label.os_sudouser": "",
				"label._pid": "", "label.": "",
			},
		},
		{"reserved names in the user name", newLogin(t, syntaxTenant, "app?_x=1,program_name=p", "", "_x", "2"), map[string]string{
			"label._x": "1", "label.program_name": "p", "attr._x": "2", "client": "",
		}},
		{"driver", newLogin(t, syntaxPlain, "app", "", "_client_name", "Go-MySQL-Driver"), map[string]string{"client": "Go-MySQL-Driver"}},
		{"driver with an empty name", newLogin(t, syntaxPlain, "app", "", "program_name", "", "_client_name", "pymysql"), map[string]string{
			"client": "pymysql", "attr.program_name": "",
		}},
		{
			"not printable", newLogin(t, syntaxTenant, "a\xff:b\x1b:c\xfe?d=\xfd", "e\n", "f", "g\u202e", "program_name", "\x07"),
			map[string]string{
				"tenant": "61ff", "user": "621b", "role": "63fe", "label.d": "fd", "database": "650a", "attr.f": "67e280ae",
				"label.f": "67e280ae", "client": "07",
			},
		},
		{"latin1", latin1, map[string]string{"user": "62fc63686572", "database": "636166e9", "charset": "latin1"}},
		{"TLS", newTLSLogin(t, "db.example.com", "app"), map[string]string{"user": "app", "tls": "true", "sni": "db.example.com"}},
		{"TLS without SNI", newTLSLogin(t, "", "app"), map[string]string{"tls": "true", "sni": ""}},
		{"SNI not printable", newTLSLogin(t, "db\r\n", "app"), map[string]string{"sni": "64620d0a"}},
		{"passed through", newPassedLogin("db.example.com"), map[string]string{
			"user": "", "database": "", "tenant": "", "role": "", "label.zone": "", "attr.zone": "", "client": "", "charset": "",
			"plugin": "", "tls": "true", "sni": "db.example.com",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repl := withLogin(t, tt.login).Replacer()
			for name, want := range tt.want {
				if got, known := repl.GetString(mysqlPrefix + name); got != want || !known {
					t.Errorf("%s: got %q, known: %t, want %q", name, got, known, want)
				}
			}
			// The upstream is another's to answer.
			for _, name := range []string{"", "nonsense", "user.name", "label", "attr", keyUpstream} {
				if got, known := repl.Get(mysqlPrefix + name); known {
					t.Errorf("%q: got %q, want it unknown", name, got)
				}
			}
		})
	}
}

// TestLoginPlaceholdersCutOff: attributes are known up to the first that is cut off.
func TestLoginPlaceholdersCutOff(t *testing.T) {
	l := newLogin(t, syntaxPlain, "app", "", "zone", "a", "tier", "gold")
	l.parsed.Attributes = l.parsed.Attributes[:len(l.parsed.Attributes)-1]
	for name, want := range map[string]string{"zone": "a", "tier": ""} {
		if got, known := l.replace(mysqlPrefix + keyAttr + name); got != want || !known {
			t.Errorf("%s: got %q, known: %t, want %q", name, got, known, want)
		}
	}
}

// TestLoginPlaceholdersFromAnywhere asks from several goroutines while the secrets are given up. It is for the
// race detector.
func TestLoginPlaceholdersFromAnywhere(t *testing.T) {
	l := newLogin(t, syntaxTenant, "acme:app?zone=a", "shop", "tier", "gold")
	l.secrets.Store(new(proof))
	repl := withLogin(t, l).Replacer()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			got := repl.ReplaceAll("{l4.mysql.tenant} {l4.mysql.user} {l4.mysql.database} {l4.mysql.label.zone} {l4.mysql.attr.tier}", "")
			if want := "acme app shop a gold"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	l.secrets.Store(nil)
	group.Wait()
}

// TestLoginPlaceholdersNotSecret: no placeholder has the authentication data.
func TestLoginPlaceholdersNotSecret(t *testing.T) {
	l := newLogin(t, syntaxPlain, "app", "shop", "zone", "a")
	for _, name := range []string{keyUser, keyDatabase, keyTenant, keyRole, keyClient, keyCharset, keyPlugin, keyTLS, keySNI, keyAttr + "zone", keyLabel + "zone"} {
		if got, _ := l.replace(mysqlPrefix + name); strings.Contains(got.(string), "S3cr3t") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
