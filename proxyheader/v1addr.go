package proxyheader

import "net/netip"

// Addresses and ports of a version 1 line (section 2.1). Package netip is no help here: it also takes zones
// and more spellings than the section allows, wants a string, and cannot say at which byte an address that
// is still arriving became impossible.

// decimal reads an integer in [0, limit] without heading zeroes.
func (l *line) decimal(field string, limit int) int {
	if l.err != nil {
		return 0
	}
	value := 0
	for first := l.at; l.at < len(l.b); l.at++ {
		digit := int(l.b[l.at] - '0') // 10 or more for any other byte: the subtraction wraps
		if digit > 9 {
			if l.at == first {
				l.fail(field, ErrMalformed)
			}
			return value
		}
		headingZero := value == 0 && l.at > first
		value = value*10 + digit
		if headingZero || value > limit {
			l.fail(field, ErrMalformed)
			return 0
		}
	}
	l.err = ErrShort
	return 0
}

// address reads an address of TCP4 or TCP6: "the advertised protocol family dictates what format to use".
func (l *line) address(field string, n Network) netip.Addr {
	if n == TCP4 {
		return l.ipv4(field)
	}
	return l.ipv6(field)
}

func (l *line) ipv4(field string) netip.Addr {
	var a [4]byte
	for i := range a {
		if i > 0 {
			l.literal(field, ".")
		}
		a[i] = byte(l.decimal(field, 255))
	}
	return netip.AddrFrom4(a)
}

// ipv6 reads hexadecimal groups with at most one "::", up to the space that ends them. The dotted spelling
// of an IPv4-mapped address, ::ffff:192.0.2.1, is not in the section's grammar but is what inet_ntop and
// netip write, so senders use it: it is accepted in that one form.
func (l *line) ipv6(field string) netip.Addr {
	var a [16]byte
	n := 0    // bytes of a that are read
	gap := -1 // where in a the "::" stands

	if l.peek() == ':' {
		l.literal(field, "::")
		gap = 0
	}
	for l.err == nil {
		start := l.at
		group, digits := l.hex()
		if digits > 0 && gap >= 0 && n == 14 {
			l.at = start // a "::" stands for at least one group
			l.fail(field, ErrMalformed)
		}
		c := l.peek()
		if l.err != nil {
			break
		}
		if c == '.' && gap == 0 && n == 2 && a[0] == 0xff && a[1] == 0xff {
			l.at = start
			return l.ipv4(field)
		}
		if digits > 0 {
			a[n], a[n+1] = byte(group>>8), byte(group)
			n += 2
		}
		full := n == 16 || gap >= 0 && n == 14
		switch {
		case c == ' ' && (digits > 0 || gap == n) && (n == 16 || gap >= 0):
			if gap >= 0 {
				copy(a[16-(n-gap):], a[gap:n])
				clear(a[gap : 16-(n-gap)])
			}
			return netip.AddrFrom16(a).Unmap()
		case c == ':' && digits > 0 && !full:
			l.at++
			if gap < 0 && l.at < len(l.b) && l.b[l.at] == ':' {
				l.at++
				gap = n
			}
		default:
			l.fail(field, ErrMalformed)
		}
	}
	return netip.Addr{}
}

// hex reads up to four hexadecimal digits, upper or lower case, and never fails.
func (l *line) hex() (value uint16, digits int) {
	for digits < 4 && l.at < len(l.b) {
		c := l.b[l.at]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return value, digits
		}
		value = value<<4 | uint16(c)
		digits++
		l.at++
	}
	return value, digits
}
