package l4mysql

import (
	"strconv"
	"strings"

	"github.com/l4mysql/l4mysql/mysqlwire"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// replace answers the placeholders below [mysqlPrefix] with what the login says. It is a caddy.ReplacerFunc,
// mapped once, and may be called from any goroutine. What the client has not told is empty.
func (l *login) replace(key string) (any, bool) {
	name, ok := strings.CutPrefix(key, mysqlPrefix)
	if !ok {
		return nil, false
	}
	switch name {
	case keyUser:
		return loginText(l.name.user), true
	case keyDatabase:
		return proxyheader.Text(l.parsed.Database), true
	case keyTenant:
		return loginText(l.name.tenant), true
	case keyRole:
		return loginText(l.name.role), true
	case keyClient:
		return loginText(l.program()), true
	case keyCharset:
		return mysqlwire.Charset(uint16(l.parsed.Collation)), true
	case keyPlugin:
		return proxyheader.Text(l.parsed.AuthPlugin), true
	case keyTLS:
		return strconv.FormatBool(l.overTLS()), true
	case keySNI:
		return loginText(l.sni), true
	}
	if name, ok := strings.CutPrefix(name, keyLabel); ok {
		value, _ := l.label(name)
		return loginText(value), true
	}
	if name, ok := strings.CutPrefix(name, keyAttr); ok {
		value, _ := l.attr(name)
		return loginText(value), true
	}
	return nil, false
}

// loginText returns a text of the client's as a placeholder gives it.
func loginText(s string) string { return proxyheader.Text([]byte(s)) }

// attr returns the value of the login's first connection attribute of that name.
func (l *login) attr(name string) (value string, ok bool) {
	for n, v := range l.parsed.Attributes.All() {
		if string(n) == name {
			return string(v), true
		}
	}
	return "", false
}

// label returns the value of the login's label of that name: one of the user name, or else a connection
// attribute that is not about the client's program and machine.
func (l *login) label(name string) (value string, ok bool) {
	for _, label := range l.name.labels {
		if label.name == name {
			return label.value, true
		}
	}
	switch name {
	case attrProgramName, "os_user", "os_sudouser":
		return "", false
	}
	if strings.HasPrefix(name, "_") {
		return "", false
	}
	return l.attr(name)
}

// Connection attributes that tell the client's program.
const (
	attrProgramName = "program_name" // by the program itself: mysql, mysqldump, mysqlsh
	attrClientName  = "_client_name" // by the library: libmysql, libmariadb, mysqlnd, pymysql, Go-MySQL-Driver
)

// program returns the name of the client's program or else, of those that do not name themselves, of its
// library: hardly a driver sends a program_name unless the application has set one. Empty without either.
func (l *login) program() string {
	if name, _ := l.attr(attrProgramName); name != "" {
		return name
	}
	name, _ := l.attr(attrClientName)
	return name
}

// overTLS reports whether the client uses TLS, whether it ends here or at the server.
func (l *login) overTLS() bool { return l.tls || l.passedThrough() }

// passedThrough reports whether the login is under TLS that the server ends: with tls_passthrough.
func (l *login) passedThrough() bool { return l.replay != nil }
