package l4mysql

import (
	"maps"
	"slices"

	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// addChanges adds what the server has said about changes of the session.
func (e *entry) addChanges(enc zapcore.ObjectEncoder) error {
	if e.Changes == nil {
		return nil
	}
	if name, changed := e.Changes.Schema(); changed {
		enc.AddString("schema_change", string(name))
	}
	if gtid, changed := e.Changes.GTIDs(); changed {
		enc.AddString("gtid", string(gtid))
	}
	if state, changed := e.Changes.TransactionState(); changed {
		enc.AddString("trx_state", string(state))
	}
	if !e.peer.variables {
		return nil
	}
	for range e.Changes.SystemVariables() {
		return enc.AddObject("session_variables", sessionVariables(e.Changes))
	}
	return nil
}

type sessionVariables mysqlwire.SessionState

// MarshalLogObject adds the variables that were set, by name, with their last values: several statements
// may have set one.
func (s sessionVariables) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	values := make(map[string]string)
	for name, value := range mysqlwire.SessionState(s).SystemVariables() {
		values[string(name)] = string(value)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		enc.AddString(name, values[name])
	}
	return nil
}
