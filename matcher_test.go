package l4mysql

import (
	"context"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// newMatcher provisions a matcher, and sends it through JSON first, as a Caddyfile does.
func newMatcher(t *testing.T, m *MatchProxyHeader) (*MatchProxyHeader, error) {
	t.Helper()
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded := new(MatchProxyHeader)
	if err := json.Unmarshal(encoded, decoded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, decoded) {
		t.Errorf("got %+v from JSON %s, want %+v", decoded, encoded, m)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := decoded.Provision(ctx); err != nil {
		return nil, err
	}
	return decoded, decoded.Validate()
}

func TestMatcher(t *testing.T) {
	t.Setenv("TEST_AUTHORITY", "db.example.com")
	var (
		tlvs     = headerTCP4(tlv(0x02, "db.example.com"), tlv(0x05, "id-7"), tlv(0xe5, "\x00\x01"))
		verified = headerTCP4(sslTLV(0x07, 0, tlv(0x21, "TLSv1.3"), tlv(0x22, "ada")))
		tls      = headerTCP4(sslTLV(0x01, 0, tlv(0x21, "TLSv1.3")))
		plain    = headerTCP4(sslTLV(0, 0))
		local    = headerV2(0x20, 0)
		all      = []string{"", headerV1, headerUnknown, tlvs, verified, tls, plain, local}
	)
	names := map[string]string{
		"": "none", headerV1: "v1", headerUnknown: "unknown", tlvs: "tlvs",
		verified: "verified", tls: "tls", plain: "plain", local: "local",
	}
	tests := []struct {
		name string
		m    MatchProxyHeader
		want string // of names
	}{
		{"bare", MatchProxyHeader{}, "v1 tlvs verified tls plain"},
		{"version 1", MatchProxyHeader{Version: []int{1}}, "v1 unknown"},
		{"version 2", MatchProxyHeader{Version: []int{2}}, "tlvs verified tls plain local"},
		{"version 1 or 2", MatchProxyHeader{Version: []int{1, 2}}, "v1 unknown tlvs verified tls plain local"},
		{"command LOCAL", MatchProxyHeader{Command: []string{"LOCAL"}}, "unknown local"},
		{"command PROXY, version 1", MatchProxyHeader{Command: []string{"PROXY"}, Version: []int{1}}, "v1"},
		{"src original", MatchProxyHeader{Src: []string{"203.0.113.0/24"}}, "v1 tlvs verified tls plain"},
		{"src socket", MatchProxyHeader{Src: []string{"192.0.2.10"}}, "none unknown local"},
		{"src either", MatchProxyHeader{Src: []string{"192.0.2.10", "203.0.113.7"}}, "none v1 unknown tlvs verified tls plain local"},
		{"src private", MatchProxyHeader{Src: []string{"private_ranges"}}, ""},
		{"dst original", MatchProxyHeader{Dst: []string{"198.51.100.9"}}, "v1 tlvs verified tls plain"},
		{"dst socket", MatchProxyHeader{Dst: []string{"192.0.2.20/32"}}, "none unknown local"},
		{"dst_port original", MatchProxyHeader{DstPort: []int{3390}}, "v1 tlvs verified tls plain"},
		{"dst_port socket", MatchProxyHeader{DstPort: []int{1, 3306}}, "none unknown local"},
		{"dst and dst_port", MatchProxyHeader{Dst: []string{"192.0.2.20"}, DstPort: []int{3390}}, ""},
		{"src and version", MatchProxyHeader{Src: []string{"192.0.2.10"}, Version: []int{2}}, "local"},
		{"tlv", MatchProxyHeader{TLV: map[string][]string{"authority": {"other", "db.example.com"}}}, "tlvs"},
		{"tlv by placeholder", MatchProxyHeader{TLV: map[string][]string{"authority": {"{env.TEST_AUTHORITY}"}}}, "tlvs"},
		{"tlv by number", MatchProxyHeader{TLV: map[string][]string{"0xE5": {"0001"}}}, "tlvs"},
		{"two tlvs", MatchProxyHeader{TLV: map[string][]string{"authority": {"db.example.com"}, "unique_id": {"id-8"}}}, ""},
		{"ssl verified", MatchProxyHeader{SSL: []string{"verified"}}, "verified"},
		{"ssl any", MatchProxyHeader{SSL: []string{"any"}}, "verified tls"},
		{"ssl none", MatchProxyHeader{SSL: []string{"none"}}, "v1 unknown tlvs plain local"},
		{"ssl none or verified", MatchProxyHeader{SSL: []string{"none", "verified"}, Command: []string{"PROXY"}}, "v1 tlvs verified plain"},
		{"ssl_cn", MatchProxyHeader{SSLCN: []string{"eve", "ada"}}, "verified"},
		{"ssl_cn empty", MatchProxyHeader{SSLCN: []string{""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := newMatcher(t, &tt.m)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, header := range all {
				if matchAfter(t, m, header) {
					got = append(got, names[header])
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// matchAfter asks m behind a handler that has read header.
func matchAfter(t *testing.T, m *MatchProxyHeader, header string) (matched bool) {
	t.Helper()
	h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
	server, client := pipe(t, balancer)
	go func() {
		_, _ = io.WriteString(client, header+payload)
		_ = client.Close()
	}()
	cx := layer4.WrapConnection(server, nil, zap.NewNop())
	err := h.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
		if before, err := m.Match(cx); err != nil || before != matchBare(t, m) {
			t.Errorf("before the header: got %t, %v, want as without the handler", before, err)
		}
		if _, err := io.Copy(io.Discard, cx); err != nil {
			t.Error(err)
		}
		var err error
		matched, err = m.Match(cx)
		return err
	}))
	if err != nil {
		t.Error(err)
	}
	return matched
}

// matchBare asks m without a handler before it. There is nobody to write, so it would hang if it read.
func matchBare(t *testing.T, m *MatchProxyHeader) bool {
	t.Helper()
	server, _ := pipe(t, balancer)
	matched, err := m.Match(layer4.WrapConnection(server, nil, zap.NewNop()))
	if err != nil {
		t.Error(err)
	}
	return matched
}

func TestMatcherErrors(t *testing.T) {
	tests := []struct {
		m       MatchProxyHeader
		wantErr string
	}{
		{MatchProxyHeader{Version: []int{2, 3}}, "version: 3 is neither 1 nor 2"},
		{MatchProxyHeader{Command: []string{"local"}}, "command: 'local' is neither PROXY nor LOCAL"},
		{MatchProxyHeader{Src: []string{"10.0.0.0/40"}}, `src: "10.0.0.0/40"`},
		{MatchProxyHeader{Dst: []string{"example.com"}}, `dst: "example.com"`},
		{MatchProxyHeader{DstPort: []int{70000}}, "dst_port: 70000 is not a port"},
		{MatchProxyHeader{TLV: map[string][]string{"nonsense": {"x"}}}, "tlv: 'nonsense' is neither the name of a TLV nor a type as 0xNN"},
		{MatchProxyHeader{TLV: map[string][]string{"authority": {}}}, "tlv: authority has no value to match"},
		{MatchProxyHeader{SSL: []string{"some"}}, "ssl: 'some' is none of verified, any, none"},
	}
	for _, tt := range tests {
		if _, err := newMatcher(t, &tt.m); err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
			t.Errorf("got %v, want %s", err, tt.wantErr)
		}
	}
}
