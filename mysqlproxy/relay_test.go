package mysqlproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A relayCase is one login from behind the client's login packet: what each side does, and what comes of it.
type relayCase struct {
	name                       string
	clientSeq, serverSeq       uint8 // of the login packets; 1 without and 2 with an SSLRequest
	clientSecret, serverSecret bool
	caps                       mysqlwire.Capability
	bridge                     bool
	client, server             script
	wantErr                    func(error) bool // nil: accepted
	wantSeq                    uint8
	wantNoAnswer               bool
	pipeOnly                   bool // on TCP the server's OK may still be sent to a client that has left
}

var relayCases = []relayCase{
	{
		name: "one switch, no TLS", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toNative), sends(3, secret), wants(4, ok1)},
		server:  script{sends(2, toNative), wants(3, secret), sends(4, ok1)},
		wantSeq: 5,
	},
	{
		name: "one switch, TLS on the client's leg", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toNative), sends(4, secret), wants(5, ok1)},
		server:  script{sends(2, toNative), wants(3, secret), sends(4, ok1)},
		wantSeq: 6,
	},
	{
		name: "one switch, TLS on the server's leg", clientSeq: 1, serverSeq: 2, serverSecret: true,
		client:  script{wants(2, toNative), sends(3, secret), wants(4, ok1)},
		server:  script{sends(3, toNative), wants(4, secret), sends(5, ok1)},
		wantSeq: 5,
	},
	{
		name: "OK at once", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, ok1)},
		server:  script{sends(2, ok1)},
		wantSeq: 3,
	},
	{
		name: "ERR at once", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, denied)},
		server:  script{sends(2, denied)},
		wantErr: isDenied, wantSeq: 4,
	},
	{
		name: "ERR after a switch", clientSeq: 1, serverSeq: 2, serverSecret: true,
		client:  script{wants(2, toEd25519), sends(3, signature), wants(4, denied)},
		server:  script{sends(3, toEd25519), wants(4, signature), sends(5, denied)},
		wantErr: isDenied, wantSeq: 5,
	},
	{
		name: "ERR without a code", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, "\xff")},
		server:  script{sends(2, "\xff")},
		wantErr: func(err error) bool { return errors.As(err, new(*ServerError)) }, wantSeq: 3,
	},
	{
		name: "two switches", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toEd25519), sends(3, signature), wants(4, toNative), sends(5, secret2), wants(6, ok1)},
		server:  script{sends(2, toEd25519), wants(3, signature), sends(4, toNative), wants(5, secret2), sends(6, ok1)},
		wantSeq: 7,
	},
	{
		name: "caching_sha2_password, warm", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fastAuth), wants(6, ok1)},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fastAuth), sends(5, ok1)},
		wantSeq: 7,
	},
	{
		name: "caching_sha2_password, cold, TLS on both", clientSeq: 2, serverSeq: 2, clientSecret: true, serverSecret: true,
		client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, "S3cr3t\x00"), wants(7, ok1)},
		server:  script{sends(3, toSHA2), wants(4, secret), sends(5, fullAuth), wants(6, "S3cr3t\x00"), sends(7, ok1)},
		wantSeq: 8,
	},
	{
		name: "caching_sha2_password, cold, plain", clientSeq: 1, serverSeq: 1,
		client: script{
			wants(2, toSHA2), sends(3, secret), wants(4, fullAuth), sends(5, "\x02"), wants(6, publicKey),
			sends(7, encrypted), wants(8, ok1),
		},
		server: script{
			sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x02"), sends(6, publicKey),
			wants(7, encrypted), sends(8, ok1),
		},
		wantSeq: 9,
	},
	{
		name: "caching_sha2_password, cold, TLS to a socket", clientSeq: 2, serverSeq: 1, clientSecret: true, serverSecret: true,
		client:  script{wants(3, toSHA2), sends(4, secret), wants(5, fullAuth), sends(6, "S3cr3t\x00"), wants(7, ok1)},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "S3cr3t\x00"), sends(6, ok1)},
		wantSeq: 8,
	},
	{
		name: "caching_sha2_password, cold, TLS to plain", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toSHA2), sends(4, secret), wants(5, exposedText(cachingSHA2, Server))},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x00"), sends(6, denied)},
		wantErr: isSecrecy(cachingSHA2, Server), wantSeq: 6,
	},
	{
		name: "caching_sha2_password, cold, TLS to plain, disguised", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toSHA2), sends(4, secret), wants(5, exposedText(cachingSHA2, Server))},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, "\x04"), wants(5, ""), sends(6, denied)},
		wantErr: isSecrecy(cachingSHA2, Server), wantSeq: 6,
	},
	{
		name: "full authentication without a switch, TLS to plain", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, exposedText(cachingSHA2, Server))},
		server:  script{sends(2, fullAuth), wants(3, "\x00"), sends(4, denied)},
		wantErr: isSecrecy(cachingSHA2, Server), wantSeq: 4,
	},
	{
		name: "caching_sha2_password, cold, plain to TLS", clientSeq: 1, serverSeq: 2, serverSecret: true,
		client:  script{wants(2, toSHA2), sends(3, secret), wants(4, exposedText(cachingSHA2, Client))},
		server:  script{sends(3, toSHA2), wants(4, secret), sends(5, fullAuth), wants(6, "\x00"), sends(7, denied)},
		wantErr: isSecrecy(cachingSHA2, Client), wantSeq: 5,
	},
	{
		name: "sha256_password, TLS to plain", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, exposedText(sha256Password, Server))},
		server:  script{sends(2, toSHA256), wants(3, ""), sends(4, denied)},
		wantErr: isSecrecy(sha256Password, Server), wantSeq: 4,
	},
	{
		name: "sha256_password, TLS to a socket", clientSeq: 2, serverSeq: 1, clientSecret: true, serverSecret: true,
		client:  script{wants(3, exposedText(sha256Password, Server))},
		server:  script{sends(2, toSHA256), wants(3, ""), sends(4, denied)},
		wantErr: isSecrecy(sha256Password, Server), wantSeq: 4,
	},
	{
		name: "sha256_password, plain to TLS", clientSeq: 1, serverSeq: 2, serverSecret: true,
		client:  script{wants(2, exposedText(sha256Password, Client))},
		server:  script{sends(3, toSHA256), wants(4, ""), sends(5, denied)},
		wantErr: isSecrecy(sha256Password, Client), wantSeq: 3,
	},
	{
		name: "sha256_password, TLS on both", clientSeq: 2, serverSeq: 2, clientSecret: true, serverSecret: true,
		client:  script{wants(3, toSHA256), sends(4, "S3cr3t\x00"), wants(5, ok1)},
		server:  script{sends(3, toSHA256), wants(4, "S3cr3t\x00"), sends(5, ok1)},
		wantSeq: 6,
	},
	{
		name: "mysql_clear_password, TLS to plain", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, exposedText(clearPassword, Server))},
		server:  script{sends(2, toClear), wants(3, ""), sends(4, denied)},
		wantErr: isSecrecy(clearPassword, Server), wantSeq: 4,
	},
	{
		name: "mysql_clear_password, TLS on both", clientSeq: 2, serverSeq: 2, clientSecret: true, serverSecret: true,
		client:  script{wants(3, toClear), sends(4, "S3cr3t\x00"), wants(5, ok1)},
		server:  script{sends(3, toClear), wants(4, "S3cr3t\x00"), sends(5, ok1)},
		wantSeq: 6,
	},
	{
		name: "mysql_clear_password as the next factor, TLS to plain", clientSeq: 2, serverSeq: 1, clientSecret: true,
		caps:    mysqlwire.MultiFactor,
		client:  script{wants(3, toNative), sends(4, secret), wants(5, exposedText(clearPassword, Server))},
		server:  script{sends(2, toNative), wants(3, secret), sends(4, "\x02mysql_clear_password\x00"), wants(5, ""), sends(6, denied)},
		wantErr: isSecrecy(clearPassword, Server), wantSeq: 6,
	},
	{
		name: "a login that ends with an account without a password", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, exposedText(sha256Password, Server))},
		server:  script{sends(2, toSHA256), wants(3, ""), sends(4, ok1), wants(0, quit)},
		wantErr: isSecrecy(sha256Password, Server), wantSeq: 4,
	},
	{
		name: "next factor", clientSeq: 1, serverSeq: 1, caps: mysqlwire.MultiFactor,
		client:  script{wants(2, toSHA2), sends(3, secret), wants(4, fastAuth), wants(5, nextFactor), sends(6, "S3cr3t-2"), wants(7, ok1)},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fastAuth), sends(5, nextFactor), wants(6, "S3cr3t-2"), sends(7, ok1)},
		wantSeq: 8,
	},
	{
		name: "a plugin's data as they are", clientSeq: 2, serverSeq: 2, clientSecret: true, serverSecret: true,
		client: script{
			wants(3, toDialog), sends(4, "S3cr3t-1"), wants(5, "\x02PIN: "), sends(6, "S3cr3t-2"), wants(7, "\x00\xff"),
			sends(8, "\x00"), wants(9, "\x01\xff\x00"), sends(10, "\xff\x01"), wants(11, ok1),
		},
		server: script{
			sends(3, toDialog), wants(4, "S3cr3t-1"), sends(5, "\x02PIN: "), wants(6, "S3cr3t-2"), sends(7, "\x00\xff"),
			wants(8, "\x00"), sends(9, "\x01\xff\x00"), wants(10, "\xff\x01"), sends(11, ok1),
		},
		wantSeq: 12,
	},
	{
		name: "a plugin's data that look like a next factor", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client: script{
			wants(3, toEd25519), sends(4, signature), wants(5, "\x02mysql_clear_password\x00"), sends(6, "x"), wants(7, ok1),
		},
		server: script{
			sends(2, toEd25519), wants(3, signature), sends(4, "\x02mysql_clear_password\x00"), wants(5, "x"), sends(6, ok1),
		},
		wantSeq: 8,
	},
	{
		name: "empty packets", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toNative), sends(4, ""), wants(5, ""), sends(6, ""), wants(7, ok1)},
		server:  script{sends(2, toNative), wants(3, ""), sends(4, ""), wants(5, ""), sends(6, ok1)},
		wantSeq: 8,
	},
	{
		name: "old password", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, "\xfe"), sends(3, "12345678\x00"), wants(4, ok1)},
		server:  script{sends(2, "\xfe"), wants(3, "12345678\x00"), sends(4, ok1)},
		wantSeq: 5,
	},
	{
		name: "sequence ids that wrap", clientSeq: 254, serverSeq: 253, clientSecret: true,
		client:  script{wants(255, toNative), sends(0, secret), wants(1, ok1)},
		server:  script{sends(254, toNative), wants(255, secret), sends(0, ok1)},
		wantSeq: 2,
	},
	{
		name: "several answers in a row", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toDialog), sends(3, "a"), sends(4, "b"), sends(5, "c"), wants(6, ok1)},
		server:  script{sends(2, toDialog), wants(3, "a"), wants(4, "b"), wants(5, "c"), sends(6, ok1)},
		wantSeq: 7,
	},

	// A client that leaves: the server is told a login to its end, and refuses it.
	{
		name: "client leaves before the switch", clientSeq: 1, serverSeq: 1,
		client:  script{leaves},
		server:  script{sends(2, toNative), wants(3, ""), sends(4, denied)},
		wantErr: anyCause(Client),
	},
	{
		name: "client leaves after the switch", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toNative), leaves},
		server:  script{sends(2, toNative), wants(3, ""), sends(4, denied)},
		wantErr: clientLeft, wantSeq: 4,
	},
	{
		name: "client leaves in its answer", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toNative), {send: frame(4, secret)[:7]}, leaves},
		server:  script{sends(2, toNative), wants(3, ""), sends(4, denied)},
		wantErr: func(err error) bool { return isLegError(err, Client, io.ErrUnexpectedEOF) }, wantSeq: 4,
	},
	{
		name: "client leaves after its answer", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toEd25519), sends(3, signature), leaves},
		server:  script{sends(2, toEd25519), wants(3, signature), sends(4, toNative), wants(5, ""), sends(6, denied)},
		wantErr: anyCause(Client), wantSeq: 4,
	},
	{
		name: "client leaves before it tells the password", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toSHA2), sends(3, secret), wants(4, fullAuth), leaves},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fullAuth), wants(5, "\x00"), sends(6, denied)},
		wantErr: clientLeft, wantSeq: 5,
	},
	{
		name: "client leaves after fast authentication", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toSHA2), sends(3, secret), wants(4, fastAuth), leaves},
		server:  script{sends(2, toSHA2), wants(3, secret), sends(4, fastAuth), sends(5, ok1), wants(0, quit)},
		wantErr: anyCause(Client), pipeOnly: true,
	},
	{
		name: "client leaves before OK", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toNative), sends(3, secret), leaves},
		server:  script{sends(2, toNative), wants(3, secret), sends(4, ok1), wants(0, quit)},
		wantErr: anyCause(Client), pipeOnly: true,
	},
	{
		name: "client sends too much", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toNative), {send: "\x01\x00\x01\x03"}, leaves},
		server:  script{sends(2, toNative), wants(3, ""), sends(4, denied)},
		wantErr: func(err error) bool { return isLegError(err, Client, ErrPacketTooLarge) }, wantSeq: 3,
	},

	// A server that leaves.
	{
		name: "server leaves at once", clientSeq: 1, serverSeq: 1,
		client:  script{},
		server:  script{leaves},
		wantErr: serverLeft, wantSeq: 2, wantNoAnswer: true,
	},
	{
		name: "server leaves in a packet", clientSeq: 1, serverSeq: 1,
		client:  script{},
		server:  script{{send: frame(2, toNative)[:9]}, leaves},
		wantErr: func(err error) bool { return isLegError(err, Server, io.ErrUnexpectedEOF) }, wantSeq: 2, wantNoAnswer: true,
	},
	{
		name: "server leaves after the switch", clientSeq: 2, serverSeq: 1, clientSecret: true,
		client:  script{wants(3, toNative)},
		server:  script{sends(2, toNative), leaves},
		wantErr: serverLeft, wantSeq: 4,
	},
	{
		name: "server leaves after the answer", clientSeq: 1, serverSeq: 1,
		client:  script{wants(2, toNative), sends(3, secret)},
		server:  script{sends(2, toNative), wants(3, secret), leaves},
		wantErr: serverLeft, wantSeq: 4,
	},
	{
		name: "server sends too much", clientSeq: 1, serverSeq: 1,
		client:  script{},
		server:  script{{send: "\x01\x00\x01\x02"}},
		wantErr: func(err error) bool { return isLegError(err, Server, ErrPacketTooLarge) }, wantSeq: 2, wantNoAnswer: true,
	},
}

