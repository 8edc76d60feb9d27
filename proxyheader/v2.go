package proxyheader

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// fixedLength is the size of struct proxy_hdr_v2 (section 2.2).
const fixedLength = 16

// parseV2 decodes bytes that begin with version 2's signature:
//
//	sig[12]  ver_cmd  fam  len[2]  |  src_addr dst_addr [src_port dst_port]  TLVs
//	                               |  <----------------- len ------------------->
func parseV2(b []byte, maxLength int) (Header, int, error) {
	if err := checkFixed(b, maxLength); err != nil {
		return Header{}, 0, err
	}
	if len(b) < fixedLength {
		return Header{}, 0, ErrShort
	}
	end := fixedLength + int(binary.BigEndian.Uint16(b[14:]))
	if len(b) < end {
		return Header{}, 0, ErrShort
	}
	b = b[:end:end]

	h := Header{Version: 2, Command: Command(b[12] & 0x0f)}
	fam := Network(b[13])
	size, assigned := addressSize(fam)
	tlvs := fixedLength + size

	// The block of a LOCAL header must be discarded, "including the family which is ignored". Still, a
	// checksum that can be found is verified (2.2.3 makes no exception): a damaged LOCAL may have been
	// another command.
	if h.Command == Local {
		if !assigned || tlvs > end {
			return h, end, nil
		}
		if crc, bad := checkTLVs(b[tlvs:]); bad.field == "" && !checksumOK(b, tlvs, crc) {
			return Header{}, 0, checksumError(tlvs + crc)
		}
		return h, end, nil
	}

	h.Network = fam
	h.addresses(b[fixedLength:tlvs])
	if tlvs == end {
		return h, end, nil
	}
	crc, bad := checkTLVs(b[tlvs:])
	if bad.field != "" {
		// What stands in an UNSPEC block may be addresses in a layout that nobody knows, and "the receiver
		// should ignore address information": it has TLVs only if all of it reads as TLVs.
		if fam == Unspec {
			return h, end, nil
		}
		return Header{}, 0, &ParseError{Field: bad.field, Offset: tlvs + bad.at, Err: ErrMalformed}
	}
	if !checksumOK(b, tlvs, crc) {
		return Header{}, 0, checksumError(tlvs + crc)
	}
	h.TLVs = TLVs(b[tlvs:])
	return h, end, nil
}

// checkFixed judges as many bytes of ver_cmd, fam and len as have arrived.
func checkFixed(b []byte, maxLength int) error {
	if len(b) <= 12 {
		return nil
	}
	version, command := b[12]>>4, Command(b[12]&0x0f)
	if version != 2 || command != Local && command != Proxy {
		return &ParseError{Field: "v2.ver_cmd", Offset: 12, Err: ErrUnsupported}
	}
	if len(b) <= 13 {
		return nil
	}
	size, assigned := addressSize(Network(b[13]))
	if !assigned && command != Local {
		return &ParseError{Field: "v2.fam", Offset: 13, Err: ErrUnsupported}
	}
	// The high byte of len alone may be too much.
	if len(b) > 14 && int(b[14])<<8 > maxLength {
		return &ParseError{Field: "v2.len", Offset: 14, Err: ErrTooLong}
	}
	if len(b) < fixedLength {
		return nil
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case length > maxLength:
		return &ParseError{Field: "v2.len", Offset: 14, Err: ErrTooLong}
	case length < size && command != Local:
		return &ParseError{Field: "v2.len", Offset: 14, Err: ErrMalformed}
	}
	return nil
}

// addressSize returns the size in bytes of union proxy_addr for n, and whether n is one of the protocol
// bytes that section 2.2 lists. The two halves of the byte in another combination, as IPv6 over an unknown
// transport, are not: no sender writes them, and where their TLVs begin is not said.
func addressSize(n Network) (size int, assigned bool) {
	switch n {
	case Unspec:
		return 0, true
	case TCP4, UDP4:
		return 2*4 + 2*2, true
	case TCP6, UDP6:
		return 2*16 + 2*2, true
	case UnixStream, UnixDgram:
		return 2 * 108, true
	}
	return 0, false
}

// addresses takes union proxy_addr from block, which has h.Network's size.
func (h *Header) addresses(block []byte) {
	switch h.Network {
	case TCP4, UDP4:
		a := (*[12]byte)(block)
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[0:4])), binary.BigEndian.Uint16(a[8:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[10:]))
	case TCP6, UDP6:
		a := (*[36]byte)(block)
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[0:16])).Unmap(), binary.BigEndian.Uint16(a[32:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[16:32])).Unmap(), binary.BigEndian.Uint16(a[34:]))
	case UnixStream, UnixDgram:
		h.SourcePath = unixPath(block[:108:108])
		h.DestinationPath = unixPath(block[108:216:216])
	case Unspec:
	}
}

// unixPath returns the name in sun_path. A path ends at its first NUL; a name in the abstract namespace
// begins with a NUL and may hold more, so it ends where the padding begins (unix(7)).
func unixPath(sunPath []byte) []byte {
	if sunPath[0] == 0 {
		return bytes.TrimRight(sunPath, "\x00")
	}
	if end := bytes.IndexByte(sunPath, 0); end >= 0 {
		return sunPath[:end]
	}
	return sunPath
}
