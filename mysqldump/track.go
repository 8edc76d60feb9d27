package mysqldump

import (
	"strings"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// changed is what the server says about changes of the session until they are applied, which is when the
// answer is complete: they do not hold for the command itself.
type changed struct {
	charsetChange
	schema    string
	hasSchema bool
	any       bool
	inPacket  bool // the record's Changes point into the packet
}

// keptChanges is how many bytes of changes are kept of an answer with several results.
const keptChanges = 4 << 10

// track takes over what an OK packet says about changes of the session.
//
// Session State Information
func (s *Session) track(changes mysqlwire.SessionState) {
	c, r := &s.changed, &s.rec
	c.any = true
	if r.Changes == nil {
		r.Changes, c.inPacket = changes, true
	} else if len(r.Changes) < keptChanges {
		r.Changes = append(r.Changes[:len(r.Changes):len(r.Changes)], changes...)
	}
	if name, changed := changes.Schema(); changed {
		c.schema, c.hasSchema = string(name), true
	}
	if state, changed := changes.TransactionState(); changed {
		s.ties.locked = len(state) == 8 && state[7] == 'L'
	}
	for name, value := range changes.SystemVariables() {
		switch string(name) {
		case "character_set_client":
			c.client, c.hasClient = serverCharset(value), true
		case "character_set_results":
			c.server, c.hasServer = serverCharset(value), true
		}
	}
}

// serverCharset returns the name of a character set as all servers of today have it.
func serverCharset(name []byte) string {
	if strings.EqualFold(string(name), "utf8") { // what servers before MySQL 8.0.30 and MariaDB 10.6 call it
		return "utf8mb3"
	}
	return string(name)
}

// applyTracked makes what the server has told hold from the next command on.
func (s *Session) applyTracked() {
	c := &s.changed
	if !c.any {
		return
	}
	if c.hasSchema {
		s.rec.Database = c.schema
	}
	s.applyCharsets(c.charsetChange)
	*c = changed{}
}
