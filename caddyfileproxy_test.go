package l4mysql

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestMySQLLoginCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "mysql_login", `{}`, ""},
		{"two options", "mysql_login {\ntls db.example.com\ntimeout 5s\n}", `{"tls_names":["db.example.com"],"timeout":5000000000}`, ""},
		{
			"every option",
			"mysql_login {\ntls a.example.com b.example.com\ntls_required\ntimeout 5s\ngreeting db:3306\ngreeting db2:3306 unix//run/m.sock\n" +
				"server_version 8.4.0\nauth_plugin caching_sha2_password\nmax_login 16KiB\nuser_syntax tenant\nstrip_user\n}",
			`{"tls_names":["a.example.com","b.example.com"],"tls_required":true,"timeout":5000000000,` +
				`"greeting":["db:3306","db2:3306","unix//run/m.sock"],"server_version":"8.4.0","auth_plugin":"caching_sha2_password",` +
				`"max_login":16384,"user_syntax":"tenant","strip_user":true}`, "",
		},
		{"passthrough", "mysql_login {\ntls_passthrough\n}", `{"tls_passthrough":true}`, ""},
		{"TLS without names", "mysql_login {\ntls\n}", `{"tls":{"handler":"tls"}}`, ""},
		{
			"TLS with names and a block", "mysql_login {\ntls a b {\nconnection_policy {\nalpn mysql\n}\n}\ntimeout 1s\n}",
			`{"tls_names":["a","b"],"tls":{"connection_policies":[{"alpn":["mysql"]}],"handler":"tls"},"timeout":1000000000}`, "",
		},
		{
			"TLS with a block", "mysql_login {\ntls {\nconnection_policy {\nalpn mysql\n}\n}\nstrip_user\n}",
			`{"tls":{"connection_policies":[{"alpn":["mysql"]}],"handler":"tls"},"strip_user":true}`, "",
		},
		{"unknown option in TLS", "mysql_login {\ntls {\nfoo\n}\n}", "", "tls: wrong argument count or unexpected line ending after 'foo'"},
		{"TLS twice", "mysql_login {\ntls a\ntls b\n}", "", "tls: given twice"},
		{"argument", "mysql_login db.example.com", "", "mysql_login: unexpected 'db.example.com' on its line; options go into a block"},
		{"unknown option", "mysql_login {\nstrip_user\nstrip\n}", "", "strip: not an option of mysql_login"},
		{"no duration", "mysql_login {\ntimeout soon\n}", "", "timeout: 'soon' is not a duration"},
		{"no size", "mysql_login {\nmax_login lots\n}", "", "max_login: 'lots' is not a size in bytes"},
		{"flag with a value", "mysql_login {\ntls_required yes\n}", "", "tls_required: takes no value, got 'yes'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(MySQLLogin), tt.in, tt.want, tt.wantErr) })
	}
}

func TestMySQLProxyCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "mysql_proxy", `{}`, ""},
		{"addresses", "mysql_proxy a:3306 unix//run/m.sock", `{"upstreams":[{"address":"a:3306"},{"address":"unix//run/m.sock"}]}`, ""},
		{
			"two options", "mysql_proxy a:3306 {\nlb_policy first\nlb_retries 0\n}",
			`{"upstreams":[{"address":"a:3306"}],"lb_policy":"first","lb_retries":-1}`, "",
		},
		{
			"upstreams with options",
			"mysql_proxy a:3306 {\nupstream b:3306 {\nweight 3\nmax_connections 100\ntls require\ntls_server_name b.example.com\n}\nupstream c:3306\ntls off\n}",
			`{"upstreams":[{"address":"a:3306"},{"address":"b:3306","weight":3,"max_connections":100,"tls":"require",` +
				`"tls_server_name":"b.example.com"},{"address":"c:3306"}],"tls":"off"}`, "",
		},
		{
			"every option",
			"mysql_proxy a:3306 {\ntls require\ntls_trust_pool file ca.pem\ntls_server_name db\ntls_client_auth c.pem k.pem\n" +
				"tls_insecure_skip_verify\nlb_policy ip_hash\nlb_retries 3\ndial_timeout 1s\nlogin_timeout 2s\nidle_timeout 3s\n" +
				"proxy_protocol v2 mariadb tlvs authority 0xEA\nattributes off\nhealth_interval 4s\nhealth_timeout 5s\nhealth_fall 6\n" +
				"health_rise 7\nhealth_user h\nhealth_http http://db:9200/\nrsa_bridge\n}",
			`{"upstreams":[{"address":"a:3306"}],"tls":"require","tls_trust_pool":{"pem_files":["ca.pem"],"provider":"file"},` +
				`"tls_server_name":"db","tls_client_auth":["c.pem","k.pem"],"tls_insecure_skip_verify":true,"lb_policy":"ip_hash",` +
				`"lb_retries":3,"dial_timeout":1000000000,"login_timeout":2000000000,"idle_timeout":3000000000,` +
				`"proxy_protocol":{"version":"v2","server":"mariadb","tlvs":["authority","0xEA"]},"attributes":"off",` +
				`"health_interval":4000000000,"health_timeout":5000000000,"health_fall":6,"health_rise":7,"health_user":"h",` +
				`"health_http":"http://db:9200/","rsa_bridge":true}`, "",
		},
		{"unknown option", "mysql_proxy a:3306 {\ntls off\nlb first\n}", "", "lb: not an option of mysql_proxy"},
		{"unknown option of an upstream", "mysql_proxy {\nupstream a:3306 {\nlabel x\n}\n}", "", "label: not an option of upstream"},
		{"weight twice", "mysql_proxy {\nupstream a:3306 {\nweight 1\nweight 2\n}\n}", "", "weight: given twice"},
		{"no address", "mysql_proxy {\nupstream\n}", "", "upstream: a value is missing"},
		{"two addresses", "mysql_proxy {\nupstream a:3306 b:3306\n}", "", "upstream: takes one value, and 'b:3306' is another"},
		{"no number", "mysql_proxy a:3306 {\nhealth_fall often\n}", "", "health_fall: 'often' is not a number"},
		{"no trust pool", "mysql_proxy a:3306 {\ntls_trust_pool everybody\n}", "", "getting module named 'tls.ca_pool.source.everybody'"},
		{"no TLVs", "mysql_proxy a:3306 {\nproxy_protocol v2 tlvs\n}", "", "proxy_protocol: tlvs needs names"},
		{"too many words", "mysql_proxy a:3306 {\nproxy_protocol v2 mariadb now\n}", "", "proxy_protocol: takes v1 or v2, then mariadb or percona"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(MySQLProxy), tt.in, tt.want, tt.wantErr) })
	}
}

