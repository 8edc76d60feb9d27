// Package mysqlproxy carries MySQL sessions to upstream servers: it greets in their stead, logs in for a client
// whose password it does not know, and knows which upstreams there are and how they do.
//
// A client has answered a greeting that no server made, so its authentication data fits no server's nonce.
// [Hello] tells the server a login that names an authentication plugin that does not exist: the server then
// asks for the one that the account needs (Protocol::AuthSwitchRequest), with a nonce of its own. A [Relay]
// hands that question to the client and the client's answer to the server, until the server accepts or
// refuses. The two then speak to each other, and the bytes of both legs are the same.
//
// # Limits
//
// Accounts that a server recognizes by the connection itself see this side of it, not the client's: unix_socket
// and auth_socket, REQUIRE X509, SUBJECT or ISSUER. A client that does not announce plugins
// ([mysqlwire.PluginAuth]) cannot be asked again: it logs in only where no password is needed. Compression is
// not carried. COM_CHANGE_USER to an account with mysql_native_password fails with the clients that answer it
// with the nonce of the greeting.
package mysqlproxy
