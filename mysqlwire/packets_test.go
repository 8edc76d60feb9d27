package mysqlwire

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// marker stands in everything that must not be told. It has no NUL.
const marker = "S3cr3t"

const nul = "\x00"

// packets are one of each kind, with values of which no two are equal, and what is decoded from them.
var packets = []struct {
	name   string
	in     string
	decode func(payload []byte) (any, error)
	want   any
	whole  int   // bytes without which the packet is an error; what follows may be left out
	except []int // numbers of bytes for which it is the other way round
}{
	{
		name:   "HandshakeV10",
		in:     "\x0a8.4.3" + nul + "\x07\x06\x05\x04" + "S3cr3t-a" + nul + "\xff\xf7" + "\x2d" + "\x02\x01" + "\xff\xdf" + "\x15" + "0123456789" + "S3cr3t-scram" + nul + "caching_sha2_password" + nul + "more",
		decode: func(b []byte) (any, error) { return ParseGreeting(b) },
		want: Greeting{
			ServerVersion: []byte("8.4.3"), ThreadID: 0x04050607, Capabilities: 0xdffff7ff, Collation: 45, Status: 0x0102,
			AuthPlugin: []byte("caching_sha2_password"),
		},
		whole:  1 + 6 + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10 + 13,
		except: []int{1 + 6 + 4 + 8 + 1 + 2}, // where the greetings of old servers end
	},
	{
		name:   "HandshakeV10 of MariaDB",
		in:     "\x0a11.4.2-MariaDB" + nul + "\x07\x06\x05\x04" + "S3cr3t-a" + nul + "\xfe\xf7" + "\x2d" + "\x02\x01" + "\xff\x81" + "\x15" + "012345" + "\x1d\x01\x00\x00" + "S3cr3t-scram" + nul + "mysql_native_password" + nul,
		decode: func(b []byte) (any, error) { return ParseGreeting(b) },
		want: Greeting{
			ServerVersion: []byte("11.4.2-MariaDB"), ThreadID: 0x04050607, Capabilities: 0x011d_81ff_f7fe, Collation: 45, Status: 0x0102,
			AuthPlugin: []byte("mysql_native_password"),
		},
		whole:  1 + 15 + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10 + 13,
		except: []int{1 + 15 + 4 + 8 + 1 + 2},
	},
	{
		name:   "HandshakeV10 before 4.1",
		in:     "\x0a4.0.27" + nul + "\x07\x06\x05\x04" + "S3cr3t-a" + nul + "\x2c\x20",
		decode: func(b []byte) (any, error) { return ParseGreeting(b) },
		want:   Greeting{ServerVersion: []byte("4.0.27"), ThreadID: 0x04050607, Capabilities: 0x202c},
		whole:  1 + 7 + 4 + 8 + 1 + 2,
	},
	{
		name: "HandshakeResponse41",
		in: "\x0d\xa2\x3f\x01" + "\x04\x03\x02\x01" + "\x2d" + strings.Repeat("x", 23) + "app" + nul + "\x08S3cr3t-b" + "shop" + nul +
			"mysql_native_password" + nul + "\x0a\x03_os\x05Linux",
		decode: func(b []byte) (any, error) { return ParseLogin(b) },
		want: Login{
			Capabilities: 0x013fa20d, MaxPacket: 0x01020304, Collation: 45, User: []byte("app"), Database: []byte("shop"),
			AuthPlugin: []byte("mysql_native_password"), Attributes: Attributes("\x03_os\x05Linux"),
		},
		whole: 32 + 4 + 9,
	},
	{
		name:   "HandshakeResponse41 of MariaDB",
		in:     "\x0c\xa2\x0f\x00" + "\x04\x03\x02\x01" + "\x2d" + strings.Repeat("x", 19) + "\x1d\x01\x00\x00" + "app" + nul + "\x08S3cr3t-b" + "shop" + nul + "p" + nul,
		decode: func(b []byte) (any, error) { return ParseLogin(b) },
		want: Login{
			Capabilities: 0x011d_000f_a20c, MaxPacket: 0x01020304, Collation: 45, User: []byte("app"), Database: []byte("shop"),
			AuthPlugin: []byte("p"),
		},
		whole: 32 + 4 + 9,
	},
	{
		name:   "HandshakeResponse41 without SECURE_CONNECTION",
		in:     "\x0d\x22\x00\x00" + "\x04\x03\x02\x01" + "\x2d" + strings.Repeat("x", 23) + "app" + nul + "S3cr3t" + nul + "shop" + nul,
		decode: func(b []byte) (any, error) { return ParseLogin(b) },
		want:   Login{Capabilities: 0x220d, MaxPacket: 0x01020304, Collation: 45, User: []byte("app"), Database: []byte("shop")},
		whole:  32,
	},
	{
		name:   "HandshakeResponse320",
		in:     "\x0d\x20" + "\x03\x02\x01" + "app" + nul + "S3cr3t" + nul + "shop" + nul,
		decode: func(b []byte) (any, error) { return ParseLogin(b) },
		want:   Login{Capabilities: 0x200d, MaxPacket: 0x010203, User: []byte("app"), Database: []byte("shop")},
		whole:  5,
	},
	{
		name:   "HandshakeResponse320 without a database",
		in:     "\x05\x20" + "\x03\x02\x01" + "app" + nul + "S3cr3t",
		decode: func(b []byte) (any, error) { return ParseLogin(b) },
		want:   Login{Capabilities: 0x2005, MaxPacket: 0x010203, User: []byte("app")},
		whole:  5,
	},
	{
		name: "COM_CHANGE_USER",
		in:   "app" + nul + "\x08S3cr3t-b" + "shop" + nul + "\x00\x09" + "mysql_native_password" + nul + "\x0a\x03_os\x05Linux",
		decode: func(b []byte) (any, error) {
			return ParseChangeUser(b, SecureConnection|PluginAuth|ConnectAttrs)
		},
		want: ChangeUser{
			User: []byte("app"), Database: []byte("shop"), Collation: 0x0900, AuthPlugin: []byte("mysql_native_password"),
			Attributes: Attributes("\x03_os\x05Linux"),
		},
		whole:  4 + 9,
		except: []int{4 + 9 + 5 + 1}, // inside the collation
	},
	{
		name:   "COM_CHANGE_USER without SECURE_CONNECTION",
		in:     "app" + nul + "S3cr3t" + nul + "shop" + nul,
		decode: func(b []byte) (any, error) { return ParseChangeUser(b, 0) },
		want:   ChangeUser{User: []byte("app"), Database: []byte("shop")},
		whole:  0,
	},
	{
		name:   "COM_CHANGE_USER without PLUGIN_AUTH",
		in:     "app" + nul + "\x08S3cr3t-b" + "shop" + nul + "\x00\x09" + "\x0a\x03_os\x05Linux",
		decode: func(b []byte) (any, error) { return ParseChangeUser(b, SecureConnection|ConnectAttrs) },
		want: ChangeUser{
			User: []byte("app"), Database: []byte("shop"), Collation: 0x0900, Attributes: Attributes("\x03_os\x05Linux"),
		},
		whole:  4 + 9,
		except: []int{4 + 9 + 5 + 1},
	},
	{
		name:   "COM_CHANGE_USER without attributes",
		in:     "app" + nul + "\x08S3cr3t-b" + "shop" + nul + "\x00\x09" + "p" + nul + "\x0a\x03_os\x05Linux",
		decode: func(b []byte) (any, error) { return ParseChangeUser(b, SecureConnection|PluginAuth) },
		want:   ChangeUser{User: []byte("app"), Database: []byte("shop"), Collation: 0x0900, AuthPlugin: []byte("p")},
		whole:  4 + 9,
		except: []int{4 + 9 + 5 + 1},
	},
	{
		name:   "COM_CHANGE_USER that ends behind the collation",
		in:     "app" + nul + "\x08S3cr3t-b" + nul + "\x00\x09",
		decode: func(b []byte) (any, error) { return ParseChangeUser(b, SecureConnection|PluginAuth|ConnectAttrs) },
		want:   ChangeUser{User: []byte("app"), Collation: 0x0900},
		whole:  4 + 9,
		except: []int{4 + 9 + 1 + 1},
	},
	{
		name:   "OK_Packet",
		in:     nul + "\xfc\x01\x02" + "\x07" + "\x02\x40" + "\x03\x00" + "Rows: 7",
		decode: func(b []byte) (any, error) { return ParseOK(b, Protocol41) },
		want:   OK{AffectedRows: 0x0201, LastInsertID: 7, Status: 0x4002, Warnings: 3, Info: []byte("Rows: 7")},
		whole:  1 + 3 + 1 + 2 + 2,
	},
	{
		name:   "OK_Packet with the info's length, as MySQL and MariaDB send it",
		in:     nul + "\x01" + "\x07" + "\x02\x00" + "\x03\x00" + "\x0cRows found: ",
		decode: func(b []byte) (any, error) { return ParseOK(b, Protocol41) },
		want:   OK{AffectedRows: 1, LastInsertID: 7, Status: 2, Warnings: 3, Info: []byte("Rows found: ")},
		whole:  1 + 1 + 1 + 2 + 2,
	},
	{
		name:   "OK_Packet with session state",
		in:     nul + "\x01" + "\x07" + "\x02\x40" + "\x03\x00" + "\x04info" + "\x07\x01\x05\x04shop" + "more",
		decode: func(b []byte) (any, error) { return ParseOK(b, Protocol41|SessionTrack) },
		want: OK{
			AffectedRows: 1, LastInsertID: 7, Status: 0x4002, Warnings: 3, Info: []byte("info"),
			Changes: SessionState("\x01\x05\x04shop"),
		},
		whole: 1 + 1 + 1 + 2 + 2,
	},
	{
		name:   "OK_Packet without changes",
		in:     nul + "\x01" + "\x07" + "\x02\x00" + "\x03\x00" + "\x04info" + "\x07\x01\x05\x04shop",
		decode: func(b []byte) (any, error) { return ParseOK(b, Protocol41|SessionTrack) },
		want:   OK{AffectedRows: 1, LastInsertID: 7, Status: 2, Warnings: 3, Info: []byte("info")},
		whole:  1 + 1 + 1 + 2 + 2,
	},
	{
		name:   "OK_Packet before 4.1",
		in:     nul + "\x01" + "\x07" + "\x02\x00" + "info",
		decode: func(b []byte) (any, error) { return ParseOK(b, Transactions) },
		want:   OK{AffectedRows: 1, LastInsertID: 7, Status: 2, Info: []byte("info")},
		whole:  1 + 1 + 1 + 2,
	},
	{
		name:   "OK_Packet before transactions",
		in:     nul + "\x01" + "\x07" + "info",
		decode: func(b []byte) (any, error) { return ParseOK(b, 0) },
		want:   OK{AffectedRows: 1, LastInsertID: 7, Info: []byte("info")},
		whole:  1 + 1 + 1,
	},
	{
		name:   "ERR_Packet",
		in:     "\xff" + "\x15\x04" + "#28000" + "Access denied",
		decode: func(b []byte) (any, error) { return ParseERR(b) },
		want:   ERR{Code: 1045, SQLState: []byte("28000"), Message: []byte("Access denied")},
		whole:  3,
	},
	{
		name:   "ERR_Packet without SQLSTATE",
		in:     "\xff" + "\x10\x04" + "Too many connections",
		decode: func(b []byte) (any, error) { return ParseERR(b) },
		want:   ERR{Code: 1040, Message: []byte("Too many connections")},
		whole:  3,
	},
	{
		name:   "ERR_Packet without a message",
		in:     "\xff" + "\x15\x04" + "#28000",
		decode: func(b []byte) (any, error) { return ParseERR(b) },
		want:   ERR{Code: 1045, SQLState: []byte("28000"), Message: []byte{}},
		whole:  3,
	},
	{
		name:   "EOF_Packet",
		in:     "\xfe" + "\x03\x00" + "\x22\x01",
		decode: func(b []byte) (any, error) { return ParseEOF(b) },
		want:   EOF{Warnings: 3, Status: 0x0122},
		whole:  5,
		except: []int{1}, // as before 4.1
	},
	{
		name:   "COM_STMT_PREPARE_OK",
		in:     nul + "\x04\x03\x02\x01" + "\x05\x00" + "\x06\x00" + nul + "\x07\x00" + nul,
		decode: func(b []byte) (any, error) { return ParsePrepareOK(b, OptionalResultSetMetadata) },
		want:   PrepareOK{StatementID: 0x01020304, Columns: 5, Params: 6, Warnings: 7, NoMetadata: true},
		whole:  10,
		except: []int{11}, // inside the warnings
	},
}

