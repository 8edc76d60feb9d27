// Package mysqlwire decodes the packets of the MySQL client/server protocol, as MySQL 4.1 to 9 and
// MariaDB speak it: the packet header, the greeting, the login, the authentication exchange, OK, ERR and
// EOF, and the values of the binary protocol. The greeting, the login and ERR it also encodes. It is a set
// of pure functions over bytes: it keeps no state, does no I/O and imports the standard library only.
//
// Decoders return values whose slices point into the payload they were given, unless they say otherwise.
// None of them trusts a length: a payload that ends too early gives a [*ParseError] that names the field.
// Payloads may be longer than a decoder expects, because servers append fields.
//
// Section names in comments (Protocol::HandshakeV10, COM_CHANGE_USER ...) are those of the MySQL source
// documentation, "Client/Server Protocol"; for MariaDB, of its knowledge base's "Client/Server Protocol".
//
// # Limits
//
// Authentication data is skipped, and returned by [ParseLoginWithAuth] only. Column definitions and rows are
// not decoded. Protocol version 9 (before MySQL 3.21.0) is not understood.
package mysqlwire
