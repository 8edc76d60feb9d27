package integration

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A loginKind is a row of the matrix.
type loginKind struct {
	name    string
	refused uint16   // the error by which the server refuses it, or 0
	cannot  []string // the clients that cannot log in so, whoever is between
}

var loginKinds = []loginKind{
	{name: "native"},
	{name: "ed25519", cannot: []string{"PyMySQL", "mysqli"}},
	{name: "empty"},
	{name: "native or ed25519"},
	{name: "ed25519, then native", cannot: []string{"go-sql-driver", "PyMySQL", "mysqli"}}, // the second switch
	{name: "unknown user", refused: 1045},
	{name: "unknown user, asked for ed25519", refused: 1045, cannot: []string{"PyMySQL", "mysqli"}},
	{name: "wrong password", refused: 1045},
	{name: "unknown database", refused: 1049},
}

// A loginMatrix is a server, and Caddy before it, with a port for each way to the server.
type loginMatrix struct {
	db       *MariaDB
	caddy    *Caddy
	addrs    map[string]string // by the name of the way
	accounts map[string]loginAccount
	caddys   string // file of the authority of Caddy's certificates
	servers  string // and of the server's
	direct   map[string][]string
	cells    []loginCell
	cannot   map[string]string // what clients say of logins that they cannot do
}

// A loginCell is what came of one login through Caddy.
type loginCell struct {
	name    string
	kind    loginKind
	account loginAccount
	way     loginWay
	leg     string        // of the client
	session *loginSession // nil if the client was not let in
}

// TestLoginMatrix: whoever logs in, with whatever client, a client gets through Caddy, which knows no password, what it
// gets from the server itself over the same kind of connection: the same rows and messages, or the same refusal. What is
// recorded of it is what the server has logged.
//
// What is compared is as the client tells it, but for two things that Connector/J does. It begins its messages with the
// id of its connection and the port, which differ. And it cannot use a unix socket, so where Caddy does, it is compared
// with a direct login over TCP, and 'localhost' in the server's messages with '127.0.0.1'.
func TestLoginMatrix(t *testing.T) {
	m := startLoginMatrix(t)
	for _, client := range loginClients {
		t.Run(client.name, func(t *testing.T) {
			if client.command != "" {
				need(t, client.command)
			}
			do := client.start(t)
			t.Run("verifies", func(t *testing.T) { m.testVerifies(t, client, do) })
			for _, kind := range loginKinds {
				for _, way := range loginWays {
					for _, leg := range []string{"plain", "TLS"} {
						t.Run(fmt.Sprintf("%s/%s to %s", kind.name, leg, way.name), func(t *testing.T) {
							m.cell(t, client, kind, way, leg, do)
						})
					}
				}
			}
		})
	}
	t.Run("records", m.testRecords)
	for _, which := range slices.Sorted(maps.Keys(m.cannot)) {
		t.Logf("cannot: %s: %s", which, m.cannot[which])
	}
	m.testLog(t)
}

// testLog looks at Caddy's log: clients that do not trust its certificate, or that log in before there is one, are
// refused; a login without TLS where it passes through, too; and mysql_log says once that it sees nothing in TLS.
func (m *loginMatrix) testLog(t *testing.T) {
	t.Helper()
	told := make(map[any]int)
	for _, line := range m.caddy.Logs(t) {
		if logger, _ := line["logger"].(string); !strings.HasPrefix(logger, "layer4") || line["level"] == "debug" {
			continue
		}
		told[line["reason"]]++
		if level := map[any]any{"tls_handshake": "info", "tls_required": "info", "tls": "warn"}[line["reason"]]; line["level"] != level {
			t.Errorf("Caddy's default log has %v, want nothing of layer4's above DEBUG", line)
		}
	}
	if told["tls_required"] != 1 || told["tls"] > 3 {
		t.Errorf("Caddy's log tells reasons %v, want tls_required once", told)
	}
}

// testVerifies wants that the client looks at Caddy's certificate: of an authority that it does not know, it takes none.
func (m *loginMatrix) testVerifies(t *testing.T, client loginClient, do func(loginTask) ([]string, error)) {
	told, err := do(loginTask{
		loginAccount: m.accounts["native"], tls: newAuthority(t).File,
		addr: net.JoinHostPort(client.host, portOf(t, m.addrs["plain"])),
	})
	if err != nil {
		t.Fatal(err)
	}
	if session, _ := parseSession(told); session != nil {
		t.Errorf("got %q, want that the client refuses Caddy's certificate", told)
	}
}

