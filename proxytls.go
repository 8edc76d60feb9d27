package l4mysql

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// ProxyTLS is the TLS with an upstream.
type ProxyTLS struct {
	// TLS says when there is any: `as_client`, if the client's connection has TLS; `prefer`, if the upstream
	// offers it; `require`; `off`. Default: off for a unix socket; for a loopback address prefer, but nothing for
	// clients without TLS; else as_client. On a loopback address prefer does not verify the certificate.
	TLS string `json:"tls,omitempty"`

	// TLSTrustPool has the certificate authorities that the upstream's certificate must come from. Default: the
	// system's.
	TLSTrustPool json.RawMessage `json:"tls_trust_pool,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`

	// TLSServerName is the name in the upstream's certificate, and the one that it is asked for (SNI). With
	// TLSTrustPool it may be the common name of a certificate that has no other names, such as those that MySQL
	// makes for itself. Default: the host in its address.
	TLSServerName string `json:"tls_server_name,omitempty"`

	// TLSClientAuth is the certificate that Caddy shows the upstream: the name of one that Caddy manages, or the
	// files of a certificate and its key. Default: none.
	TLSClientAuth []string `json:"tls_client_auth,omitempty"`

	// TLSInsecureSkipVerify takes any certificate of the upstream, so that whoever is between can read and
	// change everything. Default: false.
	TLSInsecureSkipVerify bool `json:"tls_insecure_skip_verify,omitempty"`
}

// The values of [ProxyTLS].TLS.
const (
	tlsAsClient = "as_client"
	tlsPrefer   = "prefer"
	tlsRequire  = "require"
	tlsOff      = "off"

	// tlsLoopback is the default for a loopback address. A client without TLS would gain nothing from TLS behind
	// Caddy, and caching_sha2_password's full authentication does not work between two kinds of legs.
	tlsLoopback = "loopback"
)

// inherit fills what t leaves out.
func (t *ProxyTLS) inherit(from *ProxyTLS) {
	setDefault(&t.TLS, from.TLS)
	setDefault(&t.TLSServerName, from.TLSServerName)
	setDefault(&t.TLSInsecureSkipVerify, from.TLSInsecureSkipVerify)
	if t.TLSTrustPool == nil {
		t.TLSTrustPool = from.TLSTrustPool
	}
	if t.TLSClientAuth == nil {
		t.TLSClientAuth = from.TLSClientAuth
	}
}

// An upstreamTLS is what of a [ProxyTLS] holds for one upstream.
type upstreamTLS struct {
	mode   string
	config *tls.Config // nil where the mode is off
}

// load resolves the defaults and makes the configuration for the upstream u.
func (t *ProxyTLS) load(ctx caddy.Context, u *mysqlproxy.Upstream) (upstreamTLS, error) {
	network, address := u.Dialable()
	host := "localhost" // of a unix socket
	if network != "unix" {
		host, _, _ = net.SplitHostPort(address) // NewUpstream has split it before
	}
	mode := t.TLS
	switch {
	case mode == "" && network == "unix":
		mode = tlsOff
	case mode == "" && isLoopback(host):
		mode = tlsLoopback
	case mode == "":
		mode = tlsAsClient
	case mode != tlsAsClient && mode != tlsPrefer && mode != tlsRequire && mode != tlsOff:
		return upstreamTLS{}, fmt.Errorf("tls: '%s' is none of as_client, prefer, require, off", mode)
	}
	if mode == tlsOff {
		if t.TLS == tlsOff && (t.TLSTrustPool != nil || t.TLSServerName != "" || t.TLSClientAuth != nil || t.TLSInsecureSkipVerify) {
			return upstreamTLS{}, errors.New("tls: it is off, so leave out tls_trust_pool, tls_server_name, " +
				"tls_client_auth and tls_insecure_skip_verify, or set tls require")
		}
		return upstreamTLS{mode: mode}, nil
	}
	// Caddy's own, so that certificates are named and loaded as for reverse_proxy.
	options := reverseproxy.TLSConfig{
		CARaw: t.TLSTrustPool, ServerName: t.TLSServerName, InsecureSkipVerify: t.TLSInsecureSkipVerify,
	}
	switch len(t.TLSClientAuth) {
	case 0:
	case 1:
		options.ClientCertificateAutomate = t.TLSClientAuth[0]
	case 2:
		options.ClientCertificateFile, options.ClientCertificateKeyFile = t.TLSClientAuth[0], t.TLSClientAuth[1]
	default:
		return upstreamTLS{}, errors.New("tls_client_auth: takes a name, or the files of a certificate and its key")
	}
	config, err := options.MakeTLSClientConfig(ctx)
	if err != nil {
		return upstreamTLS{}, err
	}
	if config == nil { // no option is set
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if (mode == tlsPrefer || mode == tlsLoopback) && isLoopback(host) && t.TLSTrustPool == nil {
		config.InsecureSkipVerify = true // nobody is between
	}
	if t.TLSTrustPool != nil && !config.InsecureSkipVerify {
		verifyCommonName(config)
	}
	return upstreamTLS{mode, config}, nil
}

// verifyCommonName makes config take a certificate without names (subjectAltName) by its common name, as MySQL's own
// clients do: the certificates that MySQL makes when it is set up have no others.
func verifyCommonName(config *tls.Config) {
	name, roots := config.ServerName, config.RootCAs
	config.InsecureSkipVerify = true // what follows verifies in its place
	config.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0] // a server has shown one, or the handshake has failed
		options := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		if len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.URIs)+len(leaf.EmailAddresses) == 0 && leaf.Subject.CommonName == name {
			options.DNSName = ""
		}
		if _, err := leaf.Verify(options); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
}

// isLoopback reports whether a host as an address names it is this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// of returns the configuration for a login, nil for none. optional says that the upstream may do without.
func (t *upstreamTLS) of(clientTLS bool) (config *tls.Config, optional bool) {
	switch t.mode {
	case tlsRequire:
		return t.config, false
	case tlsPrefer:
		return t.config, true
	case tlsLoopback:
		if clientTLS {
			return t.config, true
		}
	case tlsAsClient:
		if clientTLS {
			return t.config, false
		}
	}
	return nil, false
}
