package mysqlproxy

import (
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestRefusals has the codes and states of MySQL's Server Error Message Reference, and the texts of the
// message files of MySQL 9.1 and MariaDB 10.11, where they have them.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		refusal *Refusal
		want    string
	}{
		{TooManyConnections(), "ERROR 1040 (08004): Too many connections"},
		{BadHandshake(""), "ERROR 1043 (08S01): Bad handshake"},
		{BadHandshake("because"), "ERROR 1043 (08S01): Bad handshake: because"},
		{AccessDenied("app", "::1", true), "ERROR 1045 (28000): Access denied for user 'app'@'::1' (using password: YES)"},
		{AccessDenied("", "h", false), "ERROR 1045 (28000): Access denied for user ''@'h' (using password: NO)"},
		{ShutdownInProgress(), "ERROR 1053 (08S01): Server shutdown in progress"},
		{UnknownError("no route"), "ERROR 1105 (HY000): no route"},
		{HeaderRefused(), "ERROR 1105 (HY000): Failed to parse proxy header"},
		{NotOwner(7), "ERROR 1095 (HY000): You are not owner of thread 7"},
		{HeaderNotAccepted("192.0.2.1"), "ERROR 1130 (HY000): Proxy header is not accepted from 192.0.2.1"},
		{OutOfOrder(), "ERROR 1156 (08S01): Got packets out of order"},
		{ReadTimeout(), "ERROR 1159 (08S01): Got timeout reading communication packets"},
		{TLSRequired(), "ERROR 3159 (HY000): Connections using insecure transport are prohibited while " +
			"--require_secure_transport=ON."},
	} {
		if got := tt.refusal.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if tt.refusal.Code >= 2000 && tt.refusal.Code <= 2999 {
			t.Errorf("%v: a client library's code", tt.refusal)
		}
		e, err := mysqlwire.ParseERR(tt.refusal.Append([]byte{}))
		if err != nil || (Refusal{e.Code, string(e.SQLState), string(e.Message)}) != *tt.refusal {
			t.Errorf("%v: packet has %d (%s) %s, %v", tt.refusal, e.Code, e.SQLState, e.Message, err)
		}
	}
}

// TestRefusalLength: a client's name for itself can be as long as its login.
func TestRefusalLength(t *testing.T) {
	name := strings.Repeat("x", 60_000)
	for _, r := range []*Refusal{AccessDenied(name, name, true), BadHandshake(name), UnknownError(name)} {
		e, err := mysqlwire.ParseERR(r.Append(nil))
		if err != nil || len(e.Message) == 0 || len(e.Message) > 511 {
			t.Errorf("%d: a text of %d bytes, %v; want at most 511", r.Code, len(e.Message), err)
		}
	}
}
