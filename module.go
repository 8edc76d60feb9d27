// Package l4mysql is MySQL for Caddy's layer 4 (github.com/mholt/caddy-l4): it knows who is really there
// behind a load balancer, and records what they ask a MySQL or MariaDB server and what comes of it.
//
// The handler `proxy_header` reads the PROXY protocol header, version 1 or 2, that a trusted load balancer
// puts before a connection's bytes, of any protocol. From then on the connection carries the original
// addresses, and the placeholders below tell what else the header said. The matcher of the same name
// routes by it.
//
// The handler `mysql_login` greets clients in their server's stead, ends MySQL's own TLS with Caddy's certificates and
// reads the login. The matcher `mysql` routes by it: user, database, tenant, labels, connection attributes, TLS.
//
// The handler `mysql_log` follows the MySQL conversation in both directions and writes one record per
// command to Caddy's log. It changes nothing.
//
// The handler `mysql_proxy` carries the session to one of several upstreams. Behind `mysql_login` it logs in for the
// client without knowing a password; without it, the upstream greets. What the handlers of a config have in common
// is in the app `mysql`.
//
// # Limits
//
// The header is read on streams only: a datagram connection is refused. What comes inside a TLS session
// that Caddy does not end cannot be looked at, so a second header there passes,
// and statements there are not recorded. What login-first cannot carry is in the package mysqlproxy's comment.
package l4mysql

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
)

func init() {
	caddy.RegisterModule(&ProxyHeader{})
	caddy.RegisterModule(&MatchProxyHeader{})
	caddy.RegisterModule(&MySQLLogin{})
	caddy.RegisterModule(&MatchMySQL{})
	caddy.RegisterModule(&MySQLLog{})
	caddy.RegisterModule(&MySQLProxy{})
	caddy.RegisterModule(&App{})
}

// CaddyModule returns the Caddy module information.
func (*ProxyHeader) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.proxy_header",
		New: func() caddy.Module { return new(ProxyHeader) },
	}
}

// CaddyModule returns the Caddy module information.
func (*MatchProxyHeader) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.matchers.proxy_header",
		New: func() caddy.Module { return new(MatchProxyHeader) },
	}
}

// CaddyModule returns the Caddy module information.
func (*MySQLLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.mysql_login",
		New: func() caddy.Module { return new(MySQLLogin) },
	}
}

// CaddyModule returns the Caddy module information.
func (*MatchMySQL) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.matchers.mysql",
		New: func() caddy.Module { return new(MatchMySQL) },
	}
}

// CaddyModule returns the Caddy module information.
func (*MySQLLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.mysql_log",
		New: func() caddy.Module { return new(MySQLLog) },
	}
}

// CaddyModule returns the Caddy module information.
func (*MySQLProxy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.mysql_proxy",
		New: func() caddy.Module { return new(MySQLProxy) },
	}
}

// appName is the name of the app that the MySQL handlers of a config share.
const appName = "mysql"

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(App) }}
}

// Placeholders. A connection answers them from its `proxy_header` handler on; {l4.conn.remote_addr} stays
// the immediate peer.
const (
	proxyHeaderPrefix = layer4.AppReplPrefix + "proxy_header."

	keyVersion = "version"  // 1, 2, or empty without a header
	keyCommand = "command"  // PROXY, LOCAL (also v1's UNKNOWN), or empty without a header
	keySrc     = "src"      // the original client; the socket's peer without a header, or before a late one
	keySrcIP   = "src_ip"   // empty for a UNIX address
	keySrcPort = "src_port" // empty for a UNIX address
	keyDst     = "dst"      // the original destination; the socket's own address without a header
	keyDstIP   = "dst_ip"
	keyDstPort = "dst_port"
	keyPeer    = "peer" // the immediate peer: the load balancer
	keyTLV     = "tlv." // and a name (authority, unique_id, aws_vpce_id, ...) or a type as 0xNN

	// What the load balancer says of the TLS that it ended; empty without that TLV.
	keySSL         = "ssl" // true, or false where the client did not use TLS
	keySSLVersion  = "ssl.version"
	keySSLCN       = "ssl.cn"
	keySSLCipher   = "ssl.cipher"
	keySSLSigAlg   = "ssl.sig_alg"
	keySSLKeyAlg   = "ssl.key_alg"
	keySSLVerified = "ssl.verified" // true: the client showed a certificate, and it was verified
)

// Placeholders of the login. A connection answers them from its `mysql_login` handler on. What the client
// has not told is empty, and with tls_passthrough nothing but the TLS and its SNI is known. Until the upstream
// has accepted the login it is a claim.
const (
	mysqlPrefix = layer4.AppReplPrefix + "mysql."

	keyUser     = "user" // as user_syntax reads it: the plain user
	keyDatabase = "database"
	keyTenant   = "tenant"
	keyRole     = "role"
	keyLabel    = "label."   // and a name
	keyAttr     = "attr."    // and a name: program_name, _client_version, _pid, ...
	keyClient   = "client"   // program_name, or else _client_name
	keyCharset  = "charset"  // utf8mb4, latin1, ...
	keyPlugin   = "plugin"   // the client's authentication plugin
	keyTLS      = "tls"      // true or false
	keySNI      = "sni"      // the server's name that the client's TLS asks for
	keyUpstream = "upstream" // the upstream's address, from `mysql_proxy` on
)

// Connection variables.
const (
	// proxyHeaderVar holds a connection's [headerState]. Only handlers may touch the variables, and only
	// before they hand on: they are a bare map.
	proxyHeaderVar = "l4mysql.proxy_header"

	loginVar   = "l4mysql.login"   // a [login]
	carrierVar = "l4mysql.carrier" // a [carrier]

	// proxyProtocolVar is caddy-l4's own: the net.Conn whose addresses its `proxy` handler sends on in a
	// PROXY header.
	proxyProtocolVar = layer4.AppReplPrefix + "proxy_protocol.conn"
)
