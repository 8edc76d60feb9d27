package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Nginx is nginx as a TCP load balancer: its stream module.
type Nginx struct {
	*process
	log string // the access log: one line per connection
}

// nginxBase is one process without a daemon, so that it ends with the test.
const nginxBase = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr notice;
%[2]s
events {}
stream {
	log_format sessions '$remote_addr:$remote_port $server_addr:$server_port';
	access_log %[1]s/access.log sessions;
%[3]s
}
`

// startNginx starts nginx with servers: the server blocks of its stream section.
func startNginx(t testing.TB, servers string) *Nginx {
	t.Helper()
	need(t, "nginx")
	path, err := find("nginx")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := newDir("nginx")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxBase, dir, loadStream(t, path), servers)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &Nginx{log: filepath.Join(dir, "access.log")}
	cmd := exec.Command(path, "-p", dir, "-e", "stderr", "-c", config)
	n.process, err = startProcess(cmd, func(p *process) error {
		if !p.out.contains("event method") { // the listeners are open by then
			return errors.New("nginx has not started")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n.stopAfter(t)
	return n
}

// loadStream returns the line that loads the stream module, if nginx does not have it built in.
func loadStream(t testing.TB, nginx string) string {
	t.Helper()
	out, err := exec.Command(nginx, "-V").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	dir := "/usr/lib/nginx/modules"
	for _, flag := range strings.Fields(string(out)) {
		if flag == "--with-stream" {
			return ""
		}
		if path, ok := strings.CutPrefix(flag, "--modules-path="); ok {
			dir = path
		}
	}
	return fmt.Sprintf("load_module %s;", filepath.Join(dir, "ngx_stream_module.so"))
}

// sessions waits until n connections have ended, and returns their log lines.
func (n *Nginx) sessions(t testing.TB, want int) []Session {
	t.Helper()
	var sessions []Session
	eventually(t, func() error {
		text, err := os.ReadFile(n.log)
		if err != nil {
			return err
		}
		sessions = sessions[:0]
		for line := range strings.Lines(string(text)) {
			client, dest, _ := strings.Cut(strings.TrimSpace(line), " ")
			sessions = append(sessions, Session{Client: parseAddr(t, client), Dest: parseAddr(t, dest)})
		}
		if len(sessions) != want {
			return fmt.Errorf("nginx logged %d connections, want %d", len(sessions), want)
		}
		return nil
	})
	return sessions
}
