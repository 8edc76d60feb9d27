package mysqlwire

import "encoding/binary"

// The first bytes that tell generic replies apart. What they mean depends on the state of the
// conversation: a row may begin with any of them but ERR's.
const (
	HeaderOK          = 0x00
	HeaderLocalInfile = 0xfb
	HeaderEOF         = 0xfe // also an OK packet that ends rows under [DeprecateEOF]
	HeaderERR         = 0xff
)

// The first bytes of the server's packets in the authentication exchange, besides OK's and ERR's.
const (
	HeaderAuthMoreData   = 0x01 // Protocol::AuthMoreData
	HeaderAuthNextFactor = 0x02 // Protocol::AuthNextFactor
	HeaderAuthSwitch     = 0xfe // Protocol::AuthSwitchRequest
)

// An OK tells that a command has succeeded.
//
// OK_Packet
type OK struct {
	AffectedRows uint64
	LastInsertID uint64
	Status       Status
	Warnings     uint16
	Info         []byte       // human readable
	Changes      SessionState // nil unless [SessionTrack] is in effect and something changed
}

// ParseOK decodes an OK packet, whose first byte is [HeaderOK] or, at the end of rows, [HeaderEOF]. caps
// are the capabilities in effect.
func ParseOK(payload []byte, caps Capability) (OK, error) {
	c := NewCursor(payload)
	var ok OK
	c.Skip(1, "header")
	ok.AffectedRows = c.LenEnc("affected_rows")
	ok.LastInsertID = c.LenEnc("last_insert_id")
	if caps.Has(Protocol41) {
		ok.Status = Status(c.Uint16("status_flags"))
		ok.Warnings = c.Uint16("warnings")
	} else if caps.Has(Transactions) {
		ok.Status = Status(c.Uint16("status_flags"))
	}
	if err := c.Err("OK_Packet"); err != nil || c.Len() == 0 {
		return ok, err
	}
	// From here on a payload that was cut (the caller keeps only so many bytes) loses text, not numbers.
	if !caps.Has(SessionTrack) {
		ok.Info = withoutLength(c.Rest("info"))
		return ok, nil
	}
	ok.Info = c.String(min(c.LenEnc("info"), uint64(c.Len())), "info")
	if ok.Status.Has(StatusSessionState) && c.Len() > 0 {
		ok.Changes = c.String(min(c.LenEnc("session state info"), uint64(c.Len())), "session state info")
	}
	return ok, nil
}

// AppendOK appends the payload of an OK packet to b, as it is with [Protocol41]. Info and Changes are left out.
func AppendOK(b []byte, ok *OK) []byte {
	b = append(b, HeaderOK)
	b = AppendLenEnc(b, ok.AffectedRows)
	b = AppendLenEnc(b, ok.LastInsertID)
	b = binary.LittleEndian.AppendUint16(b, uint16(ok.Status))
	return binary.LittleEndian.AppendUint16(b, ok.Warnings)
}

// withoutLength returns the text in b, the info of an OK packet without [SessionTrack]. The manual has a
// string<EOF> there, and servers such as Vitess send one; MySQL and MariaDB send a string<lenenc>. It is one
// if its length is that of the rest.
func withoutLength(b []byte) []byte {
	c := NewCursor(b)
	if n := c.LenEnc("info"); !c.Failed() && n == uint64(c.Len()) {
		return c.Rest("info")
	}
	return b
}

// An ERR tells that a command, or the connection, has failed.
//
// ERR_Packet
type ERR struct {
	Code     uint16
	SQLState []byte // 5 bytes, or nil: servers send none before they know the client's capabilities
	Message  []byte
}

// ProgressReport is the error code of a packet that is no error but MariaDB's report on the progress of
// a command, where [MariaDBProgress] is in effect.
const ProgressReport = 0xffff

// ParseERR decodes an ERR packet.
func ParseERR(payload []byte) (ERR, error) {
	c := NewCursor(payload)
	var e ERR
	c.Skip(1, "header")
	if e.Code = c.Uint16("error_code"); e.Code == 0 {
		c.fail("error_code", ErrMalformed) // nothing could tell it from success
	}
	if c.Len() >= 6 && c.rest[0] == '#' {
		c.Skip(1, "sql_state_marker")
		e.SQLState = c.String(5, "sql_state")
	}
	e.Message = c.Rest("error_message")
	return e, c.Err("ERR_Packet")
}

// An EOF ends column definitions or rows where [DeprecateEOF] is not in effect.
//
// EOF_Packet
type EOF struct {
	Warnings uint16
	Status   Status
}

// ParseEOF decodes an EOF packet. Servers before 4.1 send its first byte only.
func ParseEOF(payload []byte) (EOF, error) {
	if len(payload) >= 5 { // nearly every answer has two of them
		return EOF{binary.LittleEndian.Uint16(payload[1:3]), Status(binary.LittleEndian.Uint16(payload[3:5]))}, nil
	}
	if len(payload) == 1 {
		return EOF{}, nil
	}
	c := NewCursor(payload)
	var e EOF
	c.Skip(1, "header")
	e.Warnings = c.Uint16("warnings")
	e.Status = Status(c.Uint16("status_flags"))
	return e, c.Err("EOF_Packet")
}

// A PrepareOK is the first packet of a successful answer to COM_STMT_PREPARE.
//
// COM_STMT_PREPARE_OK
type PrepareOK struct {
	StatementID uint32
	Columns     uint16
	Params      uint16
	Warnings    uint16
	NoMetadata  bool // the definitions of columns and parameters do not follow
}

// ParsePrepareOK decodes the first packet of an answer to COM_STMT_PREPARE. caps are the capabilities in
// effect.
func ParsePrepareOK(payload []byte, caps Capability) (PrepareOK, error) {
	c := NewCursor(payload)
	var p PrepareOK
	c.Skip(1, "status")
	p.StatementID = c.Uint32("statement_id")
	p.Columns = c.Uint16("num_columns")
	p.Params = c.Uint16("num_params")
	c.Skip(1, "reserved_1")
	if c.Len() > 0 {
		p.Warnings = c.Uint16("warning_count")
	}
	if caps.Has(OptionalResultSetMetadata) && c.Len() > 0 {
		p.NoMetadata = c.Uint8("metadata_follows") == 0
	}
	return p, c.Err("COM_STMT_PREPARE_OK")
}
