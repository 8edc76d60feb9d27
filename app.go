package l4mysql

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// App holds what the MySQL handlers of a config have in common: the checks of their upstreams' health, the names
// for which Caddy is to have certificates, and the end of the sessions when Caddy exits. It is there whenever one of
// these handlers is; it needs a place in the config only for its options.
type App struct {
	// GracePeriod is how long Caddy's exit waits for sessions with a statement under way or an open
	// transaction. Sessions with neither are closed at once. A reload closes none. Default: the http app's
	// grace_period if that is set, else 20s; also for zero.
	GracePeriod caddy.Duration `json:"grace_period,omitempty"`

	ctx      caddy.Context
	logger   *zap.Logger
	fronts   []*MySQLLogin
	proxies  []*MySQLProxy
	matchers int // of the kind [MatchMySQL]
	checkers []*mysqlproxy.Checker
	drained  sync.Once
	deadline time.Time // of the grace period, once drained
}

const (
	defaultGracePeriod = 20 * time.Second

	// cutTimeout is how long sessions that are cut may take to leave their upstreams in order.
	cutTimeout = 2 * time.Second
)

// useApp returns the config's app, and makes it where nobody has asked before.
func useApp(ctx caddy.Context) (*App, error) {
	app, err := ctx.App(appName)
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

// Provision sets up the app.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	// Not in Stop: the other apps are stopped one after the other, and sessions would begin meanwhile.
	if err := events.(*caddyevents.App).On("stopping", exitListener{a}); err != nil {
		return err
	}
	return registerMetrics(ctx)
}

// Validate checks the configuration.
func (a *App) Validate() error {
	if a.GracePeriod < 0 {
		return fmt.Errorf("grace_period: must not be negative, got %s", time.Duration(a.GracePeriod))
	}
	return nil
}

// exitListener begins to end the sessions when Caddy is about to exit.
type exitListener struct{ app *App }

// Handle is told that a config ends: because of a reload, or of Caddy's exit.
func (l exitListener) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		l.app.drain()
	}
	return nil
}

// drain ends the sessions, those that are not idle at the end of the grace period too. It does not wait: another app that
// is stopped first may take for ever.
func (a *App) drain() {
	a.drained.Do(func() {
		a.deadline = time.Now().Add(time.Duration(a.GracePeriod))
		sessions.Drain()
		time.AfterFunc(time.Duration(a.GracePeriod), func() {
			if n := len(sessions.All()); n > 0 {
				a.logger.Warn("cutting sessions that are not idle at the end of the grace period",
					zap.Int("sessions", n), zap.Duration("grace_period", time.Duration(a.GracePeriod)))
			}
			sessions.Cut()
		})
	})
}

// Start checks what only the whole config shows, and begins to ask the upstreams.
func (a *App) Start() error {
	switch {
	case a.matchers > 0 && len(a.fronts) == 0:
		return errors.New("matcher mysql: there is no mysql_login in this config, so no login is ever read; " +
			"put mysql_login before it")
	case len(a.fronts) > 0 && len(a.proxies) == 0:
		return errors.New("mysql_login: there is no mysql_proxy in this config, and nothing else can log in to a " +
			"server for the client (caddy-l4's proxy cannot)")
	}
	if a.GracePeriod == 0 {
		a.GracePeriod = caddy.Duration(defaultGracePeriod)
		// Not in Provision: the http app's listener wrappers may be what has asked for this one.
		if app, err := a.ctx.AppIfConfigured("http"); err == nil && app.(*caddyhttp.App).GracePeriod > 0 {
			a.GracePeriod = app.(*caddyhttp.App).GracePeriod
		}
	}
	if err := a.manageCertificates(); err != nil {
		return err
	}
	return a.startChecks()
}

// Stop ends the checks. When Caddy exits it waits until the sessions have ended, and cuts those that have not in
// time.
func (a *App) Stop() error {
	for _, c := range a.checkers {
		c.Stop()
	}
	if !caddy.Exiting() {
		return nil
	}
	a.drain()
	ctx, cancel := context.WithDeadline(context.Background(), a.deadline.Add(cutTimeout))
	defer cancel()
	_ = sessions.Wait(ctx) // those that are left have been cut
	return nil
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
	_ caddy.Validator   = (*App)(nil)
)
