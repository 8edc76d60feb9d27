package integration

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A compatClient is a column of the matrix.
type compatClient struct {
	name    string
	command string // what it needs on this machine, if it needs something
	version func(t testing.TB) (string, error)
	// start makes the client ready. What it returns does tasks, one after the other.
	start func(t testing.TB, m *Matrix) func(testing.TB, Task) error
	// outRows says whether it gets the OUT parameters of a prepared CALL as a row (CLIENT_PS_MULTI_RESULTS).
	outRows bool
}

// A program is a client that does tasks as they come: a line in, a line out.
type program struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	stderr strings.Builder
}

// startProgram starts a program, which ends with the test.
func startProgram(t testing.TB, command string, args ...string) *program {
	t.Helper()
	path, err := find(command)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.Command(path, args...)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewScanner(stdout)
	if err := start(p.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer time.AfterFunc(patience, func() { kill(p.cmd) }).Stop()
		_ = p.stdin.Close() // asks it to end
		if err := p.cmd.Wait(); err != nil || p.stderr.Len() > 0 {
			t.Errorf("%v: %v: %s", p.cmd.Args, err, p.stderr.String())
		}
	})
	return p
}

// ask gives the program a line, and returns the one that it prints.
func (p *program) ask(line string) (string, error) {
	defer time.AfterFunc(patience, func() { kill(p.cmd) }).Stop()
	if _, err := io.WriteString(p.stdin, line); err != nil {
		return "", err
	}
	if !p.stdout.Scan() {
		return "", errors.Join(fmt.Errorf("%v has ended", p.cmd.Args), p.stdout.Err())
	}
	return p.stdout.Text(), nil
}

// do has the program do a task.
func (p *program) do(_ testing.TB, task Task) error {
	answer, err := p.ask(task.line())
	if err == nil && answer != "" {
		err = errors.New(answer)
	}
	return err
}

var pyMySQL = compatClient{
	name:    "PyMySQL",
	command: python,
	version: func(t testing.TB) (string, error) {
		t.Helper()
		return try(t, python, "-c", "import pymysql; print(pymysql.__version__)")
	},
	start: func(t testing.TB, _ *Matrix) func(testing.TB, Task) error {
		t.Helper()
		return startProgram(t, python, "testdata/compat/client.py").do
	},
}

// python is the one that Debian's packages belong to.
const python = "/usr/bin/python3"

var mysqli = compatClient{
	name:    "mysqli",
	command: "php",
	version: func(t testing.TB) (string, error) {
		t.Helper()
		return try(t, "php", "-r", "mysqli_init(); echo 'PHP ', PHP_VERSION;")
	},
	start: func(t testing.TB, _ *Matrix) func(testing.TB, Task) error {
		t.Helper()
		return startProgram(t, "php", "-d", "memory_limit=256M", "-d", "mysqli.allow_local_infile=1",
			"testdata/compat/client.php").do
	},
}

// connectorJar is where Debian has MariaDB Connector/J.
const connectorJar = "/usr/share/java/mariadb-java-client.jar"

var connectorJ = compatClient{
	name:    "Connector/J",
	command: "javac",
	outRows: true,
	version: func(testing.TB) (string, error) { return jarVersion(connectorJar) },
	start: func(t testing.TB, _ *Matrix) func(testing.TB, Task) error {
		t.Helper()
		return startProgram(t, "java", "-Xmx512m", "-cp", connectorJar, "testdata/compat/Client.java").do
	},
}

// jarVersion returns the version that a jar's manifest tells.
func jarVersion(path string) (string, error) {
	jar, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer jar.Close()
	manifest, err := fs.ReadFile(jar, "META-INF/MANIFEST.MF")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(manifest)) {
		if version, ok := strings.CutPrefix(line, "Bundle-Version: "); ok {
			return version, nil
		}
	}
	return "", fmt.Errorf("%s tells no version", path)
}
