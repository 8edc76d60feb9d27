package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// runMain makes the test binary run the program in its stead.
const runMain = "QUICKSTART_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A place is a directory with a Caddyfile, as the program wants it, and a home of its own.
type place struct {
	dir, home         string
	address, upstream string
}

// newPlace copies the Caddyfile that the repository has, with two free ports.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), home: t.TempDir(), address: freeAddr(t), upstream: freeAddr(t)}
	shipped, err := readCaddyfile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Replace(shipped.text, []byte(shipped.address), []byte(p.address), 1)
	text = bytes.Replace(text, []byte(shipped.upstream), []byte(p.upstream), 1)
	if err := os.WriteFile(filepath.Join(p.dir, "Caddyfile"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
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

// program is the real program, as a process in p.
func (p *place) program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Dir = p.dir
	cmd.Env = []string{runMain + "=1", "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"} {
		cmd.Env = append(cmd.Env, name+"="+p.home)
	}
	return cmd
}

// lines are those of the file that Caddy writes.
func (p *place) lines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "queries.json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func decode(t *testing.T, line string) (record map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	return record
}

// demonstration is what one run told of itself.
type demonstration struct {
	origin     string
	statements []string
	records    []string
}

func readDemonstration(t *testing.T, output string) demonstration {
	t.Helper()
	var d demonstration
	if m := regexp.MustCompile(`names it as (203\.0\.113\.\d+:\d+),`).FindStringSubmatch(output); m != nil {
		d.origin = m[1]
	}
	for _, m := range regexp.MustCompile(`(?m)^   (.*)  -> `).FindAllStringSubmatch(output, -1) {
		d.statements = append(d.statements, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^   (\{.*\})$`).FindAllStringSubmatch(output, -1) {
		d.records = append(d.records, m[1])
	}
	if d.origin == "" || len(d.statements) != 4 || len(d.records) == 0 {
		t.Fatalf("got origin %q, statements %q, records %q; output:\n%s", d.origin, d.statements, d.records, output)
	}
	return d
}

// The second run appends to the file of the first, and must show its own records only.
func TestOnce(t *testing.T) {
	p := newPlace(t)
	seen := 0
	var origins []string
	for range 2 {
		output, err := p.program(t, "-once").CombinedOutput()
		if err != nil {
			t.Fatalf("%v; output:\n%s", err, output)
		}
		d := readDemonstration(t, string(output))
		origins = append(origins, d.origin)

		all := p.lines(t)
		lines := all[seen:]
		seen = len(all)
		if !slices.Equal(d.records, lines) {
			t.Fatalf("got the records %q shown, want those in the file, %q", d.records, lines)
		}

		var r map[string]any
		var queries []string
		for _, line := range lines {
			r = decode(t, line)
			if got := r["origin_addr"]; got != d.origin {
				t.Errorf("got origin_addr %v, want %s, in %s", got, d.origin, line)
			}
			if got := r["username"]; got != "app" {
				t.Errorf("got username %v, want app, in %s", got, line)
			}
			switch r["command"] {
			case "COM_QUERY":
				queries = append(queries, fmt.Sprint(r["query"]))
			case "COM_STMT_EXECUTE":
				queries = append(queries, fmt.Sprint(r["stmt_prepare_query"]))
			}
		}
		if !slices.Equal(queries, d.statements) {
			t.Errorf("got the statements %q in the file, want %q", queries, d.statements)
		}
		if got := r["error_code"]; got != 1146.0 {
			t.Errorf("got error_code %v for a table that does not exist, want 1146", got)
		}
	}
	if origins[0] == origins[1] {
		t.Errorf("got the same address %s in two runs, want one drawn in each", origins[0])
	}

	if left, err := os.ReadDir(p.home); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v in the home directory, want nothing", left, err)
	}
}

func TestPortInUse(t *testing.T) {
	for _, tt := range []struct {
		name string
		addr func(*place) string
	}{
		{"Caddy's", func(p *place) string { return p.address }},
		{"the server's", func(p *place) string { return p.upstream }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			addr := tt.addr(p)
			ln, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()

			var stderr strings.Builder
			cmd := p.program(t, "-once")
			cmd.Stderr = &stderr
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("got %v, want exit status 1", err)
			}
			want := regexp.MustCompile(regexp.QuoteMeta(addr) + `.*; choose another port in line (\d+) of (\S+)\n$`)
			m := want.FindStringSubmatch(stderr.String())
			if m == nil {
				t.Fatalf("got %q, want a match of %s", stderr.String(), want)
			}
			text, err := os.ReadFile(m[2])
			if err != nil {
				t.Fatal(err)
			}
			var number int
			fmt.Sscan(m[1], &number)
			if line := strings.Split(string(text), "\n")[number-1]; !strings.Contains(line, addr) {
				t.Errorf("got line %d, %q, want the one with %s", number, line, addr)
			}
		})
	}
}

// A staying is the program that goes on after its demonstration.
type staying struct {
	cmd            *exec.Cmd
	stdout         *bufio.Scanner
	output, stderr strings.Builder // output: of what was read from stdout
}

func (p *place) stay(t *testing.T) *staying {
	t.Helper()
	s := &staying{cmd: p.program(t)}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdout = bufio.NewScanner(stdout)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop() })
	return s
}

// until reads lines up to the one that has part, and returns that one.
func (s *staying) until(t *testing.T, part string) string {
	t.Helper()
	for s.stdout.Scan() {
		fmt.Fprintln(&s.output, s.stdout.Text())
		if strings.Contains(s.stdout.Text(), part) {
			return s.stdout.Text()
		}
	}
	t.Fatalf("no line with %q in:\n%s", part, &s.output)
	return ""
}

// The command that the program prints is run as printed, by whichever client is on PATH.
func TestCommand(t *testing.T) {
	_, errMariaDB := exec.LookPath("mariadb")
	_, errMySQL := exec.LookPath("mysql")
	if errMariaDB != nil && errMySQL != nil {
		if os.Getenv("L4MYSQL_REQUIRE_SERVERS") != "" {
			t.Fatal(errMariaDB, errMySQL)
		}
		t.Skip(errMariaDB, errMySQL)
	}
	p := newPlace(t)
	s := p.stay(t)
	command := strings.TrimSpace(s.until(t, "--execute"))
	d := readDemonstration(t, s.output.String())
	order := regexp.MustCompile(`\d+`).FindString(d.statements[1])

	answer, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
	if err != nil || !strings.Contains(string(answer), order) {
		t.Errorf("%s: got %v and %q, want order %s", command, err, answer, order)
	}

	shown := strings.TrimSpace(s.until(t, `"query":"SELECT * FROM orders"`))
	if lines := p.lines(t); !slices.Contains(lines, shown) {
		t.Errorf("got %s shown, want a line of the file, which has %q", shown, lines)
	}
	r := decode(t, shown)
	if r["username"] != "you" || r["rows"] != 1.0 {
		t.Errorf("got username %v and rows %v, want you and 1", r["username"], r["rows"])
	}
	if got, want := r["origin_addr"], r["client_addr"]; got != want {
		t.Errorf("got origin_addr %v without a PROXY header, want the socket's peer %v", got, want)
	}
}

// An open connection does not hold the program.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	p := newPlace(t)
	s := p.stay(t)
	s.until(t, "--execute")
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatalf("reading the greeting: %v", err)
	}

	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for s.stdout.Scan() {
		t.Errorf("got %q after the interrupt, want no more output", s.stdout.Text())
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("got %v after an interrupt, want exit status 0", err)
	}
	if s.stderr.Len() != 0 {
		t.Errorf("got %q on standard error, want nothing", &s.stderr)
	}
}