func TestPackets(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode([]byte(tt.in))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
			if told := fmt.Sprintf("%q", got); strings.Contains(told, marker) {
				t.Errorf("authentication data is told: %s", told)
			}
		})
	}
}

// TestPacketPrefixes cuts every packet after every byte: what is needed is missed by name, what may be left
// out is not, and no error tells a value.
func TestPacketPrefixes(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			message, _, _ := strings.Cut(tt.name, " ")
			if strings.HasPrefix(message, "HandshakeResponse") {
				message = "HandshakeResponse" // which one, its first two bytes tell
			}
			for n := range len(tt.in) {
				_, err := tt.decode([]byte(tt.in[:n]))
				failed := (n < tt.whole) != slices.Contains(tt.except, n)
				if failed != (err != nil) {
					t.Errorf("cut after %d: got error %v, want one: %v", n, err, failed)
				}
				if err != nil {
					checkError(t, err, message, n)
				}
			}
		})
	}
}

// checkError checks that err is a coordinate in a payload of n bytes, with no value in it.
func checkError(tb testing.TB, err error, message string, n int) {
	tb.Helper()
	var bad *ParseError
	switch {
	case !errors.As(err, &bad):
		tb.Errorf("got %T, want *ParseError", err)
	case !strings.HasPrefix(bad.Message, message) || bad.Field == "" || bad.Offset < 0 || bad.Offset > n:
		tb.Errorf("got %#v for %d bytes of %s", bad, n, message)
	case !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMalformed):
		tb.Errorf("got cause %v", bad.Err)
	case err.Error() != fmt.Sprintf("mysql: %s.%s at byte %d: %v", bad.Message, bad.Field, bad.Offset, bad.Err):
		tb.Errorf("got text %q", err)
	}
	if strings.Contains(err.Error(), marker) {
		tb.Errorf("an error tells a value: %v", err)
	}
}

