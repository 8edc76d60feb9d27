package l4mysql

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// MySQLProxy carries MySQL sessions to one of several upstream servers. It is a terminal handler.
//
// Behind `mysql_login` it logs in for the client without knowing a password: it makes the server ask the client again,
// with a nonce of the server's own, and relays what the two say. Without `mysql_login` the server's greeting goes
// to the client untouched, and so does everything else, TLS included.
//
// Counts, health and sessions belong to the process: a reload keeps them.
type MySQLProxy struct {
	// Upstreams are the servers.
	Upstreams []*ProxyUpstream `json:"upstreams,omitempty"`

	// The TLS with the upstreams, as far as they have no own. It is MySQL's: a request for it (SSLRequest) in
	// the upstream's protocol comes first.
	ProxyTLS

	// LBPolicy chooses the upstream of a session: `least_conn`, `round_robin`, `random`, `first` or `ip_hash`, which goes
	// by the original address. Default: least_conn.
	LBPolicy string `json:"lb_policy,omitempty"`

	// LBRetries is how many other upstreams to try when one cannot be reached, or does not answer as it should,
	// before the client has seen anything of it. -1 means none. Default: 2, also for zero.
	LBRetries int `json:"lb_retries,omitempty"`

	// DialTimeout is how long to wait for a connection to an upstream. Default: 3s, also for zero.
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// LoginTimeout is how long a login with an upstream may take, the client's answers included. Default: 10s,
	// also for zero.
	LoginTimeout caddy.Duration `json:"login_timeout,omitempty"`

	// IdleTimeout ends a session between two commands. Default: never, also for zero.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// ProxyProtocol tells the upstreams the original addresses in a PROXY header. Default: none is sent.
	ProxyProtocol *ProxyProtocol `json:"proxy_protocol,omitempty"`

	// Attributes says whether the logins that are sent for clients have the connection attributes proxied_client (the
	// original address) and proxied_by: `on` or `off`. A client's own of that name are left out. Default: on.
	Attributes string `json:"attributes,omitempty"`

	// HealthInterval is the time between two checks of an upstream. Default: 10s, also for zero.
	HealthInterval caddy.Duration `json:"health_interval,omitempty"`

	// HealthTimeout is how long a check may take. Default: 3s, also for zero.
	HealthTimeout caddy.Duration `json:"health_timeout,omitempty"`

	// HealthFall is how many checks in a row must fail to make a healthy upstream unhealthy. Default: 2.
	HealthFall int `json:"health_fall,omitempty"`

	// HealthRise is how many must succeed to make an unhealthy one healthy. Default: 1.
	HealthRise int `json:"health_rise,omitempty"`

	// HealthUser is who the checks log in as, without a password. The user need not exist: a server that refuses
	// it is healthy. Default: l4mysql_health.
	HealthUser string `json:"health_user,omitempty"`

	// HealthHTTP is a URL that has to answer 200, besides, for every upstream: {upstream_host} in it is the
	// upstream's host. Default: none.
	HealthHTTP string `json:"health_http,omitempty"`

	// RSABridge lets accounts with caching_sha2_password and sha256_password log in where the client's connection has
	// TLS and the upstream's has not: the password is encrypted here with the server's public key, which
	// nobody vouches for.
	RSABridge bool `json:"rsa_bridge,omitempty"`

	app       *App
	pool      *mysqlproxy.Pool
	members   map[*mysqlproxy.Upstream]*ProxyUpstream
	logger    *zap.Logger
	warnStock sync.Once
}

// A ProxyUpstream is one server of a [MySQLProxy].
type ProxyUpstream struct {
	// Address is host:port, or unix/ and the path of a socket. Placeholders are resolved at provision.
	Address string `json:"address"`

	// Weight is the upstream's share of the sessions, compared to the others'. Default: 1, also for zero.
	Weight int `json:"weight,omitempty"`

	// MaxConnections is how many sessions it takes, logins included. Where every upstream is full, clients get ERR
	// 1040 at once. Default: no limit, also for zero.
	MaxConnections int `json:"max_connections,omitempty"`

	ProxyTLS

	*upstream
	tls upstreamTLS
}

const (
	defaultDialTimeout = 3 * time.Second
	defaultRetries     = 2

	attributesOn  = "on"
	attributesOff = "off"
)

