package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// serverCaps are those of a usual server.
const serverCaps = mysqlwire.LongPassword | mysqlwire.ConnectWithDB | mysqlwire.Protocol41 | mysqlwire.TLS |
	mysqlwire.Transactions | mysqlwire.SecureConnection | mysqlwire.PluginAuth | mysqlwire.ConnectAttrs |
	mysqlwire.PluginAuthLenEnc | mysqlwire.DeprecateEOF

// greet returns the payload of a server's greeting.
func greet(caps mysqlwire.Capability) string {
	g := mysqlwire.Greeting{
		ServerVersion: []byte("8.4.3"), ThreadID: 42, Capabilities: caps, Collation: 45, AuthPlugin: []byte(cachingSHA2),
	}
	return string(mysqlwire.AppendGreeting(nil, &g, (*[20]byte)([]byte("abcdefghijklmnopqrst"))))
}

// clientLogin is the login of a usual client, with values of which no two are equal.
func clientLogin() mysqlwire.Login {
	return mysqlwire.Login{
		Capabilities: serverCaps &^ mysqlwire.TLS, MaxPacket: 0x0102_0304, Collation: 33, User: []byte("app"),
		Database: []byte("shop"), AuthPlugin: []byte(cachingSHA2),
		Attributes: attributesOf("_os", "Linux", "proxied_client", "forged", "Proxied_By ", "forged", "_pid", "77"),
	}
}

func attributesOf(words ...string) (a mysqlwire.Attributes) {
	for i := 0; i < len(words); i += 2 {
		a = mysqlwire.AppendAttribute(a, []byte(words[i]), []byte(words[i+1]))
	}
	return a
}

// hear plays a server that greets and returns the packet that it is told then.
func hear(c *Conn, greeting string) ([]byte, uint8, error) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.WritePacket(0, []byte(greeting)); err != nil {
		return nil, 0, err
	}
	return c.ReadPacket(1 << 20)
}

