package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

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
