package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// serverKey is that of the servers in these tests: the smallest that is taken, which seals 86 bytes.
var serverKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// pemOf returns a public key as servers send it.
func pemOf(key any) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// wantsSealed waits for a packet with password, as a server with that nonce gets it from a client.
func wantsSealed(seq uint8, nonce, password string) turn {
	key := serverKey()
	return turn{want: frame(seq, strings.Repeat("?", key.Size())), check: func(payload []byte) error {
		got, err := rsa.DecryptOAEP(sha1.New(), nil, key, payload, nil)
		for i := range got {
			got[i] ^= nonce[i%20]
		}
		if err != nil || string(got) != password {
			return fmt.Errorf("got password %q and error %w, want %q", got, err, password)
		}
		return nil
	}}
}

func nonceOf(authSwitch string) string {
	s, err := mysqlwire.ParseAuthSwitch([]byte(authSwitch))
	if err != nil || len(s.Data) != 21 {
		panic("no nonce of 20 bytes")
	}
	return string(s.Data[:20])
}

func isBridge(plugin string, cause error) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*BridgeError](err)
		return ok && *e == BridgeError{plugin, cause}
	}
}

func bridgeText(plugin string, cause error) string {
	return string(mysqlwire.AppendERR(nil, 1105, "HY000", (&BridgeError{plugin, cause}).text()))
}

func outOfTurn(err error) bool { return isLegError(err, Client, ErrOutOfTurn) }

