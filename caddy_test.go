package l4mysql

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	_ "github.com/mholt/caddy-l4/modules/l4close"
	_ "github.com/mholt/caddy-l4/modules/l4echo"
	_ "github.com/mholt/caddy-l4/modules/l4proxy"
	_ "github.com/mholt/caddy-l4/modules/l4subroute"
	_ "github.com/mholt/caddy-l4/modules/l4throttle"
)

// startCaddy runs Caddy with layer4 routes on a free loopback port, and returns the port's address and
// what Caddy has logged until now.
func startCaddy(t *testing.T, routes string) (addr string, logged func() string) {
	t.Helper()
	refusals = newRefusalLimit(time.Now) // so that an earlier test's lines keep none of this one's back
	addr = freeAddr(t)
	logFile := filepath.Join(t.TempDir(), "caddy.log")
	config := fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "DEBUG", "writer": {"output": "file", "filename": %q}, "encoder": {"format": "json"}, "exclude": ["admin"]}}},
		"apps": {"layer4": {"servers": {"test": {"listen": [%q], "routes": %s}}}}
	}`, logFile, addr, routes)
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatalf("loading %s: %v", config, err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return addr, func() string {
		b, err := os.ReadFile(logFile)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// serve runs f for each connection to a loopback port, as a server behind Caddy.
func serve(t *testing.T, f func(*net.TCPConn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f(conn.(*net.TCPConn))
			}()
		}
	}()
	return ln.Addr().String()
}

// greetAndEcho speaks first, as MySQL does, and then echoes to the end.
func greetAndEcho(conn *net.TCPConn) {
	_, _ = io.WriteString(conn, "greeting\n")
	_, _ = io.Copy(conn, conn)
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// expect reads want, and nothing else.
func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); string(got[:n]) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// expectEnd reads to the end. A connection that is closed with bytes of the client unread ends in a reset.
func expectEnd(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got, err := io.ReadAll(conn)
	if string(got) != want || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %q, %v, want %q and the end", got, err, want)
	}
}

// eventually waits for Caddy's log to hold want.
func eventually(t *testing.T, logged func() string, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(logged()) {
			found := true
			for _, w := range want {
				found = found && strings.Contains(line, w)
			}
			if found {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no line with %q in the log:\n%s", want, logged())
		}
	}
}

// noErrors fails if Caddy has logged an error.
func noErrors(t *testing.T, logged func() string) {
	t.Helper()
	for line := range strings.Lines(logged()) {
		if strings.Contains(line, `"level":"error"`) || strings.Contains(line, `"level":"warn"`) {
			t.Errorf("logged: %s", line)
		}
	}
}

func write(t *testing.T, conn net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(conn, s); err != nil {
		t.Fatal(err)
	}
}