func isDenied(err error) bool {
	e, ok := errors.AsType[*ServerError](err)
	return ok && e.Code == 1045 && e.SQLState == "28000" && e.Message == "Access denied for user 'u'@'h' (using password: YES)"
}

func isSecrecy(plugin string, leg Side) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*SecrecyError](err)
		return ok && *e == SecrecyError{plugin, leg}
	}
}

func exposedText(plugin string, leg Side) string {
	return string(mysqlwire.AppendERR(nil, 1105, "HY000", (&SecrecyError{plugin, leg}).text()))
}

// anyCause is for where it depends on who was faster.
func anyCause(leg Side) func(error) bool {
	return func(err error) bool { return isLegError(err, leg, err) }
}

func clientLeft(err error) bool { return isLegError(err, Client, io.EOF) }
func serverLeft(err error) bool { return isLegError(err, Server, io.EOF) }

// TestRelay plays each case in whole writes and byte by byte, over a pipe and over TCP.
func TestRelay(t *testing.T) {
	networks := map[string]func(*testing.T) (net.Conn, net.Conn){"pipe": pipe, "tcp": tcp}
	for _, tt := range relayCases {
		for network, dial := range networks {
			if tt.pipeOnly && network != "pipe" {
				continue
			}
			for _, slow := range []bool{false, true} {
				name := tt.name + "/" + network
				if slow {
					name += "/slow"
				}
				t.Run(name, func(t *testing.T) { tt.run(t, dial, slow) })
			}
		}
	}
}

