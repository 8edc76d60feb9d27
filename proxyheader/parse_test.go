package proxyheader

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	long := "PROXY UNKNOWN " + strings.Repeat("x", MaxV1Length)
	tests := []struct {
		name   string
		in     []byte
		field  string
		offset int
		want   error
	}{
		{"no space", []byte("PROXYTCP4 "), "v1.signature", 5, ErrMalformed},
		{"protocol", []byte("PROXY TCP5"), "v1.protocol", 9, ErrMalformed},
		{"tab", []byte("PROXY TCP4\t"), "v1.protocol", 10, ErrMalformed},
		{"unknown with a suffix", []byte("PROXY UNKNOWN4"), "v1.protocol", 13, ErrMalformed},
		{"octet", []byte("PROXY TCP4 1.2.3.256"), "v1.src_addr", 19, ErrMalformed},
		{"heading zero", []byte("PROXY TCP4 01"), "v1.src_addr", 12, ErrMalformed},
		{"five octets", []byte("PROXY TCP4 1.2.3.4."), "v1.src_addr", 18, ErrMalformed},
		{"destination", []byte("PROXY TCP4 1.2.3.4 x"), "v1.dst_addr", 19, ErrMalformed},
		{"IPv4 in TCP6", []byte("PROXY TCP6 192."), "v1.src_addr", 14, ErrMalformed},
		{"dotted, not mapped", []byte("PROXY TCP6 64:ff9b::192."), "v1.src_addr", 23, ErrMalformed},
		{"dotted, not right behind ::ffff:", []byte("PROXY TCP6 ::ffff:1:192."), "v1.src_addr", 23, ErrMalformed},
		{"dotted, octet", []byte("PROXY TCP6 ::ffff:192.256"), "v1.src_addr", 24, ErrMalformed},
		{"zone", []byte("PROXY TCP6 fe80::1%"), "v1.src_addr", 18, ErrMalformed},
		{"single colon first", []byte("PROXY TCP6 :1"), "v1.src_addr", 12, ErrMalformed},
		{"two gaps", []byte("PROXY TCP6 1::2::"), "v1.src_addr", 16, ErrMalformed},
		{"gap for nothing", []byte("PROXY TCP6 1:2:3:4:5:6:7::8"), "v1.src_addr", 26, ErrMalformed},
		{"five digits", []byte("PROXY TCP6 12345"), "v1.src_addr", 15, ErrMalformed},
		{"seven groups", []byte("PROXY TCP6 1:2:3:4:5:6:7 "), "v1.src_addr", 24, ErrMalformed},
		{"source port", []byte("PROXY TCP4 1.2.3.4 5.6.7.8 65536"), "v1.src_port", 31, ErrMalformed},
		{"source port, heading zero", []byte("PROXY TCP4 1.2.3.4 5.6.7.8 00"), "v1.src_port", 28, ErrMalformed},
		{"destination port", []byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 +"), "v1.dst_port", 29, ErrMalformed},
		{"line end", []byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "v1.crlf", 30, ErrMalformed},
		{"bare CR", []byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX"), "v1.crlf", 31, ErrMalformed},
		{"unknown, bare LF", []byte("PROXY UNKNOWN a\n"), "v1.crlf", 15, ErrMalformed},
		{"unknown, no CR in time", []byte(long[:106]), "v1.crlf", 105, ErrTooLong},
		{"unknown, no LF in time", []byte(long[:105] + "\rx"), "v1.crlf", 106, ErrMalformed},

		{"version 1 in binary", append([]byte(sigV2), 0x11), "v2.ver_cmd", 12, ErrUnsupported},
		{"command", append([]byte(sigV2), 0x22), "v2.ver_cmd", 12, ErrUnsupported},
		{"family", append([]byte(sigV2), 0x21, 0x41), "v2.fam", 13, ErrUnsupported},
		{"transport", append([]byte(sigV2), 0x21, 0x13), "v2.fam", 13, ErrUnsupported},
		{"length, by its first byte", append([]byte(sigV2), 0x21, 0x11, 0x11), "v2.len", 14, ErrTooLong},
		{"length", append([]byte(sigV2), 0x21, 0x11, 0x10, 0x01), "v2.len", 14, ErrTooLong},
		{"length of LOCAL", append([]byte(sigV2), 0x20, 0x00, 0x10, 0x01), "v2.len", 14, ErrTooLong},
		{"length under the addresses", append([]byte(sigV2), 0x21, 0x21, 0x00, 0x23), "v2.len", 14, ErrMalformed},
		{"TLV header", v2(0x21, 0x11, ip4, tlv(TypeNoop), []byte{4}), "v2.pp2_tlv", 31, ErrMalformed},
		{"TLV value", v2(0x21, 0x11, ip4, []byte{4, 0, 1}), "v2.pp2_tlv", 28, ErrMalformed},
		{"unique id", v2(0x21, 0x11, ip4, tlv(TypeUniqueID, make([]byte, 129)...)), "v2.PP2_TYPE_UNIQUE_ID", 28, ErrMalformed},
		{"SSL", v2(0x21, 0x11, ip4, tlv(TypeNoop), tlv(TypeSSL, 0)), "v2.PP2_TYPE_SSL", 31, ErrMalformed},
		{"SSL without version", v2(0x21, 0x11, ip4, tlv(TypeSSL, ClientSSL, 0, 0, 0, 0)), "v2.PP2_TYPE_SSL", 28, ErrMalformed},
		{"CRC32C size", v2(0x21, 0x11, ip4, tlv(TypeCRC32C, 1, 2)), "v2.PP2_TYPE_CRC32C", 28, ErrMalformed},
		{"CRC32C", v2(0x21, 0x11, ip4, tlv(TypeNoop), tlv(TypeCRC32C, 1, 2, 3, 4)), "v2.PP2_TYPE_CRC32C", 31, ErrChecksum},
		{"CRC32C of LOCAL", v2(0x20, 0x00, tlv(TypeCRC32C, 1, 2, 3, 4)), "v2.PP2_TYPE_CRC32C", 16, ErrChecksum},
		{"CRC32C of UNSPEC", v2(0x21, 0x00, tlv(TypeCRC32C, 1, 2, 3, 4)), "v2.PP2_TYPE_CRC32C", 16, ErrChecksum},
		{"two CRC32C", sign(t, v2(0x21, 0x11, ip4, tlv(TypeCRC32C, 0, 0, 0, 0), tlv(TypeCRC32C, 0, 0, 0, 0))), "v2.PP2_TYPE_CRC32C", 35, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, n, err := Parse(tt.in)
			var got *ParseError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *ParseError", err)
			}
			if got.Field != tt.field || got.Offset != tt.offset || !errors.Is(err, tt.want) || n != 0 {
				t.Errorf("got %d, %v, want 0, %s at byte %d: %v", n, err, tt.field, tt.offset, tt.want)
			}
			// The line forms end at the byte that decides: one byte less must not be enough.
			if tt.offset == len(tt.in)-1 {
				if _, _, err := Parse(tt.in[:tt.offset]); !errors.Is(err, ErrShort) {
					t.Errorf("one byte less: got %v, want %v", err, ErrShort)
				}
			}
		})
	}
}