// bridgeCases are logins from a client with TLS to a server without.
func bridgeCases() []relayCase {
	const toSHA2 = "\xfecaching_sha2_password\x0020-bytes-of-a-nonce!\x00"
	const toSHA256 = "\xfesha256_password\x00another-20-byte-nonc\x00"
	const password = "S3cr3t-password\x00"
	sha2, sha256 := nonceOf(toSHA2), nonceOf(toSHA256)
	key := "\x01" + pemOf(&serverKey().PublicKey)
	longest := "S3cr3t" + strings.Repeat("x", 79) + "\x00"
	cases := []relayCase{
		{
			name:    "caching_sha2_password",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, password), wants(7, ok1)},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, key), wantsSealed(7, sha2, password), sends(8, ok1)},
			wantSeq: 8,
		},
		{
			name:    "caching_sha2_password, no byte before the key",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, "\x04"), sends(6, password), wants(7, ok1)},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, "\x04"), wants(5, "\x02"), sends(6, key[1:]), wantsSealed(7, sha2, password), sends(8, ok1)},
			wantSeq: 8,
		},
		{
			name: "caching_sha2_password, half of the password early",
			client: script{
				wants(3, toSHA2), {send: frame(4, secret) + frame(6, password)[:16]}, wants(5, fullAuth), {send: frame(6, password)[16:]}, wants(7, ok1),
			},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, key), wantsSealed(7, sha2, password), sends(8, ok1)},
			wantSeq: 8,
		},
		{
			name:    "sha256_password",
			client:  script{wants(3, toSHA256), sends(4, password), wants(5, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, password), sends(6, ok1)},
			wantSeq: 6,
		},
		{
			name: "sha256_password, to a socket", serverSecret: true,
			client:  script{wants(3, toSHA256), sends(4, password), wants(5, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, password), sends(6, ok1)},
			wantSeq: 6,
		},
		{
			name: "client's leg is a socket", clientSeq: 1,
			client:  script{wants(2, toSHA256), sends(3, password), wants(4, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, password), sends(6, ok1)},
			wantSeq: 5,
		},
		{
			name:    "wrong password",
			client:  script{wants(3, toSHA256), sends(4, password), wants(5, denied)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, password), sends(6, denied)},
			wantErr: isDenied, wantSeq: 6,
		},
		{
			name:    "sequence ids that wrap",
			client:  script{wants(255, toSHA2), sends(0, secret), wants(1, fullAuth), sends(2, password), wants(3, ok1)},
			server:  script{sends(254, toSHA2), wants(255, secret), sends(0, fullAuth), wants(1, "\x02"), sends(2, key), wantsSealed(3, sha2, password), sends(4, ok1)},
			wantSeq: 4, clientSeq: 254, serverSeq: 253,
		},
		{
			name:    "longest password",
			client:  script{wants(3, toSHA256), sends(4, longest), wants(5, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, longest), sends(6, ok1)},
			wantSeq: 6,
		},
		{
			name:    "password too long",
			client:  script{wants(3, toSHA256), sends(4, "x"+longest), wants(5, bridgeText(sha256Password, ErrPasswordTooLong))},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wants(5, "\x00"), sends(6, denied)},
			wantErr: isBridge(sha256Password, ErrPasswordTooLong), wantSeq: 6,
		},
		{
			name:    "no password",
			client:  script{wants(3, toSHA256), sends(4, "\x00"), wants(5, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x00"), sends(4, ok1)},
			wantSeq: 6,
		},
		{
			name:    "nothing at all",
			client:  script{wants(3, toSHA256), sends(4, ""), wants(5, denied)},
			server:  script{sends(2, toSHA256), wants(3, ""), sends(4, denied)},
			wantErr: isDenied, wantSeq: 6,
		},
		{
			name:    "client that asks for the key itself",
			client:  script{wants(3, toSHA256), sends(4, "\x01"), wants(5, key), sends(6, encrypted), wants(7, ok1)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wants(5, encrypted), sends(6, ok1)},
			wantSeq: 8,
		},
		{
			name: "more factors behind it", caps: mysqlwire.MultiFactor,
			client: script{
				wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, password),
				wants(7, nextFactor), sends(8, "x"), wants(9, "\x02"+toSHA256[1:]), sends(10, password+password), wants(11, ok1),
			},
			server: script{
				sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, key), wantsSealed(7, sha2, password),
				sends(8, nextFactor), wants(9, "x"),
				sends(10, "\x02"+toSHA256[1:]), wants(11, "\x01"), sends(12, key), wantsSealed(13, sha256, password+password), sends(14, ok1),
			},
			wantSeq: 12,
		},

		// A server that does not give its key.
		{
			name:    "ERR for the key",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, password), wants(7, denied)},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, denied)},
			wantErr: isDenied, wantSeq: 8,
		},
		{
			name:    "ERR before the password",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), wants(6, denied)},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), sends(5, denied)},
			wantErr: isDenied, wantSeq: 7,
		},
		{
			name:    "OK before the password",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), wants(6, bridgeText(cachingSHA2, ErrOutOfTurn))},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), sends(5, ok1), wants(0, quit)},
			wantErr: isBridge(cachingSHA2, ErrOutOfTurn), wantSeq: 7,
		},
		{
			name:    "another switch before the password",
			client:  script{wants(3, toSHA256), wants(4, bridgeText(sha256Password, ErrOutOfTurn))},
			server:  script{sends(2, toSHA256), sends(3, toNative), wants(4, ""), sends(5, denied)},
			wantErr: isBridge(sha256Password, ErrOutOfTurn), wantSeq: 5,
		},
		{
			name:    "server leaves before the password",
			client:  script{wants(3, toSHA256)},
			server:  script{sends(2, toSHA256), leaves},
			wantErr: serverLeft, wantSeq: 4,
		},
		{
			name:    "server leaves in place of the key",
			client:  script{wants(3, toSHA256), sends(4, password)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), leaves},
			wantErr: serverLeft, wantSeq: 5,
		},
		{
			name:    "server leaves in the key",
			client:  script{wants(3, toSHA256), sends(4, password)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), {send: frame(4, key)[:50]}, leaves},
			wantErr: anyCause(Server), wantSeq: 5,
		},
		{
			name:    "server leaves with the password",
			client:  script{wants(3, toSHA256), sends(4, password)},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), sends(4, key), wantsSealed(5, sha256, password), leaves},
			wantErr: serverLeft, wantSeq: 5,
		},

		// A client that does not give its password.
		{
			name:    "client leaves in place of the password",
			client:  script{wants(3, toSHA256), leaves},
			server:  script{sends(2, toSHA256), wants(3, ""), sends(4, denied)},
			wantErr: clientLeft, wantSeq: 4,
		},
		{
			name:    "both leave behind the password",
			client:  script{wants(3, toSHA256), sends(4, password), leaves},
			server:  script{sends(2, toSHA256), wants(3, "\x01"), leaves},
			wantErr: func(err error) bool { return errors.As(err, new(*LegError)) }, wantSeq: 5,
		},
		{
			name:    "client out of turn before the password",
			client:  script{wants(3, toSHA256), sends(5, password)},
			server:  script{sends(2, toSHA256), wants(3, ""), sends(4, denied)},
			wantErr: outOfTurn, wantSeq: 4,
		},

		// What there is no bridge for.
		{
			name:    "mysql_clear_password",
			client:  script{wants(3, exposedText(clearPassword, Server))},
			server:  script{sends(2, toClear), wants(3, ""), sends(4, denied)},
			wantErr: isSecrecy(clearPassword, Server), wantSeq: 4,
		},
		{
			name:    "full authentication without a nonce",
			client:  script{wants(3, exposedText(cachingSHA2, Server))},
			server:  script{sends(2, fullAuth), wants(3, "\x00"), sends(4, denied)},
			wantErr: isSecrecy(cachingSHA2, Server), wantSeq: 4,
		},
		{
			name:    "short nonce",
			client:  script{wants(3, exposedText(sha256Password, Server))},
			server:  script{sends(2, "\xfesha256_password\x00nineteen-bytes-of-it"[:36]), wants(3, ""), sends(4, denied)},
			wantErr: isSecrecy(sha256Password, Server), wantSeq: 4,
		},
		{
			name:    "short nonce behind another",
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, exposedText(sha256Password, Server))},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, "\xfesha256_password\x00short"), wants(5, ""), sends(6, denied)},
			wantErr: isSecrecy(sha256Password, Server), wantSeq: 6,
		},
	}
	for name, key := range badKeys() {
		goodbye := "\x00" // to who has asked for the password, and nothing to a switch
		if key[0] != mysqlwire.HeaderAuthMoreData {
			goodbye = ""
		}
		cases = append(cases, relayCase{
			name:    name,
			client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, password), wants(7, bridgeText(cachingSHA2, ErrNoPublicKey))},
			server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, key), wants(7, goodbye), sends(8, denied)},
			wantErr: isBridge(cachingSHA2, ErrNoPublicKey), wantSeq: 8,
		})
	}
	for i := range cases {
		c := &cases[i]
		c.bridge, c.clientSecret = true, true
		if c.serverSeq == 0 {
			c.serverSeq = 1
		}
		if c.clientSeq == 0 {
			c.clientSeq = 2
		}
	}
	return cases
}

