package integration

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// whoAmI is a statement that asks the server for the address and the port that it has for its client.
func whoAmI() string {
	return "SELECT host /* " + word() + " */ FROM information_schema.processlist WHERE id = connection_id()"
}

// TestOriginalAddress: whoever sends the header, in whatever form, the database behind Caddy has the address
// and the port that the load balancer has logged for its client.
func TestOriginalAddress(t *testing.T) {
	for _, name := range []string{"send-header", "keep-header"} {
		t.Run(name, func(t *testing.T) {
			db := sharedMariaDB(t)
			endpoint := newEndpoint(t)
			config := example(t, name, ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr)
			inBothForms(t, config, func(t *testing.T, config Config) {
				startCaddy(t, config)
				for _, sender := range senders {
					t.Run(sender.name, func(t *testing.T) {
						testOriginalAddress(t, db, sender.start(t, endpoint))
					})
				}
			})
		})
	}
}

// testOriginalAddress logs in through the sender with each client, to accounts that only the sender's
// clients have, and compares the database's process list with the sender's log.
func testOriginalAddress(t *testing.T, db *MariaDB, sender Sender) {
	t.Helper()
	for i, client := range clients {
		account, statement := db.createAccount(t, sender.Source.String()), whoAmI()
		got, err := client.query(t, sender.Addr, account, statement)
		if err != nil {
			t.Fatalf("%s: %v", client.name, err)
		}
		want := sender.Sessions(t, i+1)[i].Client
		if parseAddr(t, got) != want || want.Addr() != sender.Source {
			t.Errorf("%s: process list: got %s, want %s, as the load balancer logged", client.name, got, want)
		}
		log := db.generalLog(t, account.User)
		if n := countStatements(log, statement); n != 1 {
			t.Errorf("%s: the server executed %q %d times, want once; its log: %+v", client.name, statement, n, log)
		}
	}
}

// countStatements returns how often the log has the statement as a query.
func countStatements(log []LogEntry, statement string) int {
	n := 0
	for _, entry := range log {
		if entry.Command == "Query" && entry.Argument == statement {
			n++
		}
	}
	return n
}

// TestAccountOfOneAddress: an account that is granted to one address may log in from there, and from
// another address it meets the server's own refusal, which names that address.
func TestAccountOfOneAddress(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := example(t, "keep-header", ":3306", endpoint.String(), "127.0.0.1:3307", db.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		here, there := randomIPv4(), randomIPv4()
		granted := startSender(t, here, "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
		other := startSender(t, there, "127.0.0.1", endpoint.IPv4+" send-proxy-v2")
		account := db.createAccount(t, here.String())
		// With an account for that address, the refusal is an answer to the login (1045), and not one that
		// comes before it (1130): then go-sql-driver reports a "busy buffer" instead.
		db.createAccount(t, there.String())
		refusal := fmt.Sprintf("1045 (28000): Access denied for user '%s'@'%s' (using password: YES)", account.User, there)
		for _, client := range clients {
			if _, err := client.query(t, granted.Addr, account, whoAmI()); err != nil {
				t.Errorf("%s from %s: %v", client.name, here, err)
			}
			if _, err := client.query(t, other.Addr, account, whoAmI()); err == nil || !strings.Contains(err.Error(), refusal) {
				t.Errorf("%s from %s: got %v, want %s", client.name, there, err, refusal)
			}
		}
	})
}

// TestChain: each Caddy takes the address from the one before it and sends it on.
func TestChain(t *testing.T) {
	db := sharedMariaDB(t)
	front, back := newEndpoint(t), newEndpoint(t)
	config := example(t, "send-header", ":3306", back.String(), "127.0.0.1:3307", db.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		startCaddy(t, example(t, "send-header", ":3306", front.String(), "127.0.0.1:3307", back.IPv4))
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) {
				testOriginalAddress(t, db, sender.start(t, front))
			})
		}
	})
}

// TestOptional: a header that may come is taken off when it comes, and nobody is made to wait for it. The
// accounts are granted to Caddy, because nothing here tells the database who is behind it.
func TestOptional(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := optional(endpoint, db)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		t.Run("no header", func(t *testing.T) { testStatement(t, db, endpoint.IPv4) })
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) { testStatement(t, db, sender.start(t, endpoint).Addr) })
		}
	})
}

// optional is a configuration whose clients may send a header.
func optional(endpoint Endpoint, db *MariaDB) Config {
	return Caddyfile(`{
	layer4 {
		%s {
			route {
				proxy_header {
					allow 127.0.0.1 ::1
					mode optional
				}
				proxy %s
			}
		}
	}
}
`, endpoint, db.Addr)
}

// testStatement logs in at addr with each client, to accounts that have Caddy's own address, and finds
// the statement in the database's log.
func testStatement(t *testing.T, db *MariaDB, addr string) {
	t.Helper()
	for _, client := range clients {
		account, statement := db.createAccount(t, "127.0.0.1"), whoAmI()
		if _, err := client.query(t, addr, account, statement); err != nil {
			t.Errorf("%s: %v", client.name, err)
			continue
		}
		log := db.generalLog(t, account.User)
		if n := countStatements(log, statement); n != 1 {
			t.Errorf("%s: the server executed %q %d times, want once; its log: %+v", client.name, statement, n, log)
		}
	}
}

// TestSilentClient: in optional mode a client that waits for the server to speak first is not made to wait.
func TestSilentClient(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	var version string
	if err := db.Admin.QueryRow("SELECT version()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	config := optional(endpoint, db)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		conn, err := net.Dial("tcp", endpoint.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		greeting, err := readPacket(conn)
		if err != nil {
			t.Fatalf("the greeting did not arrive: %v", err)
		}
		// Protocol::HandshakeV10: the version, and at the end the plugin's name, each with a zero byte.
		if !strings.Contains(greeting, version+"\x00") || !strings.HasSuffix(greeting, "mysql_native_password\x00") {
			t.Errorf("got %q, want a whole greeting of version %s", greeting, version)
		}
	})
}

// readPacket reads one MySQL packet and returns its payload.
func readPacket(r io.Reader) (string, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return "", err
	}
	header[3] = 0 // the sequence id; the length is three bytes
	payload := make([]byte, binary.LittleEndian.Uint32(header[:]))
	if _, err := io.ReadFull(r, payload); err != nil {
		return "", fmt.Errorf("in a packet of %d bytes: %w", len(payload), err)
	}
	return string(payload), nil
}
