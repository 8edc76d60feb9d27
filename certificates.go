package l4mysql

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/caddyserver/certmagic"
)

// manageCertificates has Caddy's TLS app obtain and renew certificates for the names that clients use.
func (a *App) manageCertificates() error {
	names := make(map[string]struct{})
	for _, f := range a.fronts {
		for _, name := range f.TLSNames {
			names[name] = struct{}{}
		}
	}
	if len(names) == 0 {
		return nil
	}
	app, err := a.ctx.App("tls")
	if err != nil {
		return err
	}
	tlsApp := app.(*caddytls.TLS)
	maps.DeleteFunc(names, func(name string, _ struct{}) bool { return tlsApp.HasCertificateForSubject(name) })
	return tlsApp.Manage(names)
}

// useInternalIssuer has the TLS app ask its internal issuer for those of names that need it. Once the app has started it
// is too late: it reads its policies without a lock.
func useInternalIssuer(ctx caddy.Context, names []string) error {
	app, err := ctx.App("tls")
	if err != nil {
		return err
	}
	tlsApp := app.(*caddytls.TLS)
	internal := internalNames(tlsApp, names)
	if len(internal) == 0 {
		return nil
	}
	return tlsApp.AddAutomationPolicy(&caddytls.AutomationPolicy{
		SubjectsRaw: internal, IssuersRaw: []json.RawMessage{json.RawMessage(`{"module":"internal"}`)},
	})
}

// internalNames returns those of names that no public certificate authority gives a certificate for, and for
// which the config does not name an issuer.
func internalNames(tlsApp *caddytls.TLS, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return certmagic.SubjectQualifiesForPublicCert(name) || hasIssuer(tlsApp, name)
	})
}

// hasIssuer reports whether the config says where certificates for name come from.
func hasIssuer(tlsApp *caddytls.TLS, name string) bool {
	if tlsApp.Automation == nil {
		return false
	}
	return slices.ContainsFunc(tlsApp.Automation.Policies, func(p *caddytls.AutomationPolicy) bool {
		if len(p.SubjectsRaw) == 0 {
			return len(p.IssuersRaw) > 0
		}
		return slices.ContainsFunc(p.SubjectsRaw, func(s string) bool { return certmagic.MatchWildcard(name, s) })
	})
}

// withDefaultSNI returns the config of caddy-l4's `tls` handler with name as the one that clients without SNI get, and
// those that ask for another name, as from a MySQL server, in each connection policy that says nothing else.
func withDefaultSNI(handler json.RawMessage, name string) (json.RawMessage, error) {
	config := make(map[string]any)
	if len(handler) > 0 {
		if err := json.Unmarshal(handler, &config); err != nil {
			return nil, err
		}
	}
	if name, named := config["handler"]; named && name != "tls" {
		return nil, fmt.Errorf("the handler that ends TLS is tls, not %v", name)
	}
	delete(config, "handler")
	policies, _ := config["connection_policies"].([]any)
	if len(policies) == 0 {
		policies = []any{map[string]any{}}
	}
	for _, p := range policies {
		policy, ok := p.(map[string]any)
		if !ok || name == "" {
			continue
		}
		for _, key := range []string{"default_sni", "fallback_sni"} {
			if policy[key] == nil {
				policy[key] = name
			}
		}
	}
	config["connection_policies"] = policies
	return json.Marshal(config)
}
