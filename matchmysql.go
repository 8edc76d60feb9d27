package l4mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
)

// MatchMySQL matches the login that a `mysql_login` handler before it has read. Without options it matches
// every login. With options, each of them must match, and an option matches if one of its values does.
//
// In a value, `*` stands for any text, also for none, and everything else for itself. Names are compared as
// the client has sent them, byte for byte and with upper and lower case distinct, but for SNI. What the login
// does not tell is empty: `""` matches that, and so does `*`. Placeholders in values are resolved at provision,
// and must not be empty then.
//
// It never reads and never waits. Put it behind the handler, in a `subroute`: before it nothing matches, and a
// config without it does not load. With `tls_passthrough` only TLS and SNI are known, and every other option
// does not match. A login is a claim until the upstream has accepted it.
type MatchMySQL struct {
	// User has the user's names, each with the databases that the login may name along with it; any, also
	// none, where the list is empty. It is the plain user name where `mysql_login` has `user_syntax tenant`.
	User map[string][]string `json:"user,omitempty"`

	// Database is the database that the login names.
	Database []string `json:"database,omitempty"`

	// Tenant is the tenant in the user name, with `user_syntax tenant`.
	Tenant []string `json:"tenant,omitempty"`

	// Label has values of the login's labels by name, each of which must be there and match. Labels are those
	// of the user name, with `user_syntax tenant`, and besides the connection attributes but `program_name`,
	// `os_user`, `os_sudouser` and those whose names begin with `_`.
	Label map[string][]string `json:"label,omitempty"`

	// Attr has values of the login's connection attributes by name, each of which must be there and match.
	Attr map[string][]string `json:"attr,omitempty"`

	// Client is the client's program: its connection attribute `program_name`, or without that the library's
	// name in `_client_name`.
	Client []string `json:"client,omitempty"`

	// TLS is `enabled` for a client that uses TLS, `disabled` for one that does not, or `*` for both.
	TLS string `json:"tls,omitempty"`

	// SNI is the server's name that the client's TLS asks for. Case does not matter.
	SNI []string `json:"sni,omitempty"`

	user             []userGlobs
	database, tenant globs
	label, attr      map[string]globs
	client, sni      globs
}

// The values of [MatchMySQL].TLS.
const (
	clientTLSEnabled  = "enabled"
	clientTLSDisabled = "disabled"
	clientTLSAny      = "*"
)

// userGlobs are a name in [MatchMySQL].User and its databases; none are any.
type userGlobs struct {
	name      glob
	databases globs
}

// Provision sets up the matcher.
func (m *MatchMySQL) Provision(ctx caddy.Context) error {
	if err := m.parse(); err != nil {
		return err
	}
	return requireLogin(ctx)
}

// requireLogin has the config refused if no `mysql_login` in it could ever read a login.
func requireLogin(ctx caddy.Context) error {
	app, err := useApp(ctx)
	if err != nil {
		return err
	}
	app.matchers++
	return nil
}

// parse parses the values.
func (m *MatchMySQL) parse() error {
	m.user = make([]userGlobs, 0, len(m.User))
	for name, databases := range m.User {
		parsed, err := parseGlobs("user", append([]string{name}, databases...))
		if err != nil {
			return err
		}
		m.user = append(m.user, userGlobs{parsed[0], parsed[1:]})
	}
	var err error
	for _, option := range []struct {
		name   string
		values []string
		globs  *globs
	}{
		{"database", m.Database, &m.database},
		{"tenant", m.Tenant, &m.tenant},
		{"client", m.Client, &m.client},
		{"sni", m.SNI, &m.sni},
	} {
		if *option.globs, err = parseGlobs(option.name, option.values); err != nil {
			return err
		}
	}
	for _, g := range m.sni {
		for i := range g {
			g[i] = strings.ToLower(g[i])
		}
	}
	if m.label, err = parseNamedGlobs("label", m.Label); err != nil {
		return err
	}
	m.attr, err = parseNamedGlobs("attr", m.Attr)
	return err
}

// parseNamedGlobs parses the values of an option that has names.
func parseNamedGlobs(option string, named map[string][]string) (parsed map[string]globs, err error) {
	parsed = make(map[string]globs, len(named))
	for name, values := range named {
		if parsed[name], err = parseGlobs(option, values); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// Validate checks the configuration.
func (m *MatchMySQL) Validate() error {
	if !slices.Contains([]string{"", clientTLSEnabled, clientTLSDisabled, clientTLSAny}, m.TLS) {
		return fmt.Errorf("tls: '%s' is none of enabled, disabled, *", m.TLS)
	}
	for option, named := range map[string]map[string][]string{"label": m.Label, "attr": m.Attr} {
		for name, values := range named {
			if name == "" {
				return fmt.Errorf("%s: '' is no name", option)
			}
			if len(values) == 0 {
				return fmt.Errorf("%s: %s has no value to match", option, name)
			}
		}
	}
	return nil
}

// Match reports whether the login on cx matches.
func (m *MatchMySQL) Match(cx *layer4.Connection) (bool, error) {
	l := loginOf(cx)
	return l != nil && m.matchTLS(l) && m.matchLogin(l), nil
}

// matchTLS matches what is known of every login.
func (m *MatchMySQL) matchTLS(l *login) bool {
	if over := l.overTLS(); m.TLS == clientTLSEnabled && !over || m.TLS == clientTLSDisabled && over {
		return false
	}
	return len(m.sni) == 0 || m.sni.match(strings.ToLower(l.sni))
}

// matchLogin matches what only a login tells that can be read.
func (m *MatchMySQL) matchLogin(l *login) bool {
	if len(m.user)+len(m.database)+len(m.tenant)+len(m.label)+len(m.attr)+len(m.client) == 0 {
		return true
	}
	if l.passedThrough() {
		return false
	}
	database := string(l.parsed.Database)
	if len(m.user) > 0 && !slices.ContainsFunc(m.user, func(u userGlobs) bool {
		return u.name.match(l.name.user) && (len(u.databases) == 0 || u.databases.match(database))
	}) {
		return false
	}
	if len(m.database) > 0 && !m.database.match(database) {
		return false
	}
	if len(m.tenant) > 0 && !m.tenant.match(l.name.tenant) {
		return false
	}
	if len(m.client) > 0 && !m.client.match(l.program()) {
		return false
	}
	return matchNamed(m.label, l.label) && matchNamed(m.attr, l.attr)
}

// matchNamed reports whether every name is there, with one of the values wanted.
func matchNamed(wanted map[string]globs, lookup func(name string) (string, bool)) bool {
	for name, values := range wanted {
		if value, ok := lookup(name); !ok || !values.match(value) {
			return false
		}
	}
	return true
}

// Interface guards
var (
	_ caddy.Provisioner  = (*MatchMySQL)(nil)
	_ caddy.Validator    = (*MatchMySQL)(nil)
	_ layer4.ConnMatcher = (*MatchMySQL)(nil)
)
