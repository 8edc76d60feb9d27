package l4mysql

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
}

// parseGlobalOption reads the options of the app. Syntax:
//
//	mysql {
//		grace_period <duration>
//	}
func parseGlobalOption(d *caddyfile.Dispenser, before any) (any, error) {
	if before != nil {
		return nil, d.Errf("%s: given twice", appName)
	}
	app := new(App)
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "grace_period":
			app.GracePeriod = caddy.Duration(b.once().duration())
		default:
			b.unknown()
		}
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, b.err
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	mysql_login {
//		tls             [<name>...] [{ <options of caddy-l4's tls handler> }]
//		tls_passthrough
//		tls_required
//		timeout         <duration>
//		greeting        <address>...
//		server_version  <text>
//		auth_plugin     <name>
//		max_login       <size>
//		user_syntax     plain|tenant
//		strip_user
//	}
//	mysql_login
//
// `greeting` may be repeated.
func (h *MySQLLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b := newBlock(d)
	for b.next() {
		switch b.option {
		case "tls":
			h.TLSNames, h.TLS = b.once().tls()
		case "tls_passthrough":
			h.TLSPassthrough = b.once().flag()
		case "tls_required":
			h.TLSRequired = b.once().flag()
		case "timeout":
			h.Timeout = caddy.Duration(b.once().duration())
		case "greeting":
			h.Greeting = append(h.Greeting, b.args()...)
		case "server_version":
			h.ServerVersion = b.once().arg()
		case "auth_plugin":
			h.AuthPlugin = b.once().arg()
		case "max_login":
			h.MaxLogin = b.once().size()
		case "user_syntax":
			h.UserSyntax = b.once().arg()
		case "strip_user":
			h.StripUser = b.once().flag()
		default:
			b.unknown()
		}
	}
	return b.err
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	mysql_proxy [<address>...] {
//		upstream <address> {
//			weight          <number>
//			max_connections <number>
//			tls...
//		}
//		upstream <address>
//
//		tls                      as_client|prefer|require|off
//		tls_trust_pool           <module>
//		tls_server_name          <name>
//		tls_client_auth          <automate_name> | <cert_file> <key_file>
//		tls_insecure_skip_verify
//
//		lb_policy       least_conn|round_robin|random|first|ip_hash
//		lb_retries      <number>
//		dial_timeout    <duration>
//		login_timeout   <duration>
//		idle_timeout    <duration>
//		proxy_protocol  v1|v2 [mariadb|percona] [tlvs <name>...]
//		attributes      on|off
//		health_interval <duration>
//		health_timeout  <duration>
//		health_fall     <number>
//		health_rise     <number>
//		health_user     <name>
//		health_http     <url>
//		rsa_bridge
//	}
//	mysql_proxy <address>...
//
// `upstream` may be repeated. The options of TLS in its block hold for it alone. What is 0 has its default, but for
// `lb_retries 0`, which is none.
func (h *MySQLProxy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	b, addresses := newBlockWithArgs(d)
	for _, address := range addresses {
		h.Upstreams = append(h.Upstreams, &ProxyUpstream{Address: address})
	}
	for b.next() {
		switch b.option {
		case "upstream":
			h.Upstreams = append(h.Upstreams, b.upstream())
		case "lb_policy":
			h.LBPolicy = b.once().arg()
		case "lb_retries":
			if h.LBRetries = b.once().integer(); h.LBRetries == 0 {
				h.LBRetries = -1 // in JSON, 0 is the default
			}
		case "dial_timeout":
			h.DialTimeout = caddy.Duration(b.once().duration())
		case "login_timeout":
			h.LoginTimeout = caddy.Duration(b.once().duration())
		case "idle_timeout":
			h.IdleTimeout = caddy.Duration(b.once().duration())
		case "proxy_protocol":
			h.ProxyProtocol = b.once().proxyProtocol()
		case "attributes":
			h.Attributes = b.once().arg()
		case "health_interval":
			h.HealthInterval = caddy.Duration(b.once().duration())
		case "health_timeout":
			h.HealthTimeout = caddy.Duration(b.once().duration())
		case "health_fall":
			h.HealthFall = b.once().integer()
		case "health_rise":
			h.HealthRise = b.once().integer()
		case "health_user":
			h.HealthUser = b.once().arg()
		case "health_http":
			h.HealthHTTP = b.once().arg()
		case "rsa_bridge":
			h.RSABridge = b.once().flag()
		default:
			if !b.proxyTLS(&h.ProxyTLS) {
				b.unknown()
			}
		}
	}
	return b.err
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*MySQLLogin)(nil)
	_ caddyfile.Unmarshaler = (*MySQLProxy)(nil)
)
