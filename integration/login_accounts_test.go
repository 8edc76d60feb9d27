package integration

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// loginAccounts makes an account of each kind, for each way to the server, with a schema to work in.
func loginAccounts(t *testing.T, db *MariaDB) map[string]loginAccount {
	t.Helper()
	db.exec(t, "INSTALL SONAME 'auth_ed25519'")
	db.exec(t, "DELETE FROM mysql.global_priv WHERE User = ''") // else anybody may log in over the socket
	db.exec(t, "FLUSH PRIVILEGES")
	schema := word()
	db.exec(t, "CREATE DATABASE "+schema)
	db.exec(t, "CREATE TABLE "+schema+".t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40))")
	db.exec(t, "INSERT INTO "+schema+".t (v) VALUES ('one'), ('two'), ('three')")
	accounts := make(map[string]loginAccount)
	create := func(name, password, how string, args ...any) {
		t.Helper()
		a := loginAccount{word(), password, schema}
		for _, host := range []string{"127.0.0.1", "localhost"} {
			db.exec(t, "CREATE USER ?@? "+how, append([]any{a.user, host}, args...)...)
			db.exec(t, "GRANT SELECT ON *.* TO ?@?", a.user, host)
			db.exec(t, "GRANT ALL ON "+schema+".* TO ?@?", a.user, host)
		}
		accounts[name] = a
	}
	password, other := word(), word()
	create("native", password, "IDENTIFIED VIA mysql_native_password USING PASSWORD(?)", password)
	create("ed25519", password, "IDENTIFIED VIA ed25519 USING PASSWORD(?)", password)
	create("empty", "", "")
	create("native or ed25519", password,
		"IDENTIFIED VIA mysql_native_password USING PASSWORD(?) OR ed25519 USING PASSWORD(?)", password, password)
	create("ed25519, then native", password,
		"IDENTIFIED VIA ed25519 USING PASSWORD(?) OR mysql_native_password USING PASSWORD(?)", other, password)
	create("other", other, "IDENTIFIED VIA mysql_native_password USING PASSWORD(?)", other)
	native := accounts["native"]
	accounts["unknown user"] = loginAccount{unknownUser(t, db, "mysql_native_password", 20), password, schema}
	accounts["unknown user, asked for ed25519"] = loginAccount{unknownUser(t, db, "client_ed25519", 64), password, schema}
	accounts["wrong password"] = loginAccount{native.user, other, schema}
	accounts["unknown database"] = loginAccount{native.user, password, word()}
	return accounts
}

// unknownUser returns the name of no user, whom the server asks for this plugin and nothing more: it draws what to ask for,
// by the name, from its accounts.
func unknownUser(t *testing.T, db *MariaDB, plugin string, length int) string {
	t.Helper()
	for range 1000 {
		if user := word(); slices.Equal(askedFor(t, db, user, length), []string{plugin}) {
			return user
		}
	}
	t.Fatalf("the server asks no unknown user for %s", plugin)
	return ""
}

// askedFor returns the plugins that the server wants of a user until it refuses the login, as it does after an answer
// of that length that is wrong.
func askedFor(t *testing.T, db *MariaDB, user string, length int) (plugins []string) {
	t.Helper()
	conn, err := net.Dial("unix", db.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := mysqlproxy.Hello{Login: mysqlwire.Login{
		Capabilities: mysqlwire.Protocol41 | mysqlwire.SecureConnection | mysqlwire.PluginAuth, User: []byte(user),
	}}
	leg, err := hello.Say(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for {
		payload, seq, err := leg.ReadPacket(64 << 10)
		if err != nil || len(payload) == 0 || payload[0] != 0xfe { // Protocol::AuthSwitchRequest
			return plugins
		}
		plugin, _, _ := strings.Cut(string(payload[1:]), "\x00")
		plugins = append(plugins, plugin)
		if err := leg.WritePacket(seq+1, make([]byte, length)); err != nil {
			t.Fatal(err)
		}
	}
}
