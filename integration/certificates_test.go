package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority issues the certificates of one test.
type Authority struct {
	File        string // its own certificate
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority makes an authority that nobody trusts but those who are given its file.
func newAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{certificate: template("l4mysql test authority")}
	a.certificate.IsCA = true
	a.certificate.KeyUsage = x509.KeyUsageCertSign
	a.key, a.File = a.sign(t, a.certificate, false)
	return a
}

// issue makes a certificate for a server of this name, or for a client with this common name. The file has
// the key, too.
func (a *Authority) issue(t testing.TB, name string) (file string) {
	t.Helper()
	certificate := template(name)
	certificate.DNSNames = []string{name}
	certificate.KeyUsage = x509.KeyUsageDigitalSignature
	certificate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	_, file = a.sign(t, certificate, true)
	return file
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
	}
}

// sign makes a key for the certificate and has the authority sign it: its own, if it has no key yet.
func (a *Authority) sign(t testing.TB, certificate *x509.Certificate, withKey bool) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, a.certificate, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if withKey {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	file := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return key, file
}
