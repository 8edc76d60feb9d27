package proxyheader

import "iter"

// Type is a TLV's type byte.
type Type uint8

// The types that section 2.2 registers. The subtypes stand only inside PP2_TYPE_SSL.
const (
	TypeALPN      Type = 0x01
	TypeAuthority Type = 0x02 // the host name that the client asked for, usually TLS's SNI
	TypeCRC32C    Type = 0x03
	TypeNoop      Type = 0x04 // padding
	TypeUniqueID  Type = 0x05 // at most 128 bytes
	TypeSSL       Type = 0x20
	TypeNetNS     Type = 0x30

	SubtypeSSLVersion    Type = 0x21
	SubtypeSSLCN         Type = 0x22
	SubtypeSSLCipher     Type = 0x23
	SubtypeSSLSigAlg     Type = 0x24
	SubtypeSSLKeyAlg     Type = 0x25
	SubtypeSSLGroup      Type = 0x26
	SubtypeSSLSigScheme  Type = 0x27
	SubtypeSSLClientCert Type = 0x28
)

// The types of cloud vendors, from the range that section 2.2.8 leaves to applications.
const (
	TypeGCP     Type = 0xE0 // Private Service Connect: uint64, big-endian
	TypeAlibaba Type = 0xE1 // PrivateLink: subtype and name, repeated
	TypeAWS     Type = 0xEA // PrivateLink: subtype and name
	TypeAzure   Type = 0xEE // Private Link: subtype 1 and uint32, little-endian
)

const (
	tlvHeader       = 3   // type, length_hi, length_lo
	maxUniqueID     = 128 // section 2.2.5
	crc32cValueSize = 4   // section 2.2.3: "a 32-bit number"
)

// TLVs is a header's TLV area as [Parse] has checked it: well formed to its end, and so is the SSL TLV in
// it. It points into the bytes given to Parse. On bytes that Parse has not checked its methods stop at the
// first TLV that is cut off.
type TLVs []byte

// All iterates over the TLVs in wire order, PP2_TYPE_NOOP and duplicates included.
func (t TLVs) All() iter.Seq2[Type, []byte] {
	return func(yield func(Type, []byte) bool) {
		c := tlvCursor{rest: t}
		for {
			typ, value, ok := c.next()
			if !ok || !yield(typ, value) {
				return
			}
		}
	}
}

// Get returns the value of the first TLV of type typ, and whether there is one.
func (t TLVs) Get(typ Type) ([]byte, bool) {
	c := tlvCursor{rest: t}
	for {
		got, value, ok := c.next()
		if !ok {
			return nil, false
		}
		if got == typ {
			return value, true
		}
	}
}

// tlvCursor walks a TLV area.
type tlvCursor struct {
	rest []byte
	at   int // where rest begins in the area
}

// next takes struct pp2_tlv (section 2.2). It returns false at the end of the area, where rest is empty, and
// before a TLV that does not lie within it.
func (c *tlvCursor) next() (typ Type, value []byte, ok bool) {
	if len(c.rest) < tlvHeader {
		return 0, nil, false
	}
	end := tlvHeader + (int(c.rest[1])<<8 | int(c.rest[2]))
	if end > len(c.rest) {
		return 0, nil, false
	}
	typ, value = Type(c.rest[0]), c.rest[tlvHeader:end:end]
	c.rest = c.rest[end:]
	c.at += end
	return typ, value, true
}

// fault is where a TLV area is malformed; nowhere, if field is empty. It becomes a ParseError only where it
// matters: a block that is ignored may hold anything, and must not cost an allocation.
type fault struct {
	field string
	at    int // the TLV's first byte, counted from the start of the area
}

// checkTLVs judges a TLV area and returns where in it the value of PP2_TYPE_CRC32C stands, or -1.
func checkTLVs(area []byte) (crc int, bad fault) {
	crc = -1
	c := tlvCursor{rest: area}
	for len(c.rest) > 0 {
		at := c.at
		typ, value, ok := c.next()
		if !ok {
			return crc, fault{"v2.pp2_tlv", at}
		}
		//exhaustive:ignore // a TLV that is not judged is skipped, known or not (section 2.2)
		switch typ {
		case TypeCRC32C:
			// Of two sums each would be over the other, so at most one could be verified.
			if len(value) != crc32cValueSize || crc >= 0 {
				return crc, fault{"v2.PP2_TYPE_CRC32C", at}
			}
			crc = at + tlvHeader
		case TypeUniqueID:
			if len(value) > maxUniqueID {
				return crc, fault{"v2.PP2_TYPE_UNIQUE_ID", at}
			}
		case TypeSSL:
			if _, ok := parseSSL(value); !ok {
				return crc, fault{"v2.PP2_TYPE_SSL", at}
			}
		}
	}
	return crc, fault{}
}
