package mysqlwire

import "encoding/binary"

// appendNul appends string<NUL>.
func appendNul(b, s []byte) []byte { return append(append(b, s...), 0) }

// AppendLenEnc appends int<lenenc>.
func AppendLenEnc(b []byte, n uint64) []byte {
	switch {
	case n < 0xfb:
		return append(b, byte(n))
	case n <= 0xffff:
		return append(b, 0xfc, byte(n), byte(n>>8))
	case n <= 0xff_ffff:
		return append(b, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	default:
		return binary.LittleEndian.AppendUint64(append(b, 0xfe), n)
	}
}

// AppendLenEncString appends string<lenenc>.
func AppendLenEncString(b, s []byte) []byte { return append(AppendLenEnc(b, uint64(len(s))), s...) }

// AppendGreeting appends the payload of g to b. scramble is the nonce, of 20 bytes, none of them 0.
func AppendGreeting(b []byte, g *Greeting, scramble *[20]byte) []byte {
	b = append(b, ProtocolVersion)
	b = appendNul(b, g.ServerVersion)
	b = binary.LittleEndian.AppendUint32(b, g.ThreadID)
	b = append(b, scramble[:8]...)
	b = append(b, 0) // filler
	b = binary.LittleEndian.AppendUint16(b, uint16(g.Capabilities))
	b = append(b, g.Collation)
	b = binary.LittleEndian.AppendUint16(b, uint16(g.Status))
	b = binary.LittleEndian.AppendUint16(b, uint16(g.Capabilities>>16))
	b = append(b, byte(len(scramble)+1)) // auth_plugin_data_len, with the NUL
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(g.Capabilities>>32)) // MariaDB's, in the last 4 of the reserved bytes
	b = appendNul(b, scramble[8:])
	if g.Capabilities.Has(PluginAuth) {
		b = appendNul(b, g.AuthPlugin)
	}
	return b
}

// AppendTLSRequest appends the payload of the packet with which a client asks for TLS to b; l is the login
// that it will send then.
//
// Protocol::SSLRequest
func AppendTLSRequest(b []byte, l *Login) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Capabilities|TLS))
	b = binary.LittleEndian.AppendUint32(b, l.MaxPacket)
	b = append(b, l.Collation)
	b = append(b, make([]byte, 19)...) // filler
	return binary.LittleEndian.AppendUint32(b, uint32(l.Capabilities>>32))
}

// AppendLogin appends the payload of l, with the authentication data auth, to b. What the packet holds
// follows from l's capabilities: [ConnectWithDB] is set and cleared here, for a Database that is or is not
// empty. Without [Protocol41] it is the login of before 4.1. With it [SecureConnection] must be set,
// [ZstdCompression], whose level is not in a Login, must not be, and auth has at most 255 bytes unless
// [PluginAuthLenEnc] is set.
//
// Protocol::HandshakeResponse41, Protocol::HandshakeResponse320
func AppendLogin(b []byte, l *Login, auth []byte) []byte {
	caps := l.Capabilities &^ ConnectWithDB
	if len(l.Database) > 0 {
		caps |= ConnectWithDB
	}
	if !caps.Has(Protocol41) {
		return appendLogin320(b, l, caps, auth)
	}
	start := len(b)
	b = AppendTLSRequest(b, l) // the same fields, but for the flag
	binary.LittleEndian.PutUint32(b[start:], uint32(caps))
	b = appendNul(b, l.User)
	if caps.Has(PluginAuthLenEnc) {
		b = AppendLenEncString(b, auth)
	} else {
		b = append(append(b, byte(len(auth))), auth...)
	}
	if caps.Has(ConnectWithDB) {
		b = appendNul(b, l.Database)
	}
	if caps.Has(PluginAuth) {
		b = appendNul(b, l.AuthPlugin)
	}
	if caps.Has(ConnectAttrs) {
		b = AppendLenEncString(b, l.Attributes)
	}
	return b
}

func appendLogin320(b []byte, l *Login, caps Capability, auth []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(caps))
	b = append(b, byte(l.MaxPacket), byte(l.MaxPacket>>8), byte(l.MaxPacket>>16))
	b = append(appendNul(b, l.User), auth...)
	if caps.Has(ConnectWithDB) {
		b = appendNul(append(b, 0), l.Database)
	}
	return b
}

// AppendAttribute appends a connection attribute to a.
func AppendAttribute(a Attributes, name, value []byte) Attributes {
	return AppendLenEncString(AppendLenEncString(a, name), value)
}

// AppendERR appends the payload of an ERR packet to b. sqlState has 5 bytes, or none: in place of a greeting there is
// none, because the client does not know that protocol 4.1 is spoken.
func AppendERR(b []byte, code uint16, sqlState, message string) []byte {
	b = append(b, HeaderERR, byte(code), byte(code>>8))
	if sqlState != "" {
		b = append(append(b, '#'), sqlState...)
	}
	return append(b, message...)
}
