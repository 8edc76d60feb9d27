package mysqlproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A HealthCheck says how an upstream is checked: by a complete login. One that ends earlier, even with
// COM_QUIT, is a connect error to the server, and after max_connect_errors (100) of them it takes no more
// connections from this host (ER_HOST_IS_BLOCKED). A login that is refused is none, so the user need not exist.
//
// Every field but Dial may be zero.
type HealthCheck struct {
	// Dial connects to the server, and sends what must come before its greeting: a PROXY header.
	Dial func(ctx context.Context) (net.Conn, error)

	Interval time.Duration // between the beginnings of two checks; default 10 s
	Timeout  time.Duration // of a check; default 3 s
	Fall     int           // failures in a row that make it unhealthy; default 2
	Rise     int           // successes in a row that make it healthy again; default 1

	// User logs in without a password; default "l4mysql_health". The upstream is healthy if it accepts the
	// login, and if it refuses this user (SQLSTATE 28000: ERR 1045 and the like).
	User string

	// TLS is the configuration for TLS with the upstream; nil means none. A server that demands TLS is
	// healthy without it, too.
	TLS *tls.Config

	// TLSOptional checks without TLS where the upstream offers none.
	TLSOptional bool

	// HTTP is a URL that has to answer 200, besides: for what no login shows, like a cluster's node that is
	// not in sync. Redirections are not followed. Empty means none.
	HTTP string

	// Changed is told each change of health, with the status after it. The next check waits for it. nil
	// means that nobody is told.
	Changed func(Status)
}

// A Checker keeps an upstream's health and greeting up to date.
type Checker struct {
	upstream *Upstream
	HealthCheck
	client *http.Client

	stopOnce    sync.Once
	stop, ended chan struct{}
}

// Start begins to check u, at once and then after each interval, until [Checker.Stop].
func (h *HealthCheck) Start(u *Upstream) *Checker {
	c := &Checker{upstream: u, HealthCheck: *h, stop: make(chan struct{}), ended: make(chan struct{})}
	if c.Interval <= 0 {
		c.Interval = 10 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 3 * time.Second
	}
	if c.Fall <= 0 {
		c.Fall = 2
	}
	if c.Rise <= 0 {
		c.Rise = 1
	}
	if c.User == "" {
		c.User = "l4mysql_health"
	}
	c.client = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy out of the environment
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	go c.run()
	return c
}

// Stop ends the checks, and does not wait. One that is under way goes on to its end, within its timeout: to
// leave the server would be a connect error, and many reloads would block this host.
func (c *Checker) Stop() { c.stopOnce.Do(func() { close(c.stop) }) }

// Ended is closed after [Checker.Stop], when no check is under way any more.
func (c *Checker) Ended() <-chan struct{} { return c.ended }

func (c *Checker) run() {
	defer close(c.ended)
	ticker := time.NewTicker(c.Interval)
	defer ticker.Stop()
	for {
		status, changed := c.upstream.Report(c.check(), c.Fall, c.Rise, time.Now())
		if changed && c.Changed != nil {
			c.Changed(status)
		}
		select {
		case <-c.stop:
			return
		case <-ticker.C:
		}
	}
}

// check returns nil if the upstream is well.
func (c *Checker) check() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	if err := c.login(ctx); err != nil {
		return err
	}
	if c.HTTP == "" {
		return nil
	}
	return c.get(ctx)
}

// login returns nil if the server is able to accept and to refuse logins.
func (c *Checker) login(ctx context.Context) error {
	conn, err := c.Dial(ctx)
	if err != nil {
		return err
	}
	hello := Hello{TLS: c.TLS, TLSOptional: c.TLSOptional, Login: mysqlwire.Login{
		Capabilities: mysqlwire.LongPassword | mysqlwire.Transactions | needed,
		MaxPacket:    maxLoginPacket,
		User:         []byte(c.User),
	}}
	leg, err := hello.Say(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return err
	}
	c.upstream.SetGreeting(&leg.Greeting)
	release := bound(ctx, leg)
	err = leg.verdict()
	release()
	leg.dismiss()
	var refusal *ServerError
	if errors.As(err, &refusal) && (refusal.SQLState == "28000" || slices.Contains(refusalsOfUser, refusal.Code)) {
		return nil
	}
	return err
}

// refusalsOfUser are the codes of a server that is well and does not take this user, besides those with SQLSTATE 28000: it
// must use TLS, it is locked (MySQL, MariaDB), its password has expired (the same).
var refusalsOfUser = []uint16{TLSRequired().Code, 3118, 4151, 1862, 1820}

// verdict answers the server with nothing, until it accepts the login or refuses it.
func (l *Leg) verdict() error {
	for range maxFarewell {
		payload, seq, err := l.ReadPacket(maxLoginPacket)
		if err != nil {
			return err
		}
		l.note(payload, seq)
		switch l.debt.Load() {
		case owesGoodbye:
			return nil
		case owesSilence:
			return serverError(payload)
		}
		if err := l.answer(); err != nil {
			return err
		}
	}
	return errors.New("mysqlproxy: the upstream asks for more and more authentication")
}

// get returns nil if the URL answers 200.
func (c *Checker) get(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.HTTP, http.NoBody)
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // a server may log it as an error that nobody reads its text
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("mysqlproxy: %s answers %s", req.URL.Redacted(), res.Status)
	}
	return nil
}
