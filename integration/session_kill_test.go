package integration

import (
	"encoding/binary"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A pair are two servers behind one Caddy, with the same account.
type pair struct {
	addr    string
	servers [2]*MariaDB
	account Account
	caddy   *Caddy
}

// startPair starts two servers behind mysql_login, each of which gets every other session.
func startPair(t testing.TB, proxyOptions string, options ...string) *pair {
	t.Helper()
	p := &pair{addr: local(freePort(t)), servers: [2]*MariaDB{startMariaDB(t, options...), startMariaDB(t, options...)}}
	p.account = p.servers[0].createAccount(t, "%")
	p.servers[1].exec(t, "CREATE DATABASE "+p.account.Database())
	p.servers[1].exec(t, "CREATE USER ? IDENTIFIED BY ?", p.account.User, p.account.Password)
	p.servers[1].exec(t, "GRANT ALL ON "+p.account.Database()+".* TO ?", p.account.User)
	p.caddy = startCaddy(t, p.config("mysql_log", proxyOptions))
	served(t, p.addr, p.account, true)
	return p
}

func (p *pair) config(log, proxyOptions string) Config {
	return Caddyfile(`{
	skip_install_trust
	layer4 {
		%s {
			route {
				mysql_login {
					tls db.localhost
				}
				%s
				mysql_proxy %s %s {
					tls_insecure_skip_verify
					health_interval 1h
					%s
				}
			}
		}
	}
	log queries {
		include layer4.handlers.mysql_log.record
		output file queries.json
	}
}
`, p.addr, log, p.servers[0].Addr, p.servers[1].Addr, proxyOptions)
}

// login makes a session and returns the server that it is at.
func (p *pair) login(t testing.TB, a Account, flags mysqlwire.Capability) (c *rawClient, server int) {
	t.Helper()
	c = dialRaw(t, p.addr, a)
	c.flags = flags
	if err := c.logIn(false); err != nil {
		t.Fatal(err)
	}
	server, err := p.at(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, server
}

// at returns the server that a session is at.
func (p *pair) at(c *rawClient) (server int, err error) {
	port, err := c.query("SELECT @@port")
	if strings.HasSuffix(p.servers[1].Addr, ":"+port) {
		server = 1
	}
	return server, err
}

// loginAt makes a session at that server.
func (p *pair) loginAt(t testing.TB, a Account, server int) *rawClient {
	t.Helper()
	for {
		c, at := p.login(t, a, 0)
		if at == server {
			return c
		}
		t.Cleanup(func() { _ = c.socket.Close() }) // it stays: it is why the next one goes elsewhere
	}
}

// sleeps sends a statement that lasts, and waits until the server is at it.
func (p *pair) sleeps(t testing.TB, c *rawClient, server int) {
	t.Helper()
	text := "SELECT SLEEP(30) /* " + word() + " */"
	if err := c.send(mysqlwire.ComQuery, text); err != nil {
		t.Fatal(err)
	}
	p.servers[server].runs(t, text)
}

// runs waits until the server is at a statement.
func (m *MariaDB) runs(t testing.TB, text string) {
	t.Helper()
	eventually(t, func() error {
		var id int
		return m.Admin.QueryRowContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE info = ?", text).Scan(&id)
	})
}

// TestKillByGreetingID: a client that ends another session, or what it is at, by the id in the greeting, does what it would
// do at the server itself: on one server as the server does it, on another as far as it can be done.
func TestKillByGreetingID(t *testing.T) {
	p := startPair(t, "")
	other := p.servers[0].createAccount(t, "%")
	p.servers[1].exec(t, "CREATE DATABASE "+other.Database())
	p.servers[1].createSame(t, other)
	p.servers[1].exec(t, "GRANT ALL ON "+other.Database()+".* TO ?", other.User)
	processKill := func(c *rawClient, id uint32) error {
		if err := c.send(mysqlwire.ComProcessKill, string(binary.LittleEndian.AppendUint32(nil, id))); err != nil {
			return err
		}
		return c.accepted()
	}
	statement := func(format string) func(c *rawClient, id uint32) error {
		return func(c *rawClient, id uint32) error {
			_, err := c.query(fmt.Sprintf(format, id))
			return err
		}
	}
	tests := []struct {
		name      string
		kill      func(c *rawClient, id uint32) error
		query     bool // only the statement is ended
		elsewhere bool // the killer is at the other server
		foreign   bool // the killer is another user
		want      uint16
	}{
		{name: "KILL", kill: statement("KILL %d")},
		{name: "kill connection", kill: statement("kill  connection\t%d ;")},
		{name: "KILL QUERY", kill: statement("KILL QUERY %d"), query: true},
		{name: "KILL SOFT QUERY", kill: statement("KILL SOFT QUERY %d"), query: true},
		{name: "COM_PROCESS_KILL", kill: processKill},
		{name: "KILL by another user", kill: statement("KILL %d"), foreign: true, want: 1095},
		{name: "KILL elsewhere", kill: statement("KILL %d"), elsewhere: true},
		{name: "COM_PROCESS_KILL elsewhere", kill: processKill, elsewhere: true},
		{name: "KILL QUERY elsewhere", kill: statement("KILL QUERY %d"), elsewhere: true, want: 1105},
		{name: "KILL elsewhere by another user", kill: statement("KILL %d"), elsewhere: true, foreign: true, want: 1095},
		{name: "KILL QUERY elsewhere by another user", kill: statement("KILL QUERY %d"), elsewhere: true, foreign: true, want: 1095},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			victim, at := p.login(t, p.account, 0)
			account, where := p.account, at
			if tt.foreign {
				account = other
			}
			if tt.elsewhere {
				where = 1 - at
			}
			killer := p.loginAt(t, account, where)
			p.sleeps(t, victim, at)
			err := tt.kill(killer, victim.greeting.ThreadID)
			if tt.want != 0 {
				if !isRefusal(err, tt.want) {
					t.Errorf("got %v, want ERR %d", err, tt.want)
				}
				// Who may kill it does.
				if err := statement("KILL %d")(p.loginAt(t, p.account, at), victim.greeting.ThreadID); err != nil {
					t.Error(err)
				}
			} else if err != nil {
				t.Errorf("got %v, want OK", err)
			}
			_, err = victim.result()
			switch {
			case tt.query && (!isRefusal(err, 1317) || victim.alive() != nil):
				t.Errorf("the victim got %v, want ERR 1317, and to go on", err)
			case !tt.query && !isEnd(err) && !isRefusal(err, 1927) && !isRefusal(err, 1317):
				t.Errorf("the victim got %v, want the end", err)
			}
			if !tt.query {
				if _, _, err := victim.end(); err != nil {
					t.Errorf("the victim: %v", err)
				}
			}
			if err := killer.alive(); err != nil {
				t.Errorf("the killer: %v", err)
			}
		})
	}
	c, _ := p.login(t, p.account, 0)
	for _, id := range []uint32{c.greeting.ThreadID + 1000, 0x7fffffff} {
		want := fmt.Sprintf("Unknown thread id: %d", id)
		if err := statement("KILL %d")(c, id); !isRefusal(err, 1094) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ERR 1094, %s", err, want)
		}
	}
}

