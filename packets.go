package l4mysql

import (
	"io"
	"net"
	"time"

	"github.com/l4mysql/l4mysql/mysqlproxy"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// readPacket reads one packet, and no byte more: what follows may be for somebody else, as a ClientHello is. Memory is
// taken for what arrives, not for what a header announces.
func readPacket(r io.Reader, seq uint8, limit int) (payload []byte, refusal *mysqlproxy.Refusal, err error) {
	var header [mysqlwire.HeaderLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, nil, err
	}
	n := mysqlwire.PayloadLen(&header)
	if header[3] != seq || n == 0 {
		return nil, mysqlproxy.BadHandshake(""), nil // also a PROXY header, whose fourth byte is no sequence id
	}
	if n > limit {
		return nil, mysqlproxy.BadHandshake("the login is larger than max_login"), nil
	}
	const piece = 4 << 10
	for len(payload) < n {
		have := len(payload)
		payload = append(payload, make([]byte, min(n-have, max(piece, have)))...)
		if _, err := io.ReadFull(r, payload[have:]); err != nil {
			return nil, nil, err
		}
	}
	return payload, nil, nil
}

// writePacket writes one packet, with one Write.
func writePacket(w io.Writer, seq uint8, payload []byte) error {
	_, err := w.Write(framed(seq, payload))
	return err
}

// framed returns the packet with that payload.
func framed(seq uint8, payload []byte) []byte {
	return append(mysqlwire.AppendHeader(make([]byte, 0, mysqlwire.HeaderLen+len(payload)), len(payload), seq), payload...)
}

const (
	// goodbyeTimeout is how long a client that was refused may take to close its side.
	goodbyeTimeout = time.Second

	// goodbyeBytes is how much it may still have sent.
	goodbyeBytes = 64 << 10
)

// sayGoodbye writes an ERR packet and ends the connection such that the client gets it: a socket that is closed
// with bytes to read resets the connection, and a reset makes the client's system forget what came before.
func sayGoodbye(conn net.Conn, seq uint8, refusal *mysqlproxy.Refusal) {
	_ = conn.SetDeadline(time.Now().Add(goodbyeTimeout))
	payload := refusal.Append(nil)
	if seq == 0 {
		payload = refusal.AppendGreeting(nil)
	}
	if writePacket(conn, seq, payload) == nil && closeWrite(conn) == nil {
		_, _ = io.CopyN(io.Discard, conn, goodbyeBytes)
	}
	_ = conn.Close()
}
