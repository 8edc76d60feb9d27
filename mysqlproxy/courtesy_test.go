package mysqlproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestCourteousLeg: what the server gets when the client leaves in the middle of its login.
func TestCourteousLeg(t *testing.T) {
	greeting := mysqlwire.Greeting{Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth}
	login := mysqlwire.AppendLogin(nil, &mysqlwire.Login{Capabilities: greeting.Capabilities, User: []byte("bob")}, []byte("secret"))
	asksTLS := mysqlwire.AppendTLSRequest(nil, &mysqlwire.Login{Capabilities: greeting.Capabilities})
	toTheEnd := frame(2, "\xfesome_plugin\x00nonce")
	refused := frame(4, "\xff\x15\x04#28000no")
	for _, tt := range []struct {
		name    string
		client  string // what it sends before it leaves
		server  string // what the server answers, before that
		after   string // and then
		want    string // of what the server gets when the client has left
		wantEOF bool   // at once
	}{
		{"before its login", "", "", refused, frame(1, string(mysqlwire.AppendLogin(nil, ptr(nobody(greeting.Capabilities)), nil))), false},
		{"at the switch", frame(1, string(login)), toTheEnd, refused, frame(3, ""), false},
		{"before the switch", frame(1, string(login)), "", toTheEnd, frame(3, ""), false},
		{"when it was asked for the password", frame(1, string(login)), frame(2, "\x01\x04"), refused, frame(3, "\x00"), false},
		{"after OK", frame(1, string(login)), frame(2, "\x00\x00\x00\x02\x00\x00\x00"), "", "", true},
		{"after ERR", frame(1, string(login)), frame(2, "\xff\x15\x04#28000no"), "", "", true},
		{"in its login", frame(1, string(login))[:20], "", "", "", true},
		{"in TLS", frame(1, string(asksTLS)), "", "", "", true},
		{"after a packet that no login has", "\xff\xff\xff\x01" + string(make([]byte, 100)), "", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			leg := NewCourteousLeg(NewConn(ours), &greeting, 0)
			if len(tt.client) > 0 {
				for i := range len(tt.client) { // byte by byte
					if _, err := leg.Write([]byte{tt.client[i]}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := io.ReadFull(theirs, make([]byte, len(tt.client))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(theirs, tt.server); err != nil {
				t.Fatal(err)
			}
			if got := make([]byte, len(tt.server)); len(got) > 0 {
				if _, err := io.ReadFull(leg, got); err != nil || string(got) != tt.server {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if err := leg.CloseWrite(); tt.wantEOF && tt.after == "" && (err == nil) != (tt.name == "after OK" || tt.name == "after ERR" || tt.name == "in TLS") {
				t.Errorf("CloseWrite: %v", err)
			} else if !tt.wantEOF && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("CloseWrite in the login: %v", err)
			}
			_ = leg.SetDeadline(longAgo) // as a session does that fails
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = leg.Close()
			}()
			if tt.after != "" && tt.name == "before the switch" {
				if _, err := io.WriteString(theirs, tt.after); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]byte, len(tt.want))
			if _, err := io.ReadFull(theirs, got); err != nil || string(got) != tt.want {
				t.Errorf("the server got %q, %v, want %q", got, err, tt.want)
			}
			if tt.after != "" {
				if _, err := io.WriteString(theirs, refused); err != nil {
					t.Fatal(err)
				}
			}
			<-done
			if rest, err := io.ReadAll(theirs); err != nil || len(rest) > 0 {
				t.Errorf("then it got %q, %v", rest, err)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// TestCourteousLegPasses: what goes by is not touched, during the login and after it.
func TestCourteousLegPasses(t *testing.T) {
	ours, theirs := tcpPair(t)
	greeting := mysqlwire.Greeting{Capabilities: mysqlwire.Protocol41}
	leg := NewCourteousLeg(NewConn(ours), &greeting, 0)
	sent := bytes.Repeat([]byte("x\x00\x00\x01some bytes"), 10_000)
	go func() {
		_, _ = leg.WriteBehind([]byte("PROXY UNKNOWN\r\n"), sent[:7])
		_, _ = leg.Write(sent[7:])
	}()
	got := make([]byte, 15+len(sent))
	if _, err := io.ReadFull(theirs, got); err != nil || string(got[:15]) != "PROXY UNKNOWN\r\n" || !bytes.Equal(got[15:], sent) {
		t.Errorf("the server got other bytes, %v", err)
	}
	go func() { _, _ = theirs.Write(sent) }()
	got = got[:len(sent)]
	if _, err := io.ReadFull(leg, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("the client got other bytes, %v", err)
	}
}

func tcpPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if ours, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}
