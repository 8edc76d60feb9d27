package mysqlproxy

import (
	"strings"
	"testing"
)

// TestGuard: what a client gets of a server's packets in COM_CHANGE_USER, whole and byte by byte.
func TestGuard(t *testing.T) {
	const toClear, toTLS = "would send the password in clear to the upstream", "needs TLS on the client's connection, too"
	native := frame(1, "\xfemysql_native_password\x0012345678901234567890\x00")
	sha2 := frame(1, "\xfecaching_sha2_password\x0012345678901234567890\x00")
	full, fast, ok := frame(3, "\x01\x04"), frame(3, "\x01\x03"), frame(4, "\x00\x00\x00\x02\x00\x00\x00")
	for _, tt := range []struct {
		name, in      string
		clientSecret  bool
		want, refusal string
	}{
		{"a switch to a plugin with a nonce", native + ok, true, native + ok, ""},
		{"fast authentication", sha2 + fast + ok, true, sha2 + fast + ok, ""},
		{"full authentication", sha2 + full + ok, true, sha2, toClear},
		{"full authentication without a switch", full, true, "", toClear},
		{"full authentication, the other way round", sha2 + full, false, sha2, toTLS},
		{"clear text", frame(1, "\xfemysql_clear_password\x00"), true, "", toClear},
		{"sha256_password", frame(1, "\xfesha256_password\x0012345678901234567890\x00"), true, "", toClear},
		{"a packet that is none of an authentication", "\xff\xff\xff\x01rest", true, "", "something else than an authentication"},
	} {
		for _, step := range []int{1, 3, 1 << 20} {
			g := newGuard(&Session{Server: &Leg{Secret: !tt.clientSecret, TLS: !tt.clientSecret}, Secret: tt.clientSecret, Tracker: new(toyTracker)})
			if p, refusal := g.inspect([]byte(sha2+full), false); string(p) != sha2+full || refusal != nil {
				t.Errorf("rows are looked at: got %q", p)
			}
			var got, refusal string
			for rest := tt.in; len(rest) > 0 && refusal == ""; {
				n := min(step, len(rest))
				p, r := g.inspect([]byte(rest[:n]), true)
				got, refusal, rest = got+string(p), string(r), rest[n:]
			}
			if got != tt.want || (refusal == "") != (tt.refusal == "") || !strings.Contains(refusal, tt.refusal) {
				t.Errorf("%s, in steps of %d: got %q and refusal %q, want %q and %q", tt.name, step, got, refusal, tt.want, tt.refusal)
			}
		}
	}
	if newGuard(&Session{Server: &Leg{Secret: true, TLS: true}, Secret: true, Tracker: new(toyTracker)}) != nil {
		t.Error("two legs with TLS have a guard")
	}
}
