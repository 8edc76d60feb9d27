package integration

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// queryMySQL runs a statement with MySQL's own client, over TCP.
func queryMySQL(t *testing.T, to relayTarget, l relayLogin, statement string) (string, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(to.address)
	if err != nil {
		t.Fatal(err)
	}
	mode := "DISABLED"
	if to.tls {
		mode = "REQUIRED"
	}
	var stderr strings.Builder
	cmd := inMySQLRoot(exec.Command("/usr/bin/mysql", "--no-defaults", "--protocol=tcp", "--batch", "--skip-column-names",
		"--host="+host, "--port="+port, "--user="+l.user, "--password="+l.password, "--ssl-mode="+mode,
		"--get-server-public-key", "--execute="+statement, l.database))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		_, said, _ := strings.Cut(stderr.String(), "ERROR ")
		err = errors.New(strings.TrimSpace(said))
	}
	return strings.TrimSpace(string(out)), err
}

// TestLoginRelayMySQL: with caching_sha2_password, whether the server knows the password from a login before
// (warm) or not (cold), and with sha256_password, a client gets through a proxy what it gets from the server
// itself, but where the server wants the password and one leg alone is secret: then it is told what can be done. With
// an RSA bridge it gets it there, too, if it is the server's leg that is not secret.
func TestLoginRelayMySQL(t *testing.T) {
	db := startMySQL(t, "--tls-version=TLSv1.3")
	certificate := newAuthority(t).issue(t, "db.test")
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		t.Fatal(err)
	}
	schema, password := word(), word()
	db.exec(t, "CREATE DATABASE "+schema)
	account := func(plugin string) relayLogin {
		user := word()
		db.exec(t, "CREATE USER ?@'%' IDENTIFIED WITH "+plugin+" BY ?", user, password)
		db.exec(t, "GRANT ALL ON "+schema+".* TO ?@'%'", user)
		return relayLogin{user, password, schema}
	}
	logins := map[string]relayLogin{
		"caching_sha2_password": account("caching_sha2_password"), "sha256_password": account("sha256_password"),
		"unknown user": {word(), password, schema},
	}
	known := logins["caching_sha2_password"]
	logins["wrong password"] = relayLogin{known.user, word(), schema}
	logins["unknown database"] = relayLogin{known.user, password, word()}
	clients := []relayClient{{"mysql", queryMySQL}, relayClients[1]}

	for _, upstream := range []struct {
		name, network, address string
		tls                    *tls.Config
		bridge                 bool
	}{
		{"plain", "tcp", db.Addr, nil, false},
		{"plain, bridged", "tcp", db.Addr, nil, true},
		{"TLS", "tcp", db.Addr, &tls.Config{InsecureSkipVerify: true}, false}, // the server has made its own certificate
		{"socket", "unix", db.Socket, nil, false},
		{"socket, bridged", "unix", db.Socket, nil, true},
	} {
		front := relayFront{
			t: t, network: upstream.network, address: upstream.address, upstream: upstream.tls, rsaBridge: upstream.bridge,
			greeting: mirrored(t, db, "caching_sha2_password"), clientTLS: &tls.Config{Certificates: []tls.Certificate{pair}},
		}
		through := relayTarget{network: "tcp", address: front.start()}
		for _, withTLS := range []bool{false, true} {
			through.tls = withTLS
			direct := relayTarget{"tcp", db.Addr, withTLS}
			for _, client := range clients {
				for name, login := range logins {
					for _, state := range []string{"cold", "warm"} {
						leg := map[bool]string{false: "plain", true: "TLS"}[withTLS]
						t.Run(fmt.Sprintf("%s, %s/%s/%s to %s", name, state, client.name, leg, upstream.name), func(t *testing.T) {
							ask := func(to relayTarget) (string, string) {
								switch state {
								case "cold":
									db.exec(t, "FLUSH PRIVILEGES") // empties the cache of caching_sha2_password
								case "warm":
									_, _ = client.query(t, direct, known, "SELECT 1")
								}
								got, err := client.query(t, to, login, "SELECT CONCAT('ok ', DATABASE())")
								return got, strings.ReplaceAll(fmt.Sprint(err), "'localhost'", "'127.0.0.1'")
							}
							want, wantErr := ask(direct)
							got, err := ask(through)
							secret := upstream.network == "unix" || upstream.tls != nil // to caching_sha2_password
							if name == "sha256_password" {
								secret = upstream.tls != nil
							}
							full := name != "caching_sha2_password" && name != "unknown database" || state == "cold"
							if name == "unknown user" && strings.Contains(err, "1105") {
								return // the server has drawn a plugin for it, which may be sha256_password
							}
							if full && withTLS != secret && !(withTLS && upstream.bridge) && name != "unknown user" {
								// The server wants the password itself, and one leg alone is secret.
								if got != "" || !strings.Contains(err, "1105") {
									t.Errorf("got %q, %s; want error 1105", got, err)
								}
							} else if got != want || err != wantErr {
								t.Errorf("got %q, %s; want %q, %s", got, err, want, wantErr)
							}
						})
					}
				}
			}
		}
	}
	// A password that the server's key of 2048 bits cannot encrypt.
	long := account("caching_sha2_password")
	long.password = strings.Repeat(word(), 30)[:214]
	db.exec(t, "ALTER USER ?@'%' IDENTIFIED BY ?", long.user, long.password)
	front := relayFront{
		t: t, network: "tcp", address: db.Addr, rsaBridge: true, greeting: mirrored(t, db, "caching_sha2_password"),
		clientTLS: &tls.Config{Certificates: []tls.Certificate{pair}},
	}
	through := relayTarget{network: "tcp", address: front.start(), tls: true}
	if got, err := queryMySQL(t, through, long, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "1105") ||
		!strings.Contains(err.Error(), "too long") {
		t.Errorf("a password of 214 bytes: got %q, %v, want error 1105", got, err)
	}
	long.password = long.password[:213]
	db.exec(t, "ALTER USER ?@'%' IDENTIFIED BY ?", long.user, long.password)
	if got, err := queryMySQL(t, through, long, "SELECT 1"); err != nil || got != "1" {
		t.Errorf("a password of 213 bytes: got %q, %v", got, err)
	}
}
