package l4mysql

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// TestLiveLog: the log that includes the records has them, and nothing else; the default log has none.
func TestLiveLog(t *testing.T) {
	file, addr := filepath.Join(t.TempDir(), "records.log"), freeAddr(t)
	logged := loadCaddyfile(t, recordLogTo("records", recordName, toFile(file)), logServer(addr, "events all", serveMySQL(t)))
	conn := logIn(t, addr)
	ask(t, conn, "SELECT 1")
	ask(t, conn, "UPDATE t SET x = 'a'")
	ask(t, conn, "SELCT")
	write(t, conn, mysqlQuit)
	expectEnd(t, conn, "")
	eventually(t, contents(t, file), `"event":"close"`)

	records := logLines(t, contents(t, file)(), recordName)
	wantRecords(t, records, "connect", "command COM_QUERY SELECT 1 rows=1", "command COM_QUERY UPDATE t SET x = 'a'",
		"command COM_QUERY SELCT error_code=1064", "close")
	if got := strings.Count(contents(t, file)(), "\n"); got != len(records) {
		t.Errorf("got %d lines, want %d", got, len(records))
	}
	for i, r := range records {
		if r["client_addr"] != conn.LocalAddr().String() || r["proxy_listen_addr"] != addr || number(t, r, "conn_seq_num") != i+1 ||
			r["conn_id"] != records[0]["conn_id"] {
			t.Errorf("got %v", r)
		}
	}
	if strings.Contains(logged(), recordName) || strings.Contains(logged(), "SELECT 1") {
		t.Errorf("records are in the default log: %s", logged())
	}
	noErrors(t, logged)
}

// TestLiveLogDefault: what the Caddyfile adapter does by itself, a JSON config has to: without an exclude
// the default log gets every record, too.
func TestLiveLogDefault(t *testing.T) {
	for _, exclude := range []string{`"admin"`, `"admin", "` + recordName + `"`} {
		file, addr := filepath.Join(t.TempDir(), "default.log"), freeAddr(t)
		config := fmt.Sprintf(`{
			"admin": {"disabled": true, "config": {"persist": false}},
			"logging": {"logs": {"default": {"writer": {"output": "file", "filename": %q}, "encoder": {"format": "json"}, "exclude": [%s]}}},
			"apps": {"layer4": {"servers": {"test": {"listen": [%q], "routes": [{"handle": [
				{"handler": "mysql_log"}, {"handler": "proxy", "upstreams": [{"dial": [%q]}]}
			]}]}}}}
		}`, file, exclude, addr, serveMySQL(t))
		if err := caddy.Load([]byte(config), true); err != nil {
			t.Fatal(err)
		}
		ask(t, logIn(t, addr), "SELECT 1")
		if !strings.Contains(exclude, recordName) {
			eventually(t, contents(t, file), "SELECT 1")
		}
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * gather)
		if got := strings.Contains(contents(t, file)(), "SELECT 1"); got == strings.Contains(exclude, recordName) {
			t.Errorf("exclude %s: records are in the default log: %t", exclude, got)
		}
	}
}

