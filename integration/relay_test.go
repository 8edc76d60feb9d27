package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A relayFront is the smallest proxy that logs in for its clients: it greets them, reads the login, and relays
// the rest of it to one upstream.
type relayFront struct {
	t          testing.TB
	listener   net.Listener
	greeting   mysqlwire.Greeting
	clientTLS  *tls.Config // nil: offer none
	network    string      // of the upstream
	address    string
	upstream   *tls.Config // nil: speak plain to it
	rsaBridge  bool
	attributes []mysqlproxy.Attribute
	sessions   sync.WaitGroup
}

// start takes connections until the end of the test.
func (f *relayFront) start() (addr string) {
	f.t.Helper()
	l, err := net.Listen("tcp", local(0))
	if err != nil {
		f.t.Fatal(err)
	}
	f.listener = l
	f.sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.sessions.Go(func() {
				defer conn.Close()
				if err := f.serve(conn); err != nil {
					f.t.Errorf("front: %v", err)
				}
			})
		}
	})
	f.t.Cleanup(func() {
		_ = l.Close()
		f.sessions.Wait()
	})
	return l.Addr().String()
}

// serve returns nil for a session, for a login that was refused, and for one that the client has left.
func (f *relayFront) serve(conn net.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	relay := mysqlproxy.Relay{Client: mysqlproxy.NewConn(conn), RSABridge: f.rsaBridge}
	scramble := mysqlproxy.Scramble()
	if err := relay.Client.WritePacket(0, mysqlwire.AppendGreeting(nil, &f.greeting, &scramble)); err != nil {
		return err
	}
	payload, seq, err := relay.Client.ReadPacket(64 << 10)
	if err == nil && mysqlwire.IsTLSRequest(payload) {
		relay.Client, relay.Secret = mysqlproxy.NewConn(tls.Server(relay.Client, f.clientTLS)), true
		payload, seq, err = relay.Client.ReadPacket(64 << 10)
	}
	if err != nil {
		return nil // the client has left, as one side of a comparison or a check that is stopped
	}
	relay.ClientSeq = seq
	hello := mysqlproxy.Hello{Attributes: f.attributes, TLS: f.upstream}
	if hello.Login, hello.Auth, err = mysqlwire.ParseLoginWithAuth(payload); err != nil {
		return err
	}
	hello.Login.Capabilities &= f.greeting.Capabilities
	upstream, err := net.Dial(f.network, f.address)
	if err != nil {
		return err
	}
	defer upstream.Close()
	if relay.Server, err = hello.Say(ctx, upstream); err != nil {
		return err
	}
	_, err = relay.Run(ctx)
	leg, ok := errors.AsType[*mysqlproxy.LegError](err)
	refused := errors.As(err, new(*mysqlproxy.ServerError)) || errors.As(err, new(*mysqlproxy.SecrecyError)) ||
		errors.As(err, new(*mysqlproxy.BridgeError))
	if refused || ok && leg.Leg == mysqlproxy.Client {
		return nil
	}
	if err != nil {
		return err
	}
	ended := make(chan struct{}, 2)
	for _, c := range [][2]*mysqlproxy.Conn{{relay.Server.Conn, relay.Client}, {relay.Client, relay.Server.Conn}} {
		go func() {
			_, _ = io.Copy(c[0], c[1])
			_ = c[0].Close()
			ended <- struct{}{}
		}()
	}
	<-ended
	<-ended
	return nil
}

// A relayClient is a way to log in: it runs the statement and returns what it gives, or the error as the client
// prints it.
type relayClient struct {
	name  string
	query func(t *testing.T, to relayTarget, l relayLogin, statement string) (string, error)
}

// A relayTarget is where a client connects, and how.
type relayTarget struct {
	network, address string
	tls              bool
}

type relayLogin struct{ user, password, database string }

var relayClients = []relayClient{
	{"mariadb", func(t *testing.T, to relayTarget, l relayLogin, statement string) (string, error) {
		args := []string{"--no-defaults", "--batch", "--skip-column-names", "--user=" + l.user, "--password=" + l.password}
		if to.network == "unix" {
			args = append(args, "--protocol=socket", "--socket="+to.address)
		} else {
			host, port, err := net.SplitHostPort(to.address)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "--protocol=tcp", "--host="+host, "--port="+port)
		}
		if to.tls {
			args = append(args, "--ssl", "--skip-ssl-verify-server-cert")
		} else {
			args = append(args, "--skip-ssl")
		}
		out, err := try(t, "mariadb", append(args, "--execute="+statement, l.database)...)
		return strings.TrimSpace(out), err
	}},
	{"go-sql-driver", func(t *testing.T, to relayTarget, l relayLogin, statement string) (string, error) {
		config := mysql.NewConfig()
		config.Net, config.Addr, config.User, config.Passwd, config.DBName = to.network, to.address, l.user, l.password, l.database
		if to.tls {
			config.TLS = &tls.Config{InsecureSkipVerify: true}
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		var value string
		err = db.QueryRowContext(t.Context(), statement).Scan(&value)
		return value, err
	}},
}

