package mysqlwire

import "iter"

// SessionState is what an OK packet says about changes of the session, as it stands in the packet:
// entries of a type and length-encoded data (Session State Information).
type SessionState []byte

// A StateChange is the type of an entry of [SessionState] (enum_session_state_type).
type StateChange uint8

// The types of entries. Manual's names in the comments.
const (
	SystemVariableChanged  StateChange = 0 // SESSION_TRACK_SYSTEM_VARIABLES
	SchemaChanged          StateChange = 1 // SESSION_TRACK_SCHEMA
	StateChanged           StateChange = 2 // SESSION_TRACK_STATE_CHANGE
	GTIDsChanged           StateChange = 3 // SESSION_TRACK_GTIDS
	TransactionSettings    StateChange = 4 // SESSION_TRACK_TRANSACTION_CHARACTERISTICS
	TransactionStateChange StateChange = 5 // SESSION_TRACK_TRANSACTION_STATE
)

// All returns the entries in order, up to the first that is cut off. data points into s.
func (s SessionState) All() iter.Seq2[StateChange, []byte] {
	return func(yield func(kind StateChange, data []byte) bool) {
		c := NewCursor(s)
		for c.Len() > 0 {
			kind, data := c.Uint8("type"), c.LenEncString("data")
			if c.Failed() || !yield(StateChange(kind), data) {
				return
			}
		}
	}
}

// Schema returns the new default schema, empty if there is none any more, and whether s tells of one.
func (s SessionState) Schema() (name []byte, changed bool) {
	for kind, data := range s.All() {
		if kind == SchemaChanged {
			c := NewCursor(data)
			name, changed = c.LenEncString("schema"), !c.Failed()
		}
	}
	return name, changed
}
