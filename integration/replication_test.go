package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// replicating starts a server that writes a binary log, Caddy with mysql_log before it, and an account that
// may replicate.
func replicating(t *testing.T) (*MariaDB, *Caddy, string, Account) {
	t.Helper()
	db := startMariaDB(t, "--log-bin=binlog", "--server-id=11", "--rpl-semi-sync-master-enabled=ON",
		"--rpl-semi-sync-master-timeout=30000", "--rpl-semi-sync-master-wait-no-slave=OFF")
	listen := local(freePort(t))
	caddy := startCaddy(t, recorded(listen, "mysql_log {\n commands all\n events all\n}", "proxy "+db.Addr))
	account := db.createAccount(t, "%")
	db.exec(t, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ?@'%'", account.User)
	return db, caddy, listen, account
}

// ofReplication returns the records of the connection that has asked for the binary log.
func ofReplication(t *testing.T, c *Caddy) (records []Record) {
	t.Helper()
	all := c.Records(t)
	for _, r := range all {
		if strings.HasPrefix(r.Command, "COM_BINLOG_DUMP") {
			for _, of := range all {
				if of.ConnID == r.ConnID {
					records = append(records, of)
				}
			}
			return records
		}
	}
	t.Fatal("nobody has asked for the binary log")
	return nil
}

// TestReplica: a replica with semi-synchronous replication behind mysql_log gets every change, and its
// acknowledgements are no commands: its connection tells of one dump, and then of its end.
func TestReplica(t *testing.T) {
	source, caddy, listen, account := replicating(t)
	replica := startMariaDB(t, "--log-bin=binlog", "--server-id=12", "--rpl-semi-sync-slave-enabled=ON")
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	var file string
	var at int
	if err := source.Admin.QueryRow("SHOW MASTER STATUS").Scan(&file, &at, new(string), new(string)); err != nil {
		t.Fatal(err)
	}
	replica.exec(t, fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%s, MASTER_USER='%s', MASTER_PASSWORD='%s',
		MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d`, host, port, account.User, account.Password, file, at))
	replica.exec(t, "START SLAVE")
	eventually(t, func() error {
		if n := source.status(t, "Rpl_semi_sync_master_clients"); n != 1 {
			return fmt.Errorf("the source has %d semi-synchronous replicas, want 1", n)
		}
		return nil
	})
	schema := word()
	source.exec(t, "CREATE DATABASE "+schema)
	source.exec(t, "CREATE TABLE "+schema+".t (a INT)")
	for i := range 20 {
		source.exec(t, fmt.Sprintf("INSERT INTO %s.t VALUES (%d)", schema, i)) // waits for the acknowledgement
	}
	if acknowledged := source.status(t, "Rpl_semi_sync_master_yes_tx"); acknowledged < 20 {
		t.Errorf("the source has %d acknowledged transactions, want at least 20", acknowledged)
	}
	eventually(t, func() error {
		var n int
		err := replica.Admin.QueryRow("SELECT COUNT(*) FROM " + schema + ".t").Scan(&n)
		if err == nil && n != 20 {
			err = fmt.Errorf("the replica has %d rows, want 20", n)
		}
		return err
	})
	replica.exec(t, "STOP SLAVE")
	eventually(t, func() error {
		if records := ofReplication(t, caddy); records[len(records)-1].Event != "close" {
			return fmt.Errorf("got last %+v, want close", records[len(records)-1])
		}
		return nil
	})
	records := ofReplication(t, caddy)
	i := slices.IndexFunc(records, func(r Record) bool { return r.Command == "COM_BINLOG_DUMP" })
	if i == 0 || records[i-1].Command != "COM_QUERY" && records[i-1].Command != "COM_REGISTER_SLAVE" {
		t.Errorf("got %+v before the dump", records[max(0, i-1)])
	}
	for _, r := range records[i+1:] {
		if r.Event != "close" && r.Event != "server_error" {
			t.Errorf("after the dump: got %+v", r)
		}
	}
	if records[0].Event != "connect" || records[0].Username != account.User {
		t.Errorf("got first %+v, want connect of %s", records[0], account.User)
	}
	if registered := slices.ContainsFunc(records, func(r Record) bool { return r.Command == "COM_REGISTER_SLAVE" }); !registered {
		t.Error("no COM_REGISTER_SLAVE")
	}
}

// TestBinlogClient: mariadb-binlog reads the whole log of a server through mysql_log, and gets what it gets
// from the server itself. A file that does not exist is the dump's error.
func TestBinlogClient(t *testing.T) {
	need(t, "mariadb-binlog")
	source, caddy, listen, account := replicating(t)
	text := strings.Repeat("x", 1<<20)
	schema := word()
	source.exec(t, "CREATE DATABASE "+schema)
	source.exec(t, "CREATE TABLE "+schema+".t (a LONGTEXT)")
	source.exec(t, "INSERT INTO "+schema+".t VALUES (?)", text)
	dump := func(addr, file string) (string, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		_, err = try(t, "mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--protocol=tcp", "--raw", "--result-file="+dir+"/",
			"--host="+host, "--port="+port, "--user="+account.User, "--password="+account.Password, file)
		if err != nil {
			return "", err
		}
		log, err := os.ReadFile(filepath.Join(dir, file))
		return string(log), err
	}
	want, err := dump(source.Addr, "binlog.000001")
	if err != nil || len(want) < len(text) {
		t.Fatalf("directly: got %d bytes, %v", len(want), err)
	}
	if got, err := dump(listen, "binlog.000001"); err != nil || got != want {
		t.Errorf("through Caddy: got %d bytes, %v; want %d", len(got), err, len(want))
	}
	if _, err := dump(listen, "binlog.000099"); err == nil {
		t.Error("a file that does not exist: got no error")
	}
	var dumps []Record
	for _, r := range caddy.stopped(t) {
		if strings.HasPrefix(r.Command, "COM_BINLOG_DUMP") {
			dumps = append(dumps, r)
		}
		if r.Event == "opaque" {
			t.Errorf("got %+v", r)
		}
	}
	if len(dumps) != 2 || dumps[0].ErrorCode != 0 || dumps[1].ErrorCode != 1236 {
		t.Errorf("got %+v; want two dumps, the second with error 1236", dumps)
	}
}

// stopped ends Caddy and returns its records.
func (c *Caddy) stopped(t *testing.T) []Record {
	t.Helper()
	if err := c.stop(); err != nil {
		t.Fatalf("Caddy ended with %v, want nil", err)
	}
	return c.Records(t)
}