// TestLoginRelay: whoever logs in, a client gets through a proxy that knows no password what it gets from the
// server itself, and the statements that follow work. What is right is what the client says without the proxy.
func TestLoginRelay(t *testing.T) {
	authority := newAuthority(t)
	certificate := authority.issue(t, "db.test")
	dir, err := newDir("relay")
	if err != nil {
		t.Fatal(err)
	}
	db := startMariaDB(t, "--ssl-cert="+publish(t, dir, certificate), "--ssl-key="+publish(t, dir, certificate),
		"--ssl-ca="+publish(t, dir, authority.File))
	logins := relayAccounts(t, db)

	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	upstreams := []struct {
		name, network, address string
		tls                    *tls.Config
	}{
		{"plain", "tcp", db.Addr, nil},
		{"TLS", "tcp", db.Addr, &tls.Config{RootCAs: roots, ServerName: "db.test"}},
		{"socket", "unix", db.Socket, nil},
	}
	const statement = `SELECT CONCAT_WS(' ', '%s', DATABASE(),
		(SELECT IF(variable_value = '', 'plain', 'TLS') FROM information_schema.session_status WHERE variable_name = 'Ssl_version'),
		(SELECT attr_value FROM performance_schema.session_connect_attrs
			WHERE processlist_id = CONNECTION_ID() AND attr_name = 'proxied_client' AND ordinal_position = 0))`

	for _, upstream := range upstreams {
		for _, plugin := range []string{"caching_sha2_password", "mysql_native_password"} {
			mark := word()
			front := relayFront{
				t: t, network: upstream.network, address: upstream.address, upstream: upstream.tls,
				greeting:   mirrored(t, db, plugin),
				clientTLS:  &tls.Config{Certificates: []tls.Certificate{pair}},
				attributes: []mysqlproxy.Attribute{{Name: "proxied_client", Value: mark}},
			}
			through := relayTarget{network: "tcp", address: front.start()}
			for _, withTLS := range []bool{false, true} {
				through.tls = withTLS
				direct := relayTarget{upstream.network, upstream.address, withTLS && upstream.network == "tcp"}
				leg := map[bool]string{false: "plain", true: "TLS"}
				for _, client := range relayClients {
					for account, login := range logins {
						name := fmt.Sprintf("%s/%s/%s to %s/%s", account, client.name, leg[withTLS], upstream.name, plugin)
						t.Run(name, func(t *testing.T) {
							drawn := word()
							_, want := client.query(t, direct, login, fmt.Sprintf(statement, drawn))
							got, err := client.query(t, through, login, fmt.Sprintf(statement, drawn))
							if fmt.Sprint(err) != fmt.Sprint(want) {
								t.Errorf("got error %v, want as without the proxy %v", err, want)
							}
							wanted := fmt.Sprintf("%s %s %s %s", drawn, login.database, leg[upstream.tls != nil], mark)
							if want == nil && got != wanted {
								t.Errorf("got %q, want %q", got, wanted)
							}
							// The other client does not know each plugin, nor a second switch.
							if client.name == "mariadb" && !strings.Contains(fmt.Sprint(want), wantedRefusals[account]) {
								t.Errorf("without the proxy: got error %v, want %q", want, wantedRefusals[account])
							}
						})
					}
				}
			}
		}
	}
}

// wantedRefusals are what MariaDB's own client prints of each account; "<nil>" is no error.
var wantedRefusals = map[string]string{
	"native": "<nil>", "ed25519": "<nil>", "empty": "<nil>", "native or ed25519": "<nil>", "ed25519, then native": "<nil>",
	"unknown user": "ERROR 1045 (28000): Access denied for user", "wrong password": "ERROR 1045 (28000): Access denied for user",
	"unknown database": "ERROR 1049 (42000): Unknown database",
}

// relayAccounts makes an account of each kind, for each way to the server.
func relayAccounts(t *testing.T, db *MariaDB) map[string]relayLogin {
	t.Helper()
	db.exec(t, "INSTALL SONAME 'auth_ed25519'")
	db.exec(t, "DELETE FROM mysql.global_priv WHERE User = ''") // else anybody may log in over the socket
	db.exec(t, "FLUSH PRIVILEGES")
	schema := word()
	db.exec(t, "CREATE DATABASE "+schema)
	logins := make(map[string]relayLogin)
	create := func(name, password, how string, args ...any) {
		t.Helper()
		l := relayLogin{user: word(), password: password, database: schema}
		for _, host := range []string{"127.0.0.1", "localhost"} {
			db.exec(t, "CREATE USER ?@? "+how, append([]any{l.user, host}, args...)...)
			db.exec(t, "GRANT SELECT ON *.* TO ?@?", l.user, host)
		}
		logins[name] = l
	}
	password, other := word(), word()
	create("native", password, "IDENTIFIED VIA mysql_native_password USING PASSWORD(?)", password)
	create("ed25519", password, "IDENTIFIED VIA ed25519 USING PASSWORD(?)", password)
	create("empty", "", "")
	create("native or ed25519", password,
		"IDENTIFIED VIA mysql_native_password USING PASSWORD(?) OR ed25519 USING PASSWORD(?)", password, password)
	create("ed25519, then native", password,
		"IDENTIFIED VIA ed25519 USING PASSWORD(?) OR mysql_native_password USING PASSWORD(?)", other, password)
	native := logins["native"]
	logins["unknown user"] = relayLogin{word(), password, schema}
	logins["wrong password"] = relayLogin{native.user, other, schema}
	logins["unknown database"] = relayLogin{native.user, password, word()}
	return logins
}