// run plays a case. It returns the relay, for what is left in it.
func (tt *relayCase) run(t *testing.T, dial func(*testing.T) (net.Conn, net.Conn), slow bool) *Relay {
	noLeak(t)
	client, clientFar := dial(t)
	server, serverFar := dial(t)
	clientEnd, serverEnd := &deadlineConn{Conn: client}, &deadlineConn{Conn: server}
	r := &Relay{
		Client: NewConn(clientEnd), ClientSeq: tt.clientSeq, Secret: tt.clientSecret,
		Server: &Leg{
			Conn: NewConn(serverEnd), Capabilities: mysqlwire.Protocol41 | tt.caps, Secret: tt.serverSecret,
			TLS: tt.serverSecret && tt.serverSeq == 2, seq: tt.serverSeq,
		},
		RSABridge: tt.bridge,
	}
	clientDone := tt.client.start(t, Client, clientFar, slow)
	serverDone := tt.server.start(t, Server, serverFar, slow)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := r.Run(ctx)
	switch {
	case tt.wantErr != nil && !tt.wantErr(err):
		t.Errorf("got error %v", err)
	case tt.wantErr == nil && err != nil:
		t.Errorf("got error %v, want none", err)
	case tt.wantErr == nil && string(res.OK) != ok1:
		t.Errorf("got OK %q, want %q", res.OK, ok1)
	case tt.wantErr != nil && res.OK != nil:
		t.Errorf("got OK %q with an error", res.OK)
	}
	if err != nil && strings.Contains(err.Error(), "S3cr3t") {
		t.Errorf("the error holds authentication data: %v", err)
	}
	// What has been sent to a client that has left depends on who was faster.
	left := isLegError(err, Client, err)
	if !left && (res.Answered == tt.wantNoAnswer || res.Seq != tt.wantSeq) {
		t.Errorf("got Answered %v and Seq %d, want %v and %d", res.Answered, res.Seq, !tt.wantNoAnswer, tt.wantSeq)
	}
	if !clientEnd.read.IsZero() || !clientEnd.write.IsZero() {
		t.Errorf("the client's deadlines are %v and %v, want none", clientEnd.read, clientEnd.write)
	}
	if err == nil && (!serverEnd.read.IsZero() || !serverEnd.write.IsZero()) {
		t.Errorf("the server's deadlines are %v and %v, want none", serverEnd.read, serverEnd.write)
	}
	_ = client.Close()
	if err == nil {
		_ = server.Close() // else the relay has
	}
	clientDone()
	serverDone()
	return r
}

