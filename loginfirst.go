package l4mysql

import (
	"context"
	"errors"
	"os/user"
	"sync"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// loginFirst is the way of a client that a `mysql_login` has greeted: the upstream is told the login that it has read,
// and asks the client itself for what proves it.
func (c *carriage) loginFirst() way {
	secrets := c.login.secrets.Swap(nil)
	client := mysqlproxy.NewConn(c.client)
	var leg *mysqlproxy.Leg
	var ok []byte
	return way{
		open: func(ctx context.Context, to *target) error {
			hello := c.hello(secrets)
			if refusal := c.impersonates(to, hello); refusal != nil {
				c.refuse(refusal)
				return &finalError{errImpersonates, loginRefused}
			}
			hello.TLS, hello.TLSOptional = to.tls.of(c.login.tls)
			var err error
			if leg, err = hello.Say(ctx, to.conn); err != nil {
				return err
			}
			c.chosen(to, &leg.Greeting)
			relay := mysqlproxy.Relay{
				Client: client, ClientSeq: c.login.seq, Secret: c.secret(), Server: leg, RSABridge: c.RSABridge,
			}
			result, err := relay.Run(ctx)
			if err != nil {
				return c.ended(result, err)
			}
			ok = result.OK
			return nil
		},
		carry: func(to *target) {
			follower := newFollower(c.userChanged)
			follower.loggedIn(c.login, secrets.payload, ok)
			secrets = nil
			c.carry(to, client, leg, follower)
		},
	}
}

// secret reports whether nobody can read the client's leg along.
func (c *carriage) secret() bool { return c.login != nil && c.login.tls || isUnix(c.cx) }

// errImpersonates says that a server would take Caddy for the client.
var errImpersonates = errors.New("on a unix socket a server that asks the operating system (unix_socket, auth_socket) takes Caddy's " +
	"user for the client's; reach the upstream over TCP for this account")

// processUser is the operating system's name of the user that Caddy runs as.
var processUser = sync.OnceValue(func() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
})

// impersonates returns a refusal for a login over a unix socket with the name of the user that Caddy runs as: accounts
// such as MariaDB's root@localhost need no more than that, and everybody would be let in.
func (c *carriage) impersonates(to *target, hello *mysqlproxy.Hello) *mysqlproxy.Refusal {
	name := string(hello.Login.User)
	if network, _ := to.Dialable(); network != "unix" || name != processUser() {
		return nil
	}
	return mysqlproxy.AccessDenied(name, originHost(c.cx), c.login.password)
}

// hello returns what the upstream is told in the client's name.
func (c *carriage) hello(secrets *proof) *mysqlproxy.Hello {
	hello := &mysqlproxy.Hello{Login: c.login.parsed, Auth: secrets.auth}
	hello.Login.Capabilities = c.login.inEffect
	if c.login.handler.StripUser {
		hello.Login.User = []byte(c.login.name.user)
	}
	if c.Attributes == attributesOn {
		hello.Attributes = []mysqlproxy.Attribute{
			{Name: "proxied_client", Value: addrText(c.origin)},
			{Name: "proxied_by", Value: "caddy l4mysql"},
		}
	}
	return hello
}

// ended tells whether another upstream may be tried after a relay has ended with err. If not, the client is told what
// it does not know yet.
func (c *carriage) ended(result mysqlproxy.Result, err error) error {
	leg, isLeg := errors.AsType[*mysqlproxy.LegError](err)
	switch {
	case !isLeg: // the client has got an ERR
		kind := loginError
		if errors.As(err, new(*mysqlproxy.ServerError)) {
			kind = loginRefused
		}
		_ = c.client.Close()
		return &finalError{err, kind}
	case errors.Is(err, mysqlproxy.ErrOutOfTurn):
		sayGoodbye(c.client, result.Seq, mysqlproxy.OutOfOrder())
		return &finalError{err, loginAborted}
	case leg.Leg == mysqlproxy.Client && !isTimeout(err):
		_ = c.client.Close()
		return &finalError{err, loginAborted}
	case leg.Leg == mysqlproxy.Client:
		sayGoodbye(c.client, result.Seq, mysqlproxy.ReadTimeout())
		return &finalError{err, loginAborted}
	case !result.Answered:
		return err
	}
	sayGoodbye(c.client, result.Seq, mysqlproxy.UnknownError("the upstream has left during the login"))
	return &finalError{err, loginError}
}