// TestPacketErrors: the name of the field that is at fault, and where it is.
func TestPacketErrors(t *testing.T) {
	greeting := packets[0].in
	login := packets[3].in
	for _, tt := range []struct {
		name    string
		err     func() error
		wantErr string
	}{
		{"greeting, other version", func() error { _, err := ParseGreeting([]byte("\x09" + greeting[1:])); return err }, "mysql: HandshakeV10.protocol_version at byte 0: malformed"},
		{"greeting, empty", func() error { _, err := ParseGreeting(nil); return err }, "mysql: HandshakeV10.protocol_version at byte 0: truncated"},
		{"greeting, scramble cut", func() error { _, err := ParseGreeting([]byte(greeting[:30])); return err }, "mysql: HandshakeV10.reserved at byte 28: truncated"},
		{"greeting, scramble longer", func() error { _, err := ParseGreeting([]byte(greeting[:27] + "\xff" + greeting[28:])); return err }, "mysql: HandshakeV10.auth_plugin_data_part_2 at byte 38: truncated"},
		{"login, 2^63", func() error {
			_, err := ParseLogin([]byte(login[:36] + "\xfe\x00\x00\x00\x00\x00\x00\x00\x80S3cr3t"))
			return err
		}, "mysql: HandshakeResponse41.auth_response at byte 45: truncated"},
		{"login, NULL", func() error { _, err := ParseLogin([]byte(login[:36] + "\xfbS3cr3t")); return err }, "mysql: HandshakeResponse41.auth_response_length at byte 37: malformed"},
		{"login, filler cut", func() error { _, err := ParseLogin([]byte(login[:31])); return err }, "mysql: HandshakeResponse41.filler at byte 28: truncated"},
		{"change user", func() error { _, err := ParseChangeUser([]byte("app\x00\x20S3cr3t"), SecureConnection); return err }, "mysql: COM_CHANGE_USER.auth_plugin_data at byte 5: truncated"},
		{"OK", func() error { _, err := ParseOK([]byte("\x00\xfd\x01\x02"), Protocol41); return err }, "mysql: OK_Packet.affected_rows at byte 2: truncated"},
		{"ERR", func() error { _, err := ParseERR([]byte("\xff\x15")); return err }, "mysql: ERR_Packet.error_code at byte 1: truncated"},
		{"ERR without a code", func() error { _, err := ParseERR([]byte("\xff\x00\x00S3cr3t")); return err }, "mysql: ERR_Packet.error_code at byte 3: malformed"},
		{"EOF", func() error { _, err := ParseEOF([]byte("\xfe\x00\x00\x02")); return err }, "mysql: EOF_Packet.status_flags at byte 3: truncated"},
		{"prepare", func() error { _, err := ParsePrepareOK([]byte("\x00\x01\x00\x00\x00\x01\x00\x01"), 0); return err }, "mysql: COM_STMT_PREPARE_OK.num_params at byte 7: truncated"},
		{"a packet as a whole", func() error { return &ParseError{Message: "server packet", Err: ErrOutOfOrder} }, "mysql: server packet: out of order"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.err(); err == nil || err.Error() != tt.wantErr {
				t.Errorf("got %v, want %s", err, tt.wantErr)
			}
		})
	}
}