// An error's text is made of a field's name, an offset and a cause: it can quote nothing of the header.
func TestErrorsNameNoValues(t *testing.T) {
	fields := map[string]bool{
		"v1.signature": true, "v1.protocol": true, "v1.src_addr": true, "v1.dst_addr": true,
		"v1.src_port": true, "v1.dst_port": true, "v1.crlf": true,
		"v2.ver_cmd": true, "v2.fam": true, "v2.len": true, "v2.pp2_tlv": true,
		"v2.PP2_TYPE_CRC32C": true, "v2.PP2_TYPE_UNIQUE_ID": true, "v2.PP2_TYPE_SSL": true,
	}
	refused := 0
	for _, v := range vectors(t) {
		_, _, err := Parse(v.bytes(t))
		var bad *ParseError
		if !errors.As(err, &bad) {
			continue
		}
		refused++
		if !fields[bad.Field] {
			t.Errorf("%s: got field %q, want a known one", v.Name, bad.Field)
		}
		if !slices.Contains([]error{ErrMalformed, ErrTooLong, ErrChecksum, ErrUnsupported}, bad.Err) {
			t.Errorf("%s: got cause %v, want a known one", v.Name, bad.Err)
		}
		if want := fmt.Sprintf("proxyheader: %s at byte %d: %s", bad.Field, bad.Offset, bad.Err); err.Error() != want {
			t.Errorf("%s: got %q, want %q", v.Name, err, want)
		}
	}
	if refused == 0 {
		t.Error("no vector is refused")
	}
}

