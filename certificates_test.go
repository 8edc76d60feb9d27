package l4mysql

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

func TestWithDefaultSNI(t *testing.T) {
	for _, tt := range []struct{ name, in, sni, want string }{
		{"nothing", ``, "db", `{"connection_policies":[{"default_sni":"db","fallback_sni":"db"}]}`},
		{"no policy", `{"handler":"tls"}`, "db", `{"connection_policies":[{"default_sni":"db","fallback_sni":"db"}]}`},
		{"no name", `{"handler":"tls"}`, "", `{"connection_policies":[{}]}`},
		{
			"two policies, of which one has its own", `{"connection_policies":[{"alpn":["mysql"]},{"default_sni":"other"}]}`, "db",
			`{"connection_policies":[{"alpn":["mysql"],"default_sni":"db","fallback_sni":"db"},{"default_sni":"other","fallback_sni":"db"}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := withDefaultSNI(json.RawMessage(tt.in), tt.sni)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	if _, err := withDefaultSNI(json.RawMessage(`{"handler":"echo"}`), "db"); err == nil {
		t.Error("a handler that is not tls is taken")
	}
}

// TestInternalNames: the internal issuer is for names that no public authority serves, unless the config names another.
func TestInternalNames(t *testing.T) {
	issuer := []json.RawMessage{json.RawMessage(`{"module":"acme"}`)}
	for _, tt := range []struct {
		name     string
		policies []*caddytls.AutomationPolicy
		want     []string
	}{
		{"no policy", nil, []string{"10.0.0.1", "db.local", "localhost"}},
		{"one for a name", []*caddytls.AutomationPolicy{{SubjectsRaw: []string{"*.local"}}}, []string{"10.0.0.1", "localhost"}},
		{"one for all, with an issuer", []*caddytls.AutomationPolicy{{IssuersRaw: issuer}}, nil},
		{"one for all, without", []*caddytls.AutomationPolicy{{OnDemand: true}}, []string{"10.0.0.1", "db.local", "localhost"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tlsApp := &caddytls.TLS{Automation: &caddytls.AutomationConfig{Policies: tt.policies}}
			names := []string{"10.0.0.1", "db.example.com", "db.local", "localhost"}
			if got := internalNames(tlsApp, names); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