// TestKillByClients: clients that end another session by their library's idea of its id.
func TestKillByClients(t *testing.T) {
	p := startPair(t, "lb_policy first")
	need(t, "mariadb-admin")
	tests := []struct {
		name string
		kill func(t *testing.T, id uint32) (string, error)
	}{
		{"mariadb-admin", func(t *testing.T, id uint32) (string, error) {
			return try(t, "mariadb-admin", "--no-defaults", "--protocol=tcp", "--skip-ssl", "--host=127.0.0.1", "--port="+portOf(t, p.addr),
				"--user="+p.account.User, "--password="+p.account.Password, "kill", fmt.Sprint(id))
		}},
		{"mariadb", func(t *testing.T, id uint32) (string, error) {
			return queryCLI(t, p.addr, p.account, fmt.Sprintf("KILL %d", id))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			victim, at := p.login(t, p.account, 0)
			p.sleeps(t, victim, at)
			if out, err := tt.kill(t, victim.greeting.ThreadID); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if _, _, err := victim.end(); err != nil {
				t.Errorf("the victim: %v", err)
			}
		})
	}
	t.Run("PyMySQL", func(t *testing.T) {
		const python = "/usr/bin/python3"
		if exec.Command(python, "-c", "import pymysql").Run() != nil {
			t.Skip("PyMySQL is not installed; `make test` installs it")
		}
		script := `
import pymysql, sys, threading, time
def login():
    return pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3])
victim, killer = login(), login()
def work():
    try:
        cursor = victim.cursor()
        cursor.execute("SELECT SLEEP(30)")
        print("not ended")
    except pymysql.err.OperationalError as e:
        print("ended", e.args[0])
thread = threading.Thread(target=work)
thread.start()
while killer.cursor().execute("SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(30)'") == 0:
    time.sleep(0.02)
killer.kill(victim.thread_id())
thread.join()
killer.ping(reconnect=False)
`
		out, err := try(t, python, "-c", script, portOf(t, p.addr), p.account.User, p.account.Password)
		if err != nil || !strings.HasPrefix(out, "ended ") {
			t.Errorf("got %q, %v", out, err)
		}
	})
}