// TestMySQLProxyRefuses: a value that cannot be right is refused with the option's name, also in JSON.
func TestMySQLProxyRefuses(t *testing.T) {
	tests := []struct{ name, in, wantErr string }{
		{"no upstream", `{}`, `upstreams: required: name a server`},
		{"address without a port", `{"upstreams":[{"address":"db"}]}`, "upstreams: db: "},
		{"placeholder of the connection", `{"upstreams":[{"address":"{l4.mysql.user}:3306"}]}`, "upstreams: {l4.mysql.user}:3306: "},
		{"the same twice", `{"upstreams":[{"address":"db:3306"},{"address":"db:3306"}]}`, "db:3306 stands there twice"},
		{"policy", `{"upstreams":[{"address":"db:3306"}],"lb_policy":"best"}`, `no policy "best"`},
		{"retries", `{"upstreams":[{"address":"db:3306"}],"lb_retries":-2}`, "lb_retries: must be a number of retries, or -1 for none, got -2"},
		{"duration", `{"upstreams":[{"address":"db:3306"}],"idle_timeout":-1}`, "idle_timeout: must not be negative"},
		{"attributes", `{"upstreams":[{"address":"db:3306"}],"attributes":"yes"}`, "attributes: 'yes' is neither on nor off"},
		{"TLS", `{"upstreams":[{"address":"db:3306"}],"tls":"maybe"}`, "tls: 'maybe' is none of as_client, prefer, require, off"},
		{"TLS that is off", `{"upstreams":[{"address":"db:3306"}],"tls":"off","tls_server_name":"db"}`, "tls: it is off"},
		{"three files", `{"upstreams":[{"address":"db:3306"}],"tls_client_auth":["a","b","c"]}`, "tls_client_auth: takes a name, or the files"},
		{"URL", `{"upstreams":[{"address":"db:3306"}],"health_http":"db:9200"}`, "health_http: 'db:9200' is not a URL"},
		{"header's version", `{"upstreams":[{"address":"db:3306"}],"proxy_protocol":{"version":"v3"}}`, "proxy_protocol: 'v3' is neither v1 nor v2"},
		{"header's server", `{"upstreams":[{"address":"db:3306"}],"proxy_protocol":{"version":"v1","server":"mysql"}}`, "'mysql' is neither mariadb nor percona"},
		{"TLVs in v1", `{"upstreams":[{"address":"db:3306"}],"proxy_protocol":{"version":"v1","tlvs":["alpn"]}}`, "proxy_protocol: tlvs need v2"},
		{"unknown TLV", `{"upstreams":[{"address":"db:3306"}],"proxy_protocol":{"version":"v2","tlvs":["ssl_cn"]}}`, "'ssl_cn' is neither the name of a TLV to hand on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testRefused(t, "mysql_proxy", tt.in, tt.wantErr) })
	}
}

func TestMySQLLoginRefuses(t *testing.T) {
	tests := []struct{ name, in, wantErr string }{
		{"both ways of TLS", `{"tls_names":["db"],"tls_passthrough":true}`, "tls_passthrough: TLS cannot end here and pass through"},
		{"required and not offered", `{"tls_required":true}`, "tls_required: no TLS is offered"},
		{"user behind TLS", `{"tls_passthrough":true,"user_syntax":"tenant"}`, "tls_passthrough: the user name is not known then"},
		{"timeout", `{"timeout":-1}`, "timeout: must not be negative"},
		{"size", `{"max_login":1048577}`, "max_login: must be from 0 to 1048576 bytes, got 1048577"},
		{"syntax", `{"user_syntax":"email"}`, "user_syntax: 'email' is neither plain nor tenant"},
		{"nothing to strip", `{"strip_user":true}`, "strip_user: there is nothing to strip"},
		{"address", `{"greeting":["db"]}`, "greeting: "},
		{"another handler", `{"tls":{"handler":"echo"}}`, "tls: the handler that ends TLS is tls, not echo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testRefused(t, "mysql_login", tt.in, tt.wantErr) })
	}
}

// testRefused validates a config with a handler's JSON, and wants an error with that text in it.
func testRefused(t *testing.T, handler, in, wantErr string) {
	t.Helper()
	var h map[string]any
	if err := json.Unmarshal([]byte(in), &h); err != nil {
		t.Fatal(err)
	}
	h["handler"] = handler
	config, err := json.Marshal(map[string]any{"servers": map[string]any{"test": map[string]any{
		"listen": []string{"127.0.0.1:0"}, "routes": []any{map[string]any{"handle": []any{h}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	err = caddy.Validate(&caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{"layer4": config},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{WriterRaw: []byte(`{"output":"discard"}`)}}}},
	})
	if err == nil || !strings.Contains(err.Error(), wantErr) {
		t.Errorf("got error %v, want one with %s", err, wantErr)
	}
}
