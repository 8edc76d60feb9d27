package integration

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// healthy waits until Caddy says that of the upstream.
func (c *Caddy) healthy(t testing.TB, upstream string, want bool) {
	t.Helper()
	value := map[bool]float64{true: 1}[want]
	eventually(t, func() error {
		got, ok := c.metrics(t, "caddy_l4mysql_upstream_healthy")[fmt.Sprintf("caddy_l4mysql_upstream_healthy{upstream=%q}", upstream)]
		if !ok || got != value {
			return fmt.Errorf("upstream_healthy of %s is %v (%t), want %v", upstream, got, ok, value)
		}
		return nil
	})
}

// TestUnhealthyUpstream: a server that fails its checks gets no new sessions, until it passes them again. Its sessions go on.
func TestUnhealthyUpstream(t *testing.T) {
	servers := [2]*MariaDB{sharedMariaDB(t), startMariaDB(t)}
	hops := [2]*hop{startHop(t, servers[0].Addr, "127.0.0.1"), startHop(t, servers[1].Addr, "127.0.0.1")}
	account, checker := servers[0].createAccount(t, "%"), word()
	servers[1].exec(t, "CREATE DATABASE "+account.Database())
	servers[1].createSame(t, account)
	servers[1].exec(t, "GRANT ALL ON "+account.Database()+".* TO ?", account.User)
	for _, server := range servers {
		server.exec(t, "CREATE USER ?", checker)
	}
	addr := local(freePort(t))
	caddy := startCaddy(t, oneRoute(addr, "mysql_login", fmt.Sprintf(`mysql_proxy %s %s {
					health_interval 50ms
					health_timeout 500ms
					health_fall 3
					health_rise 2
					health_user %s
				}`, hops[0].Addr, hops[1].Addr, checker)))
	served(t, addr, account, false)
	p := &pair{addr: addr, servers: servers, account: account, caddy: caddy}
	for _, hop := range hops {
		caddy.healthy(t, hop.Addr, true)
	}
	old := p.loginAt(t, account, 1)
	for round, bad := range []func(caddy, server *net.TCPConn){
		func(caddy, _ *net.TCPConn) { _ = caddy.SetLinger(0) },
		func(caddy, _ *net.TCPConn) { _, _ = caddy.Write(packet(0, "\xff\x10\x04Too many connections")) },
		func(caddy, server *net.TCPConn) { cutAfter(caddy, server, 1) },
	} {
		hops[1].behave(bad)
		caddy.healthy(t, hops[1].Addr, false)
		for range 4 {
			if _, at := p.login(t, account, 0); at != 0 {
				t.Errorf("round %d: a session went to the server that is unhealthy", round)
			}
		}
		if err := old.alive(); err != nil {
			t.Errorf("round %d: the server's session: %v", round, err)
		}
		hops[1].behave(nil)
		caddy.healthy(t, hops[1].Addr, true)
		for range 3 { // it has fewer
			if _, at := p.login(t, account, 0); at != 1 {
				t.Errorf("round %d: a session did not go to the server that is healthy again", round)
			}
		}
	}
	lines := make(map[string]int)
	for _, line := range caddy.Logs(t) {
		if line["logger"] == "mysql" && line["upstream"] == hops[1].Addr {
			lines[fmt.Sprint(line["level"], " ", line["msg"])]++
		}
	}
	if lines["warn upstream is unhealthy"] != 3 || lines["info upstream is healthy"] != 4 {
		t.Errorf("got lines %v, want 3 of its falls, and 4 that it is healthy", lines)
	}
	if log := servers[0].generalLog(t, checker); len(log) == 0 || !strings.Contains(log[0].Argument, checker) {
		t.Errorf("the server has logged no login of %s: %+v", checker, log)
	}
}

// TestHealthHTTP: a server whose URL does not answer 200 is unhealthy, whatever its logins do.
func TestHealthHTTP(t *testing.T) {
	db := sharedMariaDB(t)
	var code atomic.Int32
	code.Store(http.StatusServiceUnavailable)
	var asked atomic.Value
	status := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Host + r.URL.String())
		w.WriteHeader(int(code.Load()))
	}))
	defer status.Close()
	addr := local(freePort(t))
	port := portOf(t, status.Listener.Addr().String())
	caddy := startCaddy(t, oneRoute(addr, "mysql_login", fmt.Sprintf(`mysql_proxy %s {
					health_interval 50ms
					health_http http://{upstream_host}:%s/primary
				}`, db.Addr, port)))
	account := db.createAccount(t, "%")
	caddy.healthy(t, db.Addr, false)
	c := dialRaw(t, addr, account)
	if err := do(c.greeted, c.login, c.accepted); !isRefusal(err, 1105) {
		t.Errorf("got %v, want ERR 1105", err)
	}
	code.Store(http.StatusOK)
	caddy.healthy(t, db.Addr, true)
	if err := visit(t, addr, account, false); err != nil {
		t.Error(err)
	}
	code.Store(http.StatusFound)
	caddy.healthy(t, db.Addr, false)
	if want := "127.0.0.1:" + port + "/primary"; asked.Load() != want {
		t.Errorf("the URL was %v, want %s", asked.Load(), want)
	}
}
