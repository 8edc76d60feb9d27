package proxyheader

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"testing"

	"github.com/pires/go-proxyproto"
)

// addSeeds gives f every vector and every benchmark's input.
func addSeeds(f *testing.F) {
	f.Helper()
	seeds := 0
	for _, v := range vectors(f) {
		// The one vector of 64 KiB reaches no code that the one over the limit does not, and mutating it takes
		// most of the time there is.
		if b := v.bytes(f); len(b) <= 2*DefaultMaxLength {
			f.Add(b)
			seeds++
		}
	}
	for _, b := range benchmarkInputs(f) {
		f.Add(b)
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
}

// FuzzParse checks that no input panics, that an answer other than ErrShort is final, whatever follows, and
// that what Parse, Detect and the TLV methods say fits together.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := parse(b)
		checkResult(t, b, whole)

		// Every prefix is short until one is decided; then every longer one gives the same answer, and so do
		// bytes that come behind.
		decided := false
		for cut := range len(b) + 1 {
			got := parse(b[:cut])
			switch {
			case errors.Is(got.err, ErrShort) && decided:
				t.Fatalf("cut after %d of %d bytes: got %v after another answer", cut, len(b), got.err)
			case !errors.Is(got.err, ErrShort) && !reflect.DeepEqual(got, whole):
				t.Fatalf("cut after %d of %d bytes: got %+v, want %+v", cut, len(b), got, whole)
			case !errors.Is(got.err, ErrShort):
				decided = true
			}
		}
		if !errors.Is(whole.err, ErrShort) {
			for _, more := range []string{"\x00", "\r\n", " ", "PROXY TCP4 ", sigV2} {
				if got := parse(append(b[:len(b):len(b)], more...)); !reflect.DeepEqual(got, whole) {
					t.Fatalf("with %q behind: got %+v, want %+v", more, got, whole)
				}
			}
		}

		// The limit on version 2's length must be the only thing that it changes.
		if h, n, err := ParseMax(b, 65535); whole.err == nil && (n != whole.n || err != nil || !reflect.DeepEqual(h, whole.h)) {
			t.Fatalf("without a limit: got %+v, %d, %v, want %+v", h, n, err, whole)
		}

		for typ, value := range TLVs(b).All() { // bytes that nobody has checked
			_, _ = typ, value
		}
		for name := range lookups {
			TLVs(b).Lookup(name)
			whole.h.TLVs.Lookup(name)
		}
		TLVs(b).SSL()
	})
}

func checkResult(t *testing.T, b []byte, r result) {
	t.Helper()
	presence := Detect(b)
	if (presence == Absent) != errors.Is(r.err, ErrNone) || presence == Possible && !errors.Is(r.err, ErrShort) {
		t.Fatalf("got %v, but Detect says %v", r.err, presence)
	}
	var bad *ParseError
	switch {
	case r.err == nil:
	case r.n != 0 || !reflect.DeepEqual(r.h, Header{}):
		t.Fatalf("got %+v with an error", r)
	case errors.Is(r.err, ErrShort), errors.Is(r.err, ErrNone):
		return
	case !errors.As(r.err, &bad) || bad.Offset < 0 || bad.Offset >= len(b) || bad.Field == "":
		t.Fatalf("got %#v for %d bytes", r.err, len(b))
	default:
		return
	}

	h := r.h
	if r.n <= 0 || r.n > len(b) {
		t.Fatalf("got length %d of %d bytes", r.n, len(b))
	}
	if h.Version == 1 && (r.n > MaxV1Length || h.TLVs != nil) || h.Version == 2 && r.n > fixedLength+DefaultMaxLength {
		t.Fatalf("got %+v, %d bytes long", h, r.n)
	}
	isIP := h.Network != Unspec && h.Network != UnixStream && h.Network != UnixDgram
	for _, ap := range []netip.AddrPort{h.Source, h.Destination} {
		if ap.IsValid() != isIP || ap.Addr().Is4In6() || ap.Addr().Zone() != "" {
			t.Fatalf("got %v for %v", ap, h.Network)
		}
	}
	for _, addr := range []net.Addr{h.SourceAddr(), h.DestinationAddr()} {
		if (addr == nil) != (h.Network == Unspec) {
			t.Fatalf("got %v for %v", addr, h.Network)
		}
	}
	if h.Command == Local && (h.Network != Unspec || h.TLVs != nil) {
		t.Fatalf("got %+v for LOCAL", h)
	}
	length := 0
	for _, value := range h.TLVs.All() {
		length += tlvHeader + len(value)
	}
	if length != len(h.TLVs) {
		t.Fatalf("got TLVs of %d bytes in an area of %d", length, len(h.TLVs))
	}
}

