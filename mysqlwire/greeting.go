package mysqlwire

// ProtocolVersion is the first byte of a [Greeting].
const ProtocolVersion = 10

// A Greeting is the packet with which a server opens the conversation.
//
// Protocol::HandshakeV10
type Greeting struct {
	ServerVersion []byte
	ThreadID      uint32
	Capabilities  Capability // with MariaDB's extended ones, if it is MariaDB's greeting
	Collation     uint8      // id of the server's default collation; only its lower 8 bits are sent
	Status        Status
	AuthPlugin    []byte // the server's default authentication plugin; nil unless [PluginAuth] is set
}

// ParseGreeting decodes the payload of a greeting. Servers before 4.1 end after the lower capabilities.
func ParseGreeting(payload []byte) (Greeting, error) {
	const message = "HandshakeV10"
	c := NewCursor(payload)
	var g Greeting
	if version := c.Uint8("protocol_version"); version != ProtocolVersion && !c.Failed() {
		return g, &ParseError{Message: message, Field: "protocol_version", Err: ErrMalformed}
	}
	g.ServerVersion = c.NulString("server_version")
	g.ThreadID = c.Uint32("thread_id")
	c.Skip(8, "auth_plugin_data_part_1")
	c.Skip(1, "filler")
	g.Capabilities = Capability(c.Uint16("capability_flags_1"))
	if c.Len() == 0 {
		return g, c.Err(message)
	}
	g.Collation = c.Uint8("character_set")
	g.Status = Status(c.Uint16("status_flags"))
	g.Capabilities |= Capability(c.Uint16("capability_flags_2")) << 16
	authLen := c.Uint8("auth_plugin_data_len")
	c.Skip(6, "reserved")
	// MariaDB: the last 4 of the 10 reserved bytes hold the extended capabilities, if CLIENT_MYSQL is not set.
	extended := Capability(c.Uint32("reserved"))
	if !g.Capabilities.Has(LongPassword) {
		g.Capabilities |= extended << 32
	}
	if g.Capabilities.Has(SecureConnection) {
		c.Skip(uint64(max(13, int(authLen)-8)), "auth_plugin_data_part_2")
	}
	if g.Capabilities.Has(PluginAuth) {
		g.AuthPlugin = c.NulString("auth_plugin_name")
	}
	return g, c.Err(message)
}
