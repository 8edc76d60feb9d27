package l4mysql

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/mholt/caddy-l4/modules/l4regexp"
)

// testWriter is a log's writer whose doing a test sets, by its name.
type testWriter struct {
	Name string `json:"name,omitempty"`
}

// testWriters has the writers of all tests. Caddy never forgets one, so each test has names of its own.
var testWriters sync.Map // of io.WriteCloser, by name

func init() { caddy.RegisterModule(&testWriter{}) }

func (*testWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.test_writer", New: func() caddy.Module { return new(testWriter) }}
}

func (w *testWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if d.Next(); !d.Args(&w.Name) {
		return d.ArgErr()
	}
	return nil
}

func (w *testWriter) String() string    { return "test_writer " + w.Name }
func (w *testWriter) WriterKey() string { return w.String() }

func (w *testWriter) OpenWriter() (io.WriteCloser, error) {
	value, _ := testWriters.Load(w.Name)
	return value.(io.WriteCloser), nil
}

// A funcWriter writes by calling itself.
type funcWriter func(p []byte) (int, error)

func (f funcWriter) Write(p []byte) (int, error) { return f(p) }
func (funcWriter) Close() error                  { return nil }

// toWriter is the output of a log, for a Caddyfile, that goes to w.
func toWriter(t *testing.T, w io.WriteCloser) string {
	name := strings.ReplaceAll(t.TempDir(), `\`, "/")
	testWriters.Store(name, w)
	return fmt.Sprintf("output test_writer `%s`\nformat json", name)
}

// loadCaddyfile runs Caddy with logs, as in a Caddyfile's global options, and layer4 servers. It returns
// what the default log has until now.
func loadCaddyfile(t *testing.T, logs, servers string) (logged func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "default.log")
	text := fmt.Sprintf("{\nadmin off\npersist_config off\nlog default {\noutput file `%s`\nformat json\nlevel DEBUG\nexclude admin\n}\n%s\nlayer4 {\n%s\n}\n}\n",
		file, logs, servers)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatalf("%v in %s", err, config)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return contents(t, file)
}

// contents returns what reads the whole lines in a file.
func contents(t *testing.T, file string) func() string {
	return func() string {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		return string(b[:bytes.LastIndexByte(b, '\n')+1])
	}
}

// recordLogTo is a log of the records below logger.
func recordLogTo(name, logger, output string) string {
	return fmt.Sprintf("log %s {\ninclude %s\n%s\n}\n", name, logger, output)
}

func toFile(file string) string { return fmt.Sprintf("output file `%s`\nformat json", file) }

// logServer is a layer4 server with `mysql_log { options }` before a MySQL server.
func logServer(addr, options, upstream string) string {
	return fmt.Sprintf("%s {\nroute {\nmysql_log {\n%s\n}\nproxy %s\n}\n}\n", addr, options, upstream)
}

func serveMySQL(t *testing.T) (addr string) {
	t.Helper()
	return serve(t, func(conn *net.TCPConn) { mysqlServer(conn) })
}

// logIn connects to a MySQL server.
func logIn(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn := dial(t, addr)
	expect(t, conn, mysqlGreeting)
	write(t, conn, mysqlLogin)
	expect(t, conn, mysqlLoginOK)
	return conn
}

// ask sends a statement and reads its answer.
func ask(t *testing.T, conn *net.TCPConn, text string) {
	t.Helper()
	write(t, conn, mysqlQuery(text))
	expect(t, conn, mysqlAnswer(text))
}

// queries returns the texts of the statements in a log, in its order.
func queries(t *testing.T, log, logger string) (list []string) {
	t.Helper()
	for _, line := range logLines(t, log, logger) {
		if text, ok := line["query"].(string); ok {
			list = append(list, text)
		}
	}
	return list
}