func TestIsTLSRequest(t *testing.T) {
	const tls, plain = "\x85\xae", "\x85\xa2"
	for _, tt := range []struct {
		name string
		in   string
		want bool
	}{
		{"32 bytes with CLIENT_SSL", tls + strings.Repeat("x", 30), true},
		{"32 bytes without", plain + strings.Repeat("x", 30), false},
		{"a login over TLS", tls + strings.Repeat("x", 31), false},
		{"5 bytes before 4.1", "\x05\x28\x01\x02\x03", true},
		{"a login before 4.1", "\x05\x28\x01\x02\x03\x00", false},
		{"1 byte", "\x85", false},
		{"nothing", "", false},
	} {
		if got := IsTLSRequest([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	const all = "\x03_os\x05Linux\x00\x00\x04_pid\x0247"
	want := [][2]string{{"_os", "Linux"}, {"", ""}, {"_pid", "47"}}
	for n := range len(all) + 1 {
		var got [][2]string
		for name, value := range Attributes(all[:n]).All() {
			got = append(got, [2]string{string(name), string(value)})
		}
		whole := 0
		for _, end := range []int{10, 12, 20} {
			if n >= end {
				whole++
			}
		}
		if len(got) != whole || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut after %d: got %q, want the first %d of %q", n, got, whole, want)
		}
	}
	for name := range Attributes(all).All() {
		if string(name) != "_os" {
			t.Errorf("got %q after the loop has ended", name)
		}
		break
	}
}

func TestSessionState(t *testing.T) {
	const variable, schema, gtid = "\x00\x0f\x0aautocommit\x03OFF", "\x01\x05\x04shop", "\x03\x03\x00\x01g"
	var kinds []StateChange
	for kind := range SessionState(variable + schema + gtid).All() {
		kinds = append(kinds, kind)
	}
	if want := []StateChange{SystemVariableChanged, SchemaChanged, GTIDsChanged}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	for _, tt := range []struct {
		name    string
		in      string
		schema  string
		changed bool
	}{
		{"nothing", "", "", false},
		{"others", variable + gtid, "", false},
		{"among others", variable + schema + gtid, "shop", true},
		{"the last counts", schema + "\x01\x06\x05stock", "stock", true},
		{"no schema any more", schema + "\x01\x01\x00", "", true},
		{"cut behind it", schema + "\x00\xfc", "shop", true},
		{"cut", schema[:6], "", false},
		{"cut inside", "\x01\x05\x05shop", "", false},
	} {
		if got, changed := SessionState(tt.in).Schema(); string(got) != tt.schema || changed != tt.changed {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, changed, tt.schema, tt.changed)
		}
	}
}

// inside reports whether b is a part of payload's memory: decoders copy nothing and make nothing up.
func inside(b, payload []byte) bool {
	if len(b) == 0 {
		return true
	}
	for i := range payload {
		if &payload[i] == &b[0] {
			return i+len(b) <= len(payload)
		}
	}
	return false
}

// FuzzPackets checks that no payload makes a decoder panic, that errors are coordinates, and that all slices
// lie inside the payload.
func FuzzPackets(f *testing.F) {
	for _, tt := range packets {
		f.Add([]byte(tt.in), uint64(Protocol41|SecureConnection|PluginAuth|ConnectAttrs|SessionTrack))
		f.Add([]byte(tt.in), uint64(0))
	}
	if len(packets) == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, payload []byte, caps uint64) {
		check := func(message string, err error, parts ...[]byte) {
			t.Helper()
			if err != nil && message != "" {
				checkError(t, err, message, len(payload))
			}
			for _, b := range parts {
				if !inside(b, payload) || cap(b) > len(payload) {
					t.Errorf("%s: %q is not in the payload", message, b)
				}
			}
		}
		pairs := func(a Attributes) {
			for name, value := range a.All() {
				check("", nil, name, value)
			}
		}
		g, err := ParseGreeting(payload)
		check("HandshakeV10", err, g.ServerVersion, g.AuthPlugin)
		l, err := ParseLogin(payload)
		check("HandshakeResponse", err, l.User, l.Database, l.AuthPlugin, l.Attributes)
		pairs(l.Attributes)
		u, err := ParseChangeUser(payload, Capability(caps))
		check("COM_CHANGE_USER", err, u.User, u.Database, u.AuthPlugin, u.Attributes)
		pairs(u.Attributes)
		ok, err := ParseOK(payload, Capability(caps))
		check("OK_Packet", err, ok.Info, ok.Changes)
		schema, _ := ok.Changes.Schema()
		check("", nil, schema)
		e, err := ParseERR(payload)
		check("ERR_Packet", err, e.SQLState, e.Message)
		if err == nil && (e.Code == 0 || e.SQLState != nil && len(e.SQLState) != 5) {
			t.Errorf("ERR_Packet: got code %d, SQLSTATE %q", e.Code, e.SQLState)
		}
		_, err = ParseEOF(payload)
		check("EOF_Packet", err)
		_, err = ParsePrepareOK(payload, Capability(caps))
		check("COM_STMT_PREPARE_OK", err)
		if IsTLSRequest(payload) && len(payload) > tlsRequestLen {
			t.Errorf("a TLS request of %d bytes", len(payload))
		}
	})
}
