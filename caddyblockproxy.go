package l4mysql

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4tls"
)

// tls reads names and the block of caddy-l4's `tls` handler. Either may be absent.
func (b *block) tls() (names []string, handler json.RawMessage) {
	names = b.d.RemainingArgs()
	segment := b.d.NextSegment()
	if len(segment) == 1 && len(names) > 0 {
		return names, nil
	}
	segment[0].Text = "tls" // it may be the last name
	var h l4tls.Handler
	if err := h.UnmarshalCaddyfile(caddyfile.NewDispenser(segment)); err != nil {
		b.fail("%v", err)
	}
	return names, caddyconfig.JSONModuleObject(&h, "handler", "tls", nil)
}

// upstream reads an address and the options of its block.
func (b *block) upstream() *ProxyUpstream {
	u := &ProxyUpstream{Address: b.arg()}
	in := b.inner()
	for in.next() {
		switch in.option {
		case "weight":
			u.Weight = in.once().integer()
		case "max_connections":
			u.MaxConnections = in.once().integer()
		default:
			if !in.proxyTLS(&u.ProxyTLS) {
				in.unknown()
			}
		}
	}
	if b.err == nil {
		b.err = in.err
	}
	return u
}

// proxyTLS reads an option of the TLS with upstreams, and reports whether it is one.
func (b *block) proxyTLS(t *ProxyTLS) bool {
	switch b.option {
	case "tls":
		t.TLS = b.once().arg()
	case "tls_trust_pool":
		t.TLSTrustPool = b.once().trustPool()
	case "tls_server_name":
		t.TLSServerName = b.once().arg()
	case "tls_client_auth":
		t.TLSClientAuth = b.once().args()
	case "tls_insecure_skip_verify":
		t.TLSInsecureSkipVerify = b.once().flag()
	default:
		return false
	}
	return true
}

// trustPool reads the name of a module for certificate authorities, and what it wants.
func (b *block) trustPool() json.RawMessage {
	name := b.firstArg()
	if b.err != nil {
		return nil
	}
	module, err := caddyfile.UnmarshalModule(b.d, "tls.ca_pool.source."+name)
	if err != nil {
		b.err = err
		return nil
	}
	if _, ok := module.(caddytls.CA); !ok {
		b.fail("'%s' is not a source of certificate authorities", name)
		return nil
	}
	raw, err := layer4.SetModuleNameInline("provider", name, caddyconfig.JSON(module, nil))
	if err != nil {
		b.fail("%v", err)
	}
	return raw
}

// proxyProtocol reads what header the upstreams get.
func (b *block) proxyProtocol() *ProxyProtocol {
	words := b.args()
	p := new(ProxyProtocol)
	if i := slices.Index(words, "tlvs"); i >= 0 {
		if p.TLVs = words[i+1:]; len(p.TLVs) == 0 {
			b.fail("tlvs needs names")
		}
		words = words[:i]
	}
	switch len(words) {
	case 2:
		p.Server = words[1]
		fallthrough
	case 1:
		p.Version = words[0]
	default:
		b.fail("takes v1 or v2, then mariadb or percona, then tlvs and names")
	}
	return p
}
