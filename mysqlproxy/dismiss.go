package mysqlproxy

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	// lastWords is how long a server is listened to that does not read any more.
	lastWords = time.Second

	// farewell is how long a server may take to refuse a login that nobody waits for.
	farewell = 2 * time.Second

	// maxFarewell is how many packets a server may send before it refuses that login: MariaDB asks for one
	// plugin after the other, where an account has several.
	maxFarewell = 32
)

// longAgo is a deadline that ends what is going on.
var longAgo = time.Unix(1, 0)

// bound makes the deadline and the end of ctx those of conns. release ends that, and clears their deadlines.
func bound(ctx context.Context, conns ...net.Conn) (release func()) {
	deadline, _ := ctx.Deadline()
	setDeadlines(deadline, conns)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		setDeadlines(longAgo, conns)
	})
	return func() {
		if !stop() {
			<-done
		}
		setDeadlines(time.Time{}, conns)
	}
}

// A connection on which no deadline can be set is one that cannot be read or written any more, either.
func setDeadlines(t time.Time, conns []net.Conn) {
	for _, conn := range conns {
		_ = conn.SetDeadline(t)
	}
}

// What a server waits for after its last packet.
const (
	owesNothing   = uint32(iota) // it is about to send another one
	owesAnswer                   // of any length
	owesSomething                // an answer that is not empty
	owesGoodbye                  // it has accepted
	owesSilence                  // it has refused
)

// progress is how far a server has come with a login.
type progress struct {
	lastSeq uint8         // of the server's last packet
	signs   bool          // the server waits for a signature of ed25519
	debt    atomic.Uint32 // what the client owes the server
}

// note takes note of a packet of the server.
func (l *Leg) note(payload []byte, seq uint8) {
	l.lastSeq = seq
	l.signs = bytes.HasPrefix(payload, []byte("\xfeclient_ed25519\x00")) // Protocol::AuthSwitchRequest
	debt := owesAnswer
	switch {
	case len(payload) == 0:
	case l.isOK(payload):
		debt = owesGoodbye
	case payload[0] == mysqlwire.HeaderERR:
		debt = owesSilence
	case isFastAuthentication(payload):
		debt = owesNothing
	case payload[0] == mysqlwire.HeaderAuthMoreData:
		debt = owesSomething
	}
	l.debt.Store(debt)
}

// paid takes note of an answer of the client.
func (l *Leg) paid() {
	_ = l.debt.CompareAndSwap(owesAnswer, owesNothing) || l.debt.CompareAndSwap(owesSomething, owesNothing)
}

// isOK reports whether payload is OK. MariaDB's servers send a plugin's data as it is, so it may begin with
// the same byte; MySQL's put 01 before it, and both do before data that begins with ERR's (01 and fe, too).
func (l *Leg) isOK(payload []byte) bool {
	if len(payload) == 0 || payload[0] != mysqlwire.HeaderOK {
		return false
	}
	_, err := mysqlwire.ParseOK(payload, l.Capabilities)
	return err == nil
}

// dismiss ends the login in order, and closes the leg.
func (l *Leg) dismiss() {
	defer func() { _ = l.Close() }()
	_ = l.SetDeadline(time.Now().Add(farewell))
	for range maxFarewell {
		switch l.debt.Load() {
		case owesGoodbye: // the account has no password
			_ = l.WritePacket(0, []byte{byte(mysqlwire.ComQuit)})
			return
		case owesSilence:
			return
		}
		if l.answer() != nil {
			return
		}
		payload, seq, err := l.ReadPacket(maxLoginPacket)
		if err != nil {
			return
		}
		l.note(payload, seq)
	}
}

// answer gives the server the answer that it waits for, with as little in it as is one.
func (l *Leg) answer() error {
	var empty []byte
	switch l.debt.Load() {
	case owesAnswer:
		if l.signs { // to MariaDB, anything shorter is a connect error; so it asks users that do not exist, too
			empty = make([]byte, signatureLen)
		}
	case owesSomething:
		// To caching_sha2_password, which has asked for the password, an empty packet is a client that has
		// left, and this is an empty password.
		empty = []byte{0}
	default:
		return nil
	}
	l.paid()
	return l.WritePacket(l.lastSeq+1, empty)
}
