package integration

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHealthChecks: a load balancer asks all the time whether Caddy is there. Checks that only look at Caddy
// never reach the database and leave nothing in the log; a check of the database does reach it.
func TestHealthChecks(t *testing.T) {
	tests := []struct {
		name    string
		example bool   // whether Caddy runs the shipped example, which closes LOCAL connections
		check   string // of HAProxy's backend section
		user    bool   // whether the check logs in
		want    string // the check's result
		metric  string // the labels of what Caddy counts once per check
		reaches bool   // the database
	}{
		{
			// HAProxy answers the SYN-ACK with a RST, so that Caddy hardly ever sees the connection.
			name: "TCP", example: true,
			check: "server caddy CADDY check inter 100ms",
			want:  "L4OK",
		},
		{
			name: "TCP, closed in order", example: true,
			check: "option tcp-check\n\ttcp-check connect linger\n\tserver caddy CADDY check inter 100ms",
			want:  "L4OK", metric: `{command="",result="empty",version=""}`,
		},
		{
			name: "LOCAL", example: true,
			check: "server caddy CADDY check inter 100ms send-proxy-v2 check-send-proxy",
			want:  "L4OK", metric: `{command="LOCAL",result="ok",version="2"}`,
		},
		{
			name:  "mysql-check",
			check: "option mysql-check\n\tserver caddy CADDY check inter 100ms send-proxy-v2 check-send-proxy",
			want:  "L7OK", metric: `{command="LOCAL",result="ok",version="2"}`, reaches: true,
		},
		{
			name:  "mysql-check user",
			check: "option mysql-check user USER\n\tserver caddy CADDY check inter 100ms send-proxy-v2 check-send-proxy",
			user:  true, want: "L7OK", metric: `{command="LOCAL",result="ok",version="2"}`, reaches: true,
		},
	}
	db := startMariaDB(t) // of its own: its counters are looked at
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user := word()
			db.exec(t, "CREATE USER ?@'127.0.0.1'", user)
			endpoint := newEndpoint(t)
			config := Caddyfile(`{
	layer4 {
		%s {
			route {
				proxy_header {
					allow 127.0.0.1
				}
				proxy %s
			}
		}
	}
}
`, endpoint, db.Addr)
			if tt.example {
				config = example(t, "behind-load-balancer", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr)
			}
			inBothForms(t, config, func(t *testing.T, config Config) {
				caddy := startCaddy(t, config)
				before := db.status(t, "Connections")
				h := startHAProxy(t, "backend db\n\t"+strings.NewReplacer("CADDY", endpoint.IPv4, "USER", user).Replace(tt.check)+"\n")
				eventually(t, func() error {
					status, check, err := h.health("db", "caddy")
					if err == nil && (status != "UP" || check != tt.want) {
						err = fmt.Errorf("HAProxy: server is %s, check %s; want UP, %s", status, check, tt.want)
					}
					return err
				})
				const checks = 5
				if tt.metric == "" {
					time.Sleep(checks * 100 * time.Millisecond) // nobody counts these
				} else {
					eventually(t, func() error {
						if n := caddy.metric(t, "caddy_l4mysql_proxy_headers_total"+tt.metric); n < checks {
							return fmt.Errorf("Caddy counted %v checks as %s, want %d", n, tt.metric, checks)
						}
						return nil
					})
				}
				for series := range caddy.metrics(t, "caddy_l4mysql_proxy_headers_total") {
					if empty := `{command="",result="empty",version=""}`; !strings.HasSuffix(series, cmp.Or(tt.metric, empty)) {
						t.Errorf("Caddy counted %s, want nothing but %s", series, cmp.Or(tt.metric, empty))
					}
				}
				connections := db.status(t, "Connections") - before
				if reached := connections > 0; reached != tt.reaches {
					t.Errorf("the database was connected to %d times, want reached: %v", connections, tt.reaches)
				}
				if logins := len(db.generalLog(t, user)); (logins > 0) != tt.user {
					t.Errorf("the database has %d log entries of the check's user, want some: %v", logins, tt.user)
				}
				if records := caddy.LogFile(t, "queries.json"); len(records) > 0 {
					t.Errorf("got records %v, want none of a check", records)
				}
				for _, line := range caddy.Logs(t) {
					if logger, _ := line["logger"].(string); strings.HasPrefix(logger, "layer4") && line["level"] != "debug" {
						t.Errorf("got log line %v, want none above DEBUG", line)
					}
				}
			})
		})
	}
}
