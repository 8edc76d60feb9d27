package mysqlwire

// A Capability is a set of capability flags (Capabilities Flags). The lower 32 bits are the flags of the
// MySQL protocol; the upper 32 are MariaDB's extended capabilities, which MariaDB sends where MySQL has
// filler. A capability is in effect when both the greeting and the login name it.
type Capability uint64

// The flags that change the bytes of a conversation. Manual's names in the comments.
const (
	LongPassword              Capability = 0x0000_0001 // CLIENT_LONG_PASSWORD; MariaDB calls it CLIENT_MYSQL
	FoundRows                 Capability = 0x0000_0002 // CLIENT_FOUND_ROWS
	ConnectWithDB             Capability = 0x0000_0008 // CLIENT_CONNECT_WITH_DB
	Compress                  Capability = 0x0000_0020 // CLIENT_COMPRESS
	LocalFiles                Capability = 0x0000_0080 // CLIENT_LOCAL_FILES
	Protocol41                Capability = 0x0000_0200 // CLIENT_PROTOCOL_41
	Interactive               Capability = 0x0000_0400 // CLIENT_INTERACTIVE
	TLS                       Capability = 0x0000_0800 // CLIENT_SSL
	Transactions              Capability = 0x0000_2000 // CLIENT_TRANSACTIONS
	SecureConnection          Capability = 0x0000_8000 // CLIENT_SECURE_CONNECTION
	MultiStatements           Capability = 0x0001_0000 // CLIENT_MULTI_STATEMENTS
	MultiResults              Capability = 0x0002_0000 // CLIENT_MULTI_RESULTS
	PSMultiResults            Capability = 0x0004_0000 // CLIENT_PS_MULTI_RESULTS
	PluginAuth                Capability = 0x0008_0000 // CLIENT_PLUGIN_AUTH
	ConnectAttrs              Capability = 0x0010_0000 // CLIENT_CONNECT_ATTRS
	PluginAuthLenEnc          Capability = 0x0020_0000 // CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
	ExpiredPasswords          Capability = 0x0040_0000 // CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS
	SessionTrack              Capability = 0x0080_0000 // CLIENT_SESSION_TRACK
	DeprecateEOF              Capability = 0x0100_0000 // CLIENT_DEPRECATE_EOF
	OptionalResultSetMetadata Capability = 0x0200_0000 // CLIENT_OPTIONAL_RESULTSET_METADATA
	ZstdCompression           Capability = 0x0400_0000 // CLIENT_ZSTD_COMPRESSION_ALGORITHM
	QueryAttributes           Capability = 0x0800_0000 // CLIENT_QUERY_ATTRIBUTES
	MultiFactor               Capability = 0x1000_0000 // CLIENT_MULTI_FACTOR_AUTHENTICATION

	MariaDBProgress         Capability = 0x0000_0001 << 32 // MARIADB_CLIENT_PROGRESS
	MariaDBComMulti         Capability = 0x0000_0002 << 32 // MARIADB_CLIENT_COM_MULTI
	MariaDBBulk             Capability = 0x0000_0004 << 32 // MARIADB_CLIENT_STMT_BULK_OPERATIONS
	MariaDBExtendedMetadata Capability = 0x0000_0008 << 32 // MARIADB_CLIENT_EXTENDED_METADATA
	MariaDBCacheMetadata    Capability = 0x0000_0010 << 32 // MARIADB_CLIENT_CACHE_METADATA
	MariaDBBulkUnitResults  Capability = 0x0000_0020 << 32 // MARIADB_CLIENT_BULK_UNIT_RESULTS
)

// Has reports whether all flags of want are set.
func (c Capability) Has(want Capability) bool { return c&want == want }