func pipe(t *testing.T) (near, far net.Conn) {
	near, far = net.Pipe()
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return near, far
}

func tcp(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return near, far
}

// TestRelayEarlyCommands: what a client sends before it was accepted stays for the copy loop, and so does what
// a server sends behind its OK, also where they come in the same segment as the packets of the login.
func TestRelayEarlyCommands(t *testing.T) {
	early := frame(0, statement) + frame(0, strings.Repeat("x", maxLoginPacket+1))
	for _, slow := range []bool{false, true} {
		noLeak(t)
		client, clientFar := tcp(t)
		server, serverFar := tcp(t)
		r := &Relay{
			Client: NewConn(client), ClientSeq: 2, Secret: true,
			Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
		}
		clientDone := script{
			wants(3, toNative), {send: frame(4, secret) + early}, wants(5, ok1),
		}.start(t, Client, clientFar, slow)
		serverDone := script{
			sends(2, toNative), wants(3, secret), {send: frame(4, ok1) + "answer"},
		}.start(t, Server, serverFar, slow)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := r.Run(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		for conn, want := range map[*Conn]string{r.Client: early, r.Server.Conn: "answer"} {
			got := make([]byte, len(want))
			if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
				t.Errorf("got %d bytes and error %v, want all %d", n, err, len(want))
			}
			_ = conn.Close()
		}
		clientDone()
		serverDone()
	}
}

