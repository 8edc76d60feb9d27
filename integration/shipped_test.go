package integration

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// startShippedHAProxy starts HAProxy with examples/haproxy.cfg, which checks a server every 100 ms instead of
// every 2 s, on other ports, and with `option tcplog`. It returns the address where MySQL clients connect.
func startShippedHAProxy(t testing.TB, caddy Endpoint) (*HAProxy, string) {
	t.Helper()
	text, err := os.ReadFile("../examples/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	addr := local(freePort(t))
	config := string(text)
	for _, change := range [][2]string{
		{"mode tcp\n", "mode tcp\n\tlog global\n\toption tcplog\n"},
		{"check-send-proxy\n", "check-send-proxy inter 100ms\n"},
		{"127.0.0.1:3308", addr},
		{"127.0.0.1:3306", caddy.IPv4},
		{"127.0.0.1:5434", local(freePort(t))},
		{"127.0.0.1:8081", local(freePort(t))},
	} {
		if strings.Count(config, change[0]) != 1 {
			t.Fatalf("haproxy.cfg does not have %q once", change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	return startHAProxy(t, config), addr
}

// tcplogClients waits until n connections through a frontend have ended, and returns who they were from, as
// `option tcplog` tells.
func (h *HAProxy) tcplogClients(t testing.TB, frontend string, n int) []netip.AddrPort {
	t.Helper()
	var clients []netip.AddrPort
	eventually(t, func() error {
		clients = clients[:0]
		for _, line := range h.out.Lines() {
			if fields := strings.Fields(line); len(fields) > 2 && fields[2] == frontend {
				clients = append(clients, parseAddr(t, fields[0]))
			}
		}
		if len(clients) != n {
			return fmt.Errorf("HAProxy logged %d connections to %s, want %d", len(clients), frontend, n)
		}
		return nil
	})
	return clients
}

// TestShippedExample: with the two configurations that examples has for it, the load balancer's checks and
// its clients come through the same port. Only clients reach the database, are recorded, and count as such:
// how many there were and from where is in HAProxy's log, what they said in the database's general log.
func TestShippedExample(t *testing.T) {
	db := startMariaDB(t) // of its own: its counters are looked at
	endpoint := newEndpoint(t)
	caddy := startCaddy(t, example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr))
	const (
		metric = "caddy_l4mysql_proxy_headers_total"
		checks = metric + `{command="LOCAL",result="ok",version="2"}`
		ours   = metric + `{command="PROXY",result="ok",version="2"}`
	)
	before := db.status(t, "Connections")
	h, addr := startShippedHAProxy(t, endpoint)
	waitForChecks := func() {
		start := caddy.metric(t, checks)
		eventually(t, func() error {
			if n := caddy.metric(t, checks); n < start+3 {
				return fmt.Errorf("Caddy counted %v checks, want %v", n, start+3)
			}
			return nil
		})
	}
	waitForChecks()
	statements := make(map[string]string) // by user
	for _, client := range clients {
		account, statement := db.createAccount(t, "%"), whoAmI()
		if _, err := client.query(t, addr, account, statement); err != nil {
			t.Fatal(err)
		}
		statements[account.User] = statement
	}
	sources := h.tcplogClients(t, "mysql", len(clients))
	waitForChecks()

	if n := db.status(t, "Connections") - before; n != len(clients) {
		t.Errorf("the database was connected to %d times, want %d, as HAProxy logged clients", n, len(clients))
	}
	got := caddy.metrics(t, metric)
	if got[ours] != float64(len(clients)) || got[checks] < 6 || len(got) != 2 {
		t.Errorf("got %v, want %d headers of clients, those of checks, and nothing else", got, len(clients))
	}
	if status, check, err := h.health("mysql", "caddy"); status != "UP" || check != "L4OK" || err != nil {
		t.Errorf("HAProxy: server is %s, check %s, error %v; want UP, L4OK", status, check, err)
	}

	threads := caddy.RecordsByThread(t)
	for user, statement := range statements {
		log := db.endedLog(t, user)
		records := threads[log[0].ThreadID]
		delete(threads, log[0].ThreadID)
		testQueries(t, records, log, log[0].ThreadID)
		if n := countStatements(log, statement); n != 1 {
			t.Errorf("the server executed %q %d times, want once", statement, n)
		}
		for _, r := range records {
			source, err := netip.ParseAddrPort(r.Origin)
			if err != nil || !slices.Contains(sources, source) || r.Username != user {
				t.Errorf("got origin_addr %s, username %s, want one of %v, as HAProxy logged, and %s",
					r.Origin, r.Username, sources, user)
			}
		}
	}
	if len(threads) > 0 {
		t.Errorf("got records %v, want none but those of clients", threads)
	}
	caddy.quiet(t)
}
