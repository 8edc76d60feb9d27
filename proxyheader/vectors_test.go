package proxyheader

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A vector is a header, or what is not quite one, with the answer that the specification wants.
type vector struct {
	Name      string
	Hex       string
	Level     string   // MUST, SHOULD, MAY, AMBIG
	Expect    string   // accept, local, unknown, reject, needmore
	Also      []string // what the specification would let pass, too
	Version   uint8
	HeaderLen int `json:"header_len"`
	Rest      string
	Network   string // empty for UNSPEC
	Src, Dst  string
	TLVs      map[string]string
	TLVList   [][2]string `json:"tlv_list"`
	NoHeader  bool        `json:"no_header"`
	SSL       *struct {
		Client  uint8
		Verify  uint32
		SubTLVs [][2]string `json:"sub_tlvs"`
	}
}

func (v *vector) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatalf("vector %s: %v", v.Name, err)
	}
	return b
}

// discretionary reports whether the specification leaves the answer to the receiver.
func (v *vector) discretionary() bool { return v.Level == "MAY" || v.Level == "AMBIG" }

func vectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.ReadFile("testdata/proxy-header.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("testdata/proxy-header.json holds no vector")
	}
	return all
}

// choices reads testdata/choices.txt: our answer for each vector that leaves one.
func choices(t testing.TB) map[string]string {
	t.Helper()
	file, err := os.ReadFile("testdata/choices.txt")
	if err != nil {
		t.Fatal(err)
	}
	chosen := map[string]string{}
	for number, text := range strings.Split(string(file), "\n") {
		words := strings.Fields(text)
		if len(words) == 0 || strings.HasPrefix(text, "#") {
			continue
		}
		if len(words) < 3 {
			t.Fatalf("choices.txt:%d: got %q, want name, answer and reason", number+1, text)
		}
		if _, twice := chosen[words[0]]; twice {
			t.Fatalf("choices.txt:%d: %s is there twice", number+1, words[0])
		}
		chosen[words[0]] = words[1]
	}
	return chosen
}

// answer names what Parse said in the vectors' words.
func answer(t testing.TB, h Header, err error) string {
	t.Helper()
	var bad *ParseError
	switch {
	case errors.Is(err, ErrShort):
		return "needmore"
	case errors.Is(err, ErrNone), errors.As(err, &bad):
		return "reject"
	case err != nil:
		t.Fatalf("got an error of no known kind: %v", err)
	case h.Version == 2 && h.Command == Local:
		return "local"
	case h.Network == Unspec:
		return "unknown"
	}
	return "accept"
}

// result is all that Parse returns, for comparison.
type result struct {
	h   Header
	n   int
	err error
}

func parse(b []byte) result {
	h, n, err := Parse(b)
	return result{h, n, err}
}

// feed parses b as it arrives in pieces of step bytes.
func feed(b []byte, step int) (r result) {
	for arrived := min(step, len(b)); ; arrived = min(arrived+step, len(b)) {
		r = parse(b[:arrived])
		if !errors.Is(r.err, ErrShort) || arrived == len(b) {
			return r
		}
	}
}

func TestVectors(t *testing.T) {
	chosen := choices(t)
	for _, v := range vectors(t) {
		want := v.Expect
		if v.discretionary() {
			choice, ok := chosen[v.Name]
			if !ok {
				t.Errorf("%s: level %s, but choices.txt has no line for it", v.Name, v.Level)
				continue
			}
			if choice != v.Expect && !slices.Contains(v.Also, choice) {
				t.Errorf("%s: choices.txt says %s, but the specification allows %s or %v", v.Name, choice, v.Expect, v.Also)
			}
			want = choice
			delete(chosen, v.Name)
		}
		t.Run(v.Name, func(t *testing.T) {
			b := v.bytes(t)
			r := parse(b)
			if got := answer(t, r.h, r.err); got != want {
				t.Fatalf("got %s (%v), want %s", got, r.err, want)
			}
			for _, step := range []int{1, 2, 3, 7} {
				if got := feed(b, step); !reflect.DeepEqual(got, r) {
					t.Errorf("in pieces of %d bytes: got %+v, want %+v", step, got, r)
				}
			}
			if r.err != nil {
				if got := errors.Is(r.err, ErrNone); want == "reject" && got != v.NoHeader {
					t.Errorf("got no header %t (%v), want %t", got, r.err, v.NoHeader)
				}
				return
			}
			for cut := range r.n {
				if got := parse(b[:cut]); !errors.Is(got.err, ErrShort) || got.n != 0 {
					t.Errorf("cut after %d bytes: got %d, %v, want 0, %v", cut, got.n, got.err, ErrShort)
				}
			}
			if want == v.Expect {
				compareHeader(t, &v, b, r)
			}
		})
	}
	for name := range chosen {
		t.Errorf("choices.txt: %s is no vector of level MAY or AMBIG", name)
	}
}

