package integration

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A HAProxy is a load balancer whose log tells who was connected.
type HAProxy struct {
	*process
	socket string // its stats socket
}

// haproxyBase is what every configuration begins with. The log's format is tcplog's, and behind it the
// address that the client connected to and the connection's unique id ("-" without unique-id-format).
const haproxyBase = `
global
	log stdout format raw local0
	stats socket %s mode 600 level admin
defaults
	mode tcp
	log global
	log-format "%%ci:%%cp [%%t] %%ft %%b/%%s %%Tw/%%Tc/%%Tt %%B %%ts %%ac/%%fc/%%bc/%%sc/%%rc %%sq/%%bq dst=%%fi:%%fp id=%%ID"
	timeout connect 10s
	timeout client 60s
	timeout server 60s
`

// startHAProxy starts HAProxy with sections: its frontend, backend and listen sections.
func startHAProxy(t testing.TB, sections string) *HAProxy {
	t.Helper()
	need(t, "haproxy")
	path, err := find("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := newDir("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	h := &HAProxy{socket: filepath.Join(dir, "sock")}
	config := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(haproxyBase, h.socket)+sections), 0o600); err != nil {
		t.Fatal(err)
	}
	h.process, err = startProcess(exec.Command(path, "-db", "-f", config), func(*process) error {
		_, err := h.ask("show version")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.stopAfter(t)
	return h
}

// ask sends a command to the stats socket and returns the answer.
func (h *HAProxy) ask(command string) (string, error) {
	conn, err := net.DialTimeout("unix", h.socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// health returns what HAProxy thinks of a server: "UP" or "DOWN", and the last check's result, as "L4OK",
// "L7OK" or "L7TOUT".
func (h *HAProxy) health(backend, server string) (status, check string, err error) {
	stat, err := h.ask("show stat")
	if err != nil {
		return "", "", err
	}
	lines := strings.Split(strings.TrimSpace(stat), "\n")
	names := strings.Split(strings.TrimPrefix(lines[0], "# "), ",")
	for _, line := range lines[1:] {
		row := make(map[string]string)
		for i, value := range strings.Split(line, ",") {
			row[names[i]] = value
		}
		if row["pxname"] == backend && row["svname"] == server {
			return row["status"], strings.TrimPrefix(row["check_status"], "* "), nil
		}
	}
	return "", "", fmt.Errorf("HAProxy has no server %s/%s", backend, server)
}

// A Session is a line of a load balancer's log.
type Session struct {
	Client   netip.AddrPort // who connected
	Dest     netip.AddrPort // where to
	UniqueID string         // "-" or empty without one
}

// sessions waits until n connections through the frontend have ended, and returns their log lines.
func (h *HAProxy) sessions(t testing.TB, frontend string, n int) []Session {
	t.Helper()
	var sessions []Session
	eventually(t, func() error {
		sessions = sessions[:0]
		for _, line := range h.out.Lines() {
			// <client> [<time>] <frontend> <backend/server> ... dst=<addr> id=<id>; "~" is TLS.
			fields := strings.Fields(line)
			if len(fields) < 5 || strings.TrimSuffix(fields[2], "~") != frontend || !strings.HasPrefix(fields[len(fields)-1], "id=") {
				continue
			}
			sessions = append(sessions, Session{
				Client:   parseAddr(t, fields[0]),
				Dest:     parseAddr(t, strings.TrimPrefix(fields[len(fields)-2], "dst=")),
				UniqueID: strings.TrimPrefix(fields[len(fields)-1], "id="),
			})
		}
		if len(sessions) != n {
			return fmt.Errorf("HAProxy logged %d connections to %s, want %d", len(sessions), frontend, n)
		}
		return nil
	})
	return sessions
}

// parseAddr reads address:port, where an IPv6 address may stand without brackets.
func parseAddr(t testing.TB, s string) netip.AddrPort {
	t.Helper()
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		t.Fatalf("%q is not an address and a port", s)
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(strings.Trim(s[:i], "[]"), s[i+1:]))
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
