package mysqlproxy

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the servers' OAEP has it
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A BridgeError says why [Relay.RSABridge] could not hand a password on. The password has not left this process.
type BridgeError struct {
	Plugin string
	Err    error // [ErrNoPublicKey], [ErrPasswordTooLong] or [ErrOutOfTurn]
}

func (e *BridgeError) Error() string { return "mysqlproxy: " + e.text() }

// Unwrap returns the cause.
func (e *BridgeError) Unwrap() error { return e.Err }

// text is for the client, and names the way out.
func (e *BridgeError) text() string {
	text := e.Plugin + " by rsa_bridge: "
	switch {
	case errors.Is(e.Err, ErrNoPublicKey):
		text += "the upstream has sent no RSA public key of 1024 to 8192 bits"
	case errors.Is(e.Err, ErrPasswordTooLong):
		text += "the password is too long for the upstream's public key"
	default:
		text += "the upstream has sent a packet out of turn"
	}
	return text + "; use TLS towards it"
}

// The causes of a [BridgeError].
var (
	ErrNoPublicKey     = errors.New("mysqlproxy: no RSA public key")
	ErrPasswordTooLong = errors.New("mysqlproxy: password too long for a public key")
	ErrOutOfTurn       = errors.New("mysqlproxy: packet out of turn") // of a client as well, in a [LegError]
)

const (
	scrambleLen     = 20       // bytes of a nonce, without the NUL behind it
	maxPublicKeyPEM = 16 << 10 // bytes; 8192 bits take less than 2 KiB
)

// keyRequests are what a client sends to be told the server's public key.
var keyRequests = map[string]byte{sha256Password: 1, cachingSHA2: 2}

// A bridge hands on one password: the client, whose leg has TLS, tells it in clear; the server, whose leg others
// may read, gets it as it would from a client of its own. The client sees none of the packets for it.
//
//	C:password --> S:request the key; S:key --> S:password, masked with the nonce and encrypted
//
// While there is a bridge, nothing of the client's but a single byte gets to the server.
type bridge struct {
	plugin   string
	nonce    []byte
	seq      uint8       // of the client's packet with the password
	password []byte      // of fromClient's until held is set, of fromServer's from then on
	held     atomic.Bool // the password is there, and the key asked for
	sent     bool        // the password has gone to the server
}

// build makes a bridge for what would else be refused, before the client gets the packet of the server with
// sequence id seq. It reports whether there is one now.
func (x *exchange) build(refusal *SecrecyError, seq uint8) bool {
	if !x.RSABridge || refusal.Leg != Server || keyRequests[refusal.Plugin] == 0 || x.nonce == nil {
		return false
	}
	x.bridge.Store(&bridge{plugin: refusal.Plugin, nonce: x.nonce, seq: seq + x.shift() + 1})
	return true
}

// hold takes the password out of the client's packet. It returns the packet for the server in its place. The
// error is for a client that is out of turn.
func (x *exchange) hold(b *bridge, payload []byte, seq uint8) ([]byte, error) {
	switch {
	case b.held.Load() || seq != b.seq:
		return nil, ErrOutOfTurn
	case len(payload) <= 1:
		// No password, as clients say it, or a client that asks for the key itself.
		x.bridge.Store(nil)
		return payload, nil
	}
	b.password = slices.Clone(payload)
	clear(payload)
	x.Client.wipe()
	b.held.Store(true)
	return []byte{keyRequests[b.plugin]}, nil
}

// cross takes a packet of the server to its bridge. It returns the packet that the server gets for it, or nil if
// this one is the client's, as ever.
func (x *exchange) cross(b *bridge, payload []byte) ([]byte, *BridgeError) {
	switch {
	case b.sent:
		x.bridge.Store(nil)
		return nil, nil
	case len(payload) > 0 && payload[0] == mysqlwire.HeaderERR:
		return nil, nil
	case !b.held.Load():
		return nil, &BridgeError{b.plugin, ErrOutOfTurn}
	}
	sealed, err := b.seal(payload)
	if err != nil {
		return nil, &BridgeError{b.plugin, err}
	}
	b.sent = true
	x.delta.Add(^uint32(1)) // two packets more than the client knows: less 2
	return sealed, nil
}

// seal encrypts the password with the key in the server's packet, and forgets it.
func (b *bridge) seal(payload []byte) ([]byte, error) {
	defer b.forget()
	key := readPublicKey(payload)
	if key == nil {
		return nil, ErrNoPublicKey
	}
	if len(b.password) > key.Size()-2*sha1.Size-2 { // RFC 8017 section 7.1.1
		return nil, ErrPasswordTooLong
	}
	for i := range b.password {
		b.password[i] ^= b.nonce[i%len(b.nonce)]
	}
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, b.password, nil)
	if err != nil {
		return nil, ErrNoPublicKey // numbers that are no key
	}
	return sealed, nil
}

func (b *bridge) forget() { clear(b.password) }

// readPublicKey returns the key in the server's packet, or nil. MySQL puts a byte before it (Protocol::AuthMoreData).
func readPublicKey(payload []byte) *rsa.PublicKey {
	text := bytes.TrimPrefix(payload, []byte{mysqlwire.HeaderAuthMoreData})
	if len(text) > maxPublicKeyPEM {
		return nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 1024 || key.N.BitLen() > 8192 {
		return nil
	}
	return key
}

// wipe clears what was read and given away.
func (c *Conn) wipe() {
	clear(c.buf[:c.read])
	clear(c.buf[len(c.buf):cap(c.buf)])
}
