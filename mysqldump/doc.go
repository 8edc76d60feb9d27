// Package mysqldump follows conversations between MySQL clients and servers and tells what was asked and
// what came of it. (A dump of MySQL traffic, as in tcpdump; it has nothing to do with MySQL's backup
// program of that name.)
//
// A [Session] is given the bytes of both directions of one connection, in the order in which they were
// seen, and calls back with one [Record] per command and per event. Equal bytes in an equal order give
// equal records, however they are cut into calls. The package does no I/O, starts no goroutine (but for the
// coroutine of a compressed packet that has not all come, which [Session.End] ends) and has no clock: times are the
// caller's.
//
// The session walks over packets by their headers. Rows and column definitions are never copied; what it
// keeps per connection is bounded, whatever the sizes of packets, statements and results.
//
// What a byte means follows from what was said before it, never from its looks. When a conversation
// cannot be followed any further, the session says once why and from then on only counts bytes: it
// never guesses. docs/protocol.md has the drawing of its states.
//
// # Limits
//
// A conversation turns opaque where the client switches to TLS, clones a server, or compresses with a
// window of more than 8 MiB. Rows are counted, not decoded. The events of a binary log are neither. Texts
// in a character set that has no decoder here stay as the client has sent them.
package mysqldump