// TestHelloLogin: what becomes of a client's login.
func TestHelloLogin(t *testing.T) {
	tests := []struct {
		name   string
		server mysqlwire.Capability
		change func(*Hello)
		want   func(l *mysqlwire.Login) (auth string) // changes the usual result
	}{
		{name: "usual", server: serverCaps},
		{
			name: "server without attributes", server: serverCaps &^ mysqlwire.ConnectAttrs,
			change: func(h *Hello) { h.Login.Capabilities &^= mysqlwire.ConnectAttrs },
			want: func(l *mysqlwire.Login) string {
				l.Capabilities, l.Attributes = l.Capabilities&^mysqlwire.ConnectAttrs, nil
				return secret
			},
		},
		{
			name: "client without attributes", server: serverCaps,
			change: func(h *Hello) {
				h.Login.Capabilities &^= mysqlwire.ConnectAttrs
				h.Login.Attributes = nil
			},
			want: func(l *mysqlwire.Login) string {
				l.Attributes = attributesOf("proxied_client", "192.0.2.1:5", "proxied_by", "l4mysql")
				return secret
			},
		},
		{
			name: "what the server lacks", server: serverCaps &^ mysqlwire.Transactions,
			want: func(l *mysqlwire.Login) string {
				l.Capabilities &^= mysqlwire.Transactions
				return secret
			},
		},
		{
			name: "MariaDB's server has no CLIENT_MYSQL", server: serverCaps &^ mysqlwire.LongPassword,
		},
		{
			name: "MariaDB's capabilities", server: serverCaps&^mysqlwire.LongPassword | mysqlwire.MariaDBProgress,
			change: func(h *Hello) {
				h.Login.Capabilities = h.Login.Capabilities&^mysqlwire.LongPassword | mysqlwire.MariaDBProgress | mysqlwire.MariaDBComMulti
			},
			want: func(l *mysqlwire.Login) string {
				l.Capabilities = l.Capabilities&^mysqlwire.LongPassword | mysqlwire.MariaDBProgress
				return secret
			},
		},
		{
			name: "compression", server: serverCaps | mysqlwire.Compress | mysqlwire.ZstdCompression,
			change: func(h *Hello) { h.Login.Capabilities |= mysqlwire.Compress | mysqlwire.ZstdCompression | 1<<30 },
		},
		{
			name: "a password in clear", server: serverCaps,
			change: func(h *Hello) { h.Login.AuthPlugin, h.Auth = []byte(clearPassword), []byte("S3cr3t\x00") },
			want:   func(*mysqlwire.Login) string { return "\x00" },
		},
		{
			name: "no password", server: serverCaps,
			change: func(h *Hello) { h.Login.AuthPlugin, h.Auth = []byte(clearPassword), nil },
			want:   func(*mysqlwire.Login) string { return "" },
		},
		{
			name: "long authentication data", server: serverCaps &^ mysqlwire.PluginAuthLenEnc,
			change: func(h *Hello) { h.Auth = []byte(encrypted) },
			want: func(l *mysqlwire.Login) string {
				l.Capabilities &^= mysqlwire.PluginAuthLenEnc
				return encrypted[:255]
			},
		},
		{
			name: "no database", server: serverCaps,
			change: func(h *Hello) { h.Login.Database = nil },
			want: func(l *mysqlwire.Login) string {
				l.Capabilities, l.Database = l.Capabilities&^mysqlwire.ConnectWithDB, nil
				return secret
			},
		},
		{
			name: "too many attributes", server: serverCaps,
			change: func(h *Hello) {
				h.Login.Attributes = attributesOf("a", strings.Repeat("x", 60<<10), "b", strings.Repeat("y", 6<<10), "c", "d")
			},
			want: func(l *mysqlwire.Login) string {
				l.Attributes = attributesOf("proxied_client", "192.0.2.1:5", "proxied_by", "l4mysql", "a", strings.Repeat("x", 60<<10))
				return secret
			},
		},
		{
			name: "client without plugins (mysql-check)", server: serverCaps,
			change: func(h *Hello) {
				h.Login = mysqlwire.Login{
					Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection, MaxPacket: 0x0102_0304, Collation: 33,
					User: []byte("app"),
				}
			},
			want: func(l *mysqlwire.Login) string {
				*l = mysqlwire.Login{
					Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection, MaxPacket: 0x0102_0304, Collation: 33,
					User: []byte("app"),
				}
				return secret
			},
		},
		{
			name: "client of before 4.1 (mysql-check pre-41)", server: serverCaps,
			change: func(h *Hello) {
				h.Login = mysqlwire.Login{Capabilities: mysqlwire.LongPassword, MaxPacket: 0x02_0304, User: []byte("app")}
			},
			want: func(l *mysqlwire.Login) string {
				*l = mysqlwire.Login{Capabilities: mysqlwire.LongPassword, MaxPacket: 0x02_0304, User: []byte("app")}
				return secret
			},
		},
		{
			name: "client of before 4.1 with a database", server: serverCaps,
			change: func(h *Hello) {
				h.Login = mysqlwire.Login{MaxPacket: 0x02_0304, User: []byte("app"), Database: []byte("shop")}
			},
			want: func(l *mysqlwire.Login) string {
				*l = mysqlwire.Login{
					Capabilities: mysqlwire.ConnectWithDB, MaxPacket: 0x02_0304, User: []byte("app"), Database: []byte("shop"),
				}
				return secret
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			h := Hello{
				Login: clientLogin(), Auth: []byte(secret),
				Attributes: []Attribute{{"proxied_client", "192.0.2.1:5"}, {"proxied_by", "l4mysql"}},
			}
			if tt.change != nil {
				tt.change(&h)
			}
			want, wantAuth := clientLogin(), secret
			want.AuthPlugin = []byte(UnknownPlugin)
			want.Attributes = attributesOf("proxied_client", "192.0.2.1:5", "proxied_by", "l4mysql", "_os", "Linux", "_pid", "77")
			if tt.want != nil {
				wantAuth = tt.want(&want)
			}

			near, far := pipe(t)
			end := &deadlineConn{Conn: near}
			heard := make(chan struct{})
			var payload []byte
			var seq uint8
			var hearErr error
			go func() {
				defer close(heard)
				payload, seq, hearErr = hear(NewConn(far), greet(tt.server))
			}()
			leg, err := h.Say(t.Context(), end)
			<-heard
			if err != nil || hearErr != nil {
				t.Fatalf("got error %v, the server %v", err, hearErr)
			}
			got, auth, err := mysqlwire.ParseLoginWithAuth(payload)
			if err != nil {
				t.Fatal(err)
			}
			if seq != 1 || string(auth) != wantAuth || !equalLogins(&got, &want) {
				t.Errorf("got packet %d, %+v, %q, want 1, %+v, %q", seq, got, auth, want, wantAuth)
			}
			if leg.Capabilities&^mysqlwire.ConnectWithDB != want.Capabilities&^mysqlwire.ConnectWithDB {
				t.Errorf("got capabilities %#x, want %#x", leg.Capabilities, want.Capabilities)
			}
			if leg.Greeting.ThreadID != 42 || string(leg.Greeting.ServerVersion) != "8.4.3" || leg.Secret {
				t.Errorf("got leg %+v", leg)
			}
			if !end.read.IsZero() || !end.write.IsZero() {
				t.Errorf("got deadlines %v and %v, want none", end.read, end.write)
			}
		})
	}
}

