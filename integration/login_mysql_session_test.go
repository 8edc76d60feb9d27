package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLoginMySQLSession: MySQL 9's own client verifies Caddy's certificate, its query attributes are recorded, and Ctrl-C stops
// its statement, for which it logs in once more to kill it: with the README's first configuration.
func TestLoginMySQLSession(t *testing.T) {
	db := startMySQL(t, "--tls-version=TLSv1.3")
	addr := local(freePort(t))
	account := mysqlAccounts(t, db)["caching_sha2_password"] // before the first health check: a server refuses hosts without any
	caddy := startCaddy(t, readmeConfig(t, addr, db.Addr))
	root, err := os.ReadFile(caddy.rootOf(t))
	if err != nil {
		t.Fatal(err)
	}
	here, there := newMySQLDir(t)
	if err := os.WriteFile(filepath.Join(here, "root.crt"), root, 0o644); err != nil {
		t.Fatal(err)
	}
	stranger, err := os.ReadFile(newAuthority(t).File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(here, "stranger.crt"), stranger, 0o644); err != nil {
		t.Fatal(err)
	}
	verified := []string{"--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=" + there + "/root.crt"}

	eventually(t, func() error { // the certificate is made while Caddy serves already
		said, err := clientOutput(t, mysqlCommand(t, addr, account, append(verified, "--execute=SELECT 1")...))
		if err == nil && said != "1" {
			err = permanent{fmt.Errorf("got %q, want 1", said)}
		}
		return err
	})
	said, err := clientOutput(t, mysqlCommand(t, addr, account, verified[0], "--ssl-ca="+there+"/stranger.crt", "--execute=SELECT 1"))
	if err == nil || !strings.Contains(err.Error(), "ERROR 2026") {
		t.Errorf("another authority: got %q, %v, want error 2026", said, err)
	}

	color := word()
	cmd := mysqlCommand(t, addr, account, "--commands", "--named-commands")
	cmd.Stdin = strings.NewReader("query_attributes color " + color + "\nSELECT mysql_query_attribute_string('color');\n")
	if said, err := clientOutput(t, cmd); err != nil || said != color {
		t.Errorf("query attributes: got %q, %v, want %s", said, err, color)
	}

	endless := endlessQuery + " /* " + word() + " */"
	cmd = mysqlCommand(t, addr, account, "--comments", "--execute="+endless)
	ended := make(chan error)
	go func() {
		_, err := clientOutput(t, cmd)
		ended <- err
	}()
	var thread, killed uint64
	eventually(t, func() error {
		return db.Admin.QueryRowContext(t.Context(),
			"SELECT id FROM performance_schema.processlist WHERE info = ?", endless).Scan(&thread)
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "ERROR 1317 (70100)") {
		t.Errorf("Ctrl-C: got %v, want error 1317", err)
	}

	if err := caddy.stop(); err != nil {
		t.Fatal(err)
	}
	var attributes, interrupted int
	for _, line := range caddy.LogFile(t, "queries.json") {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		var r CompatRecord
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if string(r.Attributes["color"]) == `"`+color+`"` && strings.HasPrefix(r.Query, "SELECT mysql_query_attribute_string") {
			attributes++
		}
		if r.Query == endless && r.ErrorCode == 1317 && r.ThreadID == thread && r.Username == account.user {
			interrupted++
		}
		if n, _ := fmt.Sscanf(r.Query, "KILL QUERY %d", &killed); n == 1 && (r.ErrorCode != 0 || r.ThreadID == thread) {
			t.Errorf("got record %+v, want a KILL that another session has done", r)
		}
	}
	if attributes != 1 || interrupted != 1 || killed < 1<<31 {
		t.Errorf("got %d records of query attributes, %d of an interrupted statement, and a KILL of %d; want one of each, by the id of the greeting",
			attributes, interrupted, killed)
	}
	for _, line := range caddy.Logs(t) {
		if line["level"] == "error" || line["level"] == "warn" && strings.HasPrefix(fmt.Sprint(line["logger"]), "layer4") {
			t.Errorf("Caddy's default log has %v", line)
		}
	}
}
