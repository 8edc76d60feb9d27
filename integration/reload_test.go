package integration

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// A Talker is a connection that runs one statement after the other, each with a text of its own.
type Talker struct {
	account Account
	said    atomic.Int64 // statements, the one that runs included
	stop    atomic.Bool
	ended   chan struct{}
	err     error // read it after ended
}

// startTalker starts a connection that goes on until it is stopped, or until it has said most.
func startTalker(t testing.TB, db *MariaDB, addr string, most int64) *Talker {
	t.Helper()
	talker := &Talker{account: db.createAccount(t, "%"), ended: make(chan struct{})}
	conn, w := connect(t, addr, talker.account, ""), word()
	go func() {
		defer close(talker.ended)
		for talker.err == nil && !talker.stop.Load() && talker.said.Load() < most {
			talker.err = drain(conn.QueryContext(t.Context(), fmt.Sprintf("SELECT %d AS %s", talker.said.Add(1), w)))
		}
	}()
	return talker
}

// wait waits until the talker has ended, which it must not do because of an error.
func (k *Talker) wait(t testing.TB) {
	t.Helper()
	if <-k.ended; k.err != nil {
		t.Errorf("statement %d of %s: %v", k.said.Load(), k.account.User, k.err)
	}
}

// TestReload: connections that are open while Caddy gets another configuration go on, and all that they say is
// recorded, before and after, by the database's general log. Nothing that is counted begins anew.
func TestReload(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := func(option, file string) Config {
		return example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr,
			"mysql_log\n", "mysql_log {\n\t\t\t\t\t\t\t"+option+"\n\t\t\t\t\t\t}\n", "queries.json", file)
	}
	caddy := startCaddy(t, config("queue 8192", "queries.json"))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
	reloads := []struct {
		name   string
		reload func()
	}{
		{"admin API", func() {
			caddy.Reload(t, config("queue 4096", "queries.json"))
		}},
		{"caddy reload", func() {
			path := filepath.Join(caddy.Dir, "reload")
			if err := os.WriteFile(path, []byte(config("overflow block", "queries.json").text), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, caddy.cmd.Path, "reload", "--config", path, "--adapter", "caddyfile", "--address", caddy.admin)
		}},
		{"same again", func() {
			caddy.Reload(t, config("queue 8192", "queries.json"))
		}},
		{"another file", func() {
			caddy.Reload(t, config("queue 8192", "queries2.json"))
		}},
	}
	var talkers []*Talker
	goOn := func(name string) {
		talkers = append(talkers, startTalker(t, db, sender.Addr, 1e6))
		before := make([]int64, len(talkers))
		for i, talker := range talkers {
			before[i] = talker.said.Load()
		}
		eventually(t, func() error {
			for i, talker := range talkers {
				if n := talker.said.Load() - before[i]; n < 20 {
					return fmt.Errorf("after %s: connection %d has run %d statements, want 20", name, i, n)
				}
			}
			return nil
		})
	}
	goOn("the start")
	for _, r := range reloads {
		r.reload()
		goOn(r.name)
	}
	for _, talker := range talkers {
		talker.stop.Store(true)
		talker.wait(t)
	}
	const metric = `caddy_l4mysql_proxy_headers_total{command="PROXY",result="ok",version="2"}`
	if n := caddy.metric(t, metric); n != float64(len(talkers)) {
		t.Errorf("Caddy counted %v headers, want %d over all reloads", n, len(talkers))
	}
	threads := caddy.RecordsByThread(t)
	if len(caddy.LogFile(t, "queries2.json")) == 0 {
		t.Error("queries2.json has no records, want those of the last connection at least")
	}
	for _, talker := range talkers {
		log := db.generalLog(t, talker.account.User)
		records := threads[log[0].ThreadID]
		// Each of the two files has its records in order.
		slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(a.ConnSeqNum, b.ConnSeqNum) })
		testQueries(t, records, log, log[0].ThreadID)
	}
	caddy.quiet(t)
}

// TestExit: what was answered before Caddy was told to end is in the log when it has ended, even if most of it was
// still waiting to be written and the connections were still open. What was answered comes from the database's
// general log. The log's file is a pipe that nobody reads until Caddy is about to end.
func TestExit(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	path := filepath.Join(t.TempDir(), "pipe")
	run(t, "mkfifo", path)
	pipe, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr,
		"queries.json", path))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
	const burst = 300 // of several hundred bytes each: the pipe takes 64 KiB
	var talkers []*Talker
	for range 4 {
		talkers = append(talkers, startTalker(t, db, sender.Addr, burst))
	}
	for _, talker := range talkers {
		talker.wait(t)
	}
	ended := make(chan error)
	go func() { ended <- caddy.stop() }()
	eventually(t, func() error {
		if !caddy.out.contains("shutting down apps") {
			return errors.New("Caddy does not end")
		}
		return nil
	})
	text, err := io.ReadAll(pipe)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Caddy ended with %v, want nil", err)
	}
	threads := byThread(parseRecords(t, text))
	for _, talker := range talkers {
		log := db.generalLog(t, talker.account.User)
		if n := len(queries(log, log[0].ThreadID)); n != burst {
			t.Errorf("the server logged %d statements of %s, want %d", n, talker.account.User, burst)
		}
		testQueries(t, threads[log[0].ThreadID], log, log[0].ThreadID)
	}
}

// TestLoad: of many statements on several connections at once, each has its one record, in the order of its
// connection, and nothing is dropped. The statements come from the database's general log, the addresses from
// HAProxy's.
func TestLoad(t *testing.T) {
	const connections, statements = 8, 500
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
	sender := startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
	var all sync.WaitGroup
	accounts := make([]Account, connections)
	errs := make([]error, connections)
	for i := range connections {
		accounts[i] = db.createAccount(t, "%")
		conn, w := connect(t, sender.Addr, accounts[i], ""), word()
		all.Go(func() {
			for n := 0; n < statements && errs[i] == nil; n++ {
				errs[i] = drain(conn.QueryContext(t.Context(), fmt.Sprintf("SELECT '%s-%d'", w, n)))
			}
			_ = conn.Close()
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	var clients []netip.AddrPort
	for _, session := range sender.Sessions(t, connections) {
		clients = append(clients, session.Client)
	}
	if dropped := caddy.metrics(t, "caddy_l4mysql_records_dropped_total"); len(dropped) > 0 {
		t.Errorf("got metrics %v, want no record dropped", dropped)
	}

	threads := caddy.RecordsByThread(t)
	texts := make(map[string]bool)
	for _, account := range accounts {
		log := db.endedLog(t, account.User)
		records := threads[log[0].ThreadID]
		delete(threads, log[0].ThreadID)
		testQueries(t, records, log, log[0].ThreadID)
		for _, text := range queries(log, log[0].ThreadID) {
			texts[text] = true
		}
		i := slices.IndexFunc(clients, func(a netip.AddrPort) bool { return a.String() == records[0].Origin })
		if i < 0 {
			t.Fatalf("got origin_addr %s, want one of %v, as HAProxy logged, and each once", records[0].Origin, clients)
		}
		clients = slices.Delete(clients, i, i+1)
		for _, r := range records {
			if r.Origin != records[0].Origin || r.Username != account.User {
				t.Errorf("got record %+v, want the address and the user of the connection's first", r)
			}
		}
	}
	if len(texts) != connections*statements || len(threads) > 0 {
		t.Errorf("the server logged %d texts, want %d; records of other connections: %v",
			len(texts), connections*statements, threads)
	}
	caddy.quiet(t)
}
