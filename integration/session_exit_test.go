package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// exitGrace is how long Caddy waits when it ends.
const exitGrace = 4 * time.Second

// exiting is a Caddy with a port for each passage, whose grace period is short.
func exiting(db *MariaDB, loginFirst, serverFirst, rest string) Config {
	return Caddyfile(`{
	skip_install_trust
	mysql {
		grace_period %s
	}
	layer4 {
		%s {
			route {
				mysql_login {
					tls db.localhost
				}
				mysql_log
				mysql_proxy %[4]s {
					health_interval 1h
				}
			}
		}
		%[3]s {
			route {
				mysql_proxy %[4]s {
					tls as_client
					health_interval 1h
				}
			}
		}
	}
}
%[5]s
`, exitGrace, loginFirst, serverFirst, db.Addr, rest)
}

// TestDrain: when Caddy is told to end, sessions between two commands end at once, statements get to their end, and
// transactions may be committed. What is left is cut when the grace period is over, and Caddy ends in time.
func TestDrain(t *testing.T) {
	db := startMariaDB(t, tlsOptions(t)...)
	loginFirst, serverFirst, web := local(freePort(t)), local(freePort(t)), local(freePort(t))
	caddy := startCaddy(t, exiting(db, loginFirst, serverFirst, fmt.Sprintf("http://%s {\n\trespond here\n}\n", web)))
	account := db.createAccount(t, "%")
	db.exec(t, "CREATE TABLE "+account.Database()+".t (n INT)")
	served(t, loginFirst, account, true)
	keepHTTP(t, web)

	enter := func(addr string, withTLS bool, then ...func(c *rawClient) error) *rawClient {
		t.Helper()
		c := dialRaw(t, addr, account)
		if err := c.logIn(withTLS); err != nil {
			t.Fatal(err)
		}
		for _, step := range then {
			if err := step(c); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	statement := func(text string) func(c *rawClient) error {
		return func(c *rawClient) error { _, err := c.query(text); return err }
	}
	sleep := func(c *rawClient) error { return c.send(mysqlwire.ComQuery, "SELECT SLEEP(2)") }
	insert := func(n int) func(c *rawClient) error { return statement(fmt.Sprintf("INSERT INTO t VALUES (%d)", n)) }
	sides := []struct {
		addr    string
		withTLS bool
	}{{loginFirst, false}, {loginFirst, true}, {serverFirst, false}}
	var idle, busy, committing, open, atSwitch []*rawClient
	for i, side := range sides {
		idle = append(idle, enter(side.addr, side.withTLS))
		busy = append(busy, enter(side.addr, side.withTLS, sleep))
		committing = append(committing, enter(side.addr, side.withTLS, statement("BEGIN"), insert(i)))
		open = append(open, enter(side.addr, side.withTLS, statement("BEGIN"), insert(100+i)))
		c := dialRaw(t, side.addr, account)
		if err := do(c.greeted, c.login, c.switched); err != nil {
			t.Fatal(err)
		}
		atSwitch = append(atSwitch, c)
	}
	opaque := enter(serverFirst, true)
	greeted := dialRaw(t, loginFirst, account)
	if err := greeted.greeted(); err != nil {
		t.Fatal(err)
	}
	silent := dialRaw(t, serverFirst, account)
	if err := silent.greeted(); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- caddy.stop() }()
	for i, c := range idle {
		if packets, refusal, err := c.end(); err != nil || refusal != nil || packets != 0 {
			t.Errorf("idle %d: got %d packets, ERR %v, error %v; want the end", i, packets, refusal, err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("idle sessions had to wait for %v", took)
	}
	if err := do(greeted.login, greeted.accepted); !isRefusal(err, 1053) {
		t.Errorf("login after the end began: got %v, want ERR 1053", err)
	}
	for _, addr := range []string{loginFirst, serverFirst} {
		testLateClient(t, addr, account)
	}
	refused := 0
	for i, c := range committing {
		if err := statement("COMMIT")(c); err != nil {
			t.Errorf("COMMIT %d: %v", i, err)
		}
		if isRefusal(statement("SELECT 1")(c), 1053) {
			refused++
		}
		if packets, _, err := c.end(); err != nil || packets != 0 {
			t.Errorf("after COMMIT %d: got %d packets, error %v; want the end", i, packets, err)
		}
	}
	if refused == 0 {
		t.Error("no command right after a COMMIT got ERR 1053")
	}
	for i, c := range atSwitch {
		if err := do(c.answer, c.accepted); err != nil && !isRefusal(err, 1053) {
			t.Errorf("login %d that was under way: got %v, want OK or ERR 1053", i, err)
		}
		if packets, _, err := c.end(); err != nil || packets != 0 {
			t.Errorf("after login %d: got %d packets, error %v; want the end", i, packets, err)
		}
	}
	for i, c := range busy {
		if value, err := c.result(); err != nil || value != "0" {
			t.Errorf("statement %d: got %q, %v; want its row", i, value, err)
		}
		if packets, refusal, err := c.end(); err != nil || refusal != nil || packets != 0 {
			t.Errorf("after statement %d: got %d packets, ERR %v, error %v; want the end", i, packets, refusal, err)
		}
	}
	if took := time.Since(began); took >= exitGrace {
		t.Errorf("sessions that can be drained had to wait for the end of the grace period: %v", took)
	}
	for i, c := range append(open, opaque, silent) {
		if _, refusal, err := c.end(); err != nil || refusal != nil {
			t.Errorf("cut %d: got ERR %v, error %v; want the end", i, refusal, err)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("Caddy ended with %v, want nil", err)
	}
	if took := time.Since(began); took < exitGrace || took > exitGrace+3*time.Second {
		t.Errorf("Caddy ended after %v, want after %v", took, exitGrace)
	}
	var rows int
	if err := db.Admin.QueryRow("SELECT COUNT(*) FROM " + account.Database() + ".t WHERE n < 100").Scan(&rows); err != nil || rows != len(committing) {
		t.Errorf("%d rows are committed, %v; want %d", rows, err, len(committing))
	}
	var lines []LogLine
	for _, line := range caddy.Logs(t) {
		if line["level"] == "error" {
			t.Errorf("got %v, want nothing at ERROR", line)
		}
		if line["logger"] == "mysql" && line["level"] == "warn" {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || lines[0]["sessions"] != float64(len(open)+2) {
		t.Errorf("got warnings %v, want one of %d sessions that were cut", lines, len(open)+2)
	}
}

// testLateClient connects when Caddy is about to end: there is nobody, or ERR 1053 in place of the greeting.
func testLateClient(t *testing.T, addr string, a Account) {
	t.Helper()
	conn, err := tryDial(addr)
	if err != nil {
		return
	}
	c := rawOver(conn, a)
	defer c.socket.Close()
	if err := c.greeted(); !isRefusal(err, 1053) && !isEnd(err) {
		t.Errorf("new client: got %v, want ERR 1053 or the end", err)
	}
}

func isRefusal(err error, code uint16) bool {
	refusal, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && refusal.Number == code
}

// keepHTTP makes a connection of HTTP that stays open.
func keepHTTP(t testing.TB, addr string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "here" {
		t.Fatalf("got %q, %v", body, err)
	}
}

// TestDrainBesideHTTP: an http app that waits for a request of its own keeps no session of MySQL from being drained, and
// the other way around.
func TestDrainBesideHTTP(t *testing.T) {
	db := sharedMariaDB(t)
	loginFirst, serverFirst, web, slow := local(freePort(t)), local(freePort(t)), local(freePort(t)), local(freePort(t))
	release := make(chan struct{})
	asked := make(chan struct{})
	server := &http.Server{Addr: slow, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	})}
	go func() { _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close() })
	caddy := startCaddy(t, exiting(db, loginFirst, serverFirst, fmt.Sprintf("http://%s {\n\treverse_proxy %s\n}\n", web, slow)))
	account := db.createAccount(t, "%")
	served(t, serverFirst, account, false)
	c, open := dialRaw(t, serverFirst, account), dialRaw(t, serverFirst, account)
	for _, c := range []*rawClient{c, open} {
		if err := c.logIn(false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open.query("BEGIN"); err != nil {
		t.Fatal(err)
	}
	if err := open.alive(); err != nil {
		t.Fatal(err)
	}
	var requests sync.WaitGroup
	requests.Go(func() {
		if response, err := http.Get("http://" + web); err == nil {
			_ = response.Body.Close()
		}
	})
	eventually(t, func() error {
		select {
		case <-asked:
			return nil
		default:
			return errors.New("the request has not come through")
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- caddy.stop() }()
	if _, refusal, err := c.end(); err != nil || refusal != nil {
		t.Errorf("idle: got ERR %v, error %v; want the end", refusal, err)
	}
	// Without a grace period the http app waits for its request without end, and apps are stopped one after the other, in
	// no order.
	_ = open.socket.SetDeadline(time.Now().Add(exitGrace + 5*time.Second))
	if _, refusal, err := open.end(); err != nil || refusal != nil {
		t.Errorf("transaction: got ERR %v, error %v; want the end", refusal, err)
	}
	close(release)
	requests.Wait()
	if err := <-ended; err != nil {
		t.Errorf("Caddy ended with %v, want nil", err)
	}
}
