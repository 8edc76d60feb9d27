package mysqlproxy

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// patience is how long a test waits for what must come. It is no part of what is tested.
const patience = 30 * time.Second

// A packetWalk calls back with each whole packet, however the bytes are cut.
type packetWalk struct{ buf []byte }

func (w *packetWalk) feed(p []byte, packet func(payload []byte)) {
	w.buf = append(w.buf, p...)
	for len(w.buf) >= mysqlwire.HeaderLen {
		end := mysqlwire.HeaderLen + mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(w.buf))
		if len(w.buf) < end {
			return
		}
		packet(w.buf[mysqlwire.HeaderLen:end])
		w.buf = w.buf[end:]
	}
}

// A toyTracker follows a small MySQL: each packet of the client is a command, but those of a file for LOCAL INFILE. Of
// the server, 00 and ff end an answer, fb asks for a file, and anything else is a row.
type toyTracker struct {
	changing bool // of the user, as a test says

	client, server packetWalk
	inFlight       int
	infile         bool
	transaction    bool
	opaque         bool
	calls          atomic.Int32 // at this moment: one at most
	seen           [3]atomic.Int64
	wrong          atomic.Bool
}

const (
	toyTLS   = "\xeeTLS"              // a command behind which nothing can be followed
	toyClose = "\x19\x01\x00\x00\x00" // COM_STMT_CLOSE has no answer
	begun    = "\x00\x00\x00\x03\x00\x00\x00"
	ended    = "\x00\x00\x00\x02\x00\x00\x00"
	row      = "\x01row"
	sendFile = "\xfbfile.csv"
)

func (t *toyTracker) alone() func() {
	if t.calls.Add(1) != 1 {
		t.wrong.Store(true)
	}
	return func() { t.calls.Add(-1) }
}

func (t *toyTracker) FromClient(p []byte) {
	defer t.alone()()
	t.seen[Client].Add(int64(len(p)))
	t.client.feed(p, func(payload []byte) {
		switch {
		case t.infile:
			t.infile = len(payload) > 0
		case len(payload) > 0 && (payload[0] == quit[0] || payload[0] == toyClose[0]):
		default:
			t.inFlight++
			t.opaque = t.opaque || string(payload) == toyTLS
		}
	})
}

func (t *toyTracker) FromServer(p []byte) {
	defer t.alone()()
	t.seen[Server].Add(int64(len(p)))
	t.server.feed(p, func(payload []byte) {
		switch {
		case len(payload) == 0:
		case payload[0] == mysqlwire.HeaderOK:
			t.inFlight--
			t.transaction = payload[3]&1 != 0
		case payload[0] == mysqlwire.HeaderERR:
			t.inFlight--
		case payload[0] == mysqlwire.HeaderLocalInfile:
			t.infile = true
		}
	})
}

func (t *toyTracker) Idle() bool {
	defer t.alone()()
	return !t.opaque && t.inFlight == 0 && len(t.client.buf) == 0 && len(t.server.buf) == 0
}

func (t *toyTracker) ExpectsCommand() bool {
	defer t.alone()()
	return !t.opaque && !t.infile && len(t.client.buf) == 0
}

func (t *toyTracker) InTransaction() bool {
	defer t.alone()()
	return t.transaction
}

func (t *toyTracker) ChangingUser() bool {
	defer t.alone()()
	return t.changing
}

func (t *toyTracker) Opaque() bool {
	defer t.alone()()
	return t.opaque
}

// A pairing makes both ends of a connection.
type pairing func(*testing.T) (near, far net.Conn)

// pairs are the kinds of connections that sessions are tested with.
var pairs = map[string]pairing{
	"TCP": tcp,
	"TLS": overTLS,
	"unix": func(t *testing.T) (near, far net.Conn) {
		return dialed(t, "unix", t.TempDir()+"/s")
	},
}

// dialed returns both ends of a connection.
func dialed(tb testing.TB, network, address string) (near, far net.Conn) {
	tb.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := l.Accept()
		accepted <- conn
	}()
	if near, err = net.Dial(network, l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if far = <-accepted; far == nil {
		tb.Fatal("nothing was accepted")
	}
	tb.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// overTLS returns both ends of a connection with TLS, after the handshake.
func overTLS(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near, far = dialed(t, "tcp", "127.0.0.1:0")
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "db")}, ServerName: "db", InsecureSkipVerify: true}
	server, client := tls.Server(near, config), tls.Client(far, config)
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// A rig is a session between two ends that the test plays.
type rig struct {
	t *testing.T
	*Session
	toy            *toyTracker
	client, server *end
	ended          chan End
	counted        [3]atomic.Int64 // by Count
}

