package mysqlproxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A turn is what one side of a conversation does: it sends bytes, waits for bytes, or leaves. It may want a packet
// of which only check knows what is in it: what is in want then is one of its size, with its header.
type turn struct {
	send, want string
	leave      bool
	check      func(payload []byte) error
}

func sends(seq uint8, payload string) turn { return turn{send: frame(seq, payload)} }
func wants(seq uint8, payload string) turn { return turn{want: frame(seq, payload)} }

var leaves = turn{leave: true}

// A script is all that one side does. Behind its last turn it wants the end of the connection, unless it leaves.
type script []turn

// play plays one side on conn. With slow every byte is a write of its own.
func (s script) play(conn net.Conn, slow bool) error {
	for i, turn := range s {
		switch {
		case turn.leave:
			return conn.Close()
		case turn.send != "":
			size := len(turn.send)
			if slow {
				size = 1
			}
			for b := []byte(turn.send); len(b) > 0; b = b[size:] {
				if _, err := conn.Write(b[:size]); err != nil {
					return fmt.Errorf("turn %d: sending %q: %w", i, turn.send, err)
				}
			}
		default:
			got, want := make([]byte, len(turn.want)), turn.want
			n, err := io.ReadFull(conn, got)
			if turn.check != nil && err == nil {
				if err := turn.check(got[4:]); err != nil {
					return fmt.Errorf("turn %d: %w", i, err)
				}
				copy(got[4:], want[4:])
			}
			if err != nil || string(got) != want {
				return fmt.Errorf("turn %d: got %q and error %w, want %q", i, got[:n], err, want)
			}
		}
	}
	got, err := io.ReadAll(conn)
	if err != nil || len(got) > 0 {
		return fmt.Errorf("behind the script: got %q and error %w", got, err)
	}
	return nil
}

// start plays a side in a goroutine. wait returns when it has come to its end, and fails the test if it has not
// gone by the script.
func (s script) start(t *testing.T, side Side, conn net.Conn, slow bool) (wait func()) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	done := make(chan error, 1)
	go func() { done <- s.play(conn, slow) }()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Errorf("%v: %v", side, err)
		}
	}
}

// noLeak fails the test if it leaves a goroutine behind.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 200 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		var stacks bytes.Buffer
		buf := make([]byte, 1<<20)
		stacks.Write(buf[:runtime.Stack(buf, true)])
		t.Errorf("%d goroutines, %d before the test:\n%s", runtime.NumGoroutine(), before, &stacks)
	})
}

// A deadlineConn notes the deadlines that it was left with.
type deadlineConn struct {
	net.Conn
	read, write time.Time
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	c.read, c.write = t, t
	return c.Conn.SetDeadline(t)
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.read = t
	return c.Conn.SetReadDeadline(t)
}

// isLegError reports whether err says that this leg has died, of cause.
func isLegError(err error, leg Side, cause error) bool {
	e, ok := errors.AsType[*LegError](err)
	return ok && e.Leg == leg && errors.Is(err, cause)
}

// hex and the like would hide what is sent: these are the packets of the scripts.
const (
	ok1        = "\x00\x00\x00\x02\x00\x00\x00"
	denied     = "\xff\x15\x04#28000Access denied for user 'u'@'h' (using password: YES)"
	fastAuth   = "\x01\x03"
	fullAuth   = "\x01\x04"
	quit       = "\x01"
	statement  = "\x03SELECT 1"
	toNative   = "\xfemysql_native_password\x00nonce-of-twenty-byte\x00"
	toSHA2     = "\xfecaching_sha2_password\x00another-nonce-of-20-b\x00"
	toSHA256   = "\xfesha256_password\x00yet-another-nonce-20b\x00"
	toClear    = "\xfemysql_clear_password\x00"
	toDialog   = "\xfedialog\x00"
	toEd25519  = "\xfeclient_ed25519\x00a-nonce-of-thirty-two-bytes-12345"
	secret     = "S3cr3t-answer-of-20b" // as many bytes as one of mysql_native_password has
	secret2    = "S3cr3t-2-of-20-bytes"
	signature  = secret + secret + secret + "S3cr" // of ed25519
	publicKey  = "\x01-----BEGIN PUBLIC KEY-----\n"
	nextFactor = "\x02authentication_webauthn_client\x00challenge"
)

var encrypted = strings.Repeat("S3cr3t--", 32)
