package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlproxy"
)

// guest is the address from which health checks come. A server keeps no account of connect errors from
// 127.0.0.1.
const guest = "127.0.0.2"

// dialFromGuest dials from guest's address.
func dialFromGuest(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(guest)}}
	return d.DialContext(ctx, "tcp", addr)
}

func needGuest(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", guest+":0")
	if err != nil {
		t.Skipf("no second loopback address here: %v", err)
	}
	_ = l.Close()
}

// A healthWatch is a checker of a server, at short intervals, and the number of its checks.
type healthWatch struct {
	*mysqlproxy.Upstream
	checker *mysqlproxy.Checker
	checks  atomic.Int64 // begun
}

// watchHealth checks the server at addr, from guest, as user, until the test ends.
func watchHealth(t testing.TB, addr, user string) *healthWatch {
	t.Helper()
	u, err := mysqlproxy.NewUpstream(addr)
	if err != nil {
		t.Fatal(err)
	}
	w := &healthWatch{Upstream: u}
	check := mysqlproxy.HealthCheck{
		Interval: 10 * time.Millisecond, Timeout: patience, User: user,
		Dial: func(ctx context.Context) (net.Conn, error) {
			w.checks.Add(1)
			return dialFromGuest(ctx, addr)
		},
	}
	w.checker = check.Start(u)
	t.Cleanup(w.stop)
	return w
}

func (w *healthWatch) stop() {
	w.checker.Stop()
	<-w.checker.Ended()
}

// becomes waits until the upstream is in that state, for a reason that has this text.
func (w *healthWatch) becomes(t testing.TB, health mysqlproxy.Health, why string) {
	t.Helper()
	eventually(t, func() error {
		s := w.Status()
		if s.Health != health || !strings.Contains(fmt.Sprint(s.Failure), why) {
			return fmt.Errorf("got %+v, want %s (%s)", s, health, why)
		}
		return nil
	})
}

// checked waits for n more checks.
func (w *healthWatch) checked(t testing.TB, n int64) {
	t.Helper()
	end := w.checks.Load() + n
	eventually(t, func() error {
		if got := w.checks.Load(); got <= end {
			return fmt.Errorf("%d checks, want more than %d", got, end)
		}
		return nil
	})
}

// hostErrors returns what the server has counted against guest: connect errors, for which it blocks, and
// logins that it has refused.
func (m *MariaDB) hostErrors(t testing.TB) (connect, refused int) {
	t.Helper()
	err := m.Admin.QueryRowContext(t.Context(), `
		SELECT SUM_CONNECT_ERRORS, COUNT_AUTH_PLUGIN_ERRORS + COUNT_AUTHENTICATION_ERRORS
		FROM performance_schema.host_cache WHERE IP = ?`, guest).Scan(&connect, &refused)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return connect, refused
}

// startStrictMariaDB starts a server that blocks a host after three connect errors in a row. It has an account
// for guest: hosts that have none are not asked for their login.
func startStrictMariaDB(t testing.TB) *MariaDB {
	t.Helper()
	needGuest(t)
	db := startMariaDB(t, "--max-connect-errors=3", "--disable-skip-name-resolve", "--log-warnings=1")
	db.createAccount(t, "%")
	return db
}

