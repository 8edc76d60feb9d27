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
	return s.last(SchemaChanged, "schema")
}

// SystemVariables returns the names and new values of the system variables that the server tracks
// (session_track_system_variables) and that were set, in the server's order. Both point into s.
func (s SessionState) SystemVariables() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for kind, data := range s.All() {
			if kind != SystemVariableChanged {
				continue
			}
			c := NewCursor(data) // servers of today send one pair; the protocol has room for more
			for c.Len() > 0 {
				name, value := c.LenEncString("name"), c.LenEncString("value")
				if c.Failed() {
					break
				}
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// GTIDs returns the set of transactions that the server tells of, as session_track_gtids has it, in text,
// and whether s tells of any.
func (s SessionState) GTIDs() (gtids []byte, changed bool) {
	for kind, data := range s.All() {
		if kind == GTIDsChanged {
			c := NewCursor(data)
			if encoding := c.Uint8("encoding_specification"); encoding == 0 { // there is no other yet
				gtids, changed = c.LenEncString("gtids"), !c.Failed()
			}
		}
	}
	return gtids, changed
}

// TransactionState returns the state that the session's transaction is in now, eight characters such as
// "T_R_W___", "________" without one (Transaction State Information), and whether s tells of it.
func (s SessionState) TransactionState() (state []byte, changed bool) {
	return s.last(TransactionStateChange, "state")
}

// TransactionCharacteristics returns the statements that would start a transaction like the present one
// or the next, empty for the session's defaults, and whether s tells of them.
func (s SessionState) TransactionCharacteristics() (statements []byte, changed bool) {
	return s.last(TransactionSettings, "characteristics")
}

// last returns the string of the last entry of the given type.
func (s SessionState) last(want StateChange, field string) (value []byte, found bool) {
	for kind, data := range s.All() {
		if kind == want {
			c := NewCursor(data)
			value, found = c.LenEncString(field), !c.Failed()
		}
	}
	return value, found
}
