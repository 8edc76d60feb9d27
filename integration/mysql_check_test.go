package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestMySQLCheck: where nothing closes LOCAL connections, a load balancer's own MySQL client checks the
// database through mysql_log. HAProxy's stats socket says whether it succeeds; of a login the database's
// general log says that there was one.
func TestMySQLCheck(t *testing.T) {
	db := sharedMariaDB(t)
	tests := []struct {
		name, option string // USER stands for a user
		logins       bool
	}{
		{name: "without user", option: "option mysql-check"},
		{name: "user", option: "option mysql-check user USER", logins: true},
		{name: "user pre-41", option: "option mysql-check user USER pre-41", logins: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user := word()
			db.exec(t, "CREATE USER ?@'127.0.0.1'", user)
			endpoint := newEndpoint(t)
			caddy := startCaddy(t, recorded(endpoint.String(), trust, "mysql_log", "proxy "+db.Addr))
			h := startHAProxy(t, fmt.Sprintf(`
backend db
	%s
	server caddy %s check inter 100ms send-proxy-v2 check-send-proxy
`, strings.ReplaceAll(tt.option, "USER", user), endpoint.IPv4))
			eventually(t, func() error {
				if n := caddy.metric(t, `caddy_l4mysql_proxy_headers_total{command="LOCAL",result="ok",version="2"}`); n < 5 {
					return fmt.Errorf("Caddy counted %v checks, want 5", n)
				}
				status, check, err := h.health("db", "caddy")
				if err == nil && (status != "UP" || check != "L7OK") {
					err = fmt.Errorf("HAProxy: server is %s, check %s; want UP, L7OK", status, check)
				}
				return err
			})
			_ = h.stop() // by a signal, of which it says so
			records := caddy.RecordsByThread(t)
			logins := threads(db.generalLog(t, user))
			if tt.logins == (len(logins) == 0) {
				t.Errorf("the database has logged %d logins of the check's user, want some: %v", len(logins), tt.logins)
			}
			for i, thread := range logins {
				// HAProxy may have ended in the midst of the last check.
				got := records[thread]
				if i < len(logins)-1 && (len(got) != 1 || got[0].Event != "connect" || got[0].Username != user) {
					t.Errorf("thread %d: got records %+v, want one, connect, of %s", thread, got, user)
				}
				delete(records, thread)
			}
			if len(records) > 0 {
				t.Errorf("got records %+v, want none but of logins", records)
			}
			caddy.quiet(t)
		})
	}
}

// TestSilentClientRecorded: mysql_log does not hold the greeting back from a client that never sends a byte,
// in the handler's optional mode, and has nothing to record of it. The greeting's version is the one that
// the database tells otherwise.
func TestSilentClientRecorded(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	var version string
	if err := db.Admin.QueryRow("SELECT version()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	caddy := startCaddy(t, recorded(endpoint.String(), trustOptional, "mysql_log", "proxy "+db.Addr))
	for range 3 {
		conn, err := net.Dial("tcp", endpoint.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		greeting, err := readPacket(conn)
		// Protocol::HandshakeV10: the version, and at the end the plugin's name, each with a zero byte.
		if err != nil || !strings.Contains(greeting, version+"\x00") ||
			!strings.HasSuffix(greeting, "mysql_native_password\x00") {
			t.Errorf("got %q and error %v, want a whole greeting of version %s", greeting, err, version)
		}
		_ = conn.Close()
	}
	eventually(t, func() error {
		got := caddy.metrics(t, "caddy_l4mysql_proxy_headers_total")
		if want := `caddy_l4mysql_proxy_headers_total{command="",result="empty",version=""}`; got[want] != 3 || len(got) != 1 {
			return fmt.Errorf("got %v, want 3 connections without a byte", got)
		}
		return nil
	})
	if records := caddy.RecordsByThread(t); len(records) > 0 {
		t.Errorf("got records %+v, want none", records)
	}
	caddy.quiet(t)
}
