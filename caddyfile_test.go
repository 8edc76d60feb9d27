package l4mysql

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// testCaddyfile unmarshals in into module and compares its JSON, or the error.
func testCaddyfile(t *testing.T, module caddyfile.Unmarshaler, in, want, wantErr string) {
	t.Helper()
	d := caddyfile.NewTestDispenser(in)
	err := module.UnmarshalCaddyfile(d)
	if wantErr != "" {
		if err == nil || !strings.HasPrefix(err.Error(), wantErr) {
			t.Errorf("got error %v, want %s", err, wantErr)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if d.Next() {
		t.Errorf("got %q left over", d.Val())
	}
	got, err := json.Marshal(module)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProxyHeaderCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "proxy_header", `{}`, ""},
		{"empty block", "proxy_header {\n}", `{}`, ""},
		{"two options", "proxy_header {\nallow 10.0.0.0/8\nmode optional\n}", `{"allow":["10.0.0.0/8"],"mode":"optional"}`, ""},
		{
			"every option", "proxy_header {\nallow 10.0.0.0/8 private_ranges\nallow unix {env.LB}\nmode require\ntimeout 1m30s\nmax_size 1KiB\nkeep\n}",
			`{"allow":["10.0.0.0/8","private_ranges","unix","{env.LB}"],"mode":"require","timeout":90000000000,"max_size":1024,"keep":true}`, "",
		},
		{"size in bytes", "proxy_header {\nmax_size 512\n}", `{"max_size":512}`, ""},
		{"argument", "proxy_header optional", "", "proxy_header: unexpected 'optional' on its line; options go into a block"},
		{"unknown option", "proxy_header {\nallow ::1\ndeny ::2\n}", "", "deny: not an option of proxy_header"},
		{"no value", "proxy_header {\nallow\n}", "", "allow: a value is missing"},
		{"no mode", "proxy_header {\nmode\n}", "", "mode: a value is missing"},
		{"two modes", "proxy_header {\nmode require optional\n}", "", "mode: takes one value, and 'optional' is another"},
		{"mode twice", "proxy_header {\nmode require\nmode optional\n}", "", "mode: given twice"},
		{"timeout twice, with zero", "proxy_header {\ntimeout 0\ntimeout 5s\n}", "", "timeout: given twice"},
		{"no duration", "proxy_header {\ntimeout soon\n}", "", "timeout: 'soon' is not a duration"},
		{"no size", "proxy_header {\nmax_size lots\n}", "", "max_size: 'lots' is not a size in bytes"},
		{"no size that fits", "proxy_header {\nmax_size 5GB\n}", "", "max_size: '5GB' is not a size in bytes"},
		{"keep with a value", "proxy_header {\nkeep off\n}", "", "keep: takes no value, got 'off'"},
		{"keep twice", "proxy_header {\nkeep\nkeep\n}", "", "keep: given twice"},
		{"block in an option", "proxy_header {\nkeep {\nall\n}\n}", "", "keep: unexpected block with 'all'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(ProxyHeader), tt.in, tt.want, tt.wantErr) })
	}
}

func TestMatchProxyHeaderCaddyfile(t *testing.T) {
	tests := []struct{ name, in, want, wantErr string }{
		{"bare", "proxy_header", `{}`, ""},
		{"two options", "proxy_header {\nversion 2\ncommand LOCAL\n}", `{"version":[2],"command":["LOCAL"]}`, ""},
		{
			"every option", `proxy_header {
				version 1 2
				command PROXY
				command LOCAL
				src 10.0.0.0/8
				src private_ranges
				dst ::1 unix
				dst_port 3306 3307
				tlv authority a.example.com b.example.com
				tlv 0xE5 "with space"
				tlv authority c.example.com
				ssl any none
				ssl_cn "Ada L" bob
			}`,
			`{"version":[1,2],"command":["PROXY","LOCAL"],"src":["10.0.0.0/8","private_ranges"],"dst":["::1","unix"],` +
				`"dst_port":[3306,3307],"tlv":{"0xE5":["with space"],"authority":["a.example.com","b.example.com","c.example.com"]},` +
				`"ssl":["any","none"],"ssl_cn":["Ada L","bob"]}`, "",
		},
		{"argument", "proxy_header command LOCAL", "", "proxy_header: unexpected 'command' on its line"},
		{"unknown option", "proxy_header {\nport 1\n}", "", "port: not an option of proxy_header"},
		{"no version", "proxy_header {\nversion\n}", "", "version: a value is missing"},
		{"version in words", "proxy_header {\nversion 1 two\n}", "", "version: 'two' is not a number"},
		{"port in words", "proxy_header {\ndst_port mysql\n}", "", "dst_port: 'mysql' is not a number"},
		{"tlv without a name", "proxy_header {\ntlv\n}", "", "tlv: a value is missing"},
		{"tlv without a value", "proxy_header {\ntlv authority\n}", "", "tlv: a value is missing"},
		{"no ssl", "proxy_header {\nssl\n}", "", "ssl: a value is missing"},
		{"block in an option", "proxy_header {\nsrc ::1 {\nx\n}\n}", "", "src: unexpected block with 'x'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { testCaddyfile(t, new(MatchProxyHeader), tt.in, tt.want, tt.wantErr) })
	}
}