// connection is what Connector/J's messages name.
var connection = regexp.MustCompile(`\((conn|port)=-?\d+\)`)

// cell compares one login through Caddy with the direct one.
func (m *loginMatrix) cell(
	t *testing.T, client loginClient, kind loginKind, way loginWay, leg string, do func(loginTask) ([]string, error),
) {
	ask := func(task loginTask) []string {
		t.Helper()
		task.loginAccount, task.other, task.cancel = m.accounts[kind.name], m.accounts["other"], kind.name == "native"
		told, err := do(task)
		// go-sql-driver strips a NUL at the end of a nonce of ed25519, which one of 256 has, and does not go on.
		for range 3 {
			if err == nil && told[0] == "malformed packet" {
				told, err = do(task)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range told {
			told[i] = connection.ReplaceAllString(told[i], "($1)")
		}
		return told
	}
	cannot := slices.Contains(kind.cannot, client.name)
	direct, through, localhost := m.tasks(client, way, leg)
	if way.tlsOnly && leg == "plain" {
		if got := ask(through); !strings.Contains(got[0], "3159") {
			t.Errorf("got %q, want error 3159", got)
		}
		return
	}
	if way.tlsOnly && client.alwaysNative && m.accounts[kind.name].user == m.accounts["native"].user {
		got := ask(through)
		if !strings.Contains(got[0], "1045") {
			t.Errorf("got %q, want error 1045", got)
		}
		m.cannot[client.name+", "+kind.name+", "+way.name] = got[0]
		return
	}
	if way.socket && client.noSocket && m.cannot[client.name] == "" {
		m.cannot[client.name] = ask(loginTask{socket: m.db.Socket})[0]
	}
	key := fmt.Sprint(client.name, kind.name, direct)
	if m.direct[key] == nil {
		m.direct[key] = ask(direct)
	}
	want, got := m.direct[key], ask(through)
	wantSession, _ := parseSession(want)
	if (wantSession != nil) != (kind.refused == 0 && !cannot) ||
		kind.refused != 0 && strings.Contains(want[0], fmt.Sprint(kind.refused)) == cannot {
		t.Errorf("without Caddy: got %q, want error %d, and that the client cannot: %v", want[0], kind.refused, cannot)
	}
	if cannot {
		m.cannot[client.name+", "+kind.name] = want[0]
	}
	session, err := parseSession(got)
	switch {
	case session == nil && wantSession == nil:
		if text := localhost.Replace(got[0]); text != want[0] {
			t.Errorf("got %q, want as without Caddy %q", text, want[0])
		}
	case session == nil || wantSession == nil || !slices.Equal(got[1:], want[1:]):
		t.Errorf("got %v\n%q\nwant as without Caddy\n%q", err, got, want)
	case session.leg != cmp.Or(way.leg, leg):
		t.Errorf("the server says %+v, want that it is %s", session, cmp.Or(way.leg, leg))
	case way.through && session.origin != "" || !way.through && session.own != "" && session.origin != session.own:
		t.Errorf("the server says %+v, want the client's own address of proxied_client where Caddy logs in", session)
	}
	if !cannot {
		m.cells = append(m.cells, loginCell{t.Name(), kind, m.accounts[kind.name], way, leg, session})
	}
}

// tasks returns where a client logs in without Caddy, and with it. What the server says with Caddy of who has connected,
// localhost makes into what it says without.
func (m *loginMatrix) tasks(client loginClient, way loginWay, leg string) (direct, through loginTask, localhost *strings.Replacer) {
	direct, through = loginTask{addr: m.db.Addr}, loginTask{addr: m.addrs[way.name]}
	localhost = strings.NewReplacer()
	switch {
	case way.socket && !client.noSocket:
		direct = loginTask{socket: m.db.Socket}
	case way.socket:
		localhost = strings.NewReplacer("'@'localhost'", "'@'127.0.0.1'")
	}
	if leg == "plain" {
		return direct, through, localhost
	}
	by := func(addr string) string {
		return net.JoinHostPort(client.host, addr[strings.LastIndexByte(addr, ':')+1:])
	}
	if direct.socket == "" {
		direct.addr, direct.tls = by(direct.addr), m.servers
	}
	through.addr, through.tls = by(through.addr), m.caddys
	if way.through {
		through.tls = m.servers
	}
	return direct, through, localhost
}
