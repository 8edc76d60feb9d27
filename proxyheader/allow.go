package proxyheader

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// AllowList says whose headers may be believed (section 2: a receiver should "only accept connections from
// trusted sources"). Its zero value contains nobody. It is not changed after [ParseAllowList], so it may be
// asked from several goroutines at once.
type AllowList struct {
	prefixes []netip.Prefix // without zones, and none of them IPv4-mapped IPv6
	unix     bool
}

// privateRanges are those of Caddy's private_ranges (caddyhttp.PrivateRangesCIDR).
var privateRanges = [...]string{
	"192.168.0.0/16",
	"172.16.0.0/12",
	"10.0.0.0/8",
	"127.0.0.1/8",
	"fd00::/8",
	"::1",
}

// ParseAllowList reads a list of words. A word is an IP address, a CIDR prefix (host bits are allowed and
// ignored), "private_ranges" for private and loopback addresses, or "unix" for peers on a UNIX socket. The
// list of no words contains nobody. An error names the word.
//
// An IPv4-mapped IPv6 address or prefix (::ffff:10.0.0.0/104) means the IPv4 one, zones are stripped, and an
// IPv6 prefix never contains an IPv4 peer: ::/0 is every IPv6 peer and 0.0.0.0/0 every IPv4 peer, whatever
// kind of socket they came in by.
func ParseAllowList(words []string) (AllowList, error) {
	var l AllowList
	for _, word := range words {
		switch word {
		case "unix":
			l.unix = true
		case "private_ranges":
			for _, cidr := range privateRanges {
				if err := l.add(cidr); err != nil {
					return AllowList{}, err
				}
			}
		default:
			if err := l.add(word); err != nil {
				return AllowList{}, err
			}
		}
	}
	return l, nil
}

func (l *AllowList) add(word string) error {
	prefix, err := parsePrefix(word)
	if err != nil {
		return fmt.Errorf("%q is not an IP address, a CIDR prefix, private_ranges or unix: %w", word, err)
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		if prefix.Bits() < 96 {
			return fmt.Errorf("%q is an IPv4-mapped prefix and must be /96 or longer", word)
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	l.prefixes = append(l.prefixes, prefix)
	return nil
}

// parsePrefix reads an address or a prefix, without its zone.
func parsePrefix(word string) (netip.Prefix, error) {
	ip, bits, isPrefix := strings.Cut(word, "/")
	if !isPrefix {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
	}
	ip, _, _ = strings.Cut(ip, "%") // ParsePrefix takes no zone
	return netip.ParsePrefix(ip + "/" + bits)
}

// Contains reports whether peer is on the list. Give it the socket's peer, never an address that a header
// brought. It is compared without its zone, as IPv4 if it is IPv4-mapped; a peer that has no IP address and
// is not a UNIX socket is on no list. Nothing is allocated for a *net.TCPAddr.
func (l *AllowList) Contains(peer net.Addr) bool {
	switch p := peer.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return p != nil && l.containsIP(p.IP)
	case *net.UDPAddr:
		return p != nil && l.containsIP(p.IP)
	case *net.UnixAddr:
		return p != nil && l.unix // whatever its name: a client's is usually empty or "@"
	}
	switch peer.Network() {
	case "unix", "unixgram", "unixpacket":
		return l.unix
	}
	s := peer.String()
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return l.contains(ap.Addr())
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && l.contains(addr)
}

func (l *AllowList) containsIP(ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && l.contains(addr)
}

func (l *AllowList) contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range l.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