// An end is what the test has of a connection.
type end struct {
	net.Conn
	t *testing.T
}

// newRig makes a session over connections of that kind, which begins with [rig.run]. No goroutine is to be left when the
// test ends.
func newRig(t *testing.T, dial pairing) *rig {
	t.Helper()
	noLeak(t)
	return oneOfMany(t, dial)
}

// oneOfMany makes a session beside others, of whose goroutines nobody knows how many there are.
func oneOfMany(t *testing.T, dial pairing) *rig {
	t.Helper()
	clientNear, clientFar := dial(t)
	serverNear, serverFar := dial(t)
	for _, conn := range []net.Conn{clientFar, serverFar} {
		_ = conn.SetDeadline(time.Now().Add(patience))
	}
	toy := new(toyTracker)
	r := &rig{
		t: t, toy: toy, ended: make(chan End, 1),
		Session: &Session{Client: clientNear, Server: serverNear, Tracker: toy},
		client:  &end{clientFar, t}, server: &end{serverFar, t},
	}
	r.Count = func(from Side, n int) { r.counted[from].Add(int64(n)) }
	t.Cleanup(func() {
		if toy.wrong.Load() {
			t.Error("the tracker was called from two goroutines at once")
		}
	})
	return r
}

func (r *rig) run() *rig {
	go func() { r.ended <- r.Run() }()
	return r
}

// wantEnd waits for the end of the session, and returns the error in it.
func (r *rig) wantEnd(want EndReason) error {
	r.t.Helper()
	select {
	case got := <-r.ended:
		if got.Reason != want {
			r.t.Errorf("the session has ended: %v (%v), want %v", got.Reason, got.Err, want)
		}
		return got.Err
	case <-time.After(patience):
		r.t.Fatal("the session does not end")
		return nil
	}
}

func (e *end) sends(packets ...string) {
	e.t.Helper()
	for _, p := range packets {
		if _, err := io.WriteString(e, p); err != nil {
			e.t.Fatalf("sending %q: %v", p, err)
		}
	}
}

// sendsApart sends in another goroutine: a pipe holds nothing.
func (e *end) sendsApart(packets ...string) {
	go func() {
		for _, p := range packets {
			_, _ = io.WriteString(e, p)
		}
	}()
}

func (e *end) wants(want string) {
	e.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(e, got); err != nil || string(got) != want {
		e.t.Fatalf("got %q and error %v, want %q", got[:n], err, want)
	}
}

// wantsEOF wants the end of what the other side sends.
func (e *end) wantsEOF() {
	e.t.Helper()
	if got, err := io.ReadAll(e); err != nil || len(got) > 0 {
		e.t.Fatalf("got %q and error %v, want EOF", got, err)
	}
}

func (e *end) closes() {
	e.t.Helper()
	if err := e.Close(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *end) closesWrite() {
	e.t.Helper()
	if err := closeWrite(e.Conn); err != nil {
		e.t.Fatal(err)
	}
}

// resets ends the connection in a way that the other end notices at once.
func (e *end) resets() {
	e.t.Helper()
	if err := e.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		e.t.Fatal(err)
	}
	e.closes()
}

// until waits until a condition holds that nothing tells of.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// wantState waits until the session is in a state.
func (r *rig) wantState(want State) {
	r.t.Helper()
	until(r.t, "state "+want.String(), func() bool { return r.Status().State == want })
}

// toyAnswer is what [answers] says to any command.
var toyAnswer = frame(1, row) + frame(2, row) + frame(3, ended)

// answers is a server that answers commands until COM_QUIT, or the end of the connection.
func answers(conn net.Conn) {
	defer conn.Close()
	var walk packetWalk
	buf := make([]byte, 1000)
	for quits := false; !quits; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		walk.feed(buf[:n], func(payload []byte) {
			if quits = quits || payload[0] == quit[0]; !quits {
				_, _ = io.WriteString(conn, toyAnswer)
			}
		})
	}
}
