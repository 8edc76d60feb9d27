package mysqlwire

// An AuthSwitch is the server's request to authenticate with another plugin, or with another nonce.
//
// Protocol::AuthSwitchRequest
type AuthSwitch struct {
	Plugin []byte
	Data   []byte // the plugin's: mostly a nonce
}

// ParseAuthSwitch decodes the payload of an AuthSwitchRequest.
func ParseAuthSwitch(payload []byte) (AuthSwitch, error) {
	c := NewCursor(payload)
	var a AuthSwitch
	c.Skip(1, "status_tag")
	a.Plugin = c.NulString("plugin_name")
	a.Data = c.Rest("plugin_provided_data")
	return a, c.Err("AuthSwitchRequest")
}
