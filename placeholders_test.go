package l4mysql

import (
	"io"
	"net"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// TestPlaceholders has the value of every placeholder, for each kind of header.
func TestPlaceholders(t *testing.T) {
	verified := sslTLV(0x07, 0, tlv(0x21, "TLSv1.3"), tlv(0x22, "Ada \u00c5"), tlv(0x23, "AES128"), tlv(0x24, "SHA256"), tlv(0x25, "RSA2048"))
	tests := []struct {
		name, in string
		want     map[string]string
	}{
		{"no header", payload, map[string]string{
			"version": "", "command": "", "peer": "192.0.2.10:5510",
			"src": "192.0.2.10:5510", "src_ip": "192.0.2.10", "src_port": "5510",
			"dst": "192.0.2.20:3306", "dst_ip": "192.0.2.20", "dst_port": "3306",
			"tlv.authority": "", "tlv.0xea": "", "tlv.nonsense": "",
			"ssl": "", "ssl.version": "", "ssl.cn": "", "ssl.cipher": "", "ssl.sig_alg": "", "ssl.key_alg": "", "ssl.verified": "",
		}},
		{"v1", headerV1 + payload, map[string]string{
			"version": "1", "command": "PROXY", "peer": "192.0.2.10:5510",
			"src": clientAddr, "src_ip": "203.0.113.7", "src_port": "40001",
			"dst": targetAddr, "dst_ip": "198.51.100.9", "dst_port": "3390", "ssl": "",
		}},
		{"v1 TCP6", headerV1TCP6 + payload, map[string]string{
			"src": "[2001:db8::7]:40002", "src_ip": "2001:db8::7", "src_port": "40002", "dst_ip": "2001:db8:1::9",
		}},
		{"v1 UNKNOWN", headerUnknown + payload, map[string]string{
			"version": "1", "command": "LOCAL", "src": "192.0.2.10:5510", "dst_port": "3306",
		}},
		{"v2 LOCAL", headerV2(0x20, 0x11, blockTCP4) + payload, map[string]string{
			"version": "2", "command": "LOCAL", "src_ip": "192.0.2.10", "dst": "192.0.2.20:3306",
		}},
		{"v2 UNSPEC", headerV2(0x21, 0, tlv(0x05, "u")) + payload, map[string]string{
			"version": "2", "command": "PROXY", "src": "192.0.2.10:5510", "tlv.unique_id": "u",
		}},
		{"v2 UNIX", headerV2(0x21, 0x31, unixPath("/run/a:1"), unixPath("/run/\nb")) + payload, map[string]string{
			"src": "/run/a:1", "src_ip": "", "src_port": "", "dst": "2f72756e2f0a62", "dst_ip": "", "dst_port": "",
		}},
		{"TLVs", headerTCP4(tlv(0x02, "db.example.com"), tlv(0x05, "a\nb"), tlv(0xea, "\x01vpce-0a"), tlv(0x02, "second")) + payload, map[string]string{
			"tlv.authority": "db.example.com", "tlv.unique_id": "610a62", "tlv.aws_vpce_id": "vpce-0a",
			"tlv.0xEA": "01767063652d3061", "tlv.0xea": "01767063652d3061", "tlv.alpn": "", "ssl": "", "ssl.verified": "",
		}},
		{"TLS", headerTCP4(verified) + payload, map[string]string{
			"ssl": "true", "ssl.version": "TLSv1.3", "ssl.cn": "Ada \u00c5", "ssl.cipher": "AES128",
			"ssl.sig_alg": "SHA256", "ssl.key_alg": "RSA2048", "ssl.verified": "true",
		}},
		{"TLS without a certificate", headerTCP4(sslTLV(0x01, 0, tlv(0x21, "TLSv1.2"), tlv(0x22, "line\nfeed"))) + payload, map[string]string{
			"ssl": "true", "ssl.version": "TLSv1.2", "ssl.cn": "6c696e650a66656564", "ssl.cipher": "", "ssl.verified": "false",
		}},
		{"no TLS", headerTCP4(sslTLV(0, 0)) + payload, map[string]string{"ssl": "false", "ssl.verified": "false", "ssl.version": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
			server, client := pipe(t, balancer)
			cx := layer4.WrapConnection(server, nil, zap.NewNop())
			go func() {
				_, _ = io.WriteString(client, tt.in)
				_ = client.Close()
			}()
			err := h.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
				if got := cx.Replacer().ReplaceAll("{l4.proxy_header.src}{l4.proxy_header.version}", ""); got != balancer.String() {
					t.Errorf("before the header: got %q, want the socket's peer", got)
				}
				_, err := io.Copy(io.Discard, cx)
				return err
			}))
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range tt.want {
				got, known := cx.Replacer().GetString("l4.proxy_header." + name)
				if got != want || !known {
					t.Errorf("%s: got %q, known: %t, want %q", name, got, known, want)
				}
			}
			for _, name := range []string{"", "nonsense", "ssl.nonsense", "src.ip"} {
				if got, known := cx.Replacer().Get("l4.proxy_header." + name); known {
					t.Errorf("%q: got %q, want it unknown", name, got)
				}
			}
			if got, _ := cx.Replacer().GetString("l4.conn.remote_addr"); got != balancer.String() {
				t.Errorf("l4.conn.remote_addr: got %q, want the peer", got)
			}
		})
	}
}

// TestUnixPeer: unix sockets have no IP address, and `unix` allows them.
func TestUnixPeer(t *testing.T) {
	peer := &net.UnixAddr{Name: "@", Net: "unix"}
	for _, allow := range []string{"unix", "0.0.0.0/0"} {
		h, logs := newHandler(t, &ProxyHeader{Allow: []string{allow}})
		got := run(t, h, peer, "", 4096, headerV1+payload)
		if allow == "unix" && (got.remote != clientAddr || got.data != payload) {
			t.Errorf("%s: got %+v", allow, got)
		}
		if reasons := refusalsIn(logs); allow != "unix" && reasons != "untrusted" {
			t.Errorf("%s: got refusals %q, want untrusted", allow, reasons)
		}
	}
}
