package l4mysql

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// payload stands behind headers. It begins with no signature, and has a header in it all the same.
const payload = "\x03SELECT 'PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\n'"

// TestHeaders has each kind of header, in both modes, with and without keep: cut at every byte, one byte
// at a time, all at once, and read in pieces of each size.
func TestHeaders(t *testing.T) {
	tests := []struct {
		name, header  string
		remote, local string
	}{
		{"v1 TCP4", headerV1, clientAddr, targetAddr},
		{"v1 TCP6", headerV1TCP6, "[2001:db8::7]:40002", "[2001:db8:1::9]:3391"},
		{"v1 UNKNOWN", headerUnknown, balancer.String(), listener.String()},
		{"v2 TCP4", headerTCP4(), clientAddr, targetAddr},
		{"v2 UDP4", headerV2(0x21, 0x12, blockTCP4), clientAddr, targetAddr},
		{"v2 TCP4 with TLVs", headerTCP4(tlv(0x05, "unique"), tlv(0x02, "db.example.com")), clientAddr, targetAddr},
		{"v2 LOCAL", headerV2(0x20, 0x00), balancer.String(), listener.String()},
		{"v2 LOCAL with addresses", headerV2(0x20, 0x11, blockTCP4), balancer.String(), listener.String()},
		{"v2 UNSPEC", headerV2(0x21, 0x00), balancer.String(), listener.String()},
		{"v2 UNIX", headerV2(0x21, 0x31, unixPath("/run/client.sock"), unixPath("/run/server.sock")), "/run/client.sock", "/run/server.sock"},
	}
	for _, tt := range tests {
		for _, mode := range []string{modeRequire, modeOptional} {
			for _, keep := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/keep=%t", tt.name, mode, keep), func(t *testing.T) {
					h, logs := newHandler(t, &ProxyHeader{Mode: mode, Keep: keep})
					want := visit{called: true, data: payload, remote: tt.remote, local: tt.local}
					if keep {
						want.data, want.kept = tt.header+payload, len(tt.header)
					}
					check := func(got visit, how string) {
						t.Helper()
						if got != want {
							t.Errorf("%s: got %+v, want %+v", how, got, want)
						}
					}
					allCuts(tt.header+payload, func(a, b string) {
						check(run(t, h, balancer, "", 4096, a, b), fmt.Sprintf("cut at %d", len(a)))
						check(run(t, h, balancer, a, 4096, b), fmt.Sprintf("prefetched %d", len(a)))
					})
					check(run(t, h, balancer, "", 4096, bytewise(tt.header+payload)...), "one byte at a time")
					for _, size := range []int{1, 2, 3, 7, 16, 100} {
						check(run(t, h, balancer, "", size, tt.header+payload), fmt.Sprintf("read by %d", size))
						check(run(t, h, balancer, "", size, tt.header, payload), fmt.Sprintf("two writes, read by %d", size))
					}
					if got := refusalsIn(logs); got != "" {
						t.Errorf("got refusals %q, want none", got)
					}
				})
			}
		}
	}
}

// unixPath returns p as sun_path.
func unixPath(p string) string { return p + strings.Repeat("\x00", 108-len(p)) }

// TestRefusals has what each mode refuses, cut at every byte: not a byte reaches the next handler.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		modes  string
		peer   net.Addr
		in     string
		reason reason
	}{
		{"untrusted v1", "optional", stranger, headerV1 + payload, reasonUntrusted},
		{"untrusted v2", "optional", stranger, headerTCP4() + payload, reasonUntrusted},
		{"untrusted bad header", "optional", stranger, "PROXY nonsense", reasonUntrusted},
		{"malformed v1", "require optional", balancer, "PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n", reasonMalformed},
		{"malformed TLV", "require optional", balancer, headerTCP4("\xea\x00\x09short"), reasonMalformed},
		{"v1 without a space", "require optional", balancer, "PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n", reasonMalformed},
		{"cut off v1", "require optional", balancer, headerV1[:len(headerV1)-1], reasonMalformed},
		{"cut off v2", "require optional", balancer, headerTCP4()[:20], reasonMalformed},
		{"v1 without an end", "require optional", balancer, "PROXY UNKNOWN " + strings.Repeat("x", 200), reasonTooLong},
		{"v2 over max_size", "require optional", balancer, headerTCP4(tlv(0xe5, strings.Repeat("x", 90))), reasonTooLong},
		{"wrong checksum", "require optional", balancer, headerTCP4(tlv(0x03, "\x01\x02\x03\x04")), reasonChecksum},
		{"v2 family not assigned", "require optional", balancer, headerV2(0x21, 0x41, blockTCP4), reasonUnsupported},
		{"v2 version 3", "require optional", balancer, headerV2(0x31, 0x11, blockTCP4), reasonUnsupported},
		{"no header", "require", balancer, payload, reasonMissing},
		{"no header that begins like one", "require", balancer, "\r\n", reasonMissing},
		{"untrusted", "require", stranger, headerV1 + payload, reasonUntrusted},
	}
	for _, tt := range tests {
		for _, mode := range strings.Fields(tt.modes) {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				h, logs := newHandler(t, &ProxyHeader{Mode: mode, MaxSize: 100, Keep: true})
				n := 0
				check := func(got visit, how string) {
					t.Helper()
					n++
					if got.data != "" || got.err != nil || got.called && mode == modeRequire {
						t.Errorf("%s: got %+v, want nothing but the end", how, got)
					}
				}
				allCuts(tt.in, func(a, b string) {
					check(run(t, h, tt.peer, "", 4096, a, b), fmt.Sprintf("cut at %d", len(a)))
					check(run(t, h, tt.peer, a, 4096, b), fmt.Sprintf("prefetched %d", len(a)))
				})
				check(run(t, h, tt.peer, "", 3, bytewise(tt.in)...), "one byte at a time")
				if got := refusalsIn(logs); got != string(tt.reason) {
					t.Errorf("%d times: got refusals %q, want %q, once", n, got, tt.reason)
				}
			})
		}
	}
}

