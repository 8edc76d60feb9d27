package integration

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A rawClient logs in step by step, so that it can stop anywhere. It names a plugin that MariaDB does not have, so that
// it is asked to switch, with and without a mysql_login before the server.
type rawClient struct {
	socket   *net.TCPConn
	conn     *mysqlproxy.Conn // over the socket, or over TLS
	account  Account
	flags    mysqlwire.Capability // that it claims besides the usual ones
	greeting mysqlwire.Greeting
	plugin   string // that the server has switched to
	nonce    []byte
	seq      uint8 // of the next packet
}

// dialRaw connects, and closes the connection when the test ends.
func dialRaw(t testing.TB, addr string, a Account) *rawClient {
	t.Helper()
	conn, err := tryDial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return rawOver(conn, a)
}

func tryDial(addr string) (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), conn.SetDeadline(time.Now().Add(2 * patience))
}

func rawOver(conn *net.TCPConn, a Account) *rawClient {
	return &rawClient{socket: conn, conn: mysqlproxy.NewConn(conn), account: a}
}

// read reads a packet. An ERR packet is a [*mysql.MySQLError].
func (c *rawClient) read() ([]byte, error) {
	payload, seq, err := c.conn.ReadPacket(mysqlwire.MaxPayload - 1)
	if err != nil {
		return nil, err
	}
	c.seq = seq + 1
	if len(payload) > 0 && payload[0] == mysqlwire.HeaderERR {
		e, err := mysqlwire.ParseERR(payload)
		if err != nil {
			return nil, err
		}
		refusal := &mysql.MySQLError{Number: e.Code, Message: string(e.Message)}
		copy(refusal.SQLState[:], e.SQLState)
		return nil, refusal
	}
	return payload, nil
}

func (c *rawClient) write(payload []byte) error {
	err := c.conn.WritePacket(c.seq, payload)
	c.seq++
	return err
}

// greeted reads the greeting.
func (c *rawClient) greeted() error {
	payload, err := c.read()
	if err != nil {
		return err
	}
	c.greeting, err = mysqlwire.ParseGreeting(payload)
	c.greeting.ServerVersion = append([]byte(nil), c.greeting.ServerVersion...)
	return err
}

func (c *rawClient) claims() *mysqlwire.Login {
	return &mysqlwire.Login{
		Capabilities: wireCapabilities | mysqlwire.LocalFiles | mysqlwire.ConnectWithDB | c.flags, MaxPacket: mysqlwire.MaxPayload, Collation: 45,
		User: []byte(c.account.User), Database: []byte(c.account.Database()), AuthPlugin: []byte("none_of_yours"),
	}
}

// askTLS asks for TLS.
func (c *rawClient) askTLS() error {
	c.flags |= mysqlwire.TLS
	return c.write(mysqlwire.AppendTLSRequest(nil, c.claims()))
}

// startTLS makes the handshake.
func (c *rawClient) startTLS() error {
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "db.localhost"})
	c.conn = mysqlproxy.NewConn(conn)
	return conn.Handshake()
}

// login sends the login.
func (c *rawClient) login() error {
	return c.write(mysqlwire.AppendLogin(nil, c.claims(), []byte("something for password: YES")))
}

// switched reads the authentication switch.
func (c *rawClient) switched() error {
	payload, err := c.read()
	if err != nil {
		return err
	}
	request, err := mysqlwire.ParseAuthSwitch(payload)
	if err != nil {
		return err
	}
	c.plugin, c.nonce = string(request.Plugin), append([]byte(nil), request.Data...)
	return nil
}

// answer proves who the client is.
func (c *rawClient) answer() error {
	if c.plugin != "mysql_native_password" || len(c.nonce) < 20 {
		return fmt.Errorf("the server asks for %s with %d bytes", c.plugin, len(c.nonce))
	}
	return c.write(nativePassword(c.account.Password, c.nonce[:20]))
}

// accepted reads OK.
func (c *rawClient) accepted() error {
	payload, err := c.read()
	if err == nil && (len(payload) == 0 || payload[0] != mysqlwire.HeaderOK) {
		err = fmt.Errorf("got %q, want OK", payload)
	}
	return err
}

// do takes the steps one after the other.
func do(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// logIn logs in, over TLS or not.
func (c *rawClient) logIn(withTLS bool) error {
	if err := c.greeted(); err != nil {
		return err
	}
	if withTLS {
		if err := do(c.askTLS, c.startTLS); err != nil {
			return err
		}
	}
	return do(c.login, c.switched, c.answer, c.accepted)
}

// send sends a command.
func (c *rawClient) send(command mysqlwire.Command, argument string) error {
	c.seq = 0
	return c.write(append([]byte{byte(command)}, argument...))
}

// result reads the answer to a query, and returns the first column of the first row.
func (c *rawClient) result() (value string, err error) {
	first, err := c.read()
	if err != nil || len(first) > 0 && first[0] == mysqlwire.HeaderOK {
		return "", err
	}
	for ends, got := 0, false; ends < 2; { // EOF behind the columns, and behind the rows
		payload, err := c.read()
		if err != nil {
			return value, err
		}
		if len(payload) > 0 && payload[0] == mysqlwire.HeaderEOF && len(payload) < 9 {
			ends++
			continue
		}
		if ends == 1 && !got {
			row := mysqlwire.NewCursor(payload)
			value, got = string(row.LenEncString("value")), true
		}
	}
	return value, nil
}

// query runs a statement and returns the first column of the first row.
func (c *rawClient) query(text string) (string, error) {
	if err := c.send(mysqlwire.ComQuery, text); err != nil {
		return "", err
	}
	return c.result()
}

// alive returns nil if the session answers.
func (c *rawClient) alive() error {
	want := word()
	got, err := c.query("SELECT '" + want + "'")
	if err == nil && got != want {
		err = fmt.Errorf("got %q, want %q", got, want)
	}
	return err
}

// end reads to the end of the connection, and closes it. It returns what came before that: the number of packets, and the
// ERR packet. A reset is an end, too.
func (c *rawClient) end() (packets int, refusal *mysql.MySQLError, err error) {
	defer c.socket.Close()
	for {
		_, err := c.read()
		switch {
		case err == nil:
			packets++
		case errors.As(err, &refusal):
		case isEnd(err):
			return packets, refusal, nil
		default:
			return packets, refusal, fmt.Errorf("the connection has not ended: %w", err)
		}
	}
}

// isEnd reports whether a connection of which err was read or written has ended.
func isEnd(err error) bool {
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) &&
		(errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
			strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe"))
}

// reset closes the connection with a RST.
func (c *rawClient) reset() {
	_ = c.socket.SetLinger(0)
	_ = c.socket.Close()
}