func equalLogins(a, b *mysqlwire.Login) bool {
	return a.Capabilities == b.Capabilities && a.MaxPacket == b.MaxPacket && a.Collation == b.Collation &&
		bytes.Equal(a.User, b.User) && bytes.Equal(a.Database, b.Database) && bytes.Equal(a.AuthPlugin, b.AuthPlugin) &&
		bytes.Equal(a.Attributes, b.Attributes)
}

// TestHelloTLS: the login goes over TLS, and not where the certificate is not the configured one.
func TestHelloTLS(t *testing.T) {
	certificate := selfSigned(t, "db.test")
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	tests := []struct {
		name   string
		config *tls.Config
		bad    bool
	}{
		{"verified", &tls.Config{RootCAs: roots, ServerName: "db.test"}, false},
		{"not verified", &tls.Config{InsecureSkipVerify: true}, false},
		{"another name", &tls.Config{RootCAs: roots, ServerName: "other.test"}, true},
		{"another authority", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "db.test"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			near, far := tcp(t)
			type result struct {
				seq   uint8
				login mysqlwire.Login
				err   error
			}
			heard := make(chan result, 1)
			go func() {
				plain := NewConn(far)
				payload, seq, err := hear(plain, greet(serverCaps))
				if err != nil || seq != 1 || !mysqlwire.IsTLSRequest(payload) {
					heard <- result{seq: seq, err: errors.New("no SSLRequest")}
					return
				}
				conn := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{certificate}})
				payload, seq, err = NewConn(conn).ReadPacket(1 << 20)
				r := result{seq: seq, err: err}
				if err == nil {
					payload = slices.Clone(payload)
					r.login, r.err = mysqlwire.ParseLogin(payload)
				}
				heard <- r
			}()
			h := Hello{Login: clientLogin(), Auth: []byte(secret), TLS: tt.config}
			leg, err := h.Say(t.Context(), near)
			if tt.bad {
				_ = near.Close()
				<-heard
				if !errors.As(err, new(*TLSError)) || !errors.As(err, new(*tls.CertificateVerificationError)) {
					t.Errorf("got error %v, want one of the verification", err)
				}
				return
			}
			got := <-heard
			if err != nil || got.err != nil {
				t.Fatalf("got error %v, the server %v", err, got.err)
			}
			if got.seq != 2 || !got.login.Capabilities.Has(mysqlwire.TLS) || string(got.login.User) != "app" || !leg.Secret || leg.seq != 2 {
				t.Errorf("got packet %d, login %+v, leg %+v", got.seq, got.login, leg)
			}
		})
	}
}

// TestHelloSocket: nobody can read a unix socket along, which is what servers go by, too.
func TestHelloSocket(t *testing.T) {
	noLeak(t)
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	heard := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			_, _, err = hear(NewConn(conn), greet(serverCaps))
		}
		heard <- err
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := Hello{Login: clientLogin(), Auth: []byte(secret)}
	leg, err := h.Say(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if !leg.Secret {
		t.Error("a unix socket is taken for a leg that others can read")
	}
	if err := <-heard; err != nil {
		t.Error(err)
	}
}

