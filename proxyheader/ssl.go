package proxyheader

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// The bits of [SSL.Client] (section 2.2.6).
const (
	ClientSSL      uint8 = 0x01 // PP2_CLIENT_SSL: the client connected over TLS
	ClientCertConn uint8 = 0x02 // PP2_CLIENT_CERT_CONN: it showed a certificate on this connection
	ClientCertSess uint8 = 0x04 // PP2_CLIENT_CERT_SESS: it showed one at least once in this TLS session
)

// SSL tells of the TLS that the sender ended, as PP2_TYPE_SSL has it (section 2.2.6). Its slices point into
// the bytes given to [Parse]; those that the sender left out are nil.
type SSL struct {
	// Client is made of ClientSSL, ClientCertConn and ClientCertSess. HAProxy sends 0 for a client that did
	// not use TLS.
	Client uint8
	// Verify is 0 or why the client's certificate was not verified (OpenSSL's X509_V_ERR_ numbers). It means
	// nothing without a certificate: ask [SSL.Verified].
	Verify uint32

	Version            []byte // "TLSv1.3"
	CommonName         []byte // of the client certificate's subject
	Cipher             []byte // "ECDHE-RSA-AES128-GCM-SHA256"
	SignatureAlgorithm []byte // of the sender's certificate: "RSA-SHA256"
	KeyAlgorithm       []byte // of the sender's certificate: "RSA2048"
	Group              []byte // "X25519MLKEM768"
	SignatureScheme    []byte // "rsa_pss_rsae_sha256"
	ClientCertificate  []byte // X.509, DER

	// TLVs is the second level: all of the above and what is not known here.
	TLVs TLVs
}

// SSL returns the first PP2_TYPE_SSL, and whether there is one.
func (t TLVs) SSL() (SSL, bool) {
	value, ok := t.Get(TypeSSL)
	if !ok {
		return SSL{}, false
	}
	return parseSSL(value)
}

// TLS reports whether the client connected to the sender over TLS.
func (s *SSL) TLS() bool { return s.Client&ClientSSL != 0 }

// Verified reports whether the client showed a certificate, on this connection or earlier in its TLS
// session, and it was verified.
//
// Verify == 0 alone does not say that, whatever section 2.2.6 promises: HAProxy leaves it 0 where there was
// no certificate, and even where there was no TLS.
func (s *SSL) Verified() bool {
	return s.TLS() && s.Client&(ClientCertConn|ClientCertSess) != 0 && s.Verify == 0
}

// parseSSL decodes struct pp2_tlv_ssl. It returns false if the second level is malformed, or if it lacks the
// version that ClientSSL announces. The second level holds no third, so nothing recurses.
func parseSSL(value []byte) (SSL, bool) {
	if len(value) < 5 {
		return SSL{}, false
	}
	s := SSL{Client: value[0], Verify: binary.BigEndian.Uint32(value[1:5])}
	c := tlvCursor{rest: value[5:]}
	if len(c.rest) > 0 {
		s.TLVs = TLVs(c.rest)
	}
	for len(c.rest) > 0 {
		typ, value, ok := c.next()
		if !ok {
			return SSL{}, false
		}
		if field := s.field(typ); field != nil && *field == nil {
			*field = value
		}
	}
	return s, !s.TLS() || s.Version != nil
}

// field returns where the first sub-TLV of type typ is kept, or nil for a type that is not known.
func (s *SSL) field(typ Type) *[]byte {
	//exhaustive:ignore // the types are an open set, and those of the first level are not looked for
	switch typ {
	case SubtypeSSLVersion:
		return &s.Version
	case SubtypeSSLCN:
		return &s.CommonName
	case SubtypeSSLCipher:
		return &s.Cipher
	case SubtypeSSLSigAlg:
		return &s.SignatureAlgorithm
	case SubtypeSSLKeyAlg:
		return &s.KeyAlgorithm
	case SubtypeSSLGroup:
		return &s.Group
	case SubtypeSSLSigScheme:
		return &s.SignatureScheme
	case SubtypeSSLClientCert:
		return &s.ClientCertificate
	}
	return nil
}

// sslNames are the names that [SSL.Lookup] knows besides "verified", with their subtypes.
var sslNames = map[string]Type{
	"version":     SubtypeSSLVersion,
	"cn":          SubtypeSSLCN,
	"cipher":      SubtypeSSLCipher,
	"sig_alg":     SubtypeSSLSigAlg,
	"key_alg":     SubtypeSSLKeyAlg,
	"group":       SubtypeSSLGroup,
	"sig_scheme":  SubtypeSSLSigScheme,
	"client_cert": SubtypeSSLClientCert,
}

// Lookup returns a part of s as text by its name, and whether it is there: version, cn, cipher, sig_alg,
// key_alg, group, sig_scheme (all by [Text]), client_cert (DER in hex) and verified ("true" or "false").
func (s *SSL) Lookup(name string) (string, bool) {
	if name == "verified" {
		return strconv.FormatBool(s.Verified()), true
	}
	typ, known := sslNames[name]
	if !known {
		return "", false
	}
	value := *s.field(typ)
	if typ == SubtypeSSLClientCert {
		return hex.EncodeToString(value), value != nil
	}
	return Text(value), value != nil
}