// TestRelayTLSClient: a deadline that interrupts a read of TLS loses nothing: the client's command comes in
// records of one byte.
func TestRelayTLSClient(t *testing.T) {
	noLeak(t)
	certificate := selfSigned(t, "proxy.test")
	plain, clientFar := tcp(t)
	server, serverFar := tcp(t)
	client := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{certificate}})
	peer := tls.Client(clientFar, &tls.Config{InsecureSkipVerify: true})
	clientDone := script{
		wants(3, toNative), sends(4, secret), {send: frame(0, statement)[:6]}, wants(5, ok1), {send: frame(0, statement)[6:]},
	}.start(t, Client, peer, true)
	serverDone := script{sends(2, toNative), wants(3, secret), sends(4, ok1)}.start(t, Server, serverFar, false)
	r := &Relay{
		Client: NewConn(client), ClientSeq: 2, Secret: true,
		Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
	}
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	payload, seq, err := r.Client.ReadPacket(100)
	if err != nil || seq != 0 || string(payload) != statement {
		t.Errorf("got %q of packet %d and error %v, want %q", payload, seq, err, statement)
	}
	_ = client.Close()
	_ = server.Close()
	clientDone()
	serverDone()
}

// TestRelayDeadline: a login ends with its context, whoever it waits for, and the error says who that is. The
// server is not left without an answer.
func TestRelayDeadline(t *testing.T) {
	tests := []struct {
		name           string
		client, server script
		leg            Side
	}{
		{
			name:   "silent server",
			client: script{}, server: script{}, leg: Server,
		},
		{
			name:   "silent client",
			client: script{wants(2, toNative)},
			server: script{sends(2, toNative), wants(3, ""), sends(4, denied)}, leg: Client,
		},
		{
			name:   "silent client in its answer",
			client: script{wants(2, toNative), {send: frame(3, secret)[:5]}},
			server: script{sends(2, toNative), wants(3, ""), sends(4, denied)}, leg: Client,
		},
		{
			name:   "command instead of an answer",
			client: script{wants(2, toNative), sends(0, statement)},
			server: script{sends(2, toNative), wants(3, ""), sends(4, denied)}, leg: Client,
		},
		{
			name:   "silent server after the answer",
			client: script{wants(2, toNative), sends(3, secret)},
			server: script{sends(2, toNative), wants(3, secret)}, leg: Server,
		},
	}
	for _, tt := range tests {
		for _, cancelled := range []bool{false, true} {
			name := tt.name
			if cancelled {
				name += ", cancelled"
			}
			t.Run(name, func(t *testing.T) {
				noLeak(t)
				client, clientFar := pipe(t)
				server, serverFar := pipe(t)
				clientDone := tt.client.start(t, Client, clientFar, false)
				serverDone := tt.server.start(t, Server, serverFar, false)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				if cancelled {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(50*time.Millisecond, cancel)
				}
				defer cancel()
				r := &Relay{
					Client: NewConn(client), ClientSeq: 1,
					Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
				}
				begin := time.Now()
				_, err := r.Run(ctx)
				if !isLegError(err, tt.leg, os.ErrDeadlineExceeded) {
					t.Errorf("got error %v, want the %v's deadline", err, tt.leg)
				}
				if took := time.Since(begin); took > farewell/2 {
					t.Errorf("took %v", took)
				}
				_ = client.Close()
				clientDone()
				serverDone()
			})
		}
	}
}

