package proxyheader

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/pires/go-proxyproto"
)

// Where results go, so that calls are not optimised away.
var (
	sink    Header
	sinkN   int
	sinkErr error
)

// benchmarkInputs are headers as load balancers send them, each with payload behind it, and what is none.
func benchmarkInputs(t testing.TB) map[string][]byte {
	t.Helper()
	ip6 := unhex("20010db8000000010002000300040005 20010db8000000060007000800090001 10e1 0cea")
	inputs := map[string][]byte{
		"v1_TCP4":    []byte("PROXY TCP4 203.0.113.117 198.51.100.101 54321 3306\r\n"),
		"v1_TCP6":    []byte("PROXY TCP6 2001:db8:0:1:2:3:4:5 2001:db8:0:6:7:8:9:1 54321 3306\r\n"),
		"v2_TCP4":    v2(0x21, byte(TCP4), ip4),
		"v2_TCP6":    v2(0x21, byte(TCP6), ip6),
		"v2_HAProxy": haproxyHeader(t),
		"v2_LOCAL":   v2(0x20, byte(Unspec)),
		"none":       unhex("20000001 85aeff19 00000001 2d000000"), // a MySQL client's SSLRequest
	}
	for name, b := range inputs {
		h, n, err := Parse(b)
		if none := name == "none"; none != errors.Is(err, ErrNone) || !none && (err != nil || n != len(b)) {
			t.Fatalf("%s: got %+v, %d, %v", name, h, n, err)
		}
		inputs[name] = append(b, unhex("20000001 85aeff19")...)
	}
	return inputs
}

// BenchmarkParse parses bytes at hand, beside go-proxyproto's Read of the same bytes (which, for the header
// with TLVs, neither verifies the checksum nor looks at the TLVs). TestAllocations is its claim of 0
// allocations.
func BenchmarkParse(b *testing.B) {
	inputs := benchmarkInputs(b)
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		in := inputs[name]
		b.Run(name+"/parse", func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				sink, sinkN, sinkErr = Parse(in)
			}
		})
		b.Run(name+"/go-proxyproto", func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			source := bytes.NewReader(in)
			reader := bufio.NewReaderSize(source, 4096)
			for b.Loop() {
				source.Reset(in)
				reader.Reset(source)
				_, sinkErr = proxyproto.Read(reader)
			}
		})
	}
}

// BenchmarkContains asks for a peer that the last of a handful of prefixes contains.
func BenchmarkContains(b *testing.B) {
	l, err := ParseAllowList([]string{"private_ranges", "198.51.100.0/24"})
	if err != nil {
		b.Fatal(err)
	}
	peer := &net.TCPAddr{IP: net.ParseIP("198.51.100.7"), Port: 40000}
	b.ReportAllocs()
	for b.Loop() {
		if !l.Contains(peer) {
			b.Fatal("got false, want true")
		}
	}
}
