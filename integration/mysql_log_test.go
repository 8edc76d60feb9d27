package integration

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// TestKill: what the database does to a statement or a connection that somebody kills, its client sees through
// Caddy, and the records tell the same. What the client was told comes from MariaDB's own client, or from the
// bytes.
func TestKill(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")

	const endless = "SELECT COUNT(*) FROM information_schema.collations a, information_schema.collations b," +
		" information_schema.collations c, information_schema.collations d"
	tests := []struct {
		name, statement, kill string
		account               Account
		code                  uint16 // that the client was told
	}{
		{name: "connection that waits", statement: "SELECT SLEEP(60)", kill: "KILL CONNECTION"},
		{name: "connection that works", statement: endless, kill: "KILL CONNECTION"},
		{name: "query", statement: endless, kill: "KILL QUERY"},
	}
	for i := range tests {
		tt := &tests[i]
		tt.account = db.createAccount(t, "%")
		tt.statement += " /* " + word() + " */"
		told := make(chan error)
		go func() {
			_, err := queryCLI(t, sender.Addr, tt.account, tt.statement)
			told <- err
		}()
		db.kill(t, tt.kill, tt.account.User, "Query")
		tt.code = clientError(t, <-told)
	}
	idle := db.createAccount(t, "%")
	conn, raw := connectRaw(t, sender.Addr, idle)
	if err := drain(conn.QueryContext(t.Context(), "SELECT 1")); err != nil {
		t.Fatal(err)
	}
	db.kill(t, "KILL CONNECTION", idle.User, "Sleep")
	idleCode := farewell(t, raw)

	records := caddy.RecordsByThread(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := db.generalLog(t, tt.account.User)
			got := records[log[0].ThreadID]
			if len(got) != 2 || countStatements(log, tt.statement) != 1 || got[1].Query != tt.statement {
				t.Fatalf("got records %+v, want the login and %s, as the server logged: %+v", got, tt.statement, log)
			}
			code, incomplete := tt.code, ""
			if code >= 2000 && code < 3000 { // the client's own codes, as 2013 "Lost connection"
				code, incomplete = 0, "server_closed"
			}
			if got[1].ErrorCode != code || got[1].Incomplete != incomplete {
				t.Errorf("got error_code %d, incomplete %q, want %d, %q, as the client was told %d",
					got[1].ErrorCode, got[1].Incomplete, code, incomplete, tt.code)
			}
		})
	}
	t.Run("idle connection", func(t *testing.T) {
		log := db.generalLog(t, idle.User)
		got := records[log[0].ThreadID]
		if len(got) < 2 || got[1].Query != "SELECT 1" || got[1].Incomplete != "" {
			t.Fatalf("got records %+v, want the login and one statement", got)
		}
		if got = got[2:]; idleCode == 0 && len(got) > 0 {
			t.Errorf("got records %+v, want none, as the client was told nothing", got)
		}
		if idleCode != 0 && (len(got) != 1 || got[0].Event != "server_error" || got[0].ErrorCode != idleCode) {
			t.Errorf("got records %+v, want server_error %d, as the client was sent", got, idleCode)
		}
	})
}

// kill waits until a user's one session does what the process list calls command, and runs statement on it.
func (m *MariaDB) kill(t testing.TB, statement, user, command string) {
	t.Helper()
	var thread uint64
	eventually(t, func() error {
		return m.Admin.QueryRowContext(t.Context(),
			"SELECT id FROM information_schema.processlist WHERE user = ? AND command = ?", user, command).Scan(&thread)
	})
	m.exec(t, fmt.Sprint(statement, " ", thread))
}

var clientErrorCode = regexp.MustCompile(`ERROR (\d+) \(`)

// clientError returns the code of the error that the mariadb client printed: 2000 to 2999 are its own.
func clientError(t testing.TB, err error) uint16 {
	t.Helper()
	if err == nil {
		t.Fatal("the mariadb client had no error")
	}
	match := clientErrorCode.FindStringSubmatch(err.Error())
	if match == nil {
		t.Fatalf("the mariadb client printed no code: %v", err)
	}
	code, err := strconv.ParseUint(match[1], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(code)
}

// connectRaw is connect, and returns also the connection below.
func connectRaw(t testing.TB, addr string, a Account) (*sql.Conn, net.Conn) {
	t.Helper()
	var raw net.Conn
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName, config.Net, config.Addr = a.User, a.Password, a.Database(), "tcp", addr
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var err error
		raw, err = new(net.Dialer).DialContext(ctx, network, addr)
		return raw, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, raw
}

// farewell reads a connection to its end, which must come soon and in order, and returns the code of the ERR
// packet that the server sent before it, or 0.
func farewell(t testing.TB, conn net.Conn) uint16 {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	packet, err := readPacket(conn)
	if errors.Is(err, io.EOF) {
		return 0
	}
	if err != nil || len(packet) < 3 || packet[0] != 0xff {
		t.Fatalf("got %q and error %v, want an ERR packet or the end", packet, err)
	}
	if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
		t.Errorf("got %q and error %v behind the ERR packet, want the end", rest, err)
	}
	return binary.LittleEndian.Uint16([]byte(packet[1:3]))
}