// TestDuplicate: a second signature right behind the header is refused, and later ones are not looked at.
// Without keep nothing of either reaches the next handler. With keep the first does where it came alone:
// a server that waits for it before it speaks must have it.
func TestDuplicate(t *testing.T) {
	for _, mode := range []string{modeRequire, modeOptional} {
		for _, second := range []string{headerV1, headerTCP4(), "PROXYTCP4 "} {
			h, logs := newHandler(t, &ProxyHeader{Mode: mode})
			for _, first := range []string{headerV1, headerTCP4(), headerV2(0x20, 0)} {
				allCuts(first+second, func(a, b string) {
					got := run(t, h, balancer, "", 4096, a, b+payload)
					if got.data != "" || got.err != nil {
						t.Errorf("%s, cut at %d: got %+v, want nothing", mode, len(a), got)
					}
				})
			}
			if got := refusalsIn(logs); got != "duplicate" {
				t.Errorf("%s: got refusals %q, want duplicate, once", mode, got)
			}

			keeping, _ := newHandler(t, &ProxyHeader{Mode: mode, Keep: true})
			if got := run(t, keeping, balancer, "", 4096, headerV1+second); got.data != "" {
				t.Errorf("%s, keep: got %q, want nothing", mode, got.data)
			}
			if got := run(t, keeping, balancer, "", 4096, headerV1, second); got.data != headerV1 {
				t.Errorf("%s, keep, second header later: got %q, want the first", mode, got.data)
			}
		}
	}
}

// TestOptionalPasses has what mode optional lets through unchanged.
func TestOptionalPasses(t *testing.T) {
	tests := []struct {
		name string
		peer net.Addr
		in   string
	}{
		{"no header", balancer, payload},
		{"no header from a stranger", stranger, payload},
		{"a header later", balancer, payload + headerV1},
		{"a header later from a stranger", stranger, payload + headerTCP4()},
		{"almost v1", balancer, "PROXI TCP4"},
		{"almost v2", stranger, signatureV2[:11] + "!"},
		{"a prefix and the end", balancer, "\r\n"},
		{"a stranger's prefix and the end", stranger, "PROX"},
		{"nothing", balancer, ""},
	}
	h, logs := newHandler(t, &ProxyHeader{Mode: modeOptional})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := visit{called: true, data: tt.in, remote: tt.peer.String(), local: listener.String()}
			allCuts(tt.in, func(a, b string) {
				for _, size := range []int{1, 4096} {
					if got := run(t, h, tt.peer, "", size, a, b); got != want {
						t.Errorf("cut at %d, read by %d: got %+v, want %+v", len(a), size, got, want)
					}
				}
				if got := run(t, h, tt.peer, a, 4096, b); got != want {
					t.Errorf("prefetched %d: got %+v, want %+v", len(a), got, want)
				}
			})
		})
	}
	if got := refusalsIn(logs); got != "" {
		t.Errorf("got refusals %q, want none", got)
	}
}

// TestPrefetched has as much in the connection's own buffer as matchers can put there.
func TestPrefetched(t *testing.T) {
	for _, size := range []int{1, 511, 512, 513, 2048, 4096, 16 << 10, 17 << 10} {
		body := payload + strings.Repeat("0123456789abcdef", size/16) + "end"
		for _, keep := range []bool{false, true} {
			for _, mode := range []string{modeRequire, modeOptional} {
				h, _ := newHandler(t, &ProxyHeader{Mode: mode, Keep: keep})
				want := body
				if keep {
					want = headerTCP4() + body
				}
				in := headerTCP4() + body
				for _, cut := range []int{1, 20, 28, 29, len(in) - 1, len(in)} {
					got := run(t, h, balancer, in[:cut], 1000, in[cut:])
					if got.data != want || got.remote != clientAddr {
						t.Errorf("%d bytes, %s, keep=%t, %d prefetched: got %s from %s, want %s from %s",
							size, mode, keep, cut, brief(got.data), got.remote, brief(want), clientAddr)
					}
				}
			}
		}
	}
}

// TestLargeHeader: max_size is a limit on v2's length field, up to all that it can say.
func TestLargeHeader(t *testing.T) {
	for _, length := range []int{4096, 65535} {
		value := strings.Repeat("v", length-len(blockTCP4)-3)
		in := headerTCP4(tlv(0xe5, value))
		h, _ := newHandler(t, &ProxyHeader{MaxSize: length})
		for _, chunk := range []int{100, 5000, len(in)} {
			var chunks []string
			for rest := in + payload; rest != ""; {
				n := min(chunk, len(rest))
				chunks, rest = append(chunks, rest[:n]), rest[n:]
			}
			if got := run(t, h, balancer, "", 4096, chunks...); got.data != payload || got.remote != clientAddr {
				t.Errorf("length %d by %d: got %s from %s, want %q from %s", length, chunk, brief(got.data), got.remote, payload, clientAddr)
			}
		}
		h, logs := newHandler(t, &ProxyHeader{MaxSize: length - 1})
		run(t, h, balancer, "", 4096, in+payload)
		if got := refusalsIn(logs); got != "too_long" {
			t.Errorf("length %d over max_size: got refusals %q, want too_long", length, got)
		}
	}
}
