package l4mysql

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A carriage takes one client to an upstream, and carries its session there.
type carriage struct {
	*MySQLProxy
	cx      *layer4.Connection
	client  *clientLeg
	carrier *carrier
	login   *login // nil: server-first
	origin  net.Addr
	session *mysqlproxy.Session
	tried   map[*mysqlproxy.Upstream]bool
	seq     uint8 // of the next packet to the client, if it is an ERR
}

func newCarriage(h *MySQLProxy, cx *layer4.Connection) *carriage {
	settle(cx)
	c := &carriage{MySQLProxy: h, cx: cx, client: &clientLeg{Connection: cx}, carrier: publishCarrier(cx), login: loginOf(cx)}
	if c.login != nil {
		c.login.taken.Store(true)
		c.seq = c.login.seq + 1
	}
	return c
}

func (c *carriage) run() error {
	c.origin = originAddr(c.cx)
	if sessions.Draining() {
		c.refuse(mysqlproxy.ShutdownInProgress())
		return nil
	}
	way, header, err := c.choose()
	if err != nil {
		c.logger.Error("the session cannot be carried", zap.String("remote", addrText(c.origin)), zap.Error(err))
		c.refuse(mysqlproxy.UnknownError("the session cannot be carried; see Caddy's log"))
		return nil
	}
	c.session = &mysqlproxy.Session{Info: c.info()}
	ctx := sessions.Add(context.Background(), c.session)
	defer sessions.Remove(c.session)
	c.reach(ctx, header, way)
	return nil
}

// choose returns how the client gets to an upstream, and the PROXY header that goes there first.
func (c *carriage) choose() (w way, header []byte, err error) {
	switch {
	case c.login == nil:
		if err := c.endToEnd(); err != nil {
			return way{}, nil, err
		}
		w = c.serverFirst()
	case c.login.replay != nil:
		w = c.passThrough()
	default:
		w = c.loginFirst()
	}
	header, err = c.header()
	return w, header, err
}

// info is what there is to know of the session before there is an upstream.
func (c *carriage) info() mysqlproxy.SessionInfo {
	info := mysqlproxy.SessionInfo{Pool: c.pool, Since: time.Now(), Origin: addrOf(c.origin)}
	if l := c.login; l != nil && l.replay == nil {
		info.ID, info.User = l.id, string(l.parsed.User)
		info.PID, _ = l.attr("_pid")
		info.Interactive = l.inEffect.Has(mysqlwire.Interactive)
		info.QueryAttributes = l.inEffect.Has(mysqlwire.QueryAttributes)
	}
	return info
}

// A way is how a client gets to an upstream that was dialed: open gets as far as the point where the session begins, or
// fails. After a [*finalError] the client was told, and no other upstream is tried.
type way struct {
	open  func(ctx context.Context, to *target) error
	carry func(to *target)
}

// A target is an upstream that is tried.
type target struct {
	*ProxyUpstream
	conn net.Conn
}

// reach tries one upstream after the other, and carries the session to the first that takes it.
func (c *carriage) reach(ctx context.Context, header []byte, w way) {
	var last error
	for retries := max(c.LBRetries, 0); ; retries-- {
		reservation, err := c.pick()
		if err != nil {
			if last == nil || !errors.Is(err, mysqlproxy.ErrAllTried) {
				last = err
				logins.WithLabelValues("", loginError).Inc()
				c.logger.Warn("no upstream for a session", zap.String("remote", addrText(c.origin)), zap.Error(err))
			}
			break
		}
		var done bool
		if done, last = c.try(ctx, reservation, header, w); done {
			return
		}
		if retries == 0 {
			break
		}
	}
	c.refuse(refusalFor(last))
}

// pick reserves a place at an upstream that was not tried yet.
func (c *carriage) pick() (*mysqlproxy.Reservation, error) {
	tried := func(u *mysqlproxy.Upstream) bool { return c.tried[u] }
	if u := c.affine(); u != nil && !tried(u) {
		if r, ok := u.Reserve(c.members[u].MaxConnections); ok {
			return r, nil
		}
	}
	return c.pool.Pick(addrOf(c.origin), tried)
}

// affine returns the upstream that the client should go to, whatever the policy says: to interrupt a statement, the
// command-line clients log in once more and kill their other session, which works on its own server only.
func (c *carriage) affine() *mysqlproxy.Upstream {
	i := &c.session.Info // nobody has changed it yet
	if u := sessions.Affine(c.pool, i.Origin, i.User, i.PID); u != nil && u.Status().Health != mysqlproxy.Unhealthy {
		return u
	}
	return nil
}

// try dials the upstream, and carries the session to its end if the upstream takes it. done says that the client was
// told, or has gone.
func (c *carriage) try(ctx context.Context, r *mysqlproxy.Reservation, header []byte, w way) (done bool, err error) {
	defer r.Release()
	to := &target{ProxyUpstream: c.members[r.Upstream()]}
	to.use() // the config may end before the session
	defer to.release()
	c.session.Update(func(i *mysqlproxy.SessionInfo) { i.Upstream = to.Upstream })
	if err := c.open(ctx, to, header, w); err != nil {
		c.failed(to, err)
		return errors.As(err, new(*finalError)), err
	}
	r.Establish()
	w.carry(to)
	return true, nil
}

// open gets a session as far as it has begun. If there is an error, the connection to the upstream is closed.
func (c *carriage) open(ctx context.Context, to *target, header []byte, w way) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.LoginTimeout))
	defer cancel()
	began := time.Now()
	conn, err := c.dial(ctx, to.Upstream, header)
	if err != nil {
		return err
	}
	to.conn = conn
	if err := w.open(ctx, to); err != nil {
		_ = conn.Close()
		return err
	}
	logins.WithLabelValues(to.Upstream.Address(), loginOK).Inc()
	loginDuration.Observe(time.Since(began).Seconds())
	return nil
}

// A finalError ends the attempts: the client was told, or has gone.
type finalError struct {
	err    error
	result string // of the metric
}

func (e *finalError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *finalError) Unwrap() error { return e.err }

// chosen publishes the connection to the upstream that has greeted.
func (c *carriage) chosen(to *target, g *mysqlwire.Greeting) {
	to.SetGreeting(g)
	c.carrier.carries(to.Upstream.Address(), to.conn, g.ThreadID)
	c.session.Update(func(i *mysqlproxy.SessionInfo) { i.ThreadID = g.ThreadID })
}

// failed counts and logs a login that the upstream has not taken.
func (c *carriage) failed(to *target, err error) {
	if c.tried == nil {
		c.tried = make(map[*mysqlproxy.Upstream]bool)
	}
	c.tried[to.Upstream] = true
	result := loginError
	final, isFinal := errors.AsType[*finalError](err)
	if isFinal {
		result = final.result
	}
	logins.WithLabelValues(to.Upstream.Address(), result).Inc()
	log := c.logger.Warn
	if isFinal && result != loginError {
		log = c.logger.Debug // it is between the client and the server
	}
	fields := []zap.Field{
		zap.String("upstream", to.Upstream.Address()), zap.String("remote", addrText(c.origin)), zap.Error(err),
	}
	if text := c.hint(err); text != "" {
		log = c.logger.Warn
		fields = append(fields, zap.String("hint", text))
	}
	log("login failed", fields...)
}

// refuse answers the client with an ERR packet, and ends the connection.
func (c *carriage) refuse(refusal *mysqlproxy.Refusal) {
	if c.login != nil && c.login.replay != nil {
		_ = c.client.Close() // it expects TLS, in which nothing can be said
		return
	}
	sayGoodbye(c.client, c.seq, refusal)
}
