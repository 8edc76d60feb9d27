package mysqlproxy

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// startTLS asks the server for TLS and makes it the leg's.
//
// Protocol::SSLRequest
func (l *Leg) startTLS(config *tls.Config, login *mysqlwire.Login) error {
	if err := l.WritePacket(l.seq, mysqlwire.AppendTLSRequest(nil, login)); err != nil {
		return err
	}
	l.seq++
	first := &firstBytes{Conn: l.Conn} // what follows the greeting in clear is the handshake's, which refuses it
	// A handshake that fails is a connect error to the server, so it is verified afterwards: see [Hello.Say].
	unverified := config.Clone()
	unverified.InsecureSkipVerify, unverified.VerifyConnection = true, nil
	conn := tls.Client(first, unverified)
	if err := conn.Handshake(); err != nil {
		if refusal := first.serverError(); refusal != nil {
			return refusal
		}
		return &TLSError{err}
	}
	first.seen = nil
	first.done = true
	l.Conn, l.Secret, l.TLS = NewConn(conn), true, true
	if err := verify(conn.ConnectionState(), config); err != nil {
		return &TLSError{err}
	}
	return nil
}

// verify does what [tls.Client] with config would have done.
func verify(state tls.ConnectionState, config *tls.Config) error {
	if !config.InsecureSkipVerify {
		options := x509.VerifyOptions{Roots: config.RootCAs, DNSName: config.ServerName, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] { // a server has shown one, or the handshake has failed
			options.Intermediates.AddCert(c)
		}
		if config.Time != nil {
			options.CurrentTime = config.Time()
		}
		if _, err := state.PeerCertificates[0].Verify(options); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
	}
	if config.VerifyConnection != nil {
		return config.VerifyConnection(state)
	}
	return nil
}

// firstBytes remembers the first bytes of the server's TLS handshake, which may be an ERR packet in clear.
type firstBytes struct {
	*Conn
	seen []byte
	done bool
}

func (f *firstBytes) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if room := 512 - len(f.seen); !f.done && room > 0 {
		f.seen = append(f.seen, p[:min(n, room)]...)
	}
	return n, err
}

// serverError returns the ERR packet that the server has sent instead of TLS, or nil. A TLS record begins with
// its type, of at least 20 (RFC 8446 §5.1), and has its version where a packet of ERR's length has zero and
// a sequence id.
func (f *firstBytes) serverError() error {
	if len(f.seen) <= mysqlwire.HeaderLen || f.seen[4] != mysqlwire.HeaderERR || f.seen[2] != 0 {
		return nil
	}
	n := mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(f.seen))
	return serverError(f.seen[mysqlwire.HeaderLen:min(len(f.seen), mysqlwire.HeaderLen+n)])
}
