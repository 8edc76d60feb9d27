package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/mholt/caddy-l4"

	_ "github.com/l4mysql/l4mysql"
)

var update = flag.Bool("update", false, "write what was got into testdata; read the diff")

// separator stands between a case's Caddyfile and what is wanted of it: JSON, or an error's text.
const separator = "----------\n"

// TestAdapt adapts the Caddyfile of each case in testdata.
func TestAdapt(t *testing.T) {
	for _, path := range glob(t, "testdata/*.caddytest") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".caddytest"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, ok := strings.Cut(string(text), separator)
			if !ok {
				t.Fatalf("%s has no line %q", path, separator)
			}
			got, err := tryAdapt(t, caddyfile)
			if err != nil {
				got = err.Error() + "\n"
			}
			if *update {
				if err := os.WriteFile(path, []byte(caddyfile+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestExamples adapts every example, and asks for the header that tells how to run it.
func TestExamples(t *testing.T) {
	for _, path := range glob(t, "../examples/*.caddyfile") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			adapt(t, string(text))
			run := "\n# Run:   caddy run --config examples/" + filepath.Base(path) + "\n"
			for _, want := range []string{"\n# Needs: ", run, "\n# Then:  ", "\n# See:   "} {
				if !strings.Contains(string(text), want) {
					t.Errorf("the header has no line %q", want)
				}
			}
		})
	}
}

// TestExampleHAProxy asks HAProxy whether it takes the configuration that the examples name.
func TestExampleHAProxy(t *testing.T) {
	need(t, "haproxy")
	run(t, "haproxy", "-c", "-f", "../examples/haproxy.cfg")
}

// adapt returns the JSON that a Caddyfile means, indented.
func adapt(t testing.TB, caddyfile string) string {
	t.Helper()
	config, err := tryAdapt(t, caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// tryAdapt is adapt for Caddyfiles that may be wrong. A warning fails the test: Caddyfiles here are formatted.
func tryAdapt(t testing.TB, caddyfile string) (string, error) {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	for _, warning := range warnings {
		t.Errorf("line %d: %s", warning.Line, warning.Message)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String() + "\n", nil
}

// glob is filepath.Glob for patterns that must match something.
func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: got %d files and error %v, want some", pattern, len(paths), err)
	}
	return paths
}
