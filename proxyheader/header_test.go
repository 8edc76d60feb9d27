package proxyheader

import (
	"net"
	"strings"
	"testing"
)

func TestAddrs(t *testing.T) {
	unix := func(path string) []byte { return []byte(path + strings.Repeat("\x00", 108-len(path))) }
	full := strings.Repeat("p", 108)
	ip6 := unhex("20010db8000000000000000000000007 00000000000000000000ffffc6336401 10e1 0cea")
	tests := []struct {
		name     string
		in       []byte
		src, dst string // network/address, as *net.XAddr say it
	}{
		{"v1 TCP4", []byte("PROXY TCP4 203.0.113.7 198.51.100.1 4321 3306\r\n"), "tcp/203.0.113.7:4321", "tcp/198.51.100.1:3306"},
		{"v1 TCP6", []byte("PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 4321 3306\r\n"), "tcp/[2001:db8::7]:4321", "tcp/198.51.100.1:3306"},
		{"TCP4", v2(0x21, byte(TCP4), ip4), "tcp/203.0.113.7:4321", "tcp/198.51.100.1:3306"},
		{"UDP4", v2(0x21, byte(UDP4), ip4), "udp/203.0.113.7:4321", "udp/198.51.100.1:3306"},
		{"TCP6", v2(0x21, byte(TCP6), ip6), "tcp/[2001:db8::7]:4321", "tcp/198.51.100.1:3306"},
		{"UDP6", v2(0x21, byte(UDP6), ip6), "udp/[2001:db8::7]:4321", "udp/198.51.100.1:3306"},
		{"UNIX stream", v2(0x21, byte(UnixStream), unix("/a.sock"), unix("/bb.sock")), "unix//a.sock", "unix//bb.sock"},
		{"UNIX datagram", v2(0x21, byte(UnixDgram), unix(""), unix("/b\x00junk")), "unixgram/", "unixgram//b"},
		{"UNIX abstract", v2(0x21, byte(UnixStream), unix("\x00a\x00b"), unix("\x00c")), "unix/@a\x00b", "unix/@c"},
		{"UNIX full", v2(0x21, byte(UnixStream), unix(full), unix("/b")), "unix/" + full, "unix//b"},
		{"v1 UNKNOWN", []byte("PROXY UNKNOWN\r\n"), "none", "none"},
		{"LOCAL", v2(0x20, byte(TCP4), ip4), "none", "none"},
		{"UNSPEC", v2(0x21, byte(Unspec), ip4), "none", "none"},
	}
	show := func(a net.Addr) string {
		if a == nil {
			return "none"
		}
		return a.Network() + "/" + a.String()
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, n, err := Parse(tt.in)
			if err != nil || n != len(tt.in) {
				t.Fatalf("got %d, %v, want %d", n, err, len(tt.in))
			}
			if got := show(h.SourceAddr()); got != tt.src {
				t.Errorf("source: got %q, want %q", got, tt.src)
			}
			if got := show(h.DestinationAddr()); got != tt.dst {
				t.Errorf("destination: got %q, want %q", got, tt.dst)
			}
		})
	}
}

// A caller who appends to a slice of the header must not write into the payload behind it.
func TestSlicesEndAtTheHeader(t *testing.T) {
	header := v2(0x21, byte(TCP4), ip4, tlvString(TypeAuthority, "a.example"))
	b := append(header[:len(header):len(header)], "payload"...)
	h, n, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(h.TLVs, "XXXXXXX"...)
	value, _ := h.TLVs.Get(TypeAuthority)
	_ = append(value, "XXXXXXX"...)
	if got := string(b[n:]); got != "payload" {
		t.Errorf("got payload %q, want %q", got, "payload")
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ got, want string }{
		{Local.String(), "LOCAL"},
		{Proxy.String(), "PROXY"},
		{Command(2).String(), "Command(0x2)"},
		{UDP6.String(), "udp6"},
		{Network(0x41).String(), "Network(0x41)"},
		{Possible.String(), "possible"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
