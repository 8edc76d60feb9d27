package mysqlproxy

import (
	"bytes"
	"slices"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// The authentication plugins that are known here, because what a client answers depends on whether its leg is
// secret.
const (
	cachingSHA2    = "caching_sha2_password"
	sha256Password = "sha256_password"
	clearPassword  = "mysql_clear_password"
	dialog         = "dialog"                               // MariaDB's PAM
	openIDConnect  = "authentication_openid_connect_client" // a token is as good as a password
)

// answerLens are the lengths in bytes of the answers that have always the same.
var answerLens = map[string]int32{"mysql_native_password": scrambleLen, "client_ed25519": signatureLen}

// signatureLen is the length in bytes of an ed25519 signature.
const signatureLen = 64

// exposed follows the plugin in force. It returns an error if the client, whose leg is secret, would answer
// this packet of the server with a password that others can read on the server's leg; or if the client would
// encrypt the password with a key of a server that expects it in clear, because its own leg is the secret one.
//
// The server's leg may be in the hands of somebody else, so this goes by what clients take for a packet, not
// by what servers send.
func (x *exchange) exposed(payload []byte) *SecrecyError {
	if len(payload) == 0 {
		return nil
	}
	switch {
	case payload[0] == mysqlwire.HeaderAuthSwitch,
		// Without the capability it is the data of a plugin; dialog's begins with this byte.
		payload[0] == mysqlwire.HeaderAuthNextFactor && x.Server.Capabilities.Has(mysqlwire.MultiFactor):
		x.plugin, x.nonce = "", nil
		x.answerLen.Store(0)
		if s, err := mysqlwire.ParseAuthSwitch(payload); err == nil {
			x.plugin = string(s.Plugin)
			if len(s.Data) >= scrambleLen {
				x.nonce = slices.Clone(s.Data[:scrambleLen])
			}
			x.answerLen.Store(answerLens[x.plugin])
		}
		switch x.plugin {
		case sha256Password: // its server wants the password encrypted on a unix socket, too (tried on MySQL 9.7)
			if x.Secret && !x.Server.TLS {
				return &SecrecyError{x.plugin, Server}
			}
			if !x.Secret && x.Server.TLS {
				return &SecrecyError{x.plugin, Client}
			}
		case clearPassword, dialog, openIDConnect:
			if x.Secret && !x.Server.Secret {
				return &SecrecyError{x.plugin, Server}
			}
		}
	case (x.plugin == cachingSHA2 || x.plugin == "") && x.Secret != x.Server.Secret && isFullAuthentication(payload):
		if x.Secret {
			return &SecrecyError{cachingSHA2, Server}
		}
		return &SecrecyError{cachingSHA2, Client}
	}
	return nil
}

// The server's packets in caching_sha2_password (Protocol::AuthMoreData): fast_auth_success, after which the
// client has nothing to say, and perform_full_authentication, after which it tells the password.

func isFastAuthentication(payload []byte) bool { return bytes.Equal(payload, []byte{1, 3}) }

// Clients look for this one with and without the byte before it, and some at nothing behind it.
func isFullAuthentication(payload []byte) bool {
	data := bytes.TrimPrefix(payload, []byte{mysqlwire.HeaderAuthMoreData})
	return len(data) > 0 && data[0] == 4
}
