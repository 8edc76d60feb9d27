package l4mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// startChecks begins to check the upstreams of the config, each as often as its handlers differ in how.
func (a *App) startChecks() error {
	started := make(map[string]bool)
	for _, h := range a.proxies {
		for _, u := range h.Upstreams {
			key, err := json.Marshal([]any{
				u.Address, u.ProxyTLS, h.ProxyProtocol, h.DialTimeout, h.HealthInterval, h.HealthTimeout, h.HealthFall,
				h.HealthRise, h.HealthUser, h.HealthHTTP,
			})
			if err != nil {
				return fmt.Errorf("mysql_proxy: %w", err)
			}
			if !started[string(key)] {
				started[string(key)] = true
				a.check(u.Upstream, h.healthCheck(u), h.hint)
			}
			started[u.Upstream.Address()] = true
		}
	}
	for _, f := range a.fronts {
		for _, u := range f.greeters {
			if !started[u.Address()] {
				started[u.Address()] = true
				a.check(u.Upstream, new(MySQLProxy).healthCheck(&ProxyUpstream{upstream: u}), hint)
			}
		}
	}
	return nil
}

func (a *App) check(u *mysqlproxy.Upstream, check *mysqlproxy.HealthCheck, hint func(error) string) {
	check.Changed = func(s mysqlproxy.Status) {
		fields := []zap.Field{zap.String("upstream", u.Address())}
		if s.Health == mysqlproxy.Healthy {
			a.logger.Info("upstream is healthy", fields...)
			return
		}
		fields = append(fields, zap.Error(s.Failure))
		if text := hint(s.Failure); text != "" {
			fields = append(fields, zap.String("hint", text))
		}
		a.logger.Warn("upstream is unhealthy", fields...)
	}
	a.checkers = append(a.checkers, check.Start(u))
}

// healthCheck returns how u is checked.
func (h *MySQLProxy) healthCheck(u *ProxyUpstream) *mysqlproxy.HealthCheck {
	config := u.tls.config
	if config != nil {
		// What one handler wants of TLS must not take the upstream from another. No secret is told, and whoever does
		// not verify is found by the login, whose ERR and log line say so.
		config = config.Clone()
		config.InsecureSkipVerify, config.VerifyConnection = true, nil
	}
	host := "localhost" // of a unix socket
	if network, address := u.Dialable(); network != "unix" {
		host, _, _ = net.SplitHostPort(address) // NewUpstream has split it before
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return &mysqlproxy.HealthCheck{
		Dial: func(ctx context.Context) (net.Conn, error) {
			header, err := h.ProxyProtocol.header(proxyheader.Outgoing{Local: true}, h.logger)
			if err != nil {
				return nil, err
			}
			return h.dial(ctx, u.Upstream, header)
		},
		Interval: time.Duration(h.HealthInterval), Timeout: time.Duration(h.HealthTimeout),
		Fall: h.HealthFall, Rise: h.HealthRise,
		User: h.HealthUser, TLS: config, TLSOptional: true,
		HTTP: strings.ReplaceAll(h.HealthHTTP, "{upstream_host}", host),
	}
}

// upstreams returns the servers that the config's `mysql_proxy` handlers name.
func (a *App) upstreams() []*upstream {
	var all []*upstream
	for _, h := range a.proxies {
		for _, u := range h.Upstreams {
			if !slices.Contains(all, u.upstream) {
				all = append(all, u.upstream)
			}
		}
	}
	return all
}

// dialTimeout returns how long the handlers of the config wait for an upstream.
func (a *App) dialTimeout() time.Duration {
	var longest caddy.Duration
	for _, h := range a.proxies {
		longest = max(longest, h.DialTimeout)
	}
	return time.Duration(longest)
}
