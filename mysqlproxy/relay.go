package mysqlproxy

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Relay hands the authentication between a client and the upstream that was told the client's login
// (Connection Phase). It knows no plugin, and not whose turn it is: both directions are handed on as packets
// come, with the sequence id of the other leg. The difference of the ids is constant: it comes from an
// SSLRequest on one leg only. What RSABridge does is the exception to all of that.
type Relay struct {
	Client    *Conn
	ClientSeq uint8 // of the client's login
	Secret    bool  // nobody on the way can read the client's leg along: TLS, or a unix socket
	Server    *Leg

	// RSABridge hands on the password of caching_sha2_password (full authentication) and of sha256_password,
	// where the client's leg is secret and the server's is not: else that is a [SecrecyError]. The password,
	// which the client then tells in clear, is encrypted with the server's public key, which the server is
	// asked for. Who can change what is sent on the server's leg can send a key of their own in its place,
	// and so get the password: it helps against those only who read along.
	RSABridge bool
}

// A Result says where a login has ended.
type Result struct {
	// OK is the payload of the server's OK packet, which the client has got. nil if there is an error.
	OK []byte

	// Seq is the sequence id of the next packet to the client, if it is to get an ERR.
	Seq uint8

	// Answered reports whether the client has got a packet since its login. Until then another upstream may
	// be told the login.
	Answered bool
}

// Run relays until the server accepts or refuses the login. It ends with ctx, and leaves no goroutine behind.
//
// Without an error the server has accepted, and the client has got its OK. Neither [Conn] has lost a byte: what
// the client has sent early is still to be read, and so is what the server has sent behind its OK. Neither has
// a deadline. Otherwise the server's leg is closed, and the client's is left to the caller:
//
//   - [*ServerError]: the server has refused, and the client has got its ERR;
//   - [*SecrecyError]: the password would have gone in clear, and the client has got an ERR (1105);
//   - [*BridgeError]: RSABridge could not hand it on, and the client has got an ERR (1105);
//   - [*LegError]: a leg has died. The client has got neither OK nor ERR.
//
// Unless it is the server's leg that has died, the server is not left before it has refused: it counts a
// connection that ends in an authentication as an error of this host, and blocks it after some. That takes
// as long as the server does, and at most two seconds.
func (r *Relay) Run(ctx context.Context) (Result, error) {
	x := &exchange{Relay: r}
	x.delta.Store(uint32(r.ClientSeq - r.Server.seq))
	x.seq.Store(uint32(r.ClientSeq))
	release := bound(ctx, r.Client, r.Server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.fromClient()
	}()
	ok, err := x.fromServer()
	_ = r.Client.SetReadDeadline(longAgo) // what has come of a packet stays in the Conn
	<-done
	release()
	if b := x.bridge.Load(); b != nil {
		b.forget()
	}
	res := Result{OK: ok, Seq: uint8(x.seq.Load()) + 1, Answered: x.answered}
	if err == nil {
		return res, nil
	}
	err = x.cause(err)
	if leg, ok := errors.AsType[*LegError](err); ok && leg.Leg == Server {
		_ = r.Server.Close()
	} else {
		r.Server.dismiss()
	}
	return res, err
}

// An exchange is the authentication while it runs.
type exchange struct {
	*Relay
	plugin   string // the server's last switch was to it
	nonce    []byte // for it; nil if it was none that is known here
	answered bool

	delta     atomic.Uint32 // from the server's sequence ids to the client's, modulo 256
	seq       atomic.Uint32 // of the last packet on the client's leg, of either side
	answerLen atomic.Int32  // bytes of the client's next answer; 0: any. Of mysql_native_password it may have none.
	bridge    atomic.Pointer[bridge]
	clientErr atomic.Pointer[error]
	serverErr atomic.Pointer[error] // of a write
}

// shift returns what is added to a sequence id of the server's leg.
func (x *exchange) shift() uint8 { return uint8(x.delta.Load()) }

