package proxyheader

import "net/netip"

// parseV1 decodes a line that begins with "PROXY" (section 2.1):
//
//	"PROXY" SP ("TCP4" | "TCP6") SP src_addr SP dst_addr SP src_port SP dst_port CRLF
//	"PROXY" SP "UNKNOWN" [SP anything] CRLF
//
// The longest TCP line has 104 bytes, so the grammar alone keeps it within MaxV1Length.
func parseV1(b []byte) (Header, int, error) {
	l := line{b: b, at: len(sigV1)}
	l.literal("v1.signature", " ")

	h := Header{Version: 1, Command: Proxy, Network: l.protocol()}
	if h.Network == Unspec {
		h.Command = Local
		l.unknown()
		return l.done(h)
	}
	source := l.address("v1.src_addr", h.Network)
	l.literal("v1.src_addr", " ")
	destination := l.address("v1.dst_addr", h.Network)
	l.literal("v1.dst_addr", " ")
	sourcePort := l.decimal("v1.src_port", 65535)
	l.literal("v1.src_port", " ")
	destinationPort := l.decimal("v1.dst_port", 65535)
	l.literal("v1.crlf", "\r\n")

	h.Source = netip.AddrPortFrom(source, uint16(sourcePort))
	h.Destination = netip.AddrPortFrom(destination, uint16(destinationPort))
	return l.done(h)
}

// line reads a version 1 line. The first failure sticks: what is read after it is zero.
type line struct {
	b   []byte
	at  int
	err error // nil, ErrShort or a *ParseError
}

func (l *line) done(h Header) (Header, int, error) {
	if l.err != nil {
		return Header{}, 0, l.err
	}
	return h, l.at, nil
}

// fail refuses the byte at l.at.
func (l *line) fail(field string, cause error) {
	if l.err == nil {
		l.err = &ParseError{Field: field, Offset: l.at, Err: cause}
	}
}

// peek returns the next byte. At the end of what has arrived it returns 0 and fails with ErrShort.
func (l *line) peek() byte {
	if l.at < len(l.b) && l.err == nil {
		return l.b[l.at]
	}
	if l.err == nil {
		l.err = ErrShort
	}
	return 0
}

func (l *line) literal(field, want string) {
	for i := range len(want) {
		c := l.peek()
		if l.err != nil {
			return
		}
		if c != want[i] {
			l.fail(field, ErrMalformed)
			return
		}
		l.at++
	}
}

// protocols are the words of section 2.1. The space belongs to those that must have one.
var protocols = [...]struct {
	word    string
	network Network
}{
	{"TCP4 ", TCP4},
	{"TCP6 ", TCP6},
	{"UNKNOWN", Unspec},
}

func (l *line) protocol() Network {
	if l.err != nil {
		return Unspec
	}
	rest := l.b[l.at:]
	longest := 0
	for _, p := range protocols {
		n := 0
		for n < len(rest) && n < len(p.word) && rest[n] == p.word[n] {
			n++
		}
		if n == len(p.word) {
			l.at += n
			return p.network
		}
		longest = max(longest, n)
	}
	l.at += longest
	l.peek() // ErrShort, if one of the words may still come
	l.fail("v1.protocol", ErrMalformed)
	return Unspec
}

// unknown skips what follows UNKNOWN: section 2.1 tells to ignore anything before the CRLF. A bare CR or LF
// is refused all the same ("must not tolerate a single CR or LF"), because a receiver behind us that ends
// the line there would take the rest for a second header.
func (l *line) unknown() {
	if c := l.peek(); c != ' ' && c != '\r' {
		l.fail("v1.protocol", ErrMalformed)
		return
	}
	for l.peek() != '\r' && l.err == nil {
		switch {
		case l.at == MaxV1Length-len("\r\n"):
			l.fail("v1.crlf", ErrTooLong)
		case l.b[l.at] == '\n':
			l.fail("v1.crlf", ErrMalformed)
		default:
			l.at++
		}
	}
	l.literal("v1.crlf", "\r\n")
}
