package mysqlproxy

import (
	"strings"
	"testing"
)

// killCases are payloads of whole packets, and what stands in the place of the id then; empty for what is none. The id
// in them is 0x80000007, and the other one is 42.
var killCases = []struct {
	in, want   string
	attributes bool
	query      bool
}{
	{in: "\x03KILL 2147483655", want: "\x03KILL 42"},
	{in: "\x03kill 2147483655;", want: "\x03kill 42;"},
	{in: "\x03Kill\t\r\n 02147483655 \n; \t", want: "\x03Kill\t\r\n 42 \n; \t"},
	{in: "\x03  KILL CONNECTION 2147483655", want: "\x03  KILL CONNECTION 42"},
	{in: "\x03KILL QUERY 2147483655", want: "\x03KILL QUERY 42", query: true},
	{in: "\x03KILL QUERY -2147483641", want: "\x03KILL QUERY 42", query: true}, // the same, as a number with a sign
	{in: "\x03kIlL\vquerY\f2147483655", want: "\x03kIlL\vquerY\f42", query: true},
	{in: "\x03KILL HARD 2147483655", want: "\x03KILL HARD 42"},
	{in: "\x03KILL SOFT CONNECTION 2147483655", want: "\x03KILL SOFT CONNECTION 42"},
	{in: "\x03KILL SOFT QUERY 2147483655", want: "\x03KILL SOFT QUERY 42", query: true},
	{in: "\x03\x00\x01KILL QUERY 2147483655", want: "\x03\x00\x01KILL QUERY 42", attributes: true, query: true},
	{in: "\x0c\x07\x00\x00\x80", want: "\x0c\x2a\x00\x00\x00"},
	{in: "\x0c\x07\x00\x00\x80", want: "\x0c\x2a\x00\x00\x00", attributes: true},

	{in: "\x03KILL 7"},
	{in: "\x03KILL 2147483647"},
	{in: "\x03KILL 4294967296"},
	{in: "\x03KILL 6442450951"}, // the id, and 2^32
	{in: "\x03KILL 18446744071562067975"},
	{in: "\x03KILL 99999999999999999999999"},
	{in: "\x03KILL -2147483655"},
	{in: "\x03KILL --2147483641"},
	{in: "\x03KILL - 2147483641"},
	{in: "\x03KILL +2147483655"},
	{in: "\x03KILL 2_147_483_655"},
	{in: "\x03KILL 0x80000007      "},
	{in: "\x03KILL 2147483655.0"},
	{in: "\x03KILL 2147483655;;"},
	{in: "\x03KILL 2147483655; SELECT 1"},
	{in: "\x03KILL 2147483655 OR 1"},
	{in: "\x03KILL;2147483655  "},
	{in: "\x03KILL QUERY ; 2147483655"},
	{in: "\x03KILL QUERY ID 2147483655"}, // a query's id
	{in: "\x03KILL QUERY CONNECTION 2147483655"},
	{in: "\x03KILL QUERY HARD 2147483655"},
	{in: "\x03KILL HARD SOFT 2147483655"},
	{in: "\x03KILL USER u2147483655"},
	{in: "\x03KILL QUERY           "},
	{in: "\x03KILL2147483655       "},
	{in: "\x03KILLER 2147483655"},
	{in: "\x03\xe2\x84\xaaILL 2147483655"}, // a Kelvin sign
	{in: "\x03K\x00ILL 2147483655"},
	{in: "\x03SELECT 'KILL 2147483655'"},
	{in: "\x03/* x */ KILL 2147483655"},
	{in: "\x03\x00\x01KILL 2147483655"},
	{in: "\x03KILL 2147483655", attributes: true},
	{in: "\x03\x01\x01KILL 2147483655", attributes: true},
	{in: "\x16KILL 2147483655"}, // COM_STMT_PREPARE
	{in: "\x0c\x07\x00\x00\x00"},
	{in: "\x0c\x07\x00\x00\x80\x00"},
	{in: "\x03KILL " + strings.Repeat("0", 113) + "2147483655"},
}

func TestParseKill(t *testing.T) {
	for _, tt := range killCases {
		if len(tt.in) > maxKill {
			continue
		}
		k, ok := parseKill([]byte(tt.in), tt.attributes)
		if ok != (tt.want != "") {
			t.Errorf("%q: taken for a KILL: %v", tt.in, ok)
		}
		if !ok {
			continue
		}
		if k.id != 0x8000_0007 || k.query != tt.query {
			t.Errorf("%q: got id %#x, query %v; want 0x80000007, %v", tt.in, k.id, k.query, tt.query)
		}
		if got := string(k.appendPacket(nil, 42)); got != frame(0, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, frame(0, tt.want))
		}
	}
}

// TestMayBeKill: no part of a KILL is let through, and hardly anything else is held back.
func TestMayBeKill(t *testing.T) {
	for _, tt := range killCases {
		packet := frame(0, tt.in)
		for n := range len(packet) + 1 {
			if tt.want != "" && !mayBeKill([]byte(packet[:n]), tt.attributes) {
				t.Errorf("the first %d bytes of %q go on", n, packet)
			}
			more := []byte(packet[:n] + frame(0, statement))
			if tt.want != "" && n == len(packet) && !mayBeKill(more, tt.attributes) {
				t.Errorf("%q goes on", more)
			}
		}
	}
	for _, tt := range []struct {
		in         string
		attributes bool
	}{
		{in: frame(0, quit)},
		{in: frame(0, "")},
		{in: frame(0, "\x03SELECT 'something'")[:6]},
		{in: frame(0, "\x03KI CK 2147483655 ")[:10]},
		{in: frame(0, "\x03KILLALL 2147483655")[:10]},
		{in: frame(0, "\x03;KILL 2147483655")[:6]},
		{in: frame(0, "\x03\x00\x02KILL 2147483655")[:7], attributes: true},
		{in: frame(0, "\x03\x01")[:6], attributes: true},
		{in: frame(0, "\x16KILL 2147483655")[:5]},
		{in: frame(0, "\x03\x01\x02\x03\x04")[:5]},
		{in: frame(0, "\x0c\x07\x00\x00\x80\x00")[:5]},
		{in: frame(1, "\x03KILL 2147483655")[:4]},
		{in: frame(0, strings.Repeat("K", maxKill+1))[:4]},
	} {
		if mayBeKill([]byte(tt.in), tt.attributes) {
			t.Errorf("%q is held back", tt.in)
		}
	}
}

// FuzzKill: whatever is taken for a KILL is one with another id, too, and was held back at every byte.
func FuzzKill(f *testing.F) {
	for _, tt := range killCases {
		f.Add([]byte(tt.in), tt.attributes)
	}
	f.Fuzz(func(t *testing.T, payload []byte, attributes bool) {
		if len(payload) > maxKill {
			return
		}
		packet := []byte(frame(0, string(payload)))
		k, ok := parseKill(payload, attributes)
		if !ok {
			return
		}
		for n := range len(packet) + 1 {
			if !mayBeKill(packet[:n], attributes) {
				t.Errorf("the first %d bytes of %q go on", n, packet)
			}
		}
		if !IsOwnConnectionID(k.id) {
			t.Errorf("%q: %d is not an id of ours", payload, k.id)
		}
		again := k.appendPacket(nil, k.id|1)
		other, ok := parseKill(again[4:], attributes)
		if !ok || other.id != k.id|1 || other.query != k.query {
			t.Errorf("%q: with another id %q: got %+v, %v", payload, again, other, ok)
		}
	})
}
