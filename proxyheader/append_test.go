package proxyheader

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

func tcp(addr string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

var (
	client4, server4 = tcp("203.0.113.7:4321"), tcp("198.51.100.1:3306") // those of ip4
	client6, server6 = tcp("[2001:db8::7]:4321"), tcp("[2001:db8:1::1]:3306")
)

const local2 = sigV2 + "\x20\x00\x00\x00"

// TestAppend compares with headers whose bytes are known: those of HAProxy and of MariaDB's tests among them.
func TestAppend(t *testing.T) {
	ssl, ok := TLVs(haproxyHeader(t)[fixedLength+len(ip4):]).Get(TypeSSL)
	if !ok {
		t.Fatal("no PP2_TYPE_SSL")
	}
	haproxy := []TLV{
		{TypeCRC32C, nil},
		{TypeAuthority, []byte("db.example.com")},
		{TypeUniqueID, []byte("7F000001:A1B2_0A000001:0CEA_65F0")},
		{TypeSSL, ssl},
	}
	ip6 := unhex("20010db8000000000000000000000007 20010db8000100000000000000000001 10e1 0cea")
	mixed := unhex("00000000000000000000ffffcb007107 20010db8000100000000000000000001 10e1 0cea")
	const big = 1 << 20
	tests := []struct {
		name     string
		version  int
		max      int
		in       Outgoing
		want     string
		wantLeft int
		wantErr  string
	}{
		{"v1", 1, 0, Outgoing{Source: client4, Destination: server4}, "PROXY TCP4 203.0.113.7 198.51.100.1 4321 3306\r\n", 0, ""},
		{"v1, IPv6", 1, 0, Outgoing{Source: client6, Destination: server6}, "PROXY TCP6 2001:db8::7 2001:db8:1::1 4321 3306\r\n", 0, ""},
		{"v1, mixed", 1, 0, Outgoing{Source: client4, Destination: server6}, "PROXY TCP6 ::ffff:203.0.113.7 2001:db8:1::1 4321 3306\r\n", 0, ""},
		{"v1, mixed the other way", 1, 0, Outgoing{Source: client6, Destination: server4}, "PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 4321 3306\r\n", 0, ""},
		{"v1, mapped", 1, 0, Outgoing{Source: tcp("[::ffff:203.0.113.7]:4321"), Destination: tcp("[::ffff:198.51.100.1]:3306")}, "PROXY TCP4 203.0.113.7 198.51.100.1 4321 3306\r\n", 0, ""},
		{"v1, zone", 1, 0, Outgoing{Source: tcp("[fe80::1%eth0]:1"), Destination: tcp("[fe80::2%eth0]:2")}, "PROXY TCP6 fe80::1 fe80::2 1 2\r\n", 0, ""},
		{"v1, LOCAL", 1, 0, Outgoing{Local: true, Source: client4, Destination: server4}, "PROXY UNKNOWN\r\n", 0, ""},
		{"v1, TLVs", 1, big, Outgoing{Source: client4, Destination: server4, TLVs: haproxy}, "PROXY TCP4 203.0.113.7 198.51.100.1 4321 3306\r\n", 4, ""},
		{
			"v1, longest", 1, 0,
			Outgoing{Source: tcp("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"), Destination: tcp("[2001:db8:1111:2222:3333:4444:5555:6667]:65534")},
			"PROXY TCP6 2001:db8:1111:2222:3333:4444:5555:6666 2001:db8:1111:2222:3333:4444:5555:6667 65535 65534\r\n", 0, "",
		},

		{"v2", 2, 12, Outgoing{Source: client4, Destination: server4}, string(v2(0x21, 0x11, ip4)), 0, ""},
		{"v2, IPv6", 2, 36, Outgoing{Source: client6, Destination: server6}, string(v2(0x21, 0x21, ip6)), 0, ""},
		{"v2, mixed", 2, 92, Outgoing{Source: client4, Destination: server6}, string(v2(0x21, 0x21, mixed)), 0, ""},
		{"v2, mapped", 2, 92, Outgoing{Source: tcp("[::ffff:203.0.113.7]:4321"), Destination: server4}, string(v2(0x21, 0x11, ip4)), 0, ""},
		{"v2, LOCAL", 2, 0, Outgoing{Local: true, Source: client4, Destination: server4, TLVs: haproxy}, local2, 4, ""},
		{"v2, HAProxy's", 2, 4096, Outgoing{Source: client4, Destination: server4, TLVs: haproxy}, string(haproxyHeader(t)), 0, ""},
		{
			"v2, checksum that came", 2, 4096,
			Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeAWS, []byte("\x01vpce-1")}, {TypeCRC32C, []byte("1234")}}},
			string(sign(t, v2(0x21, 0x11, ip4, tlvString(TypeAWS, "\x01vpce-1"), tlv(TypeCRC32C, 0, 0, 0, 0)))), 0, "",
		},
		{
			"MariaDB's room", 2, 240,
			Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeALPN, make([]byte, 222)}, {TypeNoop, nil}, {TypeNoop, nil}}},
			string(v2(0x21, 0x11, ip4, tlv(TypeALPN, make([]byte, 222)...), tlv(TypeNoop))), 1, "",
		},
		{
			"the last ones are left out", 2, 92,
			Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeALPN, []byte("x")}, {TypeNetNS, make([]byte, 80)}, {TypeNoop, nil}}},
			string(v2(0x21, 0x11, ip4, tlvString(TypeALPN, "x"))), 2, "",
		},
		{
			"as much as there can be", 2, big,
			Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{0xe5, make([]byte, 65520)}}},
			string(v2(0x21, 0x11, ip4, tlv(0xe5, make([]byte, 65520)...))), 0, "",
		},
		{"more than there can be", 2, big, Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{0xe5, make([]byte, 65521)}}}, string(v2(0x21, 0x11, ip4)), 1, ""},

		{"UNIX socket", 2, 240, Outgoing{Source: &net.UnixAddr{Name: "/x", Net: "unix"}, Destination: server4}, local2, 0, ""},
		{"UNIX sockets, v1", 1, 240, Outgoing{Source: &net.UnixAddr{Net: "unix"}, Destination: &net.UnixAddr{Name: "/x", Net: "unix"}}, "PROXY UNKNOWN\r\n", 0, ""},
		{"UDP", 2, 240, Outgoing{Source: &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}, Destination: &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 6}}, local2, 0, ""},
		{"no addresses", 2, 240, Outgoing{}, local2, 0, ""},
		{"nil addresses", 2, 240, Outgoing{Source: (*net.TCPAddr)(nil), Destination: (*net.TCPAddr)(nil)}, local2, 0, ""},
		{"no IP", 2, 240, Outgoing{Source: &net.TCPAddr{Port: 1}, Destination: server4}, local2, 0, ""},
		{"no port", 2, 240, Outgoing{Source: &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 1 << 16}, Destination: server4}, local2, 0, ""},

		{"version", 3, 240, Outgoing{Source: client4, Destination: server4}, "", 0, "version 3"},
		{"no room", 2, 11, Outgoing{Source: client4, Destination: server4}, "", 0, "no room"},
		{"no room for IPv6", 2, 35, Outgoing{Source: client6, Destination: server6}, "", 0, "no room"},
		{"too long a TLV", 2, 240, Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{0xe5, make([]byte, 1<<16)}}}, "", 0, "65535"},
		{"too long an id", 2, 240, Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeUniqueID, make([]byte, 129)}}}, "", 0, "PP2_TYPE_UNIQUE_ID"},
		{"two checksums", 2, 240, Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeCRC32C, nil}, {TypeCRC32C, nil}}}, "", 0, "PP2_TYPE_CRC32C"},
		{"malformed SSL", 2, 240, Outgoing{Source: client4, Destination: server4, TLVs: []TLV{{TypeSSL, []byte{1}}}}, "", 0, "PP2_TYPE_SSL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, left, err := Append([]byte("before"), tt.version, tt.max, tt.in)
			if string(got) != "before"+tt.want || len(left) != tt.wantLeft {
				t.Errorf("got %q and %d TLVs left out, want %q and %d", got, len(left), "before"+tt.want, tt.wantLeft)
			}
			if tt.wantErr == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got error %v, want %q", err, tt.wantErr)
			}
			for i, l := range left {
				if want := tt.in.TLVs[len(tt.in.TLVs)-len(left)+i]; l.Type != want.Type || !bytes.Equal(l.Value, want.Value) {
					t.Errorf("got %v left out, want %v", l, want)
				}
			}
		})
	}
}