// TestRelayFarewell: a server that does not refuse does not hold up the end of a login.
func TestRelayFarewell(t *testing.T) {
	noLeak(t)
	client, clientFar := pipe(t)
	server, serverFar := pipe(t)
	serverDone := script{sends(2, toNative), wants(3, "")}.start(t, Server, serverFar, false)
	clientDone := script{wants(2, toNative), leaves}.start(t, Client, clientFar, false)
	r := &Relay{
		Client: NewConn(client), ClientSeq: 1,
		Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
	}
	begin := time.Now()
	if _, err := r.Run(t.Context()); !clientLeft(err) {
		t.Errorf("got error %v, want that the client has left", err)
	}
	if took := time.Since(begin); took < farewell || took > 3*farewell {
		t.Errorf("took %v, want %v", took, farewell)
	}
	clientDone()
	serverDone()
}

// TestRelayLastWords: a server that closes before it has read the answer has said why.
func TestRelayLastWords(t *testing.T) {
	noLeak(t)
	client, clientFar := pipe(t)
	clientDone := script{wants(2, toNative), sends(3, secret), wants(4, denied)}.start(t, Client, clientFar, false)
	server := &deafServer{r: strings.NewReader(frame(2, toNative) + frame(4, denied)), wrote: make(chan struct{})}
	r := &Relay{
		Client: NewConn(client), ClientSeq: 1,
		Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Protocol41, seq: 1},
	}
	if _, err := r.Run(t.Context()); !isDenied(err) {
		t.Errorf("got error %v, want the server's ERR", err)
	}
	_ = client.Close()
	clientDone()
}