func compareHeader(t *testing.T, v *vector, b []byte, r result) {
	t.Helper()
	h := r.h
	if h.Version != v.Version {
		t.Errorf("version: got %d, want %d", h.Version, v.Version)
	}
	if r.n != v.HeaderLen {
		t.Errorf("header length: got %d, want %d", r.n, v.HeaderLen)
	}
	if got := hex.EncodeToString(b[r.n:]); got != v.Rest {
		t.Errorf("rest: got %s, want %s", got, v.Rest)
	}
	wantNetwork := v.Network
	if wantNetwork == "" {
		wantNetwork = "unspec"
	}
	if got := h.Network.String(); got != wantNetwork {
		t.Errorf("network: got %s, want %s", got, wantNetwork)
	}
	wantCommand := Proxy
	if v.Expect == "local" || v.Version == 1 && v.Expect == "unknown" {
		wantCommand = Local
	}
	if h.Command != wantCommand {
		t.Errorf("command: got %v, want %v", h.Command, wantCommand)
	}
	compareAddress(t, "src", h.Network, h.Source, h.SourcePath, v.Src)
	compareAddress(t, "dst", h.Network, h.Destination, h.DestinationPath, v.Dst)

	if got := list(h.TLVs); !slices.Equal(got, v.TLVList) {
		t.Errorf("TLVs: got %v, want %v", got, v.TLVList)
	}
	for name, want := range v.TLVs {
		if got, ok := h.TLVs.Lookup(name); !ok || got != want {
			t.Errorf("TLV %s: got %q, %t, want %q", name, got, ok, want)
		}
	}
	ssl, ok := h.TLVs.SSL()
	if ok != (v.SSL != nil) {
		t.Fatalf("SSL: got %t, want %t", ok, v.SSL != nil)
	}
	if !ok {
		return
	}
	if ssl.Client != v.SSL.Client || ssl.Verify != v.SSL.Verify {
		t.Errorf("SSL: got client %d verify %d, want client %d verify %d", ssl.Client, ssl.Verify, v.SSL.Client, v.SSL.Verify)
	}
	if got := list(ssl.TLVs); !slices.Equal(got, v.SSL.SubTLVs) {
		t.Errorf("SSL's TLVs: got %v, want %v", got, v.SSL.SubTLVs)
	}
}

// compareAddress compares IP addresses after unmapping, as the vectors ask for.
func compareAddress(t *testing.T, which string, n Network, ip netip.AddrPort, path []byte, want string) {
	t.Helper()
	//exhaustive:ignore // the others are the four with IP addresses
	switch n {
	case Unspec:
		if ip.IsValid() || path != nil || want != "" {
			t.Errorf("%s: got %v, %q, want none (%q)", which, ip, path, want)
		}
	case UnixStream, UnixDgram:
		wantPath := []byte(want)
		if digits, ok := strings.CutPrefix(want, "hex:"); ok {
			wantPath, _ = hex.DecodeString(digits)
		}
		if !bytes.Equal(path, wantPath) {
			t.Errorf("%s: got %q, want %q", which, path, wantPath)
		}
	default:
		wantIP := netip.MustParseAddrPort(want)
		wantIP = netip.AddrPortFrom(wantIP.Addr().Unmap(), wantIP.Port())
		if ip != wantIP {
			t.Errorf("%s: got %v, want %v", which, ip, wantIP)
		}
	}
}

// list writes TLVs as the vectors do.
func list(tlvs TLVs) [][2]string {
	var all [][2]string
	for typ, value := range tlvs.All() {
		all = append(all, [2]string{fmt.Sprintf("0x%02x", uint8(typ)), hex.EncodeToString(value)})
	}
	return all
}
