package proxyheader_test

import (
	"errors"
	"fmt"
	"net"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// Bytes are parsed as they arrive. What follows the header is payload.
func Example() {
	arriving := []string{"PROXY TCP4 203.0.", "113.7 198.51.100.1 4321 3306\r\nHEL", "LO"}

	var b []byte
	for _, piece := range arriving {
		b = append(b, piece...)
		header, n, err := proxyheader.Parse(b)
		if errors.Is(err, proxyheader.ErrShort) {
			fmt.Println("waiting for more")
			continue
		}
		if err != nil {
			fmt.Println("closing:", err)
			return
		}
		fmt.Println("client", header.Source, "of", header.Destination)
		fmt.Printf("payload %q\n", b[n:])
		return
	}
	// Output:
	// waiting for more
	// client 203.0.113.7:4321 of 198.51.100.1:3306
	// payload "HEL"
}

// An error names the field and the byte, and never what stood there.
func ExampleParseError() {
	_, _, err := proxyheader.Parse([]byte("PROXY TCP4 203.0.113.7 198.51.100.256"))

	var bad *proxyheader.ParseError
	if errors.As(err, &bad) {
		fmt.Println(bad.Field, bad.Offset, errors.Is(err, proxyheader.ErrMalformed))
	}
	fmt.Println(err)
	// Output:
	// v1.dst_addr 36 true
	// proxyheader: v1.dst_addr at byte 36: malformed
}

func ExampleTLVs_Lookup() {
	header, _, err := proxyheader.Parse([]byte("\r\n\r\n\x00\r\nQUIT\n" + // signature
		"\x21\x11\x00\x2e" + // PROXY, TCP over IPv4, 46 bytes
		"\xcb\x00\x71\x07" + "\xc6\x33\x64\x01" + "\x10\xe1" + "\x0c\xea" + // addresses and ports
		"\x02\x00\x0edb.example.com" + // PP2_TYPE_AUTHORITY
		"\xea\x00\x0e\x01vpce-08d2bf15")) // AWS
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"authority", "aws_vpce_id", "0xEA", "alpn"} {
		text, ok := header.TLVs.Lookup(name)
		fmt.Printf("%s: %q %t\n", name, text, ok)
	}
	// Output:
	// authority: "db.example.com" true
	// aws_vpce_id: "vpce-08d2bf15" true
	// 0xEA: "01767063652d3038643262663135" true
	// alpn: "" false
}

func ExampleParseAllowList() {
	allow, err := proxyheader.ParseAllowList([]string{"10.0.0.0/8", "192.0.2.1", "unix"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, peer := range []net.Addr{
		&net.TCPAddr{IP: net.ParseIP("::ffff:10.1.2.3"), Port: 40000},
		&net.TCPAddr{IP: net.ParseIP("198.51.100.1"), Port: 40000},
		&net.UnixAddr{Name: "@", Net: "unix"},
	} {
		fmt.Println(peer, allow.Contains(peer))
	}
	// Output:
	// 10.1.2.3:40000 true
	// 198.51.100.1:40000 false
	// @ true
}

// A header for the next server. The addresses are of two families, so both are sent as IPv6.
func ExampleAppend() {
	b, leftOut, err := proxyheader.Append(nil, 1, 0, proxyheader.Outgoing{
		Source:      &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 4321},
		Destination: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 3306},
	})
	fmt.Printf("%q %d %v\n", b, len(leftOut), err)
	// Output: "PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 4321 3306\r\n" 0 <nil>
}
