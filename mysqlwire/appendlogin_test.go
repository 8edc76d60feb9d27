package mysqlwire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// caps41 are in every login of today.
const caps41 = LongPassword | Protocol41 | SecureConnection | PluginAuth

var scramble = [20]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}

// TestAppendGreeting: what is appended is what is parsed, MariaDB's capabilities included, and the nonce
// stands where clients look for it.
func TestAppendGreeting(t *testing.T) {
	for _, want := range []Greeting{
		{ServerVersion: []byte("8.4.3"), ThreadID: 0x8000_0011, Capabilities: caps41 | TLS | ConnectAttrs | QueryAttributes, Collation: 255, Status: 2, AuthPlugin: []byte("caching_sha2_password")},
		{ServerVersion: []byte("5.5.5-10.11.6-MariaDB"), ThreadID: 7, Capabilities: caps41&^LongPassword | MariaDBProgress | MariaDBCacheMetadata, Collation: 45, Status: 2, AuthPlugin: []byte("mysql_native_password")},
		{ServerVersion: []byte("5.1"), ThreadID: 8, Capabilities: Protocol41 | SecureConnection | LongPassword, Collation: 33, Status: 3},
	} {
		payload := AppendGreeting([]byte("before"), &want, &scramble)
		payload = payload[len("before"):]
		got, err := ParseGreeting(payload)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		after := len(want.ServerVersion) + 6 // protocol_version, NUL, thread_id
		if got := payload[after : after+8]; !bytes.Equal(got, scramble[:8]) {
			t.Errorf("auth_plugin_data_part_1: got %x", got)
		}
		if got := payload[after+27 : after+40]; !bytes.Equal(got, append(bytes.Clone(scramble[8:]), 0)) {
			t.Errorf("auth_plugin_data_part_2: got %x", got)
		}
	}
}

// TestAppendLogin: what is appended is what is parsed, whatever of it is there.
func TestAppendLogin(t *testing.T) {
	attributes := AppendAttribute(nil, []byte("_client_name"), []byte("libmysql"))
	attributes = AppendAttribute(attributes, []byte("long"), []byte(strings.Repeat("v", 300)))
	for _, test := range []struct {
		name  string
		login Login
		auth  string
	}{
		{"all", Login{Capabilities: caps41 | ConnectWithDB | ConnectAttrs | PluginAuthLenEnc | MultiStatements, MaxPacket: 1 << 30, Collation: 45, User: []byte("app"), Database: []byte("shop"), AuthPlugin: []byte("auth_unknown_plugin"), Attributes: attributes}, strings.Repeat("a", 260)},
		{"no schema", Login{Capabilities: caps41, MaxPacket: 1 << 24, Collation: 8, User: []byte("app"), AuthPlugin: []byte("mysql_native_password")}, "12345678901234567890"},
		{"no plugin", Login{Capabilities: Protocol41 | SecureConnection | LongPassword, MaxPacket: 7, Collation: 33, User: []byte("haproxy")}, ""},
		{"MariaDB", Login{Capabilities: caps41&^LongPassword | MariaDBBulk, Collation: 45, User: []byte(""), AuthPlugin: []byte("x")}, "\x00"},
		{"3.23", Login{Capabilities: ConnectWithDB | LongPassword, MaxPacket: 0x123456, User: []byte("old"), Database: []byte("shop")}, "12345678"},
		{"3.23, no schema", Login{Capabilities: LongPassword, MaxPacket: 7, User: []byte("old")}, "12345678"},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload := AppendLogin(nil, &test.login, []byte(test.auth))
			got, auth, err := ParseLoginWithAuth(payload)
			if err != nil || string(auth) != test.auth || !reflect.DeepEqual(got, test.login) {
				t.Errorf("got %+v, %q, %v; want %+v, %q", got, auth, err, test.login, test.auth)
			}
			if !test.login.Capabilities.Has(Protocol41) {
				return // TLS was asked for in another form
			}
			if IsTLSRequest(payload) {
				t.Error("it is taken for an SSLRequest")
			}
			request := AppendTLSRequest(nil, &test.login)
			if !IsTLSRequest(request) || len(request) != tlsRequestLen {
				t.Errorf("got SSLRequest %x", request)
			}
		})
	}
	// The flag follows the schema, and nothing else.
	payload := AppendLogin(nil, &Login{Capabilities: caps41 | ConnectWithDB, User: []byte("a"), AuthPlugin: []byte("p")}, nil)
	if got, err := ParseLogin(payload); err != nil || got.Capabilities.Has(ConnectWithDB) || string(got.AuthPlugin) != "p" {
		t.Errorf("a schema that is empty: got %+v, %v", got, err)
	}
}

// TestAppendLenEnc: every length of an integer, at its borders, is read again.
func TestAppendLenEnc(t *testing.T) {
	for _, n := range []uint64{0, 1, 0xfa, 0xfb, 0xff, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, 1 << 63, 1<<64 - 1} {
		c := NewCursor(AppendLenEnc(nil, n))
		if got := c.LenEnc("n"); got != n || c.Failed() || c.Len() != 0 {
			t.Errorf("%d: got %d, %v, %d bytes left", n, got, c.Err("n"), c.Len())
		}
	}
}

func TestAppendERR(t *testing.T) {
	got, err := ParseERR(AppendERR(nil, 1045, "28000", "Access denied"))
	if err != nil || got.Code != 1045 || string(got.SQLState) != "28000" || string(got.Message) != "Access denied" {
		t.Errorf("got %+v, %v", got, err)
	}
}
