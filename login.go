package l4mysql

import (
	"sync/atomic"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A login is what a `mysql_login` handler has read from a client. It stands in the connection's variables. But for
// its secrets it does not change any more once the connection is handed on.
//
// Until a server has accepted it, it is a claim.
type login struct {
	handler  *MySQLLogin
	id       uint32 // the connection's, as the greeting has it
	greeting mysqlwire.Greeting
	greeted  []byte // the greeting's payload
	seq      uint8  // sequence id of the login

	parsed   mysqlwire.Login      // as the client has sent it
	inEffect mysqlwire.Capability // of what the client claims: see [mysqlproxy.Check]
	name     userName             // parsed.User, read as the option user_syntax says
	password bool                 // there is authentication data
	tls      bool                 // the client's leg has TLS
	sni      string               // the name that the client's TLS asks for; empty without
	replay   []byte               // tls_passthrough: what the client has sent, from its SSLRequest on. But for sni, only parsed.Capabilities are known then.

	taken   atomic.Bool           // a `mysql_proxy` has taken the session over
	secrets atomic.Pointer[proof] // nil once they are used
}

// A proof is the part of a login that nobody else may know.
type proof struct {
	payload []byte // of the login's packet
	auth    []byte // the authentication data in it
}

// loginOf returns the login that a `mysql_login` handler before has read, or nil. As with any variable of a
// connection, only a handler or a matcher may ask, and only until it hands cx on.
func loginOf(cx *layer4.Connection) *login {
	l, _ := cx.GetVar(loginVar).(*login)
	return l
}

// sent returns what the client has sent in answer to the greeting, as far as it is MySQL.
func (l *login) sent() []byte {
	if secrets := l.secrets.Load(); secrets != nil {
		return framed(l.seq, secrets.payload)
	}
	return l.replay
}