// mirrored returns a greeting as the server's, with another default plugin.
func mirrored(t *testing.T, db *MariaDB, plugin string) mysqlwire.Greeting {
	t.Helper()
	conn, err := net.Dial("unix", db.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	payload, _, err := mysqlproxy.NewConn(conn).ReadPacket(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	server, err := mysqlwire.ParseGreeting(payload)
	if err != nil {
		t.Fatal(err)
	}
	greeting, err := mysqlproxy.Mirror([]mysqlproxy.Source{{Address: db.Addr, Greeting: server}},
		mysqlproxy.MirrorOptions{TLS: true, AuthPlugin: plugin})
	if err != nil {
		t.Fatal(err)
	}
	return greeting
}

// TestLoginRelayMySQLCheck: HAProxy's check, which names no plugin and sends its COM_QUIT along with its login,
// succeeds through a proxy. HAProxy says so, and the general log that it has reached the database.
func TestLoginRelayMySQLCheck(t *testing.T) {
	db := startMariaDB(t)
	for _, option := range []string{"", " pre-41"} {
		t.Run("user"+option, func(t *testing.T) {
			user := word()
			db.exec(t, "CREATE USER ?@'127.0.0.1'", user)
			front := relayFront{
				t: t, network: "tcp", address: db.Addr, greeting: mirrored(t, db, "caching_sha2_password"),
				attributes: []mysqlproxy.Attribute{{Name: "proxied_client", Value: "192.0.2.1:5"}},
			}
			h := startHAProxy(t, fmt.Sprintf(`
backend db
	option mysql-check user %s%s
	server proxy %s check inter 100ms
`, user, option, front.start()))
			eventually(t, func() error {
				if n := len(threads(db.generalLog(t, user))); n < 5 {
					return fmt.Errorf("the database has logged %d logins, want 5", n)
				}
				status, check, err := h.health("db", "proxy")
				if err == nil && (status != "UP" || check != "L7OK") {
					err = fmt.Errorf("HAProxy: server is %s, check %s; want UP, L7OK", status, check)
				}
				return err
			})
			_ = h.stop() // by a signal, of which it says so
		})
	}
}

// TestLoginRelayIsNoConnectError: a client that leaves in the midst of its login is no error of the proxy's host,
// for which the server would block it after some. A connection to the server that just ends is one, so the
// server does keep count.
func TestLoginRelayIsNoConnectError(t *testing.T) {
	// The server takes no account of hosts whose names it does not look up.
	needGuest(t)
	db := startMariaDB(t, "--max-connect-errors=3", "--skip-name-resolve=0")
	db.exec(t, "CREATE USER ?@? IDENTIFIED BY ?", word(), guest, word()) // or the host would be refused by its address
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dial := func() net.Conn {
		t.Helper()
		conn, err := dialFromGuest(ctx, db.Addr)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	hello := mysqlproxy.Hello{Auth: []byte("twenty bytes of hash"), Login: mysqlwire.Login{
		Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth,
		User:         []byte(word()), AuthPlugin: []byte("mysql_native_password"),
	}}
	login := func() error {
		t.Helper()
		conn := dial()
		defer conn.Close()
		leg, err := hello.Say(ctx, conn)
		if err != nil {
			return err
		}
		near, far := net.Pipe()
		go func() {
			// The client gets the switch, and leaves.
			_, _, _ = mysqlproxy.NewConn(far).ReadPacket(64 << 10)
			_ = far.Close()
		}()
		defer near.Close()
		begin := time.Now()
		_, err = (&mysqlproxy.Relay{Client: mysqlproxy.NewConn(near), ClientSeq: 1, Server: leg}).Run(ctx)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the login took %v to end", took)
		}
		return err
	}
	for i := range 10 {
		err := login()
		leg, ok := errors.AsType[*mysqlproxy.LegError](err)
		if !ok || leg.Leg != mysqlproxy.Client {
			t.Fatalf("login %d: got error %v, want that the client has left", i, err)
		}
	}
	for range 5 {
		conn := dial()
		_, _, _ = mysqlproxy.NewConn(conn).ReadPacket(64 << 10)
		_ = conn.Close()
	}
	eventually(t, func() error {
		err := login()
		if refusal, ok := errors.AsType[*mysqlproxy.ServerError](err); !ok || refusal.Code != 1129 {
			return fmt.Errorf("after connections that just ended: got error %w, want 1129", err)
		}
		return nil
	})
}
