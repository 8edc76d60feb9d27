package mysqlproxy

import (
	"strings"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A treatment says when a capability is offered to clients, and what becomes of it in a login that claims
// it without an offer.
//
// Mostly it is masked there, as servers do: a capability is in effect where both sides have named it, and a
// client that goes by that reads and writes as if it had not claimed it. libmysqlclient and libmariadb do
// claim much that was not offered, all that they know, and follow the greeting after it.
type treatment uint8

const (
	ifShared treatment = iota // offered if every upstream has it, else masked
	always                    // offered whatever the upstreams say
	never                     // masked

	// perLeg is offered where the client's leg has it. A client that claims it all the same is about to speak
	// it, so the login is refused.
	perLeg

	// forbidden is never offered. A client that claims it speaks it after its login, whatever the greeting
	// says (mysql-connector-python with compress=True), and nobody would understand it: the login is refused.
	// Clients that follow the greeting do not claim these.
	forbidden
)

// A capabilityRule is the treatment of one capability.
type capabilityRule struct {
	flag mysqlwire.Capability
	name string // the manual's
	treatment

	// shapes: it changes the bytes that follow the login, so that a session that began with it in effect is
	// understood only by an upstream that has it.
	shapes bool
}

// capabilityRules has each of MySQL's 32 capabilities and those of MariaDB that are in use; another is masked.
var capabilityRules = [...]capabilityRule{
	// MariaDB calls it CLIENT_MYSQL: unset, the greeting and the login end their filler with MariaDB's
	// extended capabilities. See Mirror for when it is not offered.
	{mysqlwire.LongPassword, "CLIENT_LONG_PASSWORD", always, false},

	// What these change is what the server does, or a number in a reply; no packet has another form.
	{mysqlwire.FoundRows, "CLIENT_FOUND_ROWS", ifShared, false},
	{1 << 2, "CLIENT_LONG_FLAG", ifShared, false},
	{1 << 4, "CLIENT_NO_SCHEMA", ifShared, false},
	{1 << 6, "CLIENT_ODBC", ifShared, false},
	{1 << 8, "CLIENT_IGNORE_SPACE", ifShared, false},
	{mysqlwire.Interactive, "CLIENT_INTERACTIVE", ifShared, false},
	{1 << 12, "CLIENT_IGNORE_SIGPIPE", ifShared, false},
	{mysqlwire.Transactions, "CLIENT_TRANSACTIONS", ifShared, false}, // a status in OK, which protocol 4.1 has anyway
	{1 << 14, "CLIENT_RESERVED", ifShared, false},
	{mysqlwire.ExpiredPasswords, "CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS", ifShared, false},

	// The form of the login, and of COM_CHANGE_USER. The login is read by the client's own flags, and written
	// anew for the upstream.
	{mysqlwire.ConnectWithDB, "CLIENT_CONNECT_WITH_DB", ifShared, false},
	{mysqlwire.Protocol41, "CLIENT_PROTOCOL_41", ifShared, true},
	{mysqlwire.SecureConnection, "CLIENT_SECURE_CONNECTION", ifShared, true},
	{mysqlwire.PluginAuth, "CLIENT_PLUGIN_AUTH", ifShared, true},
	{mysqlwire.ConnectAttrs, "CLIENT_CONNECT_ATTRS", ifShared, false}, // in COM_CHANGE_USER they are last, and ignored
	{mysqlwire.PluginAuthLenEnc, "CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA", ifShared, false},

	// Factors after the first are relayed like the first. A server that masks it asks for none.
	{mysqlwire.MultiFactor, "MULTI_FACTOR_AUTHENTICATION", ifShared, false},

	// The server speaks otherwise, but only to a client that has it in effect: another reply (0xfb, several
	// results), or an error in its place.
	{mysqlwire.LocalFiles, "CLIENT_LOCAL_FILES", ifShared, false},
	{mysqlwire.MultiStatements, "CLIENT_MULTI_STATEMENTS", ifShared, false},
	{mysqlwire.MultiResults, "CLIENT_MULTI_RESULTS", ifShared, false},
	{mysqlwire.PSMultiResults, "CLIENT_PS_MULTI_RESULTS", ifShared, false},

	// Every result set, or OK, has another form. Both ends must have them in effect, or neither. A client
	// that claims one of them reads by the greeting, or it could not speak to the servers that lack it.
	{mysqlwire.DeprecateEOF, "CLIENT_DEPRECATE_EOF", ifShared, true},
	{mysqlwire.SessionTrack, "CLIENT_SESSION_TRACK", ifShared, true},
	{mysqlwire.OptionalResultSetMetadata, "CLIENT_OPTIONAL_RESULTSET_METADATA", ifShared, true},

	// The client's COM_QUERY and COM_STMT_EXECUTE have parameters before the text. MySQL's library claims it
	// towards MariaDB, which has no such thing, and goes by the greeting.
	{mysqlwire.QueryAttributes, "CLIENT_QUERY_ATTRIBUTES", ifShared, true},

	// After it comes a ClientHello.
	{mysqlwire.TLS, "CLIENT_SSL", perLeg, false},

	// Everything after the login has another framing. The upstream could pick another algorithm than the
	// client has, and the commands would be hidden.
	{mysqlwire.Compress, "CLIENT_COMPRESS", forbidden, true},
	{mysqlwire.ZstdCompression, "CLIENT_ZSTD_COMPRESSION_ALGORITHM", forbidden, true},

	// Reserved, or a client's note to itself, which MySQL's greeting offers all the same. Bit 29 was MariaDB
	// 10.0's progress reports.
	{1 << 29, "CLIENT_CAPABILITY_EXTENSION", never, false},
	{1 << 30, "CLIENT_SSL_VERIFY_SERVER_CERT", never, false},
	{1 << 31, "CLIENT_REMEMBER_OPTIONS", never, false},

	// MariaDB's. A client that claims one without an offer is as good as one that sends any bytes in what
	// MySQL calls filler. COM_MULTI was never in a release.
	{mysqlwire.MariaDBProgress, "MARIADB_CLIENT_PROGRESS", ifShared, false}, // an upstream without it sends none
	{mysqlwire.MariaDBComMulti, "MARIADB_CLIENT_COM_MULTI", never, false},
	{mysqlwire.MariaDBBulk, "MARIADB_CLIENT_STMT_BULK_OPERATIONS", ifShared, true},
	{mysqlwire.MariaDBExtendedMetadata, "MARIADB_CLIENT_EXTENDED_METADATA", ifShared, true},
	{mysqlwire.MariaDBCacheMetadata, "MARIADB_CLIENT_CACHE_METADATA", ifShared, true},
	{mysqlwire.MariaDBBulkUnitResults, "MARIADB_CLIENT_BULK_UNIT_RESULTS", ifShared, true},
}

// Carried are the capabilities that the proxy can carry between a client and an upstream that have them.
// [mysqlwire.TLS] is among them: it is each leg's own.
var Carried = capabilitiesWhere(func(r *capabilityRule) bool {
	return r.treatment != never && r.treatment != forbidden
})

var (
	refusedCapabilities = capabilitiesWhere(func(r *capabilityRule) bool {
		return r.treatment == forbidden || r.treatment == perLeg
	})
	shapingCapabilities = capabilitiesWhere(func(r *capabilityRule) bool { return r.shapes })

	// needed is what login-first cannot do without on an upstream: the authentication switch.
	needed = mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth
)

// extendedCapabilities are MariaDB's own, for which a greeting has room only without [mysqlwire.LongPassword].
const extendedCapabilities = mysqlwire.Capability(0xffff_ffff << 32)

func capabilitiesWhere(is func(*capabilityRule) bool) (c mysqlwire.Capability) {
	for i := range capabilityRules {
		if is(&capabilityRules[i]) {
			c |= capabilityRules[i].flag
		}
	}
	return c
}

// Check returns the capabilities that are in effect for a client that claims those in its login, or in its
// request for TLS, and was offered others. The refusal is not nil if it claims one without an offer, and will
// speak it.
func Check(claimed, offered mysqlwire.Capability) (inEffect mysqlwire.Capability, refusal *Refusal) {
	if beyond := claimed &^ offered & refusedCapabilities; beyond != 0 {
		return 0, BadHandshake(capabilityNames(beyond) + " was not offered")
	}
	return claimed & offered, nil
}

// Lacking returns what an upstream lacks of the capabilities that are in effect for a client, if it cannot
// do without: the upstream's greeting is not the one that was mirrored any more. 0 means that the two go
// together.
func Lacking(inEffect, upstream mysqlwire.Capability) mysqlwire.Capability {
	return inEffect &^ upstream & shapingCapabilities
}

// Differing returns what a client that claims those capabilities, and was offered some, has in effect otherwise than an
// upstream with others: the two would speak past each other. It is for a client whose login goes to the upstream
// as it is.
func Differing(claimed, offered, upstream mysqlwire.Capability) mysqlwire.Capability {
	return claimed & (offered ^ upstream) & shapingCapabilities
}

// capabilityNames returns the manual's names, for people.
func capabilityNames(c mysqlwire.Capability) string {
	var names []string
	for _, r := range capabilityRules {
		if c.Has(r.flag) {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, ", ")
}
