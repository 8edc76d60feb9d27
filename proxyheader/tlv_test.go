package proxyheader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

func TestLookup(t *testing.T) {
	haproxy, _, err := Parse(haproxyHeader(t))
	if err != nil {
		t.Fatal(err)
	}
	crc, _ := haproxy.TLVs.Get(TypeCRC32C)
	wantCRC := fmt.Sprintf("%08x", binary.BigEndian.Uint32(crc))

	area := TLVs(bytes.Join([][]byte{
		tlvString(TypeALPN, "h2"),
		tlvString(TypeALPN, "mysql"),
		tlv(TypeCRC32C, 'A', 'B', 'C', 'D'), // printable, and a number all the same
		tlv(TypeNoop, 0, 0),
		tlv(TypeUniqueID, 0xff, 0xfe, 0x0a),
		tlvString(TypeNetNS, "blue"),
		tlv(TypeSSL, 0, 0, 0, 0, 1),
		tlvString(TypeAWS, "\x02other"),
		tlvString(TypeAWS, "\x01vpce-08d2bf15fac5001c9"),
		tlv(TypeAzure, 0x01, 0xc1, 0x45, 0x00, 0x21),
		tlv(TypeGCP, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xa8, 0x64, 0x02),
		tlvString(TypeAlibaba, "\x02ep-2"),
		tlvString(TypeAlibaba, "\x01vpc-1"),
		tlvString(TypeAlibaba, "\x03epsrv-3"),
	}, nil))
	broken := TLVs(append(tlvString(TypeAuthority, "a.example"), byte(TypeALPN), 0, 9))

	tests := []struct {
		name   string
		in     TLVs
		lookup string
		want   string // "none" if there is none
	}{
		{"HAProxy", haproxy.TLVs, "authority", "db.example.com"},
		{"HAProxy", haproxy.TLVs, "unique_id", "7F000001:A1B2_0A000001:0CEA_65F0"},
		{"HAProxy", haproxy.TLVs, "crc32c", wantCRC},
		{"HAProxy", haproxy.TLVs, "0x03", wantCRC},
		{"HAProxy", haproxy.TLVs, "ssl", "true"},
		{"HAProxy", haproxy.TLVs, "ssl_version", "TLSv1.3"},
		{"HAProxy", haproxy.TLVs, "ssl_cn", "client.example"},
		{"HAProxy", haproxy.TLVs, "ssl_cipher", "TLS_AES_256_GCM_SHA384"},
		{"HAProxy", haproxy.TLVs, "ssl_verified", "true"},
		{"HAProxy", haproxy.TLVs, "ssl_key_alg", "none"},
		{"HAProxy", haproxy.TLVs, "ssl_", "none"},
		{"HAProxy", haproxy.TLVs, "alpn", "none"},
		{"HAProxy", haproxy.TLVs, "aws_vpce_id", "none"},
		{"HAProxy", haproxy.TLVs, "azure_linkid", "none"},
		{"HAProxy", haproxy.TLVs, "0x21", "none"}, // a subtype is not at the first level

		{"first of a type", area, "alpn", "h2"},
		{"a number", area, "crc32c", "41424344"},
		{"not UTF-8", area, "unique_id", "fffe0a"},
		{"netns", area, "netns", "blue"},
		{"no name for padding", area, "noop", "none"},
		{"padding by number", area, "0x04", "0000"},
		{"no TLS", area, "ssl", "false"},
		{"no TLS", area, "ssl_verified", "false"},
		{"AWS", area, "aws_vpce_id", "vpce-08d2bf15fac5001c9"},
		{"AWS raw", area, "0xEA", "026f74686572"},
		{"AWS raw, lower case", area, "0xea", "026f74686572"},
		{"Azure", area, "azure_linkid", "553665985"},
		{"GCP", area, "gcp_psc_id", "18446744072646845442"},
		{"Alibaba", area, "alibaba_vpc_id", "vpc-1"},
		{"Alibaba", area, "alibaba_endpoint_id", "ep-2"},
		{"Alibaba", area, "alibaba_service_id", "epsrv-3"},

		{"no such name", area, "authorities", "none"},
		{"no such number", area, "0x100", "none"},
		{"no such number", area, "0x+1", "none"},
		{"no such number", area, "0x", "none"},
		{"empty name", area, "", "none"},
		{"no TLVs", nil, "authority", "none"},
		{"no TLVs", nil, "ssl_cn", "none"},
		{"broken area, before", broken, "authority", "a.example"},
		{"broken area, behind", broken, "alpn", "none"},
		{"broken SSL", tlv(TypeSSL, 1, 0), "ssl", "none"},
		{"AWS, not an id", tlvString(TypeAWS, "\x01vpce?"), "aws_vpce_id", "none"},
		{"Alibaba, empty", tlvString(TypeAlibaba, "\x01"), "alibaba_vpc_id", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.lookup, func(t *testing.T) {
			got, ok := tt.in.Lookup(tt.lookup)
			if !ok && got != "" {
				t.Errorf("got %q for what is not there, want it empty", got)
			}
			if !ok {
				got = "none"
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want != "none" && !ValidName(tt.lookup) {
				t.Errorf("got ValidName(%q) false, want true", tt.lookup)
			}
		})
	}
	for _, name := range []string{"", "authorities", "noop", "ssl_", "ssl_vers", "0x1", "0xGG", "0x001", "EA"} {
		if ValidName(name) {
			t.Errorf("got ValidName(%q) true, want false", name)
		}
	}
}

func TestSSL(t *testing.T) {
	full := bytes.Join([][]byte{
		{ClientSSL | ClientCertSess, 0, 0, 1, 2},
		tlvString(SubtypeSSLVersion, "TLSv1.2"),
		tlvString(SubtypeSSLCN, "müller"),
		tlvString(SubtypeSSLCipher, "AES"),
		tlvString(SubtypeSSLSigAlg, "RSA-SHA256"),
		tlvString(SubtypeSSLKeyAlg, "RSA2048"),
		tlvString(SubtypeSSLGroup, "X25519"),
		tlvString(SubtypeSSLSigScheme, "ed25519"),
		tlvString(SubtypeSSLClientCert, "DER"),
		tlvString(SubtypeSSLCN, "second"),
	}, nil)
	ssl, ok := TLVs(tlv(TypeSSL, full...)).SSL()
	if !ok {
		t.Fatal("got no SSL")
	}
	if ssl.Verify != 0x0102 {
		t.Errorf("verify: got %#x, want 0x102", ssl.Verify)
	}
	for name, want := range map[string]string{
		"version": "TLSv1.2", "cn": "müller", "cipher": "AES", "sig_alg": "RSA-SHA256", "key_alg": "RSA2048",
		"group": "X25519", "sig_scheme": "ed25519", "client_cert": "444552", "verified": "false",
	} {
		if got, ok := ssl.Lookup(name); !ok || got != want {
			t.Errorf("%s: got %q, %t, want %q", name, got, ok, want)
		}
	}
	if got, ok := ssl.Lookup("verify"); ok {
		t.Errorf("verify is not a name: got %q", got)
	}
}

// A certificate is verified only where there was one: HAProxy leaves verify 0 without one, too.
func TestVerified(t *testing.T) {
	tests := []struct {
		name   string
		client uint8
		verify uint32
		want   bool
	}{
		{"on this connection", ClientSSL | ClientCertConn, 0, true},
		{"in this session", ClientSSL | ClientCertSess, 0, true},
		{"no certificate", ClientSSL, 0, false},
		{"no TLS", 0, 0, false},
		{"certificate without TLS", ClientCertConn, 0, false},
		{"not verified", ClientSSL | ClientCertConn, 18, false},
	}
	for _, tt := range tests {
		ssl := SSL{Client: tt.client, Verify: tt.verify}
		if got := ssl.Verified(); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"ASCII", "db.example.com", "db.example.com"},
		{"space", "a b", "a b"},
		{"UTF-8", "müller – 例え", "müller – 例え"},
		{"not UTF-8", "a\xff", "61ff"},
		{"NUL", "a\x00", "6100"},
		{"newline", "a\n", "610a"},
		{"DEL", "\x7f", "7f"},
		{"no-break space", "a\u00a0", "61c2a0"},
		{"line separator", "\u2028", "e280a8"},
		{"text direction", "a\u202e", "61e280ae"},
		{"zero width", "\u200b", "e2808b"},
	}
	for _, tt := range tests {
		if got := Text([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// An UNSPEC block has TLVs where it reads as TLVs; a LOCAL block is discarded.
func TestTLVsWithoutAddresses(t *testing.T) {
	authority := tlvString(TypeAuthority, "a.example")
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"UNSPEC", v2(0x21, 0x00, authority), "a.example"},
		{"UNSPEC, signed", sign(t, v2(0x21, 0x00, tlv(TypeCRC32C, 0, 0, 0, 0), authority)), "a.example"},
		{"UNSPEC, something else", v2(0x21, 0x00, ip4), ""},
		{"UNSPEC, TLVs and something else", v2(0x21, 0x00, authority, ip4), ""},
		{"LOCAL", v2(0x20, 0x00, authority), ""},
		{"LOCAL, a sum that cannot be found", v2(0x20, 0x41, tlv(TypeCRC32C, 1, 2, 3, 4)), ""},
		{"LOCAL, signed", sign(t, v2(0x20, byte(TCP4), ip4, tlv(TypeCRC32C, 0, 0, 0, 0), authority)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, n, err := Parse(tt.in)
			if err != nil || n != len(tt.in) {
				t.Fatalf("got %d, %v, want %d", n, err, len(tt.in))
			}
			if got, ok := h.TLVs.Lookup("authority"); got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", got, ok, tt.want)
			}
		})
	}
}
