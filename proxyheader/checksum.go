package proxyheader

import (
	"encoding/binary"
	"hash/crc32"
)

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	zeroedField [4]byte
)

// checksumOK verifies PP2_TYPE_CRC32C (section 2.2.3), whose value stands crc bytes behind tlvs; without one
// (crc < 0) all is well. The sum is over the whole header with zeroes in the field's place, taken piece by
// piece so that the header is neither changed nor copied.
func checksumOK(header []byte, tlvs, crc int) bool {
	if crc < 0 {
		return true
	}
	field := tlvs + crc
	sum := crc32.Update(0, castagnoli, header[:field])
	sum = crc32.Update(sum, castagnoli, zeroedField[:])
	sum = crc32.Update(sum, castagnoli, header[field+4:])
	return sum == binary.BigEndian.Uint32(header[field:])
}

func checksumError(field int) error {
	return &ParseError{Field: "v2.PP2_TYPE_CRC32C", Offset: field - tlvHeader, Err: ErrChecksum}
}
