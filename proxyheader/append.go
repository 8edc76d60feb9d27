package proxyheader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// An Outgoing is a header to be sent.
type Outgoing struct {
	// Local says that the connection is the sender's own. It is sent as LOCAL, in version 1 as UNKNOWN, with
	// neither addresses nor TLVs; and so is a connection whose ends are not both TCP with an IP address, as one
	// from a UNIX socket.
	Local bool
	// Source and Destination are the client's address and the one that it connected to. If one is IPv4 and the
	// other IPv6, both are sent as IPv6, the first as ::ffff:192.0.2.1. Zones are left out.
	Source, Destination net.Addr
	// TLVs are for version 2, in the order given. The value of a [TypeCRC32C] is computed here.
	TLVs []TLV
}

// A TLV is a type and its value of at most 65535 bytes, in an [Outgoing].
type TLV struct {
	Type  Type
	Value []byte
}

// Append appends h to b, in version 1 or 2. Write it with one call, and nothing before it.
//
// maxLength is the largest length in bytes of what stands behind the 16 fixed bytes of version 2: what the receiver
// takes. MariaDB takes 240, Percona Server 92, of which addresses are 12 (IPv4) or 36 (IPv6). TLVs that do not fit
// are left out, from the last, and returned: so are all in version 1 and of a LOCAL header. Version 1 has no other
// limit than its own of [MaxV1Length].
//
// The error is for a version that does not exist, a maxLength without room for addresses, and TLVs that [Parse]
// would refuse. b is returned as it was then.
func Append(b []byte, version, maxLength int, h Outgoing) (header []byte, leftOut []TLV, err error) {
	if version != 1 && version != 2 {
		return b, nil, fmt.Errorf("proxyheader: version %d is neither 1 nor 2", version)
	}
	out := proxyproto.Header{Version: byte(version), Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	source, sourceOK := tcpAddr(h.Source)
	destination, destinationOK := tcpAddr(h.Destination)
	room := 0
	if !h.Local && sourceOK && destinationOK {
		out.Command, out.TransportProtocol = proxyproto.PROXY, proxyproto.TCPv6
		if source.Addr().Is4() && destination.Addr().Is4() {
			out.TransportProtocol = proxyproto.TCPv4
		}
		out.SourceAddr, out.DestinationAddr = net.TCPAddrFromAddrPort(source), net.TCPAddrFromAddrPort(destination)
		if version == 2 {
			size, _ := addressSize(Network(out.TransportProtocol))
			if room = min(maxLength, math.MaxUint16) - size; room < 0 {
				return b, nil, fmt.Errorf("proxyheader: a largest length of %d has no room for addresses of %d bytes", maxLength, size)
			}
		}
	}
	area, leftOut, err := joinTLVs(h.TLVs, room)
	if err != nil {
		return b, nil, err
	}
	crc, bad := checkTLVs(area)
	if bad.field != "" {
		return b, nil, fmt.Errorf("proxyheader: %s: %w", bad.field, ErrMalformed)
	}
	text, err := out.Format()
	if err != nil {
		return b, nil, fmt.Errorf("proxyheader: %w", err)
	}
	if len(area) > 0 {
		binary.BigEndian.PutUint16(text[14:], uint16(len(text)-fixedLength+len(area)))
		tlvs := len(text)
		if text = append(text, area...); crc >= 0 {
			binary.BigEndian.PutUint32(text[tlvs+crc:], crc32.Checksum(text, castagnoli))
		}
	}
	return append(b, text...), leftOut, nil
}

// tcpAddr returns a as an IP address and a port, if it is one of TCP.
func tcpAddr(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp == nil || tcp.Port < 0 || tcp.Port > math.MaxUint16 {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(tcp.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(tcp.Port)), ok
}

// joinTLVs returns the TLV area with the first of tlvs, as many as room bytes take, and the others. A checksum's
// value is zero.
func joinTLVs(tlvs []TLV, room int) (area []byte, leftOut []TLV, err error) {
	for i, t := range tlvs {
		value := t.Value
		if t.Type == TypeCRC32C {
			value = zeroedField[:]
		}
		if len(value) > math.MaxUint16 {
			return nil, nil, errors.New("proxyheader: a TLV of more than 65535 bytes")
		}
		if len(area)+tlvHeader+len(value) > room {
			return area, tlvs[i:], nil
		}
		area = append(area, byte(t.Type), byte(len(value)>>8), byte(len(value)))
		area = append(area, value...)
	}
	return area, nil, nil
}