// TestHelloUnfit: an upstream that cannot be used is told why by nobody's login, and is left after it has
// refused that: all else would be counted against this host.
func TestHelloUnfit(t *testing.T) {
	tests := []struct {
		name   string
		server mysqlwire.Capability
		tls    bool
		want   func(error) bool
	}{
		{
			name: "no TLS", server: serverCaps &^ mysqlwire.TLS, tls: true,
			want: func(err error) bool { return errors.Is(err, ErrNoTLS) },
		},
		{
			name: "no DEPRECATE_EOF", server: serverCaps &^ mysqlwire.DeprecateEOF,
			want: lacks(mysqlwire.DeprecateEOF),
		},
		{
			name: "no plugins", server: serverCaps &^ mysqlwire.PluginAuth, tls: true,
			want: lacks(mysqlwire.PluginAuth),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			near, far := pipe(t)
			heard := make(chan error, 1)
			go func() {
				payload, seq, err := hear(NewConn(far), greet(tt.server))
				l, parseErr := mysqlwire.ParseLogin(payload)
				if err != nil || parseErr != nil || seq != 1 || string(l.User) == "app" {
					heard <- errors.New("got login " + string(l.User))
					return
				}
				heard <- script{sends(2, toNative), wants(3, ""), sends(4, denied)}.play(far, false)
			}()
			h := Hello{Login: clientLogin(), Auth: []byte(secret)}
			if tt.tls {
				h.TLS = &tls.Config{InsecureSkipVerify: true}
			}
			leg, err := h.Say(t.Context(), near)
			if leg != nil || !tt.want(err) {
				t.Errorf("got error %v", err)
			}
			if err := <-heard; err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
}

func lacks(want mysqlwire.Capability) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*CapabilityError](err)
		return ok && e.Lacking == want
	}
}

// TestHelloTLSOptional: an upstream that offers no TLS gets the login without, and one that offers it over TLS.
func TestHelloTLSOptional(t *testing.T) {
	certificate := selfSigned(t, "db.test")
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	for _, tt := range []struct {
		name     string
		offered  mysqlwire.Capability
		server   string // the name that it must have
		wantSeq  uint8
		wantFail bool
	}{
		{"offered", mysqlwire.TLS, "db.test", 2, false},
		{"not offered", 0, "db.test", 1, false},
		{"offered by another", mysqlwire.TLS, "other.test", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			near, far := tcp(t)
			heard := make(chan error, 1)
			go func() {
				c := NewConn(far)
				payload, seq, err := hear(c, greet(serverCaps&^mysqlwire.TLS|tt.offered))
				if err == nil && mysqlwire.IsTLSRequest(payload) {
					c = NewConn(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}}))
					payload, seq, err = c.ReadPacket(1 << 20)
				}
				if err == nil {
					var l mysqlwire.Login
					if l, err = mysqlwire.ParseLogin(payload); err == nil && (seq != tt.wantSeq || l.Capabilities.Has(mysqlwire.TLS) != (seq == 2)) {
						err = fmt.Errorf("got login of packet %d with capabilities %#x", seq, l.Capabilities)
					}
				}
				heard <- err
			}()
			h := Hello{
				Login: clientLogin(), Auth: []byte(secret), TLSOptional: true,
				TLS: &tls.Config{RootCAs: roots, ServerName: tt.server},
			}
			leg, err := h.Say(t.Context(), near)
			if tt.wantFail {
				_ = near.Close()
				if <-heard; !errors.As(err, new(*tls.CertificateVerificationError)) {
					t.Errorf("got error %v, want one of the verification", err)
				}
				return
			}
			if err != nil || leg.TLS != (tt.offered != 0) || leg.Secret != leg.TLS || leg.seq != tt.wantSeq {
				t.Errorf("got %+v, %v", leg, err)
			}
			if err := <-heard; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReadGreeting: a greeting comes with its bytes, and so does an ERR in its place; what follows it is not lost.
func TestReadGreeting(t *testing.T) {
	const tooMany = "\xff\x10\x04Too many connections"
	greeting := greet(serverCaps)
	tests := []struct {
		name     string
		said     string
		wantRaw  string
		wantRest string
		wantErr  func(error) bool
	}{
		{"greeting", frame(0, greeting), frame(0, greeting), "", nil},
		{"greeting of another sequence id", frame(7, greeting), frame(7, greeting), "", nil},
		{"more behind", frame(0, greeting) + "more", frame(0, greeting), "more", nil},
		{"ERR", frame(0, tooMany), frame(0, tooMany), "", isServerError(1040, "")},
		{"no greeting", frame(3, "SSH"), frame(3, "SSH"), "", func(err error) bool { return errors.As(err, new(*mysqlwire.ParseError)) }},
		{"half", frame(0, greeting)[:9], "", "", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"nothing", "", "", "", func(err error) bool { return errors.Is(err, io.EOF) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			near, far := pipe(t)
			end := &deadlineConn{Conn: near}
			server := script{{send: tt.said}, leaves}
			if tt.said == "" {
				server = script{leaves}
			}
			done := server.start(t, Server, far, false)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			c, g, raw, err := ReadGreeting(ctx, end)
			if string(raw) != tt.wantRaw || (tt.wantErr == nil) != (err == nil) || tt.wantErr != nil && !tt.wantErr(err) {
				t.Errorf("got %q, %v", raw, err)
			}
			if err == nil && (g.ThreadID != 42 || string(g.ServerVersion) != "8.4.3") {
				t.Errorf("got %+v", g)
			}
			if !end.read.IsZero() || !end.write.IsZero() {
				t.Errorf("got deadlines %v and %v, want none", end.read, end.write)
			}
			if rest, _ := io.ReadAll(c); err == nil && string(rest) != tt.wantRest {
				t.Errorf("got %q behind it, want %q", rest, tt.wantRest)
			}
			done()
		})
	}
	near, _ := pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, raw, err := ReadGreeting(ctx, near); !errors.Is(err, os.ErrDeadlineExceeded) || raw != nil {
		t.Errorf("cancelled: got %q, %v", raw, err)
	}
}

