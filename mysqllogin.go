package l4mysql

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4tls"
	"go.uber.org/zap"
)

// MySQLLogin greets clients in their server's stead, ends MySQL's own TLS, and reads the login, so that routes can
// be chosen by it. It never learns a password: the server that `mysql_proxy` chooses asks the client again.
//
// It is an intermediary handler, and needs a `mysql_proxy` behind it; caddy-l4's own `proxy` cannot log in. What
// decides by the login stands in a `subroute` behind it in the same route: there a login that no route took gets
// an ERR packet (1045). The time of caddy-l4's matching_timeout runs while a client logs in, and begins
// anew in a subroute.
//
// A client that is refused gets an ERR packet with a server's code. Such refusals are logged at INFO, for each peer
// and reason once a minute at most.
type MySQLLogin struct {
	// TLSNames are the names for which TLS is offered. Caddy obtains and renews certificates for them; those that
	// no public certificate authority serves are from Caddy's internal one. The first is for clients that name
	// none (SNI), as MariaDB's. Placeholders are resolved at provision.
	TLSNames []string `json:"tls_names,omitempty"`

	// TLS is the configuration of caddy-l4's `tls` handler, which ends TLS, to demand client certificates
	// or use others. Without it and TLSNames no TLS is offered.
	TLS json.RawMessage `json:"tls,omitempty" caddy:"namespace=layer4.handlers inline_key=handler"`

	// TLSPassthrough offers TLS without ending it: of the client only the name that its TLS asks for is known (the
	// matcher's `sni`), and the rest is between it and the upstream. Clients without TLS are refused.
	TLSPassthrough bool `json:"tls_passthrough,omitempty"`

	// TLSRequired refuses a login without TLS with ERR 3159, unless it comes over a unix socket.
	TLSRequired bool `json:"tls_required,omitempty"`

	// Timeout is how long a client may take from the greeting to the end of its login. Default: 10s, also for
	// zero.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Greeting has the addresses of the servers whose greeting is mirrored: version, character set and what all
	// of them are capable of. Default: the upstreams of every `mysql_proxy` in the config.
	Greeting []string `json:"greeting,omitempty"`

	// ServerVersion replaces the version in the greeting. Placeholders are resolved at provision.
	ServerVersion string `json:"server_version,omitempty"`

	// AuthPlugin is the authentication plugin named in the greeting. Default: the upstreams'.
	AuthPlugin string `json:"auth_plugin,omitempty"`

	// MaxLogin is how many bytes a login may have, with its connection attributes. Default: 65536, also for
	// zero; at most 1048576.
	MaxLogin int `json:"max_login,omitempty"`

	// UserSyntax says what a user name holds: `plain`, just the name; `tenant`, a tenant and labels besides, as
	// in acme:alice?zone=a. Default: plain.
	UserSyntax string `json:"user_syntax,omitempty"`

	// StripUser sends the plain user name to the upstream, without tenant, role and labels.
	StripUser bool `json:"strip_user,omitempty"`

	app       *App
	tls       *l4tls.Handler // nil: TLS does not end here
	logger    *zap.Logger
	greeters  []*upstream // of Greeting
	warnStock sync.Once
}

const (
	defaultLoginTimeout = 10 * time.Second
	defaultMaxLogin     = 64 << 10
	mostMaxLogin        = 1 << 20
)

// Provision sets up the handler.
func (h *MySQLLogin) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	if h.Timeout == 0 {
		h.Timeout = caddy.Duration(defaultLoginTimeout)
	}
	if h.MaxLogin == 0 {
		h.MaxLogin = defaultMaxLogin
	}
	if h.UserSyntax == "" {
		h.UserSyntax = syntaxPlain
	}
	h.TLSNames = resolve(h.TLSNames)
	h.ServerVersion = caddy.NewReplacer().ReplaceAll(h.ServerVersion, "")
	var err error
	if h.app, err = useApp(ctx); err != nil {
		return err
	}
	if len(h.TLSNames) > 0 || h.TLS != nil {
		if err := useInternalIssuer(ctx, h.TLSNames); err != nil {
			return fmt.Errorf("tls_names: %w", err)
		}
		if err := h.loadTLS(ctx); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	for _, address := range resolve(h.Greeting) {
		u, err := useUpstream(address)
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		h.greeters = append(h.greeters, u)
	}
	h.app.fronts = append(h.app.fronts, h)
	return registerMetrics(ctx)
}

func (h *MySQLLogin) loadTLS(ctx caddy.Context) error {
	first := ""
	if len(h.TLSNames) > 0 {
		first = h.TLSNames[0]
	}
	config, err := withDefaultSNI(h.TLS, first)
	if err != nil {
		return err
	}
	module, err := ctx.LoadModuleByID("layer4.handlers.tls", config)
	if err != nil {
		return err
	}
	h.tls = module.(*l4tls.Handler)
	return nil
}

// Validate checks the configuration.
func (h *MySQLLogin) Validate() error {
	switch {
	case h.TLSPassthrough && h.tls != nil:
		return errors.New("tls_passthrough: TLS cannot end here and pass through; leave out tls or tls_passthrough")
	case h.TLSPassthrough && (h.StripUser || h.UserSyntax != syntaxPlain):
		return errors.New("tls_passthrough: the user name is not known then; leave out user_syntax and strip_user")
	case h.TLSRequired && h.tls == nil && !h.TLSPassthrough:
		return errors.New("tls_required: no TLS is offered; add tls with the names that clients use")
	case h.Timeout < 0:
		return fmt.Errorf("timeout: must not be negative, got %s", time.Duration(h.Timeout))
	case h.MaxLogin < 0 || h.MaxLogin > mostMaxLogin:
		return fmt.Errorf("max_login: must be from 0 to %d bytes, got %d", mostMaxLogin, h.MaxLogin)
	case h.UserSyntax != syntaxPlain && h.UserSyntax != syntaxTenant:
		return fmt.Errorf("user_syntax: '%s' is neither plain nor tenant", h.UserSyntax)
	case h.StripUser && h.UserSyntax == syntaxPlain:
		return errors.New("strip_user: there is nothing to strip with user_syntax plain; add user_syntax tenant")
	}
	return nil
}

// Cleanup gives back what the handler has named.
func (h *MySQLLogin) Cleanup() error {
	for _, u := range h.greeters {
		u.release()
	}
	return nil
}

// Handle greets the client, reads its login and hands cx on.
func (h *MySQLLogin) Handle(cx *layer4.Connection, next layer4.Handler) error {
	warnStockProxyProtocol(cx, &h.warnStock, h.logger)
	if isDatagram(cx.LocalAddr()) {
		return nil // MySQL is not spoken there
	}
	return newFront(h, cx).serve(next)
}

// Interface guards
var (
	_ caddy.Provisioner  = (*MySQLLogin)(nil)
	_ caddy.Validator    = (*MySQLLogin)(nil)
	_ caddy.CleanerUpper = (*MySQLLogin)(nil)
	_ layer4.NextHandler = (*MySQLLogin)(nil)
)
