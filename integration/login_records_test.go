package integration

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A loginSession is what a client was told of its session: loginFacts.
type loginSession struct {
	thread uint64 // CONNECTION_ID()
	leg    string // between Caddy and the server: "plain" or "TLS"
	peer   string // whom the server sees; "localhost" on a socket
	origin string // the attribute proxied_client
	own    string // the client's own address, or empty if it does not tell it
}

// parseSession fails if the client was not let in.
func parseSession(told []string) (*loginSession, error) {
	fields := strings.Split(told[0], "|")
	if len(fields) < 4 {
		return nil, fmt.Errorf("no session: %s", told[0])
	}
	thread, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return nil, err
	}
	return &loginSession{thread, fields[1], fields[2], fields[3], strings.Join(fields[4:], "")}, nil
}

// A loginRecord is a Record with both ends of the connection to the server.
type loginRecord struct {
	Record
	Remote string `json:"remote_addr"`
	Here   string `json:"proxy_client_addr"`
}

// testRecords compares the records of all cells with what the clients were told, and with the server's general log.
func (m *loginMatrix) testRecords(t *testing.T) {
	if err := m.caddy.stop(); err != nil {
		t.Fatal(err)
	}
	sessions := make(map[uint64][]loginRecord)
	refused := make(map[string]int)
	logs := make(map[string][]LogEntry) // by user
	for _, a := range m.accounts {
		logs[a.user] = m.db.generalLog(t, a.user)
	}
	for line := range bytes.Lines(m.caddy.recordBytes(t)) {
		var r loginRecord
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Event != "auth_error" {
			sessions[r.ThreadID] = append(sessions[r.ThreadID], r)
			continue
		}
		refused[fmt.Sprint(r.Username, r.ErrorCode)]++
		m.testAddresses(t, &r)
		if !slices.Contains(threads(logs[r.Username]), r.ThreadID) {
			t.Errorf("got record %+v, want a thread that the server has logged for the user", r)
		}
	}
	for _, c := range m.cells {
		if tls := c.way.through && c.leg == "TLS"; c.kind.refused != 0 && !tls {
			refused[fmt.Sprint(c.account.user, c.kind.refused)]--
		}
		if c.session != nil {
			t.Run(strings.TrimPrefix(c.name, "TestLoginMatrix/"), func(t *testing.T) {
				m.testSession(t, c, sessions[c.session.thread], queries(logs[c.account.user], c.session.thread))
			})
		}
	}
	for login, n := range refused {
		if n != 0 {
			t.Errorf("user and error %s: got %+d records of refused logins than logins", login, n)
		}
	}
}

// testSession compares the records of one session with what the client was told, and with the texts that the server has
// logged.
func (m *loginMatrix) testSession(t *testing.T, c loginCell, records []loginRecord, logged []string) {
	if c.way.through && c.leg == "TLS" {
		if len(records) != 1 || records[0].Event != "tls" {
			t.Fatalf("got records %+v, want that nothing is seen in TLS", records)
		}
		m.testAddresses(t, &records[0])
		return
	}
	if len(records) == 0 || records[0].Event != "connect" {
		t.Fatalf("got records %+v, want a login first", records)
	}
	as, database := c.account.user, c.account.database
	var texts []string
	errors := 0
	for i, r := range records {
		if r.Event == "change_user" {
			as, database = m.accounts["other"].user, m.accounts["other"].database
		}
		if r.ConnSeqNum != i+1 || r.Dropped != 0 || r.Incomplete != "" || r.Username != as || r.Database != database {
			t.Errorf("record %d: got %+v, want conn_seq_num %d, username %s and database %s", i, r, i+1, as, database)
		}
		m.testAddresses(t, &r)
		if origin := cmp.Or(c.session.origin, c.session.own, r.Origin); r.Origin != origin || !c.way.socket && r.Here != c.session.peer || (r.Remote == m.db.Socket) != c.way.socket {
			t.Errorf("record %d: got %+v, want the addresses of %+v", i, r, c.session)
		}
		name, isUse := strings.CutPrefix(r.Query, "USE ")
		if r.ErrorCode == 0 && (isUse || r.Command == "COM_INIT_DB") {
			database = name
		}
		if r.Command == "COM_QUERY" {
			texts = append(texts, strings.TrimSpace(r.Query)) // as the server logs them
		}
		if r.Query == loginError && r.ErrorCode == 1146 {
			errors++
		}
	}
	if !slices.Equal(texts, logged) || errors != 1 {
		t.Errorf("got %d errors 1146, and not the statements that the server has logged\n%s", errors, firstDifference(texts, logged))
	}
}

// testAddresses looks at what does not depend on the cell.
func (m *loginMatrix) testAddresses(t *testing.T, r *loginRecord) {
	t.Helper()
	socket := r.Remote == m.db.Socket && r.Here == "" // Caddy's end of a socket has no name
	if r.Origin != r.Client || !strings.HasPrefix(r.Origin, "127.0.0.1:") || r.HeaderSource != "" ||
		!socket && (r.Remote != m.db.Addr || !strings.HasPrefix(r.Here, "127.0.0.1:") || r.Here == r.Client) {
		t.Errorf("got record %+v, want the addresses of both connections", r)
	}
}