// A deafServer takes no answer, but its second packet comes.
type deafServer struct {
	net.Conn
	r     *strings.Reader
	reads int
	wrote chan struct{}
}

func (d *deafServer) Read(p []byte) (int, error) {
	if d.reads++; d.reads == 2 {
		<-d.wrote
	}
	return d.r.Read(p[:min(len(p), len(frame(2, toNative)))])
}

func (d *deafServer) Write([]byte) (int, error) {
	close(d.wrote)
	return 0, errors.New("broken pipe")
}

func (*deafServer) SetDeadline(time.Time) error     { return nil }
func (*deafServer) SetReadDeadline(time.Time) error { return nil }
func (*deafServer) Close() error                    { return nil }

// FuzzRelay: whatever the two sides send, the relay ends, without a panic and without a goroutine that is left,
// and hands on no byte of a secret client's beyond what it was asked for.
func FuzzRelay(f *testing.F) {
	for _, tt := range relayCases {
		var client, server string
		for _, turn := range tt.client {
			client += turn.send
		}
		for _, turn := range tt.server {
			server += turn.send
		}
		f.Add([]byte(client), []byte(server), tt.clientSecret, tt.serverSecret, uint32(tt.caps))
	}
	f.Fuzz(func(t *testing.T, fromClient, fromServer []byte, clientSecret, serverSecret bool, caps uint32) {
		client, clientFar := net.Pipe()
		server, serverFar := net.Pipe()
		r := &Relay{
			Client: NewConn(client), ClientSeq: 1, Secret: clientSecret,
			Server: &Leg{Conn: NewConn(server), Capabilities: mysqlwire.Capability(caps), Secret: serverSecret, seq: 2},
		}
		far := make(chan struct{}, 4)
		for conn, bytes := range map[net.Conn][]byte{clientFar: fromClient, serverFar: fromServer} {
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				far <- struct{}{}
			}()
			go func() {
				_, _ = conn.Write(bytes)
				_ = conn.Close()
				far <- struct{}{}
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		res, err := r.Run(ctx)
		if (err == nil) != (len(res.OK) > 0) {
			t.Errorf("got OK %q and error %v", res.OK, err)
		}
		if err == nil && res.OK[0] != mysqlwire.HeaderOK {
			t.Errorf("got OK %q", res.OK)
		}
		_ = client.Close()
		_ = server.Close()
		for range 4 {
			<-far
		}
	})
}
