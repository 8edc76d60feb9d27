package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var keep = flag.Bool("keep", false, "leave the run's directory behind: configurations, data, logs")

// workDir is the directory of this run. All that a server writes is below it.
var workDir string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if workDir, err = os.MkdirTemp("", "l4mysql"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "keeping", workDir)
	} else {
		defer os.RemoveAll(workDir)
	}
	// Servers that do not run as root pass through here to their own directories.
	if err := os.Chmod(workDir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopAll()
	return m.Run()
}

// newDir makes a directory for one process of this run. Its name is short, because a unix socket's path
// has at most 107 bytes.
func newDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp(workDir, prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// caddyBinary builds cmd/caddy, once in a run, and returns its path.
var caddyBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workDir, "caddy")
	args := []string{"build", "-buildvcs=false", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/caddy")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return path, nil
})
