package integration

import (
	"bufio"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// wirePatience is how long a session of the load generator may last: longer than any load.
const wirePatience = 2 * time.Minute

// wireCapabilities are what the load generator claims. With an EOF packet behind the columns and one behind the
// rows, an answer's end is seen without looking into its rows.
const wireCapabilities = mysqlwire.LongPassword | mysqlwire.Protocol41 | mysqlwire.Transactions |
	mysqlwire.SecureConnection | mysqlwire.PluginAuth

// A wireTarget is where the load generator connects.
type wireTarget struct {
	address string
	tls     *tls.Config // nil: plain
	account Account
	buffer  int // of the reader, in bytes
}

// A wireSession is a session of the load generator. It speaks the protocol itself, because what a driver costs is
// missing for the proxies: they all run on the same cores.
type wireSession struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte // the packet that is written, reused
	seq  byte   // of the packet that comes or goes next
}

// logIn makes a session.
func (to *wireTarget) logIn() (*wireSession, error) {
	conn, err := net.Dial("tcp", to.address)
	if err != nil {
		return nil, err
	}
	s := &wireSession{conn: conn, in: bufio.NewReaderSize(conn, to.buffer)}
	if err = conn.SetDeadline(time.Now().Add(wirePatience)); err == nil {
		err = s.logIn(to)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("login: %w", err)
	}
	return s, nil
}

func (s *wireSession) logIn(to *wireTarget) error {
	greeting, err := s.packet()
	if err != nil {
		return err
	}
	c := mysqlwire.NewCursor(greeting)
	c.Skip(1, "protocol_version")
	c.NulString("server_version")
	c.Skip(4, "thread_id")
	nonce := append([]byte(nil), c.String(8, "auth_plugin_data_part_1")...)
	c.Skip(1+2+1+2+2+1+10, "filler to reserved")
	nonce = append(nonce, c.String(12, "auth_plugin_data_part_2")...)
	if err := c.Err("HandshakeV10"); err != nil {
		return err
	}
	login := mysqlwire.Login{
		Capabilities: wireCapabilities, MaxPacket: mysqlwire.MaxPayload, Collation: 45, // utf8mb4_general_ci
		User: []byte(to.account.User), Database: []byte(to.account.Database()), AuthPlugin: []byte("mysql_native_password"),
	}
	if to.tls != nil {
		login.Capabilities |= mysqlwire.TLS
		s.begin()
		s.out = mysqlwire.AppendTLSRequest(s.out, &login)
		if err := s.send(); err != nil {
			return err
		}
		s.conn = tls.Client(s.conn, to.tls)
		s.in.Reset(s.conn) // a server sends nothing before the TLS, so nothing is lost
	}
	s.begin()
	s.out = mysqlwire.AppendLogin(s.out, &login, nativePassword(to.account.Password, nonce))
	if err := s.send(); err != nil {
		return err
	}
	for {
		answer, err := s.packet()
		if err != nil {
			return err
		}
		switch answer[0] {
		case mysqlwire.HeaderOK:
			return nil
		case mysqlwire.HeaderEOF: // an authentication switch
			request, err := mysqlwire.ParseAuthSwitch(answer)
			if err != nil {
				return err
			}
			if plugin := string(request.Plugin); plugin != "mysql_native_password" || len(request.Data) < 20 {
				return fmt.Errorf("the server asks for %s with %d bytes", plugin, len(request.Data))
			}
			s.begin()
			s.out = append(s.out, nativePassword(to.account.Password, request.Data[:20])...)
			if err := s.send(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%#02x is no answer to a login", answer[0])
		}
	}
}

// nativePassword answers the nonce of mysql_native_password.
func nativePassword(password string, nonce []byte) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(append([]byte(nil), nonce...), twice[:]...))
	subtle.XORBytes(mask[:], mask[:], once[:])
	return mask[:]
}

// command begins a packet with a command; what is appended to s.out becomes its argument.
func (s *wireSession) command(c mysqlwire.Command) {
	s.seq = 0
	s.begin()
	s.out = append(s.out, byte(c))
}

// begin leaves room for the packet's header.
func (s *wireSession) begin() { s.out = append(s.out[:0], 0, 0, 0, 0) }

// send writes the packet.
func (s *wireSession) send() error {
	mysqlwire.AppendHeader(s.out[:0], len(s.out)-mysqlwire.HeaderLen, s.seq)
	s.seq++
	_, err := s.conn.Write(s.out)
	return err
}

// packet reads a packet; it is valid until the next one is read. An ERR packet is an error.
func (s *wireSession) packet() ([]byte, error) {
	n, err := s.header()
	if err != nil {
		return nil, err
	}
	payload, err := s.in.Peek(n)
	if err != nil {
		return nil, err
	}
	_, _ = s.in.Discard(n) // is there
	if payload[0] == mysqlwire.HeaderERR {
		return nil, fmt.Errorf("the server says %q", payload)
	}
	return payload, nil
}

// header reads a packet's header and returns the length of its payload, which is not empty.
func (s *wireSession) header() (int, error) {
	h, err := s.in.Peek(mysqlwire.HeaderLen)
	if err != nil {
		return 0, err
	}
	n := mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(h))
	s.seq = h[3] + 1
	_, _ = s.in.Discard(len(h)) // is there
	if n == 0 {
		return 0, errors.New("an empty packet")
	}
	return n, nil
}

// result reads the answer to a query, and returns how many bytes it had.
func (s *wireSession) result() (int64, error) {
	first, err := s.packet()
	if err != nil || first[0] == mysqlwire.HeaderOK {
		return 0, err
	}
	size := int64(mysqlwire.HeaderLen + len(first))
	for ends := 0; ends < 2; { // one behind the columns, one behind the rows
		n, err := s.header()
		if err != nil {
			return 0, err
		}
		size += int64(mysqlwire.HeaderLen + n)
		kind, err := s.in.Peek(1)
		if err != nil {
			return 0, err
		}
		switch {
		case kind[0] == mysqlwire.HeaderEOF && n < 9: // a row with this first byte has 16 MiB
			ends++
		case kind[0] == mysqlwire.HeaderERR:
			text, _ := s.in.Peek(n)
			return 0, fmt.Errorf("the server says %q", text)
		}
		if _, err := s.in.Discard(n); err != nil {
			return 0, err
		}
	}
	return size, nil
}

// prepare prepares a statement with one parameter and no columns, and returns its id.
func (s *wireSession) prepare(text string) (id uint32, err error) {
	s.command(mysqlwire.ComStmtPrepare)
	s.out = append(s.out, text...)
	if err := s.send(); err != nil {
		return 0, err
	}
	answer, err := s.packet()
	if err != nil {
		return 0, err
	}
	prepared, err := mysqlwire.ParsePrepareOK(answer, wireCapabilities)
	if err != nil {
		return 0, err
	}
	if prepared.Params != 1 || prepared.Columns != 0 {
		return 0, fmt.Errorf("%s has %d parameters and %d columns, want 1 and 0", text, prepared.Params, prepared.Columns)
	}
	for range 2 { // the parameter, and an EOF packet
		if _, err := s.packet(); err != nil {
			return 0, err
		}
	}
	return prepared.StatementID, nil
}

// quit ends the session as libmysql does: it does not wait for the server to close.
func (s *wireSession) quit() error {
	s.command(mysqlwire.ComQuit)
	return errors.Join(s.send(), s.close())
}

func (s *wireSession) close() error { return s.conn.Close() }