// badKeys are packets that a server may send in place of its key.
func badKeys() map[string]string {
	odd := func(bits uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1) }
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	good := pemOf(&serverKey().PublicKey)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&serverKey().PublicKey)}))
	return map[string]string{
		"a key of 512 bits":        "\x01" + pemOf(&rsa.PublicKey{N: odd(512), E: 65537}),
		"a key of 8200 bits":       "\x01" + pemOf(&rsa.PublicKey{N: odd(8200), E: 65537}),
		"an even modulus":          "\x01" + pemOf(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}),
		"an even exponent":         "\x01" + pemOf(&rsa.PublicKey{N: odd(2048), E: 65536}),
		"a key of another kind":    "\x01" + pemOf(&other.PublicKey),
		"a key in another format":  "\x01" + pkcs1,
		"half a key":               "\x01" + good[:len(good)/2],
		"no PEM":                   "\x01\x00\x01\x02",
		"only the byte before":     "\x01",
		"another full request":     fullAuth,
		"a key behind much else":   "\x01" + strings.Repeat("x", maxPublicKeyPEM) + "\n" + good,
		"a switch in place of one": toNative,
	}
}

// TestRSABridge plays each case in whole writes and byte by byte, over a pipe and over TCP. The password is nowhere
// afterwards.
func TestRSABridge(t *testing.T) {
	networks := map[string]func(*testing.T) (net.Conn, net.Conn){"pipe": pipe, "tcp": tcp}
	for _, tt := range bridgeCases() {
		for network, dial := range networks {
			if tt.pipeOnly && network != "pipe" {
				continue
			}
			for _, slow := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/slow=%t", tt.name, network, slow), func(t *testing.T) {
					r := tt.run(t, dial, slow)
					if buf := r.Client.buf; bytes.Contains(buf[:cap(buf)], []byte("S3cr3t-pass")) && !strings.Contains(tt.name, "out of turn") {
						t.Errorf("the password is still there")
					}
				})
			}
		}
	}
}

// TestRSABridgeTurns: what a client sends behind its password does not get to the server, before the server has said
// what it thinks of the password.
func TestRSABridgeTurns(t *testing.T) {
	x := &exchange{Relay: &Relay{Client: NewConn(nil), RSABridge: true}, nonce: []byte("20-bytes-of-a-nonce!")}
	if !x.build(&SecrecyError{cachingSHA2, Server}, 3) {
		t.Fatal("no bridge")
	}
	b := x.bridge.Load()
	hold := func(seq uint8, want string, wantErr error) {
		t.Helper()
		payload := []byte("S3cr3t\x00")
		got, err := x.hold(b, payload, seq)
		if string(got) != want || !errors.Is(err, wantErr) {
			t.Errorf("got %q and error %v, want %q and %v", got, err, want, wantErr)
		}
		if wantErr == nil && string(payload) != strings.Repeat("\x00", 7) {
			t.Errorf("got %q left in the packet", payload)
		}
	}
	cross := func(payload string, wantLen int) {
		t.Helper()
		if got, err := x.cross(b, []byte(payload)); err != nil || len(got) != wantLen {
			t.Errorf("got %d bytes and error %v, want %d", len(got), err, wantLen)
		}
	}
	hold(5, "", ErrOutOfTurn)
	hold(4, "\x02", nil)
	hold(4, "", ErrOutOfTurn)
	hold(5, "", ErrOutOfTurn)
	cross("\x01"+pemOf(&serverKey().PublicKey), serverKey().Size())
	hold(5, "", ErrOutOfTurn)
	if x.bridge.Load() != b || x.shift() != 254 {
		t.Errorf("the bridge is gone, or the ids are shifted by %d, want 254", x.shift())
	}
	cross(nextFactor, 0)
	if x.bridge.Load() != nil {
		t.Error("the bridge is still there")
	}
}