// TestHelloErrors: what a server may say instead of a greeting, and of TLS.
func TestHelloErrors(t *testing.T) {
	tests := []struct {
		name   string
		tls    bool
		server script
		want   func(error) bool
	}{
		{
			name: "ERR without SQLSTATE", server: script{sends(0, "\xff\x10\x04Too many connections"), leaves},
			want: isServerError(1040, ""),
		},
		{
			name: "ERR", server: script{sends(0, "\xff\x69\x04#HY000Host is blocked"), leaves},
			want: isServerError(1129, "HY000"),
		},
		{
			name: "ERR without a code", server: script{sends(0, "\xff"), leaves},
			want: func(err error) bool { return errors.Is(err, mysqlwire.ErrTruncated) },
		},
		{
			name: "another protocol", server: script{sends(0, "SSH-2.0-x"), leaves},
			want: func(err error) bool { return errors.Is(err, mysqlwire.ErrMalformed) },
		},
		{
			name: "empty", server: script{sends(0, ""), leaves},
			want: func(err error) bool { return errors.Is(err, mysqlwire.ErrTruncated) },
		},
		{
			name: "too large", server: script{{send: "\x01\x00\x01\x00"}, leaves},
			want: func(err error) bool { return errors.Is(err, ErrPacketTooLarge) },
		},
		{
			name: "nothing", server: script{leaves},
			want: func(err error) bool { return errors.Is(err, io.EOF) },
		},
		{
			name: "silence", server: script{},
			want: func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) },
		},
		{
			name: "ERR instead of TLS", tls: true,
			server: script{
				sends(0, greet(serverCaps)),
				{want: frame(1, string(tlsRequest()))},
				sends(2, "\xff\x6a\x04#HY000Host '192.0.2.7' is not allowed to connect"),
				{want: "\x16\x03\x01"},
				leaves,
			},
			want: isServerError(1130, "HY000"),
		},
		{
			name: "no TLS after all", tls: true,
			server: script{sends(0, greet(serverCaps)), {want: frame(1, string(tlsRequest()))}, leaves},
			want:   func(err error) bool { return errors.As(err, new(*TLSError)) },
		},
		{
			name: "silence instead of TLS", tls: true,
			server: script{sends(0, greet(serverCaps)), {want: frame(1, string(tlsRequest()))}, {want: "\x16\x03\x01"}},
			want:   func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			near, far := tcp(t)
			far = &quietEnd{Conn: far}
			done := tt.server.start(t, Server, far, false)
			h := Hello{Login: clientLogin(), Auth: []byte(secret)}
			if tt.tls {
				h.TLS = &tls.Config{InsecureSkipVerify: true}
			}
			patience := 10 * time.Second
			if tt.want(os.ErrDeadlineExceeded) {
				patience = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			leg, err := h.Say(ctx, near)
			if leg != nil || !tt.want(err) {
				t.Errorf("got error %v", err)
			}
			_ = near.Close()
			done()
		})
	}
}

// A quietEnd reads nothing behind a script: of a TLS handshake a script only looks at the first bytes.
type quietEnd struct{ net.Conn }

func (q *quietEnd) Read(p []byte) (int, error) {
	if len(p) >= 512 { // io.ReadAll
		return 0, io.EOF
	}
	return q.Conn.Read(p)
}

func tlsRequest() []byte {
	login := clientLogin()
	return mysqlwire.AppendTLSRequest(nil, &login)
}

func isServerError(code uint16, state string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*ServerError](err)
		return ok && e.Code == code && e.SQLState == state
	}
}
