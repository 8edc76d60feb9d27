package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Postgres is a PostgreSQL server that logs each statement and knows one account, postgres, that needs no
// password.
type Postgres struct {
	*process
	Addr string // where it listens: host:port
}

// startPostgres starts a server for one test.
func startPostgres(t testing.TB) *Postgres {
	t.Helper()
	need(t, "postgres", "initdb", "psql")
	dir, err := newDir("pg")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := postgresCommand(t, dir, "initdb", "--pgdata="+data, "--username=postgres", "--auth=trust", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	pg := &Postgres{Addr: local(freePort(t))}
	host, port, err := net.SplitHostPort(pg.Addr)
	if err != nil {
		t.Fatal(err)
	}
	server := postgresCommand(t, dir, "postgres", "-D", data, "-h", host, "-p", port, "-k", dir,
		"-c", "log_statement=all", "-c", "fsync=off")
	pg.process, err = startProcess(server, func(p *process) error {
		if !p.out.contains("ready to accept connections") {
			return fmt.Errorf("PostgreSQL has not started")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pg.signal = os.Interrupt // end at once; at SIGTERM it waits for its clients
	pg.stopAfter(t)
	return pg
}

// postgresCommand is a command that runs as a user who is not root and owns dir.
func postgresCommand(t testing.TB, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if err := unprivileged(cmd, dir, "postgres", "nobody"); err != nil {
		t.Fatal(err)
	}
	return cmd
}