func TestLimits(t *testing.T) {
	unknown := func(length int) []byte {
		return []byte("PROXY UNKNOWN " + strings.Repeat("x", length-len("PROXY UNKNOWN \r\n")) + "\r\n")
	}
	block := func(length int) []byte { return v2(0x21, 0x00, tlv(TypeNoop, make([]byte, length-tlvHeader)...)) }
	tests := []struct {
		name string
		in   []byte
		max  int
		want error
	}{
		{"v1 at the limit", unknown(MaxV1Length), DefaultMaxLength, nil},
		{"v1 over it", unknown(MaxV1Length + 1), DefaultMaxLength, ErrTooLong},
		{"v1 has a limit of its own", unknown(MaxV1Length), 0, nil},
		{"v2 at the limit", block(4096), DefaultMaxLength, nil},
		{"v2 over it", block(4097), DefaultMaxLength, ErrTooLong},
		{"v2 over it, fixed part only", block(4097)[:fixedLength], DefaultMaxLength, ErrTooLong},
		{"v2 at the field's end", block(65535), 65535, nil},
		{"unique id at its limit", v2(0x21, 0x11, ip4, tlv(TypeUniqueID, make([]byte, 128)...)), DefaultMaxLength, nil},
		{"v2 at a small limit", v2(0x21, 0x11, ip4), 12, nil},
		{"v2 over a small limit", v2(0x21, 0x11, ip4), 11, ErrTooLong},
		{"v2 without block", v2(0x20, 0x00), 0, nil},
		{"v2 without block, no limit", v2(0x20, 0x00), -1, ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, n, err := ParseMax(tt.in, tt.max)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil && n != len(tt.in) {
				t.Errorf("got length %d, want %d", n, len(tt.in))
			}
		})
	}
}

// headerBytes are what lines and fixed parts are made of. What ends an address, a field or a line comes last,
// so that complete writes long ones.
const headerBytes = "f95310:.TCP46UNKOWRXYQI\x00\x01\x0c\x11\x21\x24\xd8 \r\n"

// ErrShort promises that the bytes may still become a header: there must be a next byte that is not refused,
// and one after that, until a header is complete. Every line is cut everywhere, and many a byte put there.
func TestShortIsHonest(t *testing.T) {
	lines := []string{
		"PROXY TCP4 203.0.113.70 198.51.100.1 65535 3306\r\n",
		"PROXY TCP6 2001:db8:0:1:2:3:4:5 ::ffff:192.0.2.1 10 0\r\n",
		"PROXY TCP6 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1 2\r\n",
		"PROXY TCP6 :: 1:: 6553 6554\r\n",
		"PROXY UNKNOWN" + strings.Repeat(" x", 46) + "\r\n",
		string(v2(0x21, byte(TCP4), ip4))[:15],
		string(v2(0x20, 0x77))[:15],
	}
	short := 0
	for _, text := range lines {
		for cut := range len(text) + 1 {
			for _, c := range []byte(headerBytes + "/;@gGt\t\v\x22\x33\x7f\xff") {
				b := append([]byte(text[:cut]), c)
				if _, _, err := Parse(b); errors.Is(err, ErrShort) && (b[0] == 'P' || len(b) < fixedLength) {
					short++
					if stuck := complete(b); stuck != nil {
						t.Fatalf("%q: got %v, but no byte can follow", stuck, ErrShort)
					}
				}
			}
		}
	}
	if short == 0 {
		t.Error("no prefix was short")
	}
}

// complete appends to b a byte that Parse bears, until it decides, and returns nil if that ends well.
// Otherwise it returns the bytes that nothing can follow.
func complete(b []byte) (stuck []byte) {
	for {
		next := -1
		for i := 0; i < len(headerBytes) && next < 0; i++ {
			_, _, err := Parse(append(b, headerBytes[i]))
			if err == nil {
				return nil
			}
			if errors.Is(err, ErrShort) {
				next = int(headerBytes[i])
			}
		}
		if next < 0 {
			return b
		}
		b = append(b, byte(next))
		if b[0] == sigV2[0] && len(b) >= fixedLength {
			return nil // the length is right, and the block is judged as a whole
		}
	}
}

