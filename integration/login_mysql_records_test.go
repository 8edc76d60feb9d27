package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A mysqlAnswer is what a client has got for a statement.
type mysqlAnswer struct {
	user, database, statement string
	thread                    uint64
}

// testLongPassword tries a password that a key of 2048 bits, as the server's is, can just encrypt, and one that it cannot.
func (m *mysqlMatrix) testLongPassword(t *testing.T) {
	a := m.accounts["caching_sha2_password"]
	for length, want := range map[int]string{213: "<nil>", 214: "too long"} {
		a.password = strings.Repeat(word(), 30)[:length]
		m.db.exec(t, "ALTER USER ?@'%' IDENTIFIED BY ?", a.user, a.password)
		said, err := mysqlClients[0].query(t, m.addrs["plain, bridged"], true, a, "SELECT 1")
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("a password of %d bytes: got %q, %v, want %s", length, said, err, want)
		}
	}
}

// testRecords compares the records with what the clients were told.
func (m *mysqlMatrix) testRecords(t *testing.T) {
	records := make(map[string][]loginRecord) // by statement
	for _, caddy := range m.caddys {
		if err := caddy.stop(); err != nil {
			t.Fatal(err)
		}
		text := caddy.recordBytes(t)
		for line := range bytes.Lines(text) {
			var r loginRecord
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(r.Query, "SELECT CONNECTION_ID(), 'ok'") {
				records[r.Query] = append(records[r.Query], r)
			}
		}
		for _, a := range m.accounts {
			if a.password != "" && bytes.Contains(text, []byte(a.password)) {
				t.Errorf("queries.json has a password")
			}
		}
		for _, line := range caddy.Logs(t) {
			if line["level"] == "error" {
				t.Errorf("Caddy's default log has %v, want no error", line)
			}
		}
	}
	if len(m.said) == 0 || len(records) != len(m.said) {
		t.Errorf("got records of %d statements, want %d", len(records), len(m.said))
	}
	for _, a := range m.said {
		ok := slices.ContainsFunc(records[a.statement], func(r loginRecord) bool {
			return r.Username == a.user && r.Database == a.database && r.ThreadID == a.thread && r.Rows == 1 && r.Origin == r.Client &&
				(r.Remote == m.db.Addr && r.Here != "" || strings.HasSuffix(m.db.Socket, r.Remote) && r.Here == "") // as the server names it
		})
		if !ok || len(records[a.statement]) != 1 {
			t.Errorf("got records %+v, want one of %+v", records[a.statement], a)
		}
	}
}