// TestLiveLogNames: log_name gives two listeners a log each; a log of all records has both's.
func TestLiveLogNames(t *testing.T) {
	dir, upstream := t.TempDir(), serveMySQL(t)
	addrs := map[string]string{"acme": freeAddr(t), "eu.zoo": freeAddr(t)}
	all := filepath.Join(dir, "all")
	logs, servers := recordLogTo("all", recordName, toFile(all)), ""
	for name, addr := range addrs {
		logs += recordLogTo(name, recordName+"."+name, toFile(filepath.Join(dir, name)))
		servers += logServer(addr, "log_name "+name, upstream)
	}
	logged := loadCaddyfile(t, logs, servers)
	for name, addr := range addrs {
		ask(t, logIn(t, addr), "SELECT '"+name+"'")
	}
	for name := range addrs {
		text := "SELECT '" + name + "'"
		eventually(t, contents(t, filepath.Join(dir, name)), text)
		eventually(t, contents(t, all), text)
		if got := queries(t, contents(t, filepath.Join(dir, name))(), recordName+"."+name); !slices.Equal(got, []string{text}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	noErrors(t, logged)
}

// TestLiveLogFilter: Caddy's `format filter` changes and removes keys of records.
func TestLiveLogFilter(t *testing.T) {
	file, addr := filepath.Join(t.TempDir(), "records.log"), freeAddr(t)
	filter := "\nformat filter {\nquery regexp `'[^']*'` ?\nusername hash\ndatabase delete\nclient_addr ip_mask {\nipv4 8\n}\nconnect_attrs>_pid replace none\n}"
	logged := loadCaddyfile(t, recordLogTo("records", recordName, "output file `"+file+"`"+filter), logServer(addr, "", serveMySQL(t)))
	ask(t, logIn(t, addr), "SELECT 'secret'")
	eventually(t, contents(t, file), "SELECT")
	records := logLines(t, contents(t, file)(), recordName)
	if got := records[1]["query"]; got != "SELECT ?" {
		t.Errorf("query: got %v", got)
	}
	for _, r := range records {
		if _, ok := r["database"]; ok || r["username"] == "app" || len(r["username"].(string)) != 8 || !strings.HasPrefix(r["client_addr"].(string), "127.0.0.0:") {
			t.Errorf("got %v", map[string]any(r))
		}
	}
	if got := fmt.Sprint(records[0]["connect_attrs"]); got != "map[_pid:none program_name:mysql]" {
		t.Errorf("connect_attrs: got %s", got)
	}
	noErrors(t, logged)
}

// TestLiveLogReload: a connection that is open while Caddy reloads loses no record and notices nothing. Its
// records go where they went: Caddy does not close the old log.
func TestLiveLogReload(t *testing.T) {
	dir, upstream, addr := t.TempDir(), serveMySQL(t), freeAddr(t)
	load := func(name, options string) func() string {
		return loadCaddyfile(t, recordLogTo("records", recordName, toFile(filepath.Join(dir, name))), logServer(addr, options, upstream))
	}
	logs := []func() string{load("a", "")}
	first := logIn(t, addr)
	ask(t, first, "SELECT 1")
	logs = append(logs, load("a", "max_query 6"))
	ask(t, first, "SELECT 2") // with what its config says, also of max_query
	second := logIn(t, addr)
	ask(t, second, "SELECT 3")
	logs = append(logs, load("b", ""))
	third := logIn(t, addr)
	for i, conn := range []*net.TCPConn{first, second, third} {
		ask(t, conn, fmt.Sprintf("SELECT 1%d", i))
	}
	a, b := contents(t, filepath.Join(dir, "a")), contents(t, filepath.Join(dir, "b"))
	eventually(t, a, "SELECT 10")
	within(t, 5*time.Second, "all records are there", func() bool {
		return len(queries(t, a(), recordName)) == 5 && len(queries(t, b(), recordName)) == 1
	})
	got := queries(t, a(), recordName)
	slices.Sort(got)
	if want := []string{"SELECT", "SELECT", "SELECT 1", "SELECT 10", "SELECT 2"}; !slices.Equal(got, want) {
		t.Errorf("old log: got %q, want %q", got, want)
	}
	if got := queries(t, b(), recordName); !slices.Equal(got, []string{"SELECT 12"}) {
		t.Errorf("new log: got %q", got)
	}
	for _, logged := range logs {
		noErrors(t, logged)
	}
}

// TestLiveLogReloadBusy: while statements run, reloads neither lose a record nor double one.
func TestLiveLogReloadBusy(t *testing.T) {
	const reloads, clients, statements = 5, 4, 200
	file, upstream, addr := filepath.Join(t.TempDir(), "records.log"), serveMySQL(t), freeAddr(t)
	load := func() {
		loadCaddyfile(t, recordLogTo("records", recordName, toFile(file)), logServer(addr, "commands com_query", upstream))
	}
	load()
	var all sync.WaitGroup
	for c := range clients {
		conn := logIn(t, addr)
		all.Go(func() {
			for i := range statements {
				text := fmt.Sprintf("SELECT %d", c*statements+i)
				answer := make([]byte, len(mysqlAnswer(text)))
				_, _ = io.WriteString(conn, mysqlQuery(text))
				if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != mysqlAnswer(text) {
					t.Errorf("got %q, %v", answer, err)
					return
				}
			}
		})
	}
	for range reloads {
		load()
	}
	all.Wait()
	log := contents(t, file)
	within(t, 10*time.Second, "all records are there", func() bool { return len(queries(t, log(), recordName)) >= clients*statements })
	got := queries(t, log(), recordName)
	slices.Sort(got)
	if unique := slices.Compact(slices.Clone(got)); len(got) != clients*statements || len(unique) != len(got) {
		t.Errorf("got %d records, %d of them different, want %d", len(got), len(unique), clients*statements)
	}
}

// TestLiveLogFails: a log that cannot be written is said once, in the default log, and counted.
func TestLiveLogFails(t *testing.T) {
	before := dropCount(t, dropWriteError)
	full := toWriter(t, funcWriter(func([]byte) (int, error) { return 0, errors.New("no space left on device") }))
	addr := freeAddr(t)
	logged := loadCaddyfile(t, recordLogTo("records", recordName, full), logServer(addr, "", serveMySQL(t)))
	conn := logIn(t, addr)
	for range 9 {
		ask(t, conn, "SELECT 1")
	}
	eventually(t, logged, `"level":"error"`, `"logger":"`+logName+`"`, "no space left on device")
	within(t, 5*time.Second, "10 records are counted", func() bool { return dropCount(t, dropWriteError)-before == 10 })
	if got := strings.Count(logged(), "no space left on device"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

// TestLiveLogHangs: a log that hangs holds up nobody. What was dropped is told when it works again.
func TestLiveLogHangs(t *testing.T) {
	sink, open := new(logSink), make(chan struct{})
	hangs := toWriter(t, funcWriter(func(p []byte) (int, error) {
		<-open
		return sink.Write(p)
	}))
	before := dropCount(t, dropQueueFull)
	addr := freeAddr(t)
	logged := loadCaddyfile(t, recordLogTo("records", recordName, hangs), logServer(addr, "queue 10", serveMySQL(t)))
	conn := logIn(t, addr)
	for range 99 {
		ask(t, conn, "SELECT 1")
	}
	if got := dropCount(t, dropQueueFull) - before; got != 90 {
		t.Errorf("got %d in the metric, want 90 of 100", got)
	}
	close(open)
	eventually(t, sink.String, `"conn_seq_num":10,`)
	ask(t, conn, "SELECT 2")
	eventually(t, sink.String, "SELECT 2")
	dropped := 0
	records := logLines(t, sink.String(), recordName)
	for _, r := range records {
		if _, ok := r["dropped"]; ok {
			dropped += number(t, r, "dropped")
		}
	}
	if len(records) != 11 || dropped != 90 {
		t.Errorf("got %d records that tell of %d dropped, want 11 and 90", len(records), dropped)
	}
	noErrors(t, logged)
}

// TestLiveLogDatagram: layer4 still finds its own connection type below, where it looks for it.
func TestLiveLogDatagram(t *testing.T) {
	addr := freeAddr(t)
	logged := loadCaddyfile(t, "", "udp/"+addr+" {\nroute {\nmysql_log\nsubroute {\n@q regexp ^ques\nroute @q {\necho\n}\n}\n}\n}\n")
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	write(t, conn, "question")
	expect(t, conn, "question")
	noErrors(t, logged)
}
