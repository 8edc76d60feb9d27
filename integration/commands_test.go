package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// need skips the test if one of the commands is not installed, or fails it where the servers are required.
func need(t testing.TB, commands ...string) {
	t.Helper()
	for _, command := range commands {
		if _, err := find(command); err != nil {
			if os.Getenv("L4MYSQL_REQUIRE_SERVERS") == "1" {
				t.Fatal(err)
			}
			t.Skipf("%v; `make test` installs it", err)
		}
	}
}

// find returns the path of a command, also from where Debian keeps what is not for every user's PATH.
func find(command string) (string, error) {
	if path, err := exec.LookPath(command); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/postgresql/*/bin"} {
		paths, err := filepath.Glob(filepath.Join(pattern, command))
		if err == nil && len(paths) > 0 {
			return paths[len(paths)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed", command)
}

// run runs a command to its end and returns what it printed. It fails the test if the command fails.
func run(t testing.TB, command string, args ...string) string {
	t.Helper()
	out, err := try(t, command, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is run for a command that may fail: the error then holds what it printed on standard error.
func try(t testing.TB, command string, args ...string) (string, error) {
	t.Helper()
	path, err := find(command)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", command, err, stderr.String())
	}
	return string(out), nil
}
