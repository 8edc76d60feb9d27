package integration

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestInterrupt: Ctrl-C in MariaDB's client stops the statement, and nothing else, on whichever of two servers it is at. The
// client logs in once more for that, and the policy alone would send that login to the other server.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("script(1) has other options here")
	}
	need(t, "mariadb", "script")
	p := startPair(t, "")
	for i := range 20 {
		tls := "--skip-ssl"
		if i%2 == 1 {
			tls = "--ssl --skip-ssl-verify-server-cert"
		}
		// Sessions that stay: now one server has fewer, now the other.
		kept := dialRaw(t, p.addr, p.account)
		if err := kept.logIn(false); err != nil {
			t.Fatal(err)
		}
		mark := word()
		out := p.interrupt(t, tls, "SELECT SLEEP(30) /* "+mark+" */", "SELECT CONCAT('still', '-here-', '"+mark+"')")
		if !strings.Contains(out, "ERROR 1317 (70100)") || !strings.Contains(out, "still-here-"+mark) {
			t.Errorf("interrupt %d: the client said %q, want ERROR 1317, and the next statement's answer", i, out)
		}
	}
}

// interrupt types a statement into a client at a terminal of its own, presses Ctrl-C when a server is at it, and types the
// next one. It returns what is on the screen.
func (p *pair) interrupt(t *testing.T, tls, statement, next string) string {
	t.Helper()
	client, err := find("mariadb")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "--quiet", "--return", "--flush", "--command",
		fmt.Sprintf("%s --no-defaults --protocol=tcp --host=127.0.0.1 --port=%s --user=%s --password=%s %s --comments",
			client, portOf(t, p.addr), p.account.User, p.account.Password, tls), "/dev/null")
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := new(output)
	cmd.Stdout, cmd.Stderr = screen, screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	defer func() {
		cancel()
		<-ended
	}()
	typed := func(text string) {
		t.Helper()
		if _, err := io.WriteString(keyboard, text); err != nil {
			t.Fatal(err)
		}
	}
	typed(statement + ";\n")
	p.runs(t, statement)
	typed("\x03")
	eventually(t, func() error {
		if !screen.contains("ERROR") {
			return fmt.Errorf("the statement goes on; the screen: %q", screen.Lines())
		}
		return nil
	})
	typed(next + ";\nexit\n")
	<-ended
	return strings.Join(screen.Lines(), "\n")
}

// runs waits until one of the servers is at the statement.
func (p *pair) runs(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() error {
		var err error
		for _, server := range p.servers {
			var id int
			err = server.Admin.QueryRowContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE info = ?", text).Scan(&id)
			if err == nil {
				return nil
			}
		}
		return err
	})
}
