package mysqlproxy

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	// UnknownPlugin is the authentication plugin that a login for a client names. No server has it, so the
	// server asks for the account's own, with a nonce of its own (Protocol::AuthSwitchRequest).
	UnknownPlugin = "auth_unknown_plugin"

	// maxLoginPacket is the largest payload in bytes that is read from either side before a session begins.
	// Servers do not take longer logins.
	maxLoginPacket = 64 << 10

	// maxAttributes is how many bytes of connection attributes servers take.
	maxAttributes = 64<<10 - 1
)

// An Attribute is a connection attribute that the proxy adds to a login.
type Attribute struct{ Name, Value string }

// A Hello is what an upstream is told in a client's name.
type Hello struct {
	// Login is the client's. Its capabilities are those in effect on the client's leg, as [Check] returns
	// them; what the upstream has of them is in effect on its own.
	Login mysqlwire.Login

	// Auth is the client's authentication data, a secret. The server must know whether there is any, for
	// "using password: YES".
	Auth []byte

	// Attributes are put before the client's own, because servers keep only so many bytes of them. A
	// client's own attribute of such a name is left out.
	Attributes []Attribute

	// TLS is the configuration for TLS with the upstream; nil means none. It has the name that is verified.
	TLS *tls.Config

	// TLSOptional logs in without TLS where the upstream offers none, in place of [ErrNoTLS]. Who can change
	// what is sent on the way can hide the offer. A handshake that fails is an error all the same.
	TLSOptional bool
}

// A Leg is the connection to an upstream that was told a login, and has not answered yet.
type Leg struct {
	*Conn                             // what is inside is a [*tls.Conn] if the upstream's leg has TLS
	Greeting     mysqlwire.Greeting   // the upstream's
	Capabilities mysqlwire.Capability // that are in effect between the proxy and the upstream
	Secret       bool                 // nobody on the way can read along: TLS, or a unix socket
	TLS          bool                 // it is TLS
	seq          uint8                // of the login
	progress
}

// Say reads the greeting of the upstream at the other end of conn and tells it h, over TLS if there is a
// configuration. It ends with ctx: then a read or a write has failed with [os.ErrDeadlineExceeded]. After it
// conn has no deadlines. If there is an error, the caller may close conn and try another upstream.
//
//   - [*ServerError]: the upstream has sent ERR, in place of its greeting or of its TLS handshake;
//   - [ErrNoTLS], unless TLSOptional is set, [*TLSError]: there is no TLS as it was configured;
//   - [*CapabilityError]: the upstream lacks what is in effect for the client;
//   - [*mysqlwire.ParseError]: no greeting.
//
// An upstream that was reached and is not used is told a login that ends with ERR, because it counts a
// connection that just ends as an error of this host, and blocks it after some (ER_HOST_IS_BLOCKED). That takes
// at most two seconds, and conn is closed then. Only after a failed TLS handshake nothing can be said any more.
func (h *Hello) Say(ctx context.Context, conn net.Conn) (*Leg, error) {
	release := bound(ctx, conn)
	leg, err := h.say(conn)
	release()
	if err != nil && leg != nil {
		leg.dismiss()
	}
	if err != nil {
		return nil, err
	}
	return leg, nil
}

// ReadGreeting reads the greeting of the upstream at the other end of conn, for who hands it on untouched: raw is
// the packet as it came, with its header. g points into it. What the upstream has sent beyond it is still to be
// read from c. It ends with ctx, and leaves no deadlines, as [Hello.Say] does.
//
// An upstream that has sent ERR is a [*ServerError], and what is no greeting a [*mysqlwire.ParseError]: with
// these errors raw is what has come in its place. Otherwise it is nil.
func ReadGreeting(ctx context.Context, conn net.Conn) (c *Conn, g mysqlwire.Greeting, raw []byte, err error) {
	release := bound(ctx, conn)
	defer release()
	c = NewConn(conn)
	g, raw, err = c.readGreeting()
	return c, g, raw, err
}

func (c *Conn) readGreeting() (g mysqlwire.Greeting, raw []byte, err error) {
	payload, seq, err := c.ReadPacket(maxLoginPacket)
	if err != nil {
		return g, nil, err
	}
	raw = mysqlwire.AppendHeader(make([]byte, 0, mysqlwire.HeaderLen+len(payload)), len(payload), seq)
	raw = append(raw, payload...)
	payload = raw[mysqlwire.HeaderLen:]
	if len(payload) > 0 && payload[0] == mysqlwire.HeaderERR {
		return g, raw, serverError(payload)
	}
	g, err = mysqlwire.ParseGreeting(payload)
	return g, raw, err
}

// say returns both a leg and an error if the upstream has got a login and is not used.
func (h *Hello) say(conn net.Conn) (*Leg, error) {
	c := NewConn(conn)
	g, raw, err := c.readGreeting()
	if err != nil {
		return nil, err
	}
	leg := &Leg{Conn: c, Greeting: g, Secret: isUnix(conn), seq: raw[3] + 1}

	login, auth := h.forServer(g.Capabilities)
	var unfit error
	if lacking := h.lacking(g.Capabilities); lacking != 0 {
		unfit = &CapabilityError{lacking}
	} else if h.TLS != nil && !h.TLSOptional && !g.Capabilities.Has(mysqlwire.TLS) {
		unfit = ErrNoTLS
	}
	if unfit != nil {
		if leg.write(nobody(g.Capabilities), nil) != nil {
			return nil, unfit
		}
		return leg, unfit
	}
	if h.TLS != nil && g.Capabilities.Has(mysqlwire.TLS) {
		if err := leg.startTLS(h.TLS, &login); err != nil {
			if !leg.TLS || leg.write(nobodyAs(login), nil) != nil {
				return nil, err
			}
			return leg, err
		}
		login.Capabilities |= mysqlwire.TLS
	}
	leg.Capabilities = login.Capabilities
	return leg, leg.write(login, auth)
}

// nobody is the login that a server is told before it is left: it ends with ERR, on most servers.
func nobody(server mysqlwire.Capability) mysqlwire.Login {
	return mysqlwire.Login{
		Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection | server&mysqlwire.PluginAuth,
		User:         []byte("l4mysql_nobody"),
		AuthPlugin:   []byte(UnknownPlugin),
	}
}

// nobodyAs is [nobody] in the form of l, which was announced in the request for TLS: a server reads by that.
func nobodyAs(l mysqlwire.Login) mysqlwire.Login {
	n := nobody(l.Capabilities)
	n.Capabilities, n.Collation, n.MaxPacket = l.Capabilities, l.Collation, l.MaxPacket
	if len(l.Database) > 0 {
		n.Database = n.User
	}
	return n
}

// write sends the login.
func (l *Leg) write(login mysqlwire.Login, auth []byte) error {
	return l.WritePacket(l.seq, mysqlwire.AppendLogin(nil, &login, auth))
}

func isUnix(conn net.Conn) bool {
	addr := conn.RemoteAddr()
	return addr != nil && addr.Network() == "unix"
}