// TestHealthChecksAreNoErrors: fifty checks leave nothing in the server's account, as an unknown user and as
// one that may log in. That the server counts is shown by connections that just end.
func TestHealthChecksAreNoErrors(t *testing.T) {
	db := startStrictMariaDB(t)
	for _, user := range []string{"", db.createGuest(t)} {
		testHealthChecks(t, db, user, mysqlproxy.MariaDB)
		connect, refused := db.hostErrors(t)
		if connect != 0 {
			t.Errorf("user %q: the server has counted %d connect errors, want none", user, connect)
		}
		if user == "" && refused < 50 {
			t.Errorf("the server has counted %d refused logins, want at least 50: it has no account of %s", refused, guest)
		}
	}

	for range 4 {
		conn, err := dialFromGuest(t.Context(), db.Addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	eventually(t, func() error {
		if connect, _ := db.hostErrors(t); connect < 3 {
			return fmt.Errorf("%d connect errors, want 3", connect)
		}
		return nil
	})
	w := watchHealth(t, db.Addr, "")
	w.becomes(t, mysqlproxy.Unhealthy, "ERR 1129")
	db.exec(t, "FLUSH HOSTS")
	w.becomes(t, mysqlproxy.Healthy, "")
}

// TestHealthChecksOfMySQL: MySQL asks an unknown user for any of its plugins. It keeps no account of the hosts
// of 127.0.0.0/8.
func TestHealthChecksOfMySQL(t *testing.T) {
	needGuest(t)
	db := startMySQL(t)
	for _, user := range []string{"", db.createGuest(t)} {
		testHealthChecks(t, db, user, mysqlproxy.MySQL)
	}
}

// createGuest makes a user without a password.
func (m *MariaDB) createGuest(t testing.TB) string {
	t.Helper()
	user := word()
	m.exec(t, "CREATE USER ?@?", user, guest)
	return user
}

func testHealthChecks(t *testing.T, db *MariaDB, user string, flavour mysqlproxy.Flavour) {
	t.Helper()
	w := watchHealth(t, db.Addr, user)
	w.becomes(t, mysqlproxy.Healthy, "")
	w.checked(t, 50)
	w.stop()
	if s := w.Status(); s.Health != mysqlproxy.Healthy || s.Failure != nil {
		t.Errorf("user %q: got %+v, want healthy", user, s)
	}
	if g, ok := w.Greeting(); !ok || mysqlproxy.FlavourOf(&g) != flavour {
		t.Errorf("user %q: greeting: got %+v, %t; want %s", user, g, ok, flavour)
	}
	var aborted int
	err := db.Admin.QueryRowContext(t.Context(), `
		SELECT variable_value FROM performance_schema.global_status
		WHERE variable_name = 'Aborted_clients'`).Scan(&aborted)
	if err != nil || aborted != 0 {
		t.Errorf("user %q: %d sessions did not end with COM_QUIT, %v; want none", user, aborted, err)
	}
}

// TestHealthFollowsServer stops the server and starts it again.
func TestHealthFollowsServer(t *testing.T) {
	db := startStrictMariaDB(t)
	w := watchHealth(t, db.Addr, "")
	w.becomes(t, mysqlproxy.Healthy, "")
	if err := db.stop(); err != nil {
		t.Fatal(err)
	}
	w.becomes(t, mysqlproxy.Unhealthy, "refused")

	again := exec.Command(db.cmd.Path, db.cmd.Args[1:]...)
	again.Dir, again.Env, again.SysProcAttr = db.cmd.Dir, db.cmd.Env, db.cmd.SysProcAttr
	p, err := startProcess(again, func(*process) error { return db.Admin.Ping() })
	if err != nil {
		t.Fatal(err)
	}
	p.stopAfter(t)
	w.becomes(t, mysqlproxy.Healthy, "")
	w.checked(t, 10)
	w.stop()
	if connect, _ := db.hostErrors(t); connect != 0 {
		t.Errorf("the server has counted %d connect errors, want none", connect)
	}
}

// TestHealthOfFullServer: a server without room for another connection is left alone until it has.
func TestHealthOfFullServer(t *testing.T) {
	// The least that MariaDB can be set to, and one for an administrator. Until that place is taken, too,
	// others are told that there is no room when they have logged in, so the check is refused before that.
	const most = 10 + 1
	db := startStrictMariaDB(t)
	w := watchHealth(t, db.Addr, "")
	w.becomes(t, mysqlproxy.Healthy, "")
	db.exec(t, "SET GLOBAL max_connections = 10")
	var open []*sql.Conn
	for len(open) < most {
		eventually(t, func() error { // a check may have the last place
			conn, err := db.Admin.Conn(t.Context())
			if err == nil {
				open = append(open, conn)
			}
			return err
		})
	}
	w.becomes(t, mysqlproxy.Unhealthy, "ERR 1040 of the upstream: Too many connections")
	for _, conn := range open {
		_ = conn.Close()
	}
	w.becomes(t, mysqlproxy.Healthy, "")
	w.stop()
	if connect, _ := db.hostErrors(t); connect != 0 {
		t.Errorf("the server has counted %d connect errors, want none", connect)
	}
}