// FuzzAppend: what Append writes, Parse and go-proxyproto read as it was meant, and within the receiver's limit.
func FuzzAppend(f *testing.F) {
	f.Add(2, 240, []byte{203, 0, 113, 7}, 4321, []byte{198, 51, 100, 1}, 3306, []byte("\x01\x02h2\x03\x04abcd\xea\x04\x01vpc\x04\x00"), false)
	f.Add(1, 92, []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"), 1, []byte{198, 51, 100, 1}, 65535, []byte(""), false)
	f.Add(2, 0, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04"), 1, []byte{1, 2, 3, 4}, 0, []byte("\x20\x05\x01\x00\x00\x00\x00"), true)
	f.Fuzz(func(t *testing.T, version, maxLength int, source []byte, sourcePort int, destination []byte, destinationPort int, area []byte, local bool) {
		in := Outgoing{
			Local:  local,
			Source: &net.TCPAddr{IP: source, Port: sourcePort, Zone: "eth0"}, Destination: &net.TCPAddr{IP: destination, Port: destinationPort},
		}
		for len(area) > 1 {
			n := min(int(area[1]), len(area)-2)
			in.TLVs = append(in.TLVs, TLV{Type(area[0]), area[2 : 2+n]})
			area = area[2+n:]
		}
		b, left, err := Append(nil, version, maxLength, in)
		if err != nil {
			if len(b) > 0 {
				t.Fatalf("got %q with error %v", b, err)
			}
			return
		}
		h, n, err := ParseMax(b, 1<<16)
		if err != nil || n != len(b) || int(h.Version) != version {
			t.Fatalf("got %q, which reads as %+v of %d bytes, %v", b, h, n, err)
		}
		wantSource, ok1 := tcpAddr(in.Source)
		wantDestination, ok2 := tcpAddr(in.Destination)
		if isLocal := local || !ok1 || !ok2; isLocal != (h.Command == Local) || isLocal != (h.Network == Unspec) {
			t.Fatalf("got %+v", h)
		}
		if h.Command == Proxy {
			if h.Source != wantSource || h.Destination != wantDestination {
				t.Fatalf("got %v to %v, want %v to %v", h.Source, h.Destination, wantSource, wantDestination)
			}
			if want4 := wantSource.Addr().Is4() && wantDestination.Addr().Is4(); (h.Network == TCP4) != want4 || (h.Network == TCP6) == want4 {
				t.Fatalf("got %v of %v to %v", h.Network, h.Source, h.Destination)
			}
			if version == 2 && len(b)-fixedLength > maxLength {
				t.Fatalf("got %d bytes, the limit is %d", len(b), maxLength)
			}
		}
		want := in.TLVs[:len(in.TLVs)-len(left)]
		var sent []TLV
		for typ, value := range h.TLVs.All() {
			sent = append(sent, TLV{typ, value})
		}
		if len(sent) != len(want) {
			t.Fatalf("got %d TLVs, want %d", len(sent), len(want))
		}
		for i := range want {
			if sent[i].Type != want[i].Type || want[i].Type != TypeCRC32C && !bytes.Equal(sent[i].Value, want[i].Value) {
				t.Fatalf("got TLV %v, want %v", sent[i], want[i])
			}
		}
		if len(b) > int(proxyproto.MaxV2HeaderSize) {
			return
		}
		theirs, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), len(b)+16))
		if err != nil {
			t.Fatalf("go-proxyproto says %v of %q", err, b)
		}
		compareWithGoProxyproto(t, result{h: h, n: n}, theirs, len(b))
	})
}