// Provision sets up the handler.
func (h *MySQLProxy) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	setDefault(&h.DialTimeout, caddy.Duration(defaultDialTimeout))
	setDefault(&h.LoginTimeout, caddy.Duration(defaultLoginTimeout))
	setDefault(&h.LBRetries, defaultRetries)
	setDefault(&h.Attributes, attributesOn)
	var err error
	if h.app, err = useApp(ctx); err != nil {
		return err
	}
	h.members = make(map[*mysqlproxy.Upstream]*ProxyUpstream)
	var members []mysqlproxy.Member
	for _, u := range h.Upstreams {
		if err := u.provision(ctx, &h.ProxyTLS); err != nil {
			return fmt.Errorf("upstreams: %s: %w", u.Address, err)
		}
		h.members[u.Upstream] = u
		members = append(members, mysqlproxy.Member{Upstream: u.Upstream, Weight: u.Weight, MaxConnections: u.MaxConnections})
	}
	if len(members) == 0 {
		return errors.New(`upstreams: required: name a server, for example "mysql_proxy 127.0.0.1:3307"`)
	}
	if h.pool, err = mysqlproxy.NewPool(h.LBPolicy, members); err != nil {
		return err
	}
	h.app.proxies = append(h.app.proxies, h)
	return registerMetrics(ctx)
}

// setDefault sets a value that is zero.
func setDefault[T comparable](v *T, d T) {
	if *v == *new(T) {
		*v = d
	}
}

func (u *ProxyUpstream) provision(ctx caddy.Context, defaults *ProxyTLS) error {
	address, err := caddy.NewReplacer().ReplaceOrErr(u.Address, true, true)
	if err != nil {
		return err
	}
	if u.upstream, err = useUpstream(address); err != nil {
		return err
	}
	u.ProxyTLS.inherit(defaults)
	u.tls, err = u.ProxyTLS.load(ctx, u.Upstream)
	return err
}

// Validate checks the configuration.
func (h *MySQLProxy) Validate() error {
	for _, d := range []struct {
		name  string
		value caddy.Duration
	}{
		{"dial_timeout", h.DialTimeout},
		{"login_timeout", h.LoginTimeout},
		{"idle_timeout", h.IdleTimeout},
		{"health_interval", h.HealthInterval},
		{"health_timeout", h.HealthTimeout},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s: must not be negative, got %s", d.name, time.Duration(d.value))
		}
	}
	switch {
	case h.LBRetries < -1:
		return fmt.Errorf("lb_retries: must be a number of retries, or -1 for none, got %d", h.LBRetries)
	case h.Attributes != attributesOn && h.Attributes != attributesOff:
		return fmt.Errorf("attributes: '%s' is neither on nor off", h.Attributes)
	case h.HealthFall < 0:
		return fmt.Errorf("health_fall: must not be negative, got %d", h.HealthFall)
	case h.HealthRise < 0:
		return fmt.Errorf("health_rise: must not be negative, got %d", h.HealthRise)
	}
	if h.HealthHTTP != "" {
		if u, err := url.Parse(strings.ReplaceAll(h.HealthHTTP, "{upstream_host}", "host")); err != nil ||
			u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("health_http: '%s' is not a URL such as http://127.0.0.1:9200/", h.HealthHTTP)
		}
	}
	return h.ProxyProtocol.validate()
}

// Cleanup gives back what the handler has named.
func (h *MySQLProxy) Cleanup() error {
	for _, u := range h.Upstreams {
		if u.upstream != nil {
			u.release()
		}
	}
	return nil
}

// Handle carries cx to an upstream.
func (h *MySQLProxy) Handle(cx *layer4.Connection, _ layer4.Handler) error {
	warnStockProxyProtocol(cx, &h.warnStock, h.logger)
	if isDatagram(cx.LocalAddr()) {
		return nil // MySQL is not spoken there
	}
	return newCarriage(h, cx).run()
}

// Interface guards
var (
	_ caddy.Provisioner  = (*MySQLProxy)(nil)
	_ caddy.Validator    = (*MySQLProxy)(nil)
	_ caddy.CleanerUpper = (*MySQLProxy)(nil)
	_ layer4.NextHandler = (*MySQLProxy)(nil)
)
