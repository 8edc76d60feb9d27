package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestSessionsOutliveReloads: sessions go on through a hundred reloads. What is counted of them equals those that answer,
// new sessions go where there are fewer, everything is recorded, and nothing piles up.
func TestSessionsOutliveReloads(t *testing.T) {
	p := startPair(t, "")
	serverFirst := local(freePort(t))
	config := func(i int) Config {
		c := p.config("mysql_log", fmt.Sprintf("lb_retries %d", 1+i%2))
		c.text = strings.Replace(c.text, "\tlayer4 {\n", fmt.Sprintf(`	layer4 {
		%s {
			route {
				mysql_log
				mysql_proxy %s %s {
					tls as_client
					health_interval 1h
				}
			}
		}
`, serverFirst, p.servers[0].Addr, p.servers[1].Addr), 1)
		return c
	}
	reloads := 0
	reload := func(n int) {
		t.Helper()
		for range n {
			p.caddy.Reload(t, config(reloads))
			reloads++
		}
	}
	reload(1)
	var open []*rawClient
	enter := func(addr string, withTLS bool, statements ...string) *rawClient {
		t.Helper()
		c := dialRaw(t, addr, p.account)
		if err := c.logIn(withTLS); err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if _, err := c.query(s); err != nil {
				t.Fatal(err)
			}
		}
		open = append(open, c)
		return c
	}
	more := func() {
		enter(p.addr, true)
		enter(serverFirst, false)
		enter(p.addr, true, "BEGIN", "SELECT COUNT(*) FROM mysql.proc")
		enter(serverFirst, false, "BEGIN", "SELECT COUNT(*) FROM mysql.proc")
	}
	counted := func() {
		t.Helper()
		for _, c := range open {
			if err := c.alive(); err != nil {
				t.Errorf("after %d reloads: %v", reloads, err)
			}
		}
		eventually(t, func() error {
			all, sure := p.caddy.sessions(t), p.caddy.sessions(t, "idle", "transaction", "busy")
			if all != sure || sure != float64(len(open)) {
				return fmt.Errorf("after %d reloads: %v sessions are counted, %v of them idle, in a transaction or busy; %d answer",
					reloads, all, sure, len(open))
			}
			return nil
		})
	}
	for _, server := range p.servers {
		server.exec(t, "GRANT SELECT ON mysql.proc TO ?", p.account.User)
	}
	more()
	counted()
	reload(20)
	more()
	counted()
	before := p.caddy.footprint(t)
	reload(79)
	counted()
	eventually(t, func() error { return p.caddy.footprint(t).beyond(before) }) // what a reload stops ends in its own time

	// Of 8 sessions each server has 4. Those of the first one end but for one: the next three go there.
	var at [2][]*rawClient
	for _, c := range open {
		i, err := p.at(c)
		if err != nil {
			t.Fatal(err)
		}
		at[i] = append(at[i], c)
	}
	if len(at[0]) != 4 || len(at[1]) != 4 {
		t.Errorf("the servers have %d and %d sessions, want 4 and 4", len(at[0]), len(at[1]))
	}
	for _, c := range at[0][1:] {
		if err := do(func() error { return c.send(mysqlwire.ComQuit, "") }, func() error { _, _, err := c.end(); return err }); err != nil {
			t.Error(err)
		}
		open = slices.DeleteFunc(open, func(o *rawClient) bool { return o == c })
	}
	counted()
	reload(1)
	for range 3 {
		if i, err := p.at(enter(p.addr, true)); err != nil || i != 0 {
			t.Errorf("a new session went to server %d, %v; want 0, where there are fewer", i, err)
		}
	}
	counted()

	for _, c := range open {
		if err := c.send(mysqlwire.ComQuit, ""); err != nil {
			t.Error(err)
		}
	}
	if err := p.caddy.stop(); err != nil {
		t.Errorf("Caddy ended with %v, want nil", err)
	}
	testAllRecorded(t, p)
	for _, line := range p.caddy.Logs(t) {
		if line["level"] == "error" {
			t.Errorf("got %v, want nothing at ERROR", line)
		}
	}
}

// testAllRecorded compares the statements of each session, in their order, with what the servers have logged. The two
// servers number their threads alike.
func testAllRecorded(t *testing.T, p *pair) {
	t.Helper()
	var want, got []string
	for _, server := range p.servers {
		log := server.generalLog(t, p.account.User)
		for _, thread := range threads(log) {
			want = append(want, strings.Join(queries(log, thread), "\n"))
		}
	}
	sessions := make(map[string][]string)
	for _, r := range p.caddy.Records(t) {
		if sessions[r.ConnID] = append(sessions[r.ConnID], r.Query); r.ConnSeqNum != len(sessions[r.ConnID]) {
			t.Errorf("got conn_seq_num %d, want %d, of %+v", r.ConnSeqNum, len(sessions[r.ConnID]), r)
		}
	}
	for _, texts := range sessions {
		texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" }) // the login's record
		got = append(got, strings.Join(texts, "\n"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got records of %d sessions, want %d, as the servers logged\n%s", len(got), len(want), firstDifference(got, want))
	}
}
