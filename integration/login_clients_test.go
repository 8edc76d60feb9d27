package integration

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// A loginAccount is whom a client says to be, and the schema that it asks for.
type loginAccount struct{ user, password, database string }

// A loginTask is one login, and what the client does when it is in.
type loginTask struct {
	loginAccount
	other  loginAccount // for COM_CHANGE_USER, where the client has it
	addr   string       // host:port
	socket string       // of a server, instead
	// tls is empty for none, the file of the authority by which the client verifies the server, or anyServer.
	tls    string
	facts  string // the statement for the facts, if it is not loginFacts
	cancel bool   // a client that can cancel a statement does so
}

// anyServer is TLS with whoever answers.
const anyServer = "any"

// What every client does. PyMySQL and mariadb prepare in text, with the value 1; the others do with 1 and 2.
const (
	loginRows     = "SELECT id, v FROM t ORDER BY id"
	loginPrepared = "SELECT v FROM t WHERE id > ? ORDER BY id"
	loginError    = "SELECT * FROM nosuch"
	loginInsert   = "INSERT INTO t (v) VALUES ('four')"
	loginCount    = "SELECT COUNT(*) FROM t"

	// loginFacts tells what server and network make of the session: it is no part of what is compared.
	loginFacts = "SELECT CONNECTION_ID(), (SELECT IF(variable_value = '', 'plain', 'TLS')" +
		" FROM information_schema.session_status WHERE variable_name = 'Ssl_version')," +
		" (SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID())," +
		" COALESCE((SELECT attr_value FROM performance_schema.session_connect_attrs" +
		" WHERE processlist_id = CONNECTION_ID() AND attr_name = 'proxied_client' AND ordinal_position = 0), '')"
)

// A loginClient is a column of the matrix.
type loginClient struct {
	name, command string
	noSocket      bool // whether it cannot connect to a unix socket
	// alwaysNative says that it answers the greeting by mysql_native_password, whatever that names. Where TLS passes through,
	// the greeting's nonce is not the server's, and a server that wants that plugin refuses the answer.
	alwaysNative bool
	// neverFast says that it does not understand a nonce of caching_sha2_password in an authentication switch: it is always
	// asked for the password then.
	neverFast bool
	host      string // by which name it connects to this machine over TLS that it verifies
	// start makes the client ready. What it returns does tasks, and returns what the client was told: first the
	// facts, with its own address behind them if it knows it, or else why it is not in.
	start func(t testing.TB) func(loginTask) ([]string, error)
}

var loginClients = []loginClient{
	{name: "mariadb", command: "mariadb", host: "127.0.0.1", start: func(t testing.TB) func(loginTask) ([]string, error) {
		t.Helper()
		path, err := find("mariadb")
		if err != nil {
			t.Fatal(err)
		}
		return func(task loginTask) ([]string, error) { return loginCLI(t, path, task) }
	}},
	{name: "go-sql-driver", host: "localhost", start: func(t testing.TB) func(loginTask) ([]string, error) {
		t.Helper()
		return func(task loginTask) ([]string, error) { return loginDriver(t, task) }
	}},
	{name: "PyMySQL", command: python, host: "localhost", neverFast: true, start: func(t testing.TB) func(loginTask) ([]string, error) {
		t.Helper()
		return startProgram(t, python, "testdata/login/client.py").login
	}},
	{name: "mysqli", command: "php", host: "127.0.0.1", start: func(t testing.TB) func(loginTask) ([]string, error) {
		t.Helper()
		return startProgram(t, "php", "testdata/login/client.php").login
	}},
	{
		name: "Connector/J", command: "javac", host: "127.0.0.1", alwaysNative: true,
		noSocket: true, // for want of JNA
		start: func(t testing.TB) func(loginTask) ([]string, error) {
			t.Helper()
			return startProgram(t, "java", "-Xmx256m", "-cp", connectorJar, "testdata/login/Client.java").login
		},
	},
}

// login has the program do a task.
func (p *program) login(task loginTask) ([]string, error) {
	host, port := "localhost", "0"
	if task.socket == "" {
		var err error
		if host, port, err = net.SplitHostPort(task.addr); err != nil {
			return nil, err
		}
	}
	answer, err := p.ask(strings.Join([]string{
		"socket=" + task.socket, "host=" + host, "port=" + port, "tls=" + task.tls,
		"user=" + task.user, "password=" + task.password, "database=" + task.database,
		"other_user=" + task.other.user, "other_password=" + task.other.password, "other_database=" + task.other.database,
		"facts=" + cmp.Or(task.facts, loginFacts), "rows=" + loginRows, "prepared=" + loginPrepared, "error=" + loginError,
		"insert=" + loginInsert, "count=" + loginCount, fmt.Sprint("cancel=", task.cancel),
	}, "\t") + "\n")
	return strings.Split(answer, "\t"), err
}

// loginCLI has MariaDB's command line client do a task.
func loginCLI(t testing.TB, path string, task loginTask) ([]string, error) {
	cmd := exec.Command(path, "--no-defaults", "--batch", "--skip-column-names", "--force",
		"--user="+task.user, "--password="+task.password)
	if task.socket != "" {
		cmd.Args = append(cmd.Args, "--protocol=socket", "--socket="+task.socket)
	} else {
		host, port, err := net.SplitHostPort(task.addr)
		if err != nil {
			return nil, err
		}
		cmd.Args = append(cmd.Args, "--protocol=tcp", "--host="+host, "--port="+port)
	}
	switch task.tls {
	case "":
		cmd.Args = append(cmd.Args, "--skip-ssl")
	case anyServer:
		cmd.Args = append(cmd.Args, "--ssl", "--skip-ssl-verify-server-cert")
	default:
		cmd.Args = append(cmd.Args, "--ssl-verify-server-cert", "--ssl-ca="+task.tls)
	}
	cmd.Args = append(cmd.Args, task.database)
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		cmp.Or(task.facts, loginFacts), loginRows, "PREPARE s FROM '" + loginPrepared + "'", "SET @v = 1", "EXECUTE s USING @v", loginError,
		"START TRANSACTION", loginInsert, loginCount, "ROLLBACK", loginCount,
		"USE information_schema", "SELECT DATABASE()", "USE " + task.database, "SELECT DATABASE()", "",
	}, ";\n"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := start(cmd); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { kill(cmd) })()
	// The client ends with 1 if one of the statements had an error.
	if err := cmd.Wait(); ctx.Err() != nil || stdout.Len()+stderr.Len() == 0 {
		return nil, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	out := strings.ReplaceAll(stdout.String(), "\t", "|") + stderr.String()
	return strings.Split(strings.TrimRight(out, "\n"), "\n"), nil
}
