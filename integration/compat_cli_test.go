package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mariadbCLI is MariaDB's command line client.
var mariadbCLI = compatClient{
	name:    "mariadb",
	command: "mariadb",
	version: func(t testing.TB) (string, error) {
		t.Helper()
		out, err := try(t, "mariadb", "--version")
		if err != nil {
			return "", err
		}
		return versionAfter("Distrib ", out)
	},
	start: func(t testing.TB, _ *Matrix) func(testing.TB, Task) error {
		t.Helper()
		path, err := find("mariadb")
		if err != nil {
			t.Fatal(err)
		}
		return func(t testing.TB, task Task) error {
			t.Helper()
			return runScript(t, task, exec.Command(path, "--no-defaults", "--skip-ssl"))
		}
	},
}

// mysqlCLI is MySQL's command line client, from where its server is.
var mysqlCLI = compatClient{
	name: "mysql",
	version: func(testing.TB) (string, error) {
		out, err := inMySQLRoot(exec.Command("/usr/bin/mysql", "--version")).Output()
		if err != nil {
			return "", err
		}
		return versionAfter("Ver ", string(out))
	},
	start: func(t testing.TB, _ *Matrix) func(testing.TB, Task) error {
		t.Helper()
		here, there := newMySQLDir(t)
		if err := os.WriteFile(filepath.Join(here, "lines"), infile, 0o644); err != nil {
			t.Fatal(err)
		}
		return func(t testing.TB, task Task) error {
			t.Helper()
			task.File = there + "/lines"
			return runScript(t, task, inMySQLRoot(exec.Command("/usr/bin/mysql", "--no-defaults",
				"--commands", "--ssl-mode=DISABLED", "--get-server-public-key")))
		}
	},
}

// versionAfter finds the version that stands behind a word.
func versionAfter(word, out string) (string, error) {
	match := regexp.MustCompile(word + `(\d+\.\d+\.\d+)`).FindStringSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("no version in %q", out)
	}
	return match[1], nil
}

// scriptOptions are the options of either client for a scenario, by its name.
var scriptOptions = map[string]string{
	"compression": "--compress",
	"zstd":        "--compression-algorithms=zstd",
	"latin1":      "--default-character-set=latin1",
}

// runScript has a command line client run a section of testdata/compat/cli.sql. Errors that the server answers
// with are part of the scenarios.
func runScript(t testing.TB, task Task, cmd *exec.Cmd) error {
	t.Helper()
	script, err := cliScript(task)
	if err != nil {
		return err
	}
	cmd.Args = append(cmd.Args,
		"--protocol=tcp", "--batch", "--comments", "--force", "--named-commands",
		"--local-infile=1", "--max-allowed-packet=64M", "--default-character-set=utf8mb4",
		"--host="+task.Host, fmt.Sprint("--port=", task.Port),
		"--user="+task.User, "--password="+task.Password)
	if option := scriptOptions[task.Scenario]; option != "" {
		cmd.Args = append(cmd.Args, option)
	}
	cmd.Args = append(cmd.Args, task.Database())
	cmd.Stdin = strings.NewReader(script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := start(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer context.AfterFunc(ctx, func() { kill(cmd) })()
	defer cancel()
	// The client ends with 1 if one of the statements had an error.
	if err := cmd.Wait(); err != nil && (ctx.Err() != nil || !bytes.Contains(stderr.Bytes(), []byte("ERROR "))) {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, stderr.Bytes())
	}
	return nil
}

// A word of cli.sql with an argument.
var cliWord = regexp.MustCompile(`@(latin1|measure|x) ([^@]+)@`)

// cliScript returns a scenario's section of testdata/compat/cli.sql.
func cliScript(task Task) (string, error) {
	text, err := os.ReadFile("testdata/compat/cli.sql")
	if err != nil {
		return "", err
	}
	_, section, ok := strings.Cut(string(text), "-- scenario: "+task.Scenario+"\n")
	if !ok {
		return "", fmt.Errorf("cli.sql has no scenario %s", task.Scenario)
	}
	section, _, _ = strings.Cut(section, "-- scenario: ")
	section = strings.NewReplacer("@word@", task.Word, "@file@", task.File, "@database@", task.Database(),
		"@endless@", endlessQuery, "@compressed@", task.Compressed, "@many@", manyQuery).Replace(section)
	return cliWord.ReplaceAllStringFunc(section, func(word string) string {
		match := cliWord.FindStringSubmatch(word)
		if match[1] == "latin1" {
			var latin1 []byte
			for _, r := range match[2] {
				latin1 = append(latin1, byte(r))
			}
			return string(latin1)
		}
		n, err := strconv.Atoi(match[2])
		if err != nil {
			panic(err)
		}
		if match[1] == "x" {
			return strings.Repeat("x", n)
		}
		return measureBegin + strings.Repeat("y", n) + measureEnd
	}), nil
}