// fromClient hands the client's packets to the server. It ends with the client's leg, or at a command.
func (x *exchange) fromClient() {
	for {
		_, seq, err := x.Client.peek()
		if err == nil && seq == 0 && uint8(x.seq.Load()) != 255 {
			return // a command that was sent early: it stays for who speaks to the client after the login
		}
		var payload []byte
		if err == nil {
			payload, _, err = x.Client.ReadPacket(maxLoginPacket)
		}
		if err == nil && seq != uint8(x.seq.Load())+1 {
			err = ErrOutOfTurn
		}
		if b := x.bridge.Load(); b != nil && err == nil {
			payload, err = x.hold(b, payload, seq)
		}
		if err != nil {
			x.clientErr.Store(&err)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				_ = x.Server.SetReadDeadline(longAgo) // wakes fromServer
			}
			return
		}
		x.seq.Store(uint32(seq))
		payload = x.wellFormed(payload)
		if !x.toServer(seq-x.shift(), payload) {
			return
		}
	}
}

// wellFormed returns the client's answer, with as many bytes as one in the server's plugin has: servers count another as
// a connection error of this host, and not as a wrong password.
func (x *exchange) wellFormed(payload []byte) []byte {
	want := int(x.answerLen.Swap(0))
	if want == 0 || len(payload) == want || want == scrambleLen && len(payload) == 0 {
		return payload
	}
	return make([]byte, want)
}

// toServer hands the server a packet for its last one. It reports whether the server takes it.
func (x *exchange) toServer(seq uint8, payload []byte) bool {
	x.Server.paid()
	err := x.Server.WritePacket(seq, payload)
	if err != nil {
		// Its last words may still be there to be read, and why it has closed is in them.
		x.serverErr.Store(&err)
		_ = x.Server.SetReadDeadline(time.Now().Add(lastWords))
	}
	return err == nil
}

// fromServer hands the server's packets to the client, until it accepts or refuses.
func (x *exchange) fromServer() (ok []byte, err error) {
	for {
		payload, seq, err := x.Server.ReadPacket(maxLoginPacket)
		if err != nil {
			return nil, &LegError{Server, err}
		}
		x.Server.note(payload, seq)
		if b := x.bridge.Load(); b != nil {
			answer, refusal := x.cross(b, payload)
			if refusal != nil {
				return nil, x.withhold(seq, refusal, refusal.text())
			}
			if answer != nil {
				x.toServer(seq+1, answer) // if it fails, the next read does
				continue
			}
		}
		if refusal := x.exposed(payload); refusal != nil && !x.build(refusal, seq) {
			return nil, x.withhold(seq, refusal, refusal.text())
		}
		if err := x.tell(seq, payload); err != nil {
			return nil, &LegError{Client, err}
		}
		switch {
		case x.Server.isOK(payload):
			return slices.Clone(payload), nil
		case len(payload) > 0 && payload[0] == mysqlwire.HeaderERR:
			return nil, refusalOf(payload)
		}
	}
}

// tell hands a packet of the server to the client.
func (x *exchange) tell(seq uint8, payload []byte) error {
	x.answered = true
	x.seq.Store(uint32(seq + x.shift())) // before the client can answer
	return x.Client.WritePacket(seq+x.shift(), payload)
}

// refusalOf returns the server's ERR. It ends the login, whatever is in it.
func refusalOf(payload []byte) error {
	if err, ok := errors.AsType[*ServerError](serverError(payload)); ok {
		return err
	}
	return &ServerError{Message: "malformed"}
}

// withhold answers the client in the server's stead, and returns refusal.
func (x *exchange) withhold(seq uint8, refusal error, text string) error {
	if err := x.tell(seq, UnknownError(text).Append(nil)); err != nil {
		return &LegError{Client, err}
	}
	return refusal
}

// cause returns why fromServer has ended with err: a server's leg that could not be read any more may have been
// interrupted, because of the client.
func (x *exchange) cause(err error) error {
	leg, ok := errors.AsType[*LegError](err)
	if !ok || leg.Leg != Server || !errors.Is(leg.Err, os.ErrDeadlineExceeded) {
		return err
	}
	if e := x.clientErr.Load(); e != nil && !errors.Is(*e, os.ErrDeadlineExceeded) {
		return &LegError{Client, *e}
	}
	if e := x.serverErr.Load(); e != nil {
		return &LegError{Server, *e}
	}
	if x.Server.debt.Load() != owesNothing {
		return &LegError{Client, leg.Err} // it is the one that was waited for
	}
	return err
}