// TestRSABridgeElsewhere: where there is nothing to bridge, it changes nothing.
func TestRSABridgeElsewhere(t *testing.T) {
	for _, tt := range relayCases {
		e, ok := errors.AsType[*SecrecyError](errOf(&tt))
		if ok && e.Leg == Server && keyRequests[e.Plugin] != 0 {
			continue
		}
		tt.bridge = true
		t.Run(tt.name, func(t *testing.T) { tt.run(t, pipe, false) })
	}
}

// errOf returns the SecrecyError that a case wants, if it wants one.
func errOf(tt *relayCase) error {
	for _, plugin := range []string{cachingSHA2, sha256Password, clearPassword} {
		for _, leg := range []Side{Client, Server} {
			if err := (&SecrecyError{plugin, leg}); tt.wantErr != nil && tt.wantErr(err) {
				return err
			}
		}
	}
	return nil
}

// TestRSABridgeEarlyCommand: a command that the client sends together with its password stays for the copy loop.
func TestRSABridgeEarlyCommand(t *testing.T) {
	tt := relayCase{
		clientSeq: 2, serverSeq: 1, clientSecret: true, bridge: true, wantSeq: 6,
		client: script{wants(3, toSHA256), {send: frame(4, "S3cr3t-password\x00") + frame(0, statement)}, wants(5, ok1)},
		server: script{
			sends(2, toSHA256), wants(3, "\x01"), sends(4, "\x01"+pemOf(&serverKey().PublicKey)),
			wantsSealed(5, "yet-another-nonce-20b", "S3cr3t-password\x00"), sends(6, ok1),
		},
	}
	r := tt.run(t, tcp, false)
	payload, seq, err := r.Client.ReadPacket(100)
	if err != nil || seq != 0 || string(payload) != statement {
		t.Errorf("got %q of packet %d and error %v, want %q", payload, seq, err, statement)
	}
	if buf := r.Client.buf; bytes.Contains(buf[:cap(buf)], []byte("S3cr3t-pass")) {
		t.Errorf("the password is still there")
	}
}

// TestRSABridgeDeadline: whoever is silent, a login ends with its context.
func TestRSABridgeDeadline(t *testing.T) {
	tests := []struct {
		name           string
		client, server script
		leg            Side
	}{
		{
			name:   "no password",
			client: script{wants(3, toSHA256)},
			server: script{sends(2, toSHA256), wants(3, ""), sends(4, denied)}, leg: Client,
		},
		{
			name:   "no key",
			client: script{wants(3, toSHA256), sends(4, "S3cr3t\x00")},
			server: script{sends(2, toSHA256), wants(3, "\x01")}, leg: Server,
		},
		{
			name:   "no verdict",
			client: script{wants(3, toSHA256), sends(4, "S3cr3t\x00")},
			server: script{
				sends(2, toSHA256), wants(3, "\x01"), sends(4, "\x01"+pemOf(&serverKey().PublicKey)),
				wantsSealed(5, "yet-another-nonce-20b", "S3cr3t\x00"),
			},
			leg: Server,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			client, clientFar := pipe(t)
			server, serverFar := pipe(t)
			clientDone := tt.client.start(t, Client, clientFar, false)
			serverDone := tt.server.start(t, Server, serverFar, false)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			r := &Relay{
				Client: NewConn(client), ClientSeq: 2, Secret: true, RSABridge: true,
				Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
			}
			if _, err := r.Run(ctx); !isLegError(err, tt.leg, os.ErrDeadlineExceeded) {
				t.Errorf("got error %v, want a timeout of the %v", err, tt.leg)
			}
			_ = client.Close()
			clientDone()
			serverDone()
		})
	}
}

// FuzzPublicKey: no packet makes the sealing of a password panic, and the password is not there afterwards.
func FuzzPublicKey(f *testing.F) {
	f.Add([]byte("\x01" + pemOf(&serverKey().PublicKey)))
	for _, key := range badKeys() {
		if len(key) < 4<<10 {
			f.Add([]byte(key))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := &bridge{plugin: cachingSHA2, nonce: []byte("20-bytes-of-a-nonce!"), password: []byte("S3cr3t\x00")}
		sealed, err := b.seal(payload)
		if (sealed == nil) == (err == nil) || len(sealed) > 1024 {
			t.Fatalf("got %d bytes and error %v", len(sealed), err)
		}
		if !bytes.Equal(b.password, make([]byte, 7)) {
			t.Fatalf("got %q left", b.password)
		}
	})
}
