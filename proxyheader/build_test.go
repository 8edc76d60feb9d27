package proxyheader

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"
)

// Builders of version 2 headers. They take wrong values too.

// ip4 is union proxy_addr for 203.0.113.7:4321 -> 198.51.100.1:3306.
var ip4 = unhex("cb007107 c6336401 10e1 0cea")

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// v2 joins the parts of a block behind the fixed part.
func v2(verCmd, fam byte, parts ...[]byte) []byte {
	b := append([]byte(sigV2), verCmd, fam, 0, 0)
	for _, part := range parts {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-fixedLength))
	return b
}

func tlv(typ Type, value ...byte) []byte {
	return append([]byte{byte(typ), byte(len(value) >> 8), byte(len(value))}, value...)
}

func tlvString(typ Type, value string) []byte { return tlv(typ, []byte(value)...) }

// sign fills in the PP2_TYPE_CRC32C that stands, zeroed, where tlv(TypeCRC32C, 0, 0, 0, 0) first occurs. It
// sums a copy in one piece, unlike checksumOK.
func sign(t testing.TB, header []byte) []byte {
	t.Helper()
	at := strings.Index(string(header), string(tlv(TypeCRC32C, 0, 0, 0, 0)))
	if at < 0 {
		t.Fatal("no PP2_TYPE_CRC32C to fill in")
	}
	sum := crc32.Checksum(header, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(header[at+tlvHeader:], sum)
	return header
}

// haproxyHeader is what HAProxy sends with send-proxy-v2-ssl-cn and proxy-v2-options
// crc32c,unique-id,authority, in its order.
func haproxyHeader(t testing.TB) []byte {
	t.Helper()
	ssl := []byte{ClientSSL | ClientCertConn | ClientCertSess, 0, 0, 0, 0}
	ssl = append(ssl, tlvString(SubtypeSSLVersion, "TLSv1.3")...)
	ssl = append(ssl, tlvString(SubtypeSSLCN, "client.example")...)
	ssl = append(ssl, tlvString(SubtypeSSLCipher, "TLS_AES_256_GCM_SHA384")...)
	return sign(t, v2(0x21, byte(TCP4), ip4,
		tlv(TypeCRC32C, 0, 0, 0, 0),
		tlvString(TypeAuthority, "db.example.com"),
		tlvString(TypeUniqueID, "7F000001:A1B2_0A000001:0CEA_65F0"),
		tlv(TypeSSL, ssl...),
	))
}
