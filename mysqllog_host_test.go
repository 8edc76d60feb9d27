package l4mysql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// What `mysql_log` assumes of Caddy, in the way of host_test.go.

// A closeCounter counts how often a log's writer is closed.
type closeCounter struct {
	logSink
	closed atomic.Int32
}

func (c *closeCounter) Close() error {
	c.closed.Add(1)
	return nil
}

// TestHostLogWriters: a reload and a stop leave a log's writer open, so that connections of the old config
// go on to record. When this fails, they lose records, and need a writer that lives as long as they do.
func TestHostLogWriters(t *testing.T) {
	writer := new(closeCounter)
	upstream, addr := serveMySQL(t), freeAddr(t)
	loadCaddyfile(t, recordLogTo("records", recordName, toWriter(t, writer)), logServer(addr, "", upstream))
	conn := logIn(t, addr)
	loadCaddyfile(t, "", logServer(addr, "", upstream))
	ask(t, conn, "SELECT 'after the reload'")
	eventually(t, writer.String, "SELECT 'after the reload'")
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
	ask(t, conn, "SELECT 'after the stop'")
	eventually(t, writer.String, "SELECT 'after the stop'")
	if got := writer.closed.Load(); got != 0 {
		t.Errorf("the writer was closed %d times", got)
	}
}

// exitLogEnv names the file that the log of a process that exits writes to.
const exitLogEnv = "L4MYSQL_TEST_EXIT_LOG"

// TestExit: a process that is told to end first writes what is in the queue, though a connection is open,
// and though the log is slow; for one that hangs it does not wait longer than flushTimeout.
func TestExit(t *testing.T) {
	if file := os.Getenv(exitLogEnv); file != "" {
		exitAfterStatements(t, file)
	}
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal there")
	}
	for _, tt := range []struct {
		name string
		want int
	}{{"slow", exitStatements}, {"hangs", 0}} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			file := filepath.Join(t.TempDir(), tt.name)
			process := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestExit$")
			process.Env = append(os.Environ(), exitLogEnv+"="+file, "TMPDIR="+t.TempDir()) // which it does not clean
			output, err := process.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if got := strings.Count(contents(t, file)(), "\n"); got != tt.want {
				t.Errorf("got %d records, want %d\n%s", got, tt.want, output)
			}
			_, took, _ := strings.Cut(string(output), "exit took ")
			took, _, _ = strings.Cut(took, "\n")
			if d, err := time.ParseDuration(took); err != nil || d > flushTimeout+10*time.Second {
				t.Errorf("the exit took %q, %v, want not much more than %s", took, err, flushTimeout)
			}
		})
	}
}

// exitStatements is how many statements a process that exits has recorded.
const exitStatements = 20

// exitAfterStatements runs Caddy, asks for statements, and lets the process be told to end while their
// records are still in the queue. It does not return.
func exitAfterStatements(t *testing.T, file string) {
	log, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	slow := toWriter(t, funcWriter(func(p []byte) (int, error) {
		if strings.HasSuffix(file, "hangs") {
			select {}
		}
		time.Sleep(20 * time.Millisecond)
		return log.Write(p)
	}))
	addr := freeAddr(t)
	loadCaddyfile(t, recordLogTo("records", recordName, slow), logServer(addr, "events close", serveMySQL(t)))
	conn := logIn(t, addr)
	for i := range exitStatements {
		ask(t, conn, fmt.Sprintf("SELECT %d", i))
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // until Caddy listens for it
	caddy.TrapSignals()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	caddy.OnExit(func(context.Context) { fmt.Printf("exit took %s\n", time.Since(start)) })
	for time.Since(start) < 30*time.Second {
		_ = self.Signal(syscall.SIGTERM)
		time.Sleep(5 * time.Millisecond)
	}
	os.Exit(3)
}
