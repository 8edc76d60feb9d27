package mysqlwire

import (
	"strings"
	"testing"
)

// TestCapabilities has the values as the manual writes them: Capabilities Flags, and MariaDB's Connection
// page for the extended ones.
func TestCapabilities(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  Capability
		want Capability
	}{
		{"CLIENT_LONG_PASSWORD", LongPassword, 1},
		{"CLIENT_FOUND_ROWS", FoundRows, 2},
		{"CLIENT_CONNECT_WITH_DB", ConnectWithDB, 8},
		{"CLIENT_COMPRESS", Compress, 32},
		{"CLIENT_LOCAL_FILES", LocalFiles, 128},
		{"CLIENT_PROTOCOL_41", Protocol41, 512},
		{"CLIENT_INTERACTIVE", Interactive, 1024},
		{"CLIENT_SSL", TLS, 2048},
		{"CLIENT_TRANSACTIONS", Transactions, 8192},
		{"CLIENT_RESERVED2 (CLIENT_SECURE_CONNECTION)", SecureConnection, 32768},
		{"CLIENT_MULTI_STATEMENTS", MultiStatements, 1 << 16},
		{"CLIENT_MULTI_RESULTS", MultiResults, 1 << 17},
		{"CLIENT_PS_MULTI_RESULTS", PSMultiResults, 1 << 18},
		{"CLIENT_PLUGIN_AUTH", PluginAuth, 1 << 19},
		{"CLIENT_CONNECT_ATTRS", ConnectAttrs, 1 << 20},
		{"CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA", PluginAuthLenEnc, 1 << 21},
		{"CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS", ExpiredPasswords, 1 << 22},
		{"CLIENT_SESSION_TRACK", SessionTrack, 1 << 23},
		{"CLIENT_DEPRECATE_EOF", DeprecateEOF, 1 << 24},
		{"CLIENT_OPTIONAL_RESULTSET_METADATA", OptionalResultSetMetadata, 1 << 25},
		{"CLIENT_ZSTD_COMPRESSION_ALGORITHM", ZstdCompression, 1 << 26},
		{"CLIENT_QUERY_ATTRIBUTES", QueryAttributes, 1 << 27},
		{"MULTI_FACTOR_AUTHENTICATION", MultiFactor, 1 << 28},
		{"MARIADB_CLIENT_PROGRESS", MariaDBProgress, 1 << 32},
		{"MARIADB_CLIENT_COM_MULTI", MariaDBComMulti, 1 << 33},
		{"MARIADB_CLIENT_STMT_BULK_OPERATIONS", MariaDBBulk, 1 << 34},
		{"MARIADB_CLIENT_EXTENDED_METADATA", MariaDBExtendedMetadata, 1 << 35},
		{"MARIADB_CLIENT_CACHE_METADATA", MariaDBCacheMetadata, 1 << 36},
		{"MARIADB_CLIENT_BULK_UNIT_RESULTS", MariaDBBulkUnitResults, 1 << 37},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, tt.got, tt.want)
		}
	}
	if c := Protocol41 | TLS; !c.Has(Protocol41) || !c.Has(TLS|Protocol41) || c.Has(TLS|Compress) || !c.Has(0) {
		t.Error("Has: want all flags of its argument")
	}
}

// TestStatus has the values of SERVER_STATUS_flags_enum.
func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  Status
		want Status
	}{
		{"SERVER_STATUS_IN_TRANS", StatusInTransaction, 1},
		{"SERVER_STATUS_AUTOCOMMIT", StatusAutocommit, 2},
		{"SERVER_MORE_RESULTS_EXISTS", StatusMoreResults, 8},
		{"SERVER_QUERY_NO_GOOD_INDEX_USED", StatusNoGoodIndexUsed, 16},
		{"SERVER_QUERY_NO_INDEX_USED", StatusNoIndexUsed, 32},
		{"SERVER_STATUS_CURSOR_EXISTS", StatusCursorExists, 64},
		{"SERVER_STATUS_LAST_ROW_SENT", StatusLastRowSent, 128},
		{"SERVER_STATUS_DB_DROPPED", StatusDBDropped, 256},
		{"SERVER_STATUS_NO_BACKSLASH_ESCAPES", StatusNoBackslashEscapes, 512},
		{"SERVER_STATUS_METADATA_CHANGED", StatusMetadataChanged, 1024},
		{"SERVER_QUERY_WAS_SLOW", StatusSlow, 2048},
		{"SERVER_PS_OUT_PARAMS", StatusOutParams, 4096},
		{"SERVER_STATUS_IN_TRANS_READONLY", StatusReadOnly, 8192},
		{"SERVER_SESSION_STATE_CHANGED", StatusSessionState, 1 << 14},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, tt.got, tt.want)
		}
	}
}

// TestCommands has the order of enum_server_command in MySQL's source, and what MariaDB adds.
func TestCommands(t *testing.T) {
	const order = "SLEEP QUIT INIT_DB QUERY FIELD_LIST CREATE_DB DROP_DB REFRESH SHUTDOWN STATISTICS PROCESS_INFO " +
		"CONNECT PROCESS_KILL DEBUG PING TIME DELAYED_INSERT CHANGE_USER BINLOG_DUMP TABLE_DUMP CONNECT_OUT " +
		"REGISTER_SLAVE STMT_PREPARE STMT_EXECUTE STMT_SEND_LONG_DATA STMT_CLOSE STMT_RESET SET_OPTION STMT_FETCH " +
		"DAEMON BINLOG_DUMP_GTID RESET_CONNECTION CLONE"
	want := make(map[Command]string)
	for i, name := range strings.Fields(order) {
		want[Command(i)] = "COM_" + name
	}
	want[250] = "COM_STMT_BULK_EXECUTE"
	want[254] = "COM_MULTI"
	for i := range 256 {
		c := Command(i)
		name, known := want[c]
		if !known {
			name = "COM_0x" + strings.ToUpper(string("0123456789abcdef"[i>>4])+string("0123456789abcdef"[i&15]))
		}
		if got := c.String(); got != name {
			t.Errorf("Command(%d): got %s, want %s", i, got, name)
		}
		for _, spelling := range []string{name, strings.ToLower(name)} {
			if got, ok := ParseCommand(spelling); ok != known || ok && got != c {
				t.Errorf("ParseCommand(%q): got %v, %v; want %v, %v", spelling, got, ok, c, known)
			}
		}
	}
	if c, ok := ParseCommand("query"); ok {
		t.Errorf("ParseCommand(query): got %v, want none", c)
	}
}

// TestHeader: lengths and sequence ids at their limits.
func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		n    int
		seq  uint8
		want [HeaderLen]byte
	}{
		{0, 0, [4]byte{0, 0, 0, 0}},
		{1, 255, [4]byte{1, 0, 0, 255}},
		{0x030201, 4, [4]byte{1, 2, 3, 4}},
		{MaxPayload, 1, [4]byte{255, 255, 255, 1}},
	} {
		got := AppendHeader([]byte("x"), tt.n, tt.seq)
		if string(got) != "x"+string(tt.want[:]) {
			t.Errorf("AppendHeader(%d, %d): got %x, want %x", tt.n, tt.seq, got[1:], tt.want)
		}
		if n := PayloadLen(&tt.want); n != tt.n {
			t.Errorf("PayloadLen(%x): got %d, want %d", tt.want, n, tt.n)
		}
	}
}
