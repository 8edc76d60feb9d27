package proxyheader

import (
	"net"
	"strings"
	"testing"
)

// addr is a net.Addr of no known type.
type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }

func TestAllowList(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 40000} } // 16 bytes, as sockets give
	tests := []struct {
		words string
		peer  net.Addr
		want  bool
	}{
		{"", tcp("127.0.0.1"), false},
		{"192.0.2.1", tcp("192.0.2.1"), true},
		{"192.0.2.1", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4()}, true},
		{"192.0.2.1", tcp("192.0.2.2"), false},
		{"::ffff:192.0.2.1", tcp("192.0.2.1"), true},
		{"192.0.2.9/24", tcp("192.0.2.1"), true},
		{"192.0.2.0/24", tcp("192.0.3.1"), false},
		{"::ffff:10.0.0.0/104", tcp("10.9.8.7"), true},
		{"::ffff:10.0.0.0/104", tcp("11.0.0.1"), false},
		{"::ffff:0:0/96", tcp("11.0.0.1"), true},
		{"0.0.0.0/0", tcp("203.0.113.7"), true},
		{"0.0.0.0/0", tcp("2001:db8::1"), false},
		{"::/0", tcp("2001:db8::1"), true},
		{"::/0", tcp("203.0.113.7"), false},
		{"fe80::/10", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, true},
		{"fe80::1%eth1", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, true},
		{"fe80::%eth1/64", addr{"tcp", "[fe80::1%eth0]:1"}, true},
		{"198.51.100.1 192.0.2.0/24", tcp("192.0.2.1"), true},

		{"192.0.2.1", &net.UDPAddr{IP: net.ParseIP("192.0.2.1")}, true},
		{"192.0.2.1", &net.IPAddr{IP: net.ParseIP("192.0.2.1")}, true},
		{"192.0.2.1", addr{"tcp", "192.0.2.1:80"}, true},
		{"192.0.2.1", addr{"tcp", "[::ffff:192.0.2.1]:80"}, true},
		{"192.0.2.1", addr{"tcp", "192.0.2.2:80"}, false},
		{"0.0.0.0/0 ::/0 unix", addr{"pipe", "pipe"}, false},
		{"0.0.0.0/0 ::/0 unix", nil, false},
		{"0.0.0.0/0 ::/0 unix", (*net.TCPAddr)(nil), false},
		{"0.0.0.0/0 ::/0 unix", (*net.UDPAddr)(nil), false},
		{"0.0.0.0/0 ::/0 unix", (*net.UnixAddr)(nil), false},
		{"0.0.0.0/0 ::/0 unix", &net.TCPAddr{}, false},

		{"unix", &net.UnixAddr{Name: "", Net: "unix"}, true},
		{"unix", &net.UnixAddr{Name: "@", Net: "unix"}, true},
		{"unix", &net.UnixAddr{Name: "/run/client.sock", Net: "unix"}, true},
		{"unix", addr{"unix", "@"}, true},
		{"unix", tcp("127.0.0.1"), false},
		{"private_ranges", &net.UnixAddr{Net: "unix"}, false},
		{"private_ranges", addr{"unix", "10.0.0.1:1"}, false},

		{"private_ranges", tcp("192.168.255.255"), true},
		{"private_ranges", tcp("192.169.0.0"), false},
		{"private_ranges", tcp("172.16.0.0"), true},
		{"private_ranges", tcp("172.31.255.255"), true},
		{"private_ranges", tcp("172.32.0.0"), false},
		{"private_ranges", tcp("10.0.0.1"), true},
		{"private_ranges", tcp("11.0.0.1"), false},
		{"private_ranges", tcp("127.0.0.1"), true},
		{"private_ranges", tcp("127.255.255.255"), true},
		{"private_ranges", tcp("fd00::1"), true},
		{"private_ranges", tcp("fc00::1"), false},
		{"private_ranges", tcp("fe80::1"), false},
		{"private_ranges", tcp("::1"), true},
		{"private_ranges", tcp("::2"), false},
		{"private_ranges", tcp("8.8.8.8"), false},
		{"private_ranges unix", &net.UnixAddr{Net: "unix"}, true},
	}
	for _, tt := range tests {
		l, err := ParseAllowList(strings.Fields(tt.words))
		if err != nil {
			t.Errorf("%q: got %v", tt.words, err)
			continue
		}
		if got := l.Contains(tt.peer); got != tt.want {
			t.Errorf("%q contains %v: got %t, want %t", tt.words, tt.peer, got, tt.want)
		}
	}
	var zero AllowList
	if zero.Contains(tcp("127.0.0.1")) || zero.Contains(&net.UnixAddr{Net: "unix"}) {
		t.Error("the zero list contains somebody, want nobody")
	}
}

func TestAllowListErrors(t *testing.T) {
	for _, word := range []string{
		"", "localhost", "*", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "/8", "010.0.0.1", "10.0.0.0/08",
		"10.0.0.1:80", "[::1]", "::1/129", "::ffff:10.0.0.0/95", "10.0.0.0/8,::1", "Unix", "private_range",
	} {
		l, err := ParseAllowList([]string{"192.0.2.1", word})
		if err == nil {
			t.Errorf("%q: got %+v, want an error", word, l)
			continue
		}
		if !strings.Contains(err.Error(), `"`+word+`"`) {
			t.Errorf("%q: got %q, want the word in it", word, err)
		}
		if l.Contains(&net.TCPAddr{IP: net.ParseIP("192.0.2.1")}) {
			t.Errorf("%q: got a list with the error that contains somebody", word)
		}
	}
}

func TestContainsAllocations(t *testing.T) {
	l, err := ParseAllowList([]string{"private_ranges", "unix", "2001:db8::/32", "198.51.100.7"})
	if err != nil {
		t.Fatal(err)
	}
	var in, out net.Addr = &net.TCPAddr{IP: net.ParseIP("198.51.100.7"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}
	if got := testing.AllocsPerRun(100, func() {
		if !l.Contains(in) || l.Contains(out) {
			t.Error("got a wrong answer")
		}
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