// FuzzAgainstGoProxyproto compares Parse with go-proxyproto's Read. Where both accept, they must have read
// the same; where one refuses what the other accepts, the reason must be one of those below.
//
// We are stricter:
//   - the TLV area is judged (go-proxyproto does that on demand, and verifies no checksum);
//   - in version 1, a bare CR after UNKNOWN is refused, and the dotted spelling of IPv6 addresses is accepted
//     only behind ::ffff:.
//
// We are laxer, where the specification is:
//   - PROXY with UNSPEC is accepted (go-proxyproto uses its right to reject it);
//   - LOCAL ignores the family, also one that is not assigned.
func FuzzAgainstGoProxyproto(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		ours := parse(b)
		source := bytes.NewReader(b)
		reader := bufio.NewReaderSize(source, len(b)+16) // one read takes all: it refuses a line cut in two
		theirs, theirErr := proxyproto.Read(reader)
		read := len(b) - reader.Buffered() - source.Len()

		switch {
		case ours.err == nil && theirErr == nil:
			compareWithGoProxyproto(t, ours, theirs, read)
		case ours.err == nil && !laxer(&ours.h, b):
			t.Fatalf("got %+v, but go-proxyproto says %v", ours.h, theirErr)
		case ours.err != nil && theirErr == nil && !stricter(ours.err, theirs, b[:read]):
			t.Fatalf("got %v, but go-proxyproto accepts %+v", ours.err, theirs)
		case errors.Is(ours.err, ErrNone) && !errors.Is(theirErr, proxyproto.ErrNoProxyProtocol):
			t.Fatalf("got %v, but go-proxyproto says %v", ours.err, theirErr)
		}
	})
}

// laxer reports whether go-proxyproto may refuse what we accept.
func laxer(h *Header, b []byte) bool {
	if h.Version != 2 {
		return false
	}
	_, assigned := addressSize(Network(b[13]))
	return h.Command == Proxy && h.Network == Unspec || h.Command == Local && !assigned
}

// stricter reports whether we may refuse header, which go-proxyproto accepts, with err.
func stricter(err error, theirs *proxyproto.Header, header []byte) bool {
	var bad *ParseError
	if !errors.As(err, &bad) {
		return false
	}
	switch bad.Field {
	case "v1.crlf":
		return theirs.Command.IsLocal() && bytes.IndexByte(header, '\r') < len(header)-2 ||
			theirs.Command.IsLocal() && bytes.IndexByte(header, '\n') < len(header)-1
	case "v1.src_addr", "v1.dst_addr":
		return theirs.TransportProtocol == proxyproto.TCPv6 && bytes.IndexByte(header, '.') > 0
	case "v2.pp2_tlv":
		_, err := theirs.TLVs()
		return err != nil
	case "v2.PP2_TYPE_CRC32C":
		return bytes.Contains(header[fixedLength:], []byte{byte(TypeCRC32C), 0})
	case "v2.PP2_TYPE_UNIQUE_ID":
		return bytes.IndexByte(header[fixedLength:], byte(TypeUniqueID)) >= 0
	case "v2.PP2_TYPE_SSL":
		return bytes.IndexByte(header[fixedLength:], byte(TypeSSL)) >= 0
	}
	return false
}

func compareWithGoProxyproto(t *testing.T, ours result, theirs *proxyproto.Header, read int) {
	t.Helper()
	h := ours.h
	if ours.n != read || h.Version != theirs.Version || (h.Command == Local) != theirs.Command.IsLocal() {
		t.Fatalf("got %+v of %d bytes, go-proxyproto read %+v of %d bytes", h, ours.n, theirs, read)
	}
	if h.Command == Local {
		return // it keeps the block that must be discarded
	}
	if uint8(h.Network) != uint8(theirs.TransportProtocol) {
		t.Fatalf("got network %v, go-proxyproto read %v", h.Network, theirs.TransportProtocol)
	}
	compareNetAddr(t, h.SourceAddr(), theirs.SourceAddr)
	compareNetAddr(t, h.DestinationAddr(), theirs.DestinationAddr)

	tlvs, err := theirs.TLVs()
	if err != nil {
		t.Fatalf("got TLVs %x, go-proxyproto says %v", []byte(h.TLVs), err)
	}
	for typ, value := range h.TLVs.All() {
		// It drops the contents of padding.
		if len(tlvs) == 0 || uint8(tlvs[0].Type) != uint8(typ) || typ != TypeNoop && !bytes.Equal(tlvs[0].Value, value) {
			t.Fatalf("got TLV %#x %x, go-proxyproto goes on with %+v", typ, value, tlvs)
		}
		tlvs = tlvs[1:]
	}
	if len(tlvs) > 0 {
		t.Fatalf("go-proxyproto has more TLVs: %+v", tlvs)
	}
}

func compareNetAddr(t *testing.T, ours, theirs net.Addr) {
	t.Helper()
	if unix, ok := ours.(*net.UnixAddr); ok && unix.Name != "" && unix.Name[0] == '@' && theirs.String() == "" {
		return // it cuts an abstract name at the NUL that it begins with
	}
	if ours.Network() != theirs.Network() || ours.String() != theirs.String() {
		t.Fatalf("got %v/%v, go-proxyproto read %v/%v", ours.Network(), ours, theirs.Network(), theirs)
	}
}
