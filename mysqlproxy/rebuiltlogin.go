package mysqlproxy

import (
	"bytes"
	"slices"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// lacking returns the capabilities without which the client's session cannot be carried to a server that has
// those.
func (h *Hello) lacking(server mysqlwire.Capability) mysqlwire.Capability {
	if !h.Login.Capabilities.Has(mysqlwire.PluginAuth) {
		// It is not asked again, and a login of before 4.1 goes to who takes it.
		return Lacking(h.Login.Capabilities, server)
	}
	return Lacking(h.Login.Capabilities, server) | needed&^server
}

// forServer returns the login for a server with those capabilities.
func (h *Hello) forServer(server mysqlwire.Capability) (mysqlwire.Login, []byte) {
	login, auth := h.Login, h.Auth
	caps := login.Capabilities & Carried &^ mysqlwire.TLS
	if !caps.Has(mysqlwire.PluginAuth) {
		return h.withoutPlugin(caps & (server | mysqlwire.LongPassword))
	}
	caps &= server | mysqlwire.LongPassword // which is set for every server of MySQL's kind
	caps |= mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth
	login.AuthPlugin, login.Attributes = []byte(UnknownPlugin), nil
	if attributes := h.attributes(); server.Has(mysqlwire.ConnectAttrs) && len(attributes) > 0 {
		caps |= mysqlwire.ConnectAttrs
		login.Attributes = attributes
	} else {
		caps &^= mysqlwire.ConnectAttrs
	}
	if !isScramble(h.Login.AuthPlugin) && len(auth) > 0 {
		// It may be a password in clear, which the client sends because its own leg has TLS. The server
		// does not look at it, but for its being there.
		auth = []byte{0}
	}
	if !caps.Has(mysqlwire.PluginAuthLenEnc) {
		auth = auth[:min(len(auth), 255)]
	}
	login.Capabilities = caps
	if len(login.Database) == 0 {
		login.Capabilities &^= mysqlwire.ConnectWithDB // a request for TLS must announce what the login has
	}
	return login, auth
}

// withoutPlugin returns the login of a client that does not announce plugins (HAProxy's mysql-check): as it
// was sent, without what the proxy cannot carry.
func (h *Hello) withoutPlugin(caps mysqlwire.Capability) (mysqlwire.Login, []byte) {
	login := h.Login
	login.Capabilities = caps
	if len(login.Attributes) == 0 {
		login.Capabilities &^= mysqlwire.ConnectAttrs
	}
	if caps.Has(mysqlwire.Protocol41) {
		login.Capabilities |= mysqlwire.SecureConnection // the form that is written; old servers have it, too
	}
	auth := h.Auth
	if !caps.Has(mysqlwire.PluginAuthLenEnc) {
		auth = auth[:min(len(auth), 255)]
	}
	return login, auth
}

// isScramble reports whether a plugin's first answer is made from a nonce, so that it tells nobody a password.
func isScramble(plugin []byte) bool {
	switch string(plugin) {
	case "mysql_native_password", "caching_sha2_password":
		return true
	}
	return false
}

// attributes returns the proxy's attributes and then the client's, as many as servers take.
func (h *Hello) attributes() mysqlwire.Attributes {
	var all mysqlwire.Attributes
	for _, a := range h.Attributes {
		all = mysqlwire.AppendAttribute(all, []byte(a.Name), []byte(a.Value))
	}
	for name, value := range h.Login.Attributes.All() {
		// Two names that differ in case or in blanks at their end are one to some collations.
		trimmed := bytes.TrimRight(name, " ")
		if slices.ContainsFunc(h.Attributes, func(a Attribute) bool { return bytes.EqualFold([]byte(a.Name), trimmed) }) {
			continue
		}
		n := len(all)
		if all = mysqlwire.AppendAttribute(all, name, value); len(all) > maxAttributes {
			return all[:n]
		}
	}
	return all
}