// TestClientTLS: a client that switches to TLS works as without Caddy, and all that is recorded of it is that it
// did. That it did says the database's general log.
func TestClientTLS(t *testing.T) {
	authority := newAuthority(t)
	dir, err := newDir("tls")
	if err != nil {
		t.Fatal(err)
	}
	certificate := publish(t, dir, authority.issue(t, "127.0.0.1")) // where the database may read it
	db := startMariaDB(t, "--ssl-cert="+certificate, "--ssl-key="+certificate, "--ssl-ca="+publish(t, dir, authority.File))
	endpoint := newEndpoint(t)
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")

	const connections = 3
	secret := word()
	threads := make(map[uint64]Session)
	for i := range connections {
		account, statement := db.createAccount(t, "%"), "SELECT '"+secret+word()+"'"
		runCLI(t, sender.Addr, account, statement+";\n"+keepProcess+";\n",
			"--ssl", "--ssl-ca="+authority.File, "--skip-ssl-verify-server-cert")
		log := db.endedLog(t, account.User)
		if !strings.HasSuffix(log[0].Argument, "using SSL/TLS") || countStatements(log, statement) != 1 {
			t.Fatalf("got general log %+v, want a login with TLS and %s", log, statement)
		}
		threads[log[0].ThreadID] = sender.Sessions(t, i+1)[i]
	}

	for thread, records := range caddy.RecordsByThread(t) {
		want, ok := threads[thread]
		if !ok || len(records) != 1 || records[0].Event != "tls" || records[0].Reason != "tls" ||
			records[0].Username != "" || records[0].Origin != want.Client.String() {
			t.Errorf("thread %d: got records %+v, want one, tls, from %s", thread, records, want.Client)
		}
		delete(threads, thread)
	}
	if len(threads) > 0 {
		t.Errorf("got no record of %v, want one of each", threads)
	}
	if bytes.Contains(caddy.recordBytes(t), []byte(secret)) {
		t.Errorf("queries.json has %s, which was encrypted", secret)
	}
	var warnings []LogLine
	for _, line := range caddy.Logs(t) {
		if line["logger"] == "layer4.handlers.mysql_log" {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 || warnings[0]["level"] != "warn" || warnings[0]["reason"] != "tls" {
		t.Errorf("got %v in the default log, want one warning of %d connections", warnings, connections)
	}
}

// publish copies a file to dir, so that servers that do not run as root can read it.
func publish(t testing.TB, dir, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod(0o644); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// TestFullDisk: a log that cannot be written is said once and counted, one by one, and no client notices. How
// many records there should be comes from the database's general log.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr,
		"queries.json", full))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
	lost := 0
	for _, client := range clients {
		account, statement := db.createAccount(t, "%"), whoAmI()
		if _, err := client.query(t, sender.Addr, account, statement, statement, statement); err != nil {
			t.Errorf("%s: %v", client.name, err)
		}
		log := db.endedLog(t, account.User)
		if n := countStatements(log, statement); n != 3 {
			t.Errorf("%s: the server executed %q %d times, want 3", client.name, statement, n)
		}
		lost += 1 + len(queries(log, log[0].ThreadID)) // the login, too
	}
	eventually(t, func() error {
		got := caddy.metrics(t, "caddy_l4mysql_records_dropped_total")
		if want := `caddy_l4mysql_records_dropped_total{reason="write_error"}`; got[want] != float64(lost) || len(got) != 1 {
			return fmt.Errorf("got metrics %v, want %d of write_error", got, lost)
		}
		return nil
	})
	var complaints []LogLine
	for _, line := range caddy.Logs(t) {
		if strings.Contains(fmt.Sprint(line), "no space left on device") {
			complaints = append(complaints, line)
		}
	}
	if len(complaints) != 1 || complaints[0]["level"] != "error" || complaints[0]["logger"] != "layer4.handlers.mysql_log" {
		t.Errorf("got %v, want the error once", complaints)
	}
	if n := strings.Count(strings.Join(caddy.out.Lines(), "\n"), "no space left on device"); n != 1 {
		t.Errorf("Caddy printed the error %d times, want once", n)
	}
}
