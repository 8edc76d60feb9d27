package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Caddy is a running process of the command under test.
type Caddy struct {
	*process
	Dir   string // its home: Caddy's own files, and the working directory for relative paths
	admin string // the address of its admin API
}

// A Config is a configuration for Caddy: a Caddyfile or JSON.
type Config struct{ adapter, text string }

// Caddyfile makes a configuration of a Caddyfile. One %s stands for each of args, as with fmt.Sprintf.
func Caddyfile(text string, args ...any) Config {
	return Config{"caddyfile", fmt.Sprintf(text, args...)}
}

// example makes a configuration of a file in examples. The replacements are pairs of what the file has, such
// as a port that may be in use, and what to write instead.
func example(t testing.TB, name string, replacements ...string) Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", name+".caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !bytes.Contains(text, []byte(replacements[i])) {
			t.Fatalf("example %s has no %q to replace", name, replacements[i])
		}
	}
	return Config{"caddyfile", strings.NewReplacer(replacements...).Replace(string(text))}
}

// JSON returns the configuration as Caddy's native JSON.
func (c Config) JSON(t testing.TB) Config {
	t.Helper()
	return Config{"", adapt(t, c.text)}
}

// inBothForms runs test with the Caddyfile and with the JSON that it means.
func inBothForms(t *testing.T, config Config, test func(*testing.T, Config)) {
	t.Run("Caddyfile", func(t *testing.T) { test(t, config) })
	t.Run("JSON", func(t *testing.T) { test(t, config.JSON(t)) })
}

// startCaddy starts Caddy and waits until it serves config. At the end of the test it must end in order,
// without a panic or a data race.
func startCaddy(t testing.TB, config Config) *Caddy {
	t.Helper()
	caddy, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := newDir("caddy")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config")
	if err := os.WriteFile(path, []byte(config.text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Caddy{Dir: dir, admin: local(freePort(t))}
	cmd := exec.Command(caddy, "run", "--config", path)
	if config.adapter != "" {
		cmd.Args = append(cmd.Args, "--adapter", config.adapter)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CADDY_ADMIN="+c.admin, "GORACE=exitcode=0 atexit_sleep_ms=10",
		"HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CACHE_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	c.process, err = startProcess(cmd, func(p *process) error {
		if !p.out.contains(`"msg":"serving initial configuration"`) {
			return errors.New("Caddy does not serve yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil || c.out.contains("panic: ") || c.raced() {
			t.Errorf("Caddy ended with %v, want nil, no panic and no data race", err)
		}
		if t.Failed() {
			t.Logf("Caddy:\n%s\n%s", config.text, c.out.tail())
		}
	})
	return c
}

// raced reports whether the race detector has found something, besides what is known of the host: behind
// the listener wrapper of caddy-l4 v0.1.2, its listener reads a connection's byte counts for its log while
// the http app, which has taken the connection over, still changes them.
func (c *Caddy) raced() bool {
	for _, report := range strings.Split(strings.Join(c.out.Lines(), "\n"), "==================") {
		if strings.Contains(report, "WARNING: DATA RACE") && !strings.Contains(report, "layer4.(*listener).handle()") {
			return true
		}
	}
	return false
}

// Reload gives the running process another configuration, as `caddy reload` does.
func (c *Caddy) Reload(t testing.TB, config Config) {
	t.Helper()
	contentType := "application/json"
	if config.adapter != "" {
		contentType = "text/" + config.adapter
	}
	response, err := http.Post("http://"+c.admin+"/load", contentType, strings.NewReader(config.text))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("reload: %s: %s", response.Status, body)
	}
}

// metric returns the value of a metric in the admin API's /metrics, or 0 if it is not there. The name has
// its labels, in the order of the alphabet: `requests_total{code="200"}`.
func (c *Caddy) metric(t testing.TB, name string) float64 {
	t.Helper()
	return c.metrics(t, name)[name]
}

// metrics returns the metrics that begin with prefix, by their names with labels.
func (c *Caddy) metrics(t testing.TB, prefix string) map[string]float64 {
	t.Helper()
	response, err := http.Get("http://" + c.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ") // labels may hold spaces
		if name += "}"; !ok {
			name, value, ok = strings.Cut(strings.TrimSpace(line), " ")
		}
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		if values[name], err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// A LogLine is a line of Caddy's log: "level", "logger", "msg" and what else the line has.
type LogLine map[string]any

// Logs returns the lines of the default log, which goes to standard error.
func (c *Caddy) Logs(t testing.TB) []LogLine {
	t.Helper()
	return parseLog(t, []byte(strings.Join(c.out.Lines(), "\n")))
}

// LogFile returns the complete lines of a log file, which may still grow. The path is relative to c.Dir.
func (c *Caddy) LogFile(t testing.TB, path string) []LogLine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return parseLog(t, text[:bytes.LastIndexByte(text, '\n')+1])
}

func parseLog(t testing.TB, text []byte) []LogLine {
	t.Helper()
	var lines []LogLine
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
			continue // what is not from the logger, as the race detector's report
		}
		var l LogLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}