// Version 1's addresses are those that netip takes, but for zones and dotted tails.
func TestV1AddressesAgainstNetip(t *testing.T) {
	mappedDotted := regexp.MustCompile(`^::[fF]{4}:[0-9.]+$`)
	var tried, accepted int
	try := func(protocol, s string) {
		tried++
		h, _, err := Parse([]byte("PROXY " + protocol + " " + s + " " + s + " 1 2\r\n"))
		want, wantErr := netip.ParseAddr(s)
		ok := wantErr == nil && want.Zone() == "" && want.Is6() == (protocol == "TCP6")
		if protocol == "TCP6" && strings.Contains(s, ".") && !mappedDotted.MatchString(s) {
			ok = false
		}
		want = want.Unmap()
		switch {
		case ok != (err == nil):
			t.Errorf("%s %q: got %v, want accepted: %t", protocol, s, err, ok)
		case ok && (h.Source.Addr() != want || h.Destination.Addr() != want):
			t.Errorf("%s %q: got %v, %v, want %v", protocol, s, h.Source, h.Destination, want)
		case ok:
			accepted++
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"0", "1", "f", "00", "12", "ABc", "ffff", "0001", "12345", "::", ":", ":", ":", ":", "255", "256", "1.2.3.4", "%", "g", "/"}
	for range 200_000 {
		var s strings.Builder
		for range 1 + random.IntN(17) {
			s.WriteString(pieces[random.IntN(len(pieces))])
		}
		try("TCP6", s.String())
	}
	for range 100_000 { // mostly right: groups with a gap somewhere
		groups := make([]string, random.IntN(10))
		for i := range groups {
			if groups[i] = fmt.Sprintf("%x", random.IntN(0x10000)); random.IntN(8) == 0 {
				groups[i] = ""
			}
		}
		try("TCP6", strings.Join(groups, ":"))
	}
	octets := []string{"0", "1", "9", "10", "99", "100", "249", "255", "256", "00", "01", "260", "999", "1000", "", "a", " "}
	for range 100_000 {
		parts := make([]string, 3+random.IntN(3))
		for i := range parts {
			parts[i] = octets[random.IntN(len(octets))]
			if random.IntN(3) > 0 {
				parts[i] = octets[random.IntN(8)]
			}
		}
		try("TCP4", strings.Join(parts, "."))
		try("TCP6", "::ffff:"+strings.Join(parts, "."))
		try("TCP6", "::FFFF:1:"+strings.Join(parts, "."))
	}
	if accepted < tried/20 {
		t.Errorf("got %d addresses accepted of %d tried, want enough of both kinds", accepted, tried)
	}
}

func TestV1Ports(t *testing.T) {
	for port := range 70_000 {
		h, _, err := Parse(fmt.Appendf(nil, "PROXY TCP4 192.0.2.1 192.0.2.2 %d %d\r\n", port, (port+1)%65536))
		if ok := port < 65536; ok != (err == nil) || ok && (int(h.Source.Port()) != port || int(h.Destination.Port()) != (port+1)%65536) {
			t.Fatalf("port %d: got %v, %v, %v", port, h.Source, h.Destination, err)
		}
		if port > 0 {
			if _, _, err := Parse(fmt.Appendf(nil, "PROXY TCP4 192.0.2.1 192.0.2.2 0%d 1\r\n", port)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("port 0%d: got %v, want %v", port, err, ErrMalformed)
			}
		}
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		in   string
		want Presence
	}{
		{"", Possible},
		{"P", Possible},
		{"PROX", Possible},
		{"PROXY", Present},
		{"PROXYTCP4", Present}, // MariaDB reads it as a header
		{"PROXZ", Absent},
		{"proxy ", Absent},
		{"\r", Possible},
		{sigV2[:11], Possible},
		{sigV2, Present},
		{sigV2 + "!", Present},
		{sigV2[:11] + "!", Absent},
		{"\n", Absent},
		{"\x20\x00\x00\x01", Absent}, // a MySQL login's header
	}
	for _, tt := range tests {
		if got := Detect([]byte(tt.in)); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.in, got, tt.want)
		}
	}
}

// What the benchmarks show, where it is read.
func TestAllocations(t *testing.T) {
	for name, b := range benchmarkInputs(t) {
		if got := testing.AllocsPerRun(100, func() { sink, sinkN, sinkErr = Parse(b) }); got != 0 {
			t.Errorf("Parse of %s: got %v allocations, want 0", name, got)
		}
		if got := testing.AllocsPerRun(100, func() { Detect(b) }); got != 0 {
			t.Errorf("Detect of %s: got %v allocations, want 0", name, got)
		}
	}
	for _, v := range vectors(t) {
		b := v.bytes(t)
		var bad *ParseError
		if _, _, err := Parse(b); errors.As(err, &bad) {
			continue // a refusal may allocate its error
		}
		if got := testing.AllocsPerRun(10, func() { sink, sinkN, sinkErr = Parse(b) }); got != 0 {
			t.Errorf("Parse of vector %s: got %v allocations, want 0", v.Name, got)
		}
	}
}
