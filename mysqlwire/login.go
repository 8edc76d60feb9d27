package mysqlwire

// A Login is the client's answer to the [Greeting]: who it says it is. The authentication data in it is
// skipped.
//
// Protocol::HandshakeResponse41, Protocol::HandshakeResponse320
type Login struct {
	Capabilities Capability // with MariaDB's extended ones, if the client means a MariaDB server
	MaxPacket    uint32     // the largest packet in bytes that the client wants to receive
	Collation    uint8      // id of the collation asked for; 0 in HandshakeResponse320
	User         []byte
	Database     []byte // nil if none was named
	AuthPlugin   []byte // nil unless [PluginAuth] is set
	Attributes   Attributes
}

// tlsRequestLen is the length of an SSLRequest: a HandshakeResponse41 cut after its filler.
const tlsRequestLen = 32

// IsTLSRequest reports whether payload is the packet with which a client asks for TLS instead of logging
// in: after it the client's next byte belongs to a TLS ClientHello. A login over TLS carries the same
// flag, and more than this packet's 32 bytes (5 before protocol 4.1).
//
// Protocol::SSLRequest
func IsTLSRequest(payload []byte) bool {
	c := NewCursor(payload)
	flags := Capability(c.Uint16("client_flag"))
	if c.Failed() || !flags.Has(TLS) {
		return false
	}
	if flags.Has(Protocol41) {
		return len(payload) <= tlsRequestLen
	}
	return len(payload) <= 5
}

// ParseLogin decodes the payload of a login.
func ParseLogin(payload []byte) (Login, error) {
	l, _, err := ParseLoginWithAuth(payload)
	return l, err
}

// ParseLoginWithAuth is [ParseLogin] for who hands the login on: auth is the client's authentication data
// (auth_response), a secret that must be neither logged nor kept. It is empty where the client sent none.
func ParseLoginWithAuth(payload []byte) (l Login, auth []byte, err error) {
	c := NewCursor(payload)
	low := Capability(c.Uint16("client_flag"))
	if !low.Has(Protocol41) && !c.Failed() {
		return parseLogin320(low, c)
	}
	return parseLogin41(low, c)
}

func parseLogin41(low Capability, c Cursor) (l Login, auth []byte, err error) {
	const message = "HandshakeResponse41"
	l.Capabilities = low | Capability(c.Uint16("client_flag"))<<16
	l.MaxPacket = c.Uint32("max_packet_size")
	l.Collation = c.Uint8("character_set")
	c.Skip(19, "filler")
	// MariaDB: the last 4 of the 23 bytes of filler are extended capabilities, if CLIENT_MYSQL is not set.
	// Never require filler to be zero.
	extended := Capability(c.Uint32("filler"))
	if !l.Capabilities.Has(LongPassword) {
		l.Capabilities |= extended << 32
	}
	l.User = c.NulString("username")
	switch {
	case l.Capabilities.Has(PluginAuthLenEnc):
		auth = c.String(c.LenEnc("auth_response_length"), "auth_response")
	case l.Capabilities.Has(SecureConnection):
		auth = c.String(uint64(c.Uint8("auth_response_length")), "auth_response")
	default:
		auth = c.NulString("auth_response")
	}
	// What follows is left out by some clients that have announced it: the end of the payload ends the login.
	if l.Capabilities.Has(ConnectWithDB) && c.Len() > 0 {
		l.Database = nonEmpty(c.NulString("database"))
	}
	if l.Capabilities.Has(PluginAuth) && c.Len() > 0 {
		l.AuthPlugin = c.NulString("client_plugin_name")
	}
	if l.Capabilities.Has(ConnectAttrs) && c.Len() > 0 {
		l.Attributes = readAttributes(&c)
	}
	return l, auth, c.Err(message)
}

func parseLogin320(low Capability, c Cursor) (l Login, auth []byte, err error) {
	l.Capabilities = low
	l.MaxPacket = c.Uint24("max_packet_size")
	l.User = c.NulString("username")
	if l.Capabilities.Has(ConnectWithDB) {
		auth = c.NulString("auth_response")
		l.Database = nonEmpty(c.NulString("database"))
	} else {
		auth = c.Rest("auth_response")
	}
	return l, auth, c.Err("HandshakeResponse320")
}

// A ChangeUser is the argument of COM_CHANGE_USER: another login on the same connection. The
// authentication data in it is skipped.
//
// COM_CHANGE_USER
type ChangeUser struct {
	User       []byte
	Database   []byte // nil if none was named
	Collation  uint16 // id of the collation asked for; 0 if none was
	AuthPlugin []byte
	Attributes Attributes
}

// ParseChangeUser decodes the payload of COM_CHANGE_USER without its command byte. caps are the
// capabilities in effect.
func ParseChangeUser(arg []byte, caps Capability) (ChangeUser, error) {
	c := NewCursor(arg)
	var u ChangeUser
	u.User = c.NulString("user")
	if caps.Has(SecureConnection) {
		c.Skip(uint64(c.Uint8("auth_plugin_data_len")), "auth_plugin_data")
	} else {
		c.NulString("auth_plugin_data")
	}
	u.Database = nonEmpty(c.NulString("database"))
	if c.Len() > 0 {
		u.Collation = c.Uint16("character_set")
	}
	if caps.Has(PluginAuth) && c.Len() > 0 {
		u.AuthPlugin = c.NulString("auth_plugin_name")
	}
	if caps.Has(ConnectAttrs) && c.Len() > 0 {
		u.Attributes = readAttributes(&c)
	}
	return u, c.Err("COM_CHANGE_USER")
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
