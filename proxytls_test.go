package l4mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"
)

// TestVerifyCommonName: a certificate without other names is taken by its common name, if its authority is known, and
// nothing else is taken that would not be without.
func TestVerifyCommonName(t *testing.T) {
	authority, other := newAuthority(t), newAuthority(t)
	for _, tt := range []struct {
		name string
		by   *authorityOfTest
		cn   string
		dns  []string
		want bool
	}{
		{"its common name", authority, "MySQL_Server_9.7.4_Auto_Generated_Server_Certificate", nil, true},
		{"another common name", authority, "db", nil, false},
		{"a common name beside other names", authority, "MySQL_Server_9.7.4_Auto_Generated_Server_Certificate", []string{"db"}, false},
		{"another authority", other, "MySQL_Server_9.7.4_Auto_Generated_Server_Certificate", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := &tls.Config{ServerName: "MySQL_Server_9.7.4_Auto_Generated_Server_Certificate", RootCAs: x509.NewCertPool()}
			config.RootCAs.AddCert(authority.cert)
			verifyCommonName(config)
			err := handshake(t, tt.by.leaf(t, tt.cn, tt.dns), config)
			if got := err == nil; got != tt.want {
				t.Errorf("got %v, want that it is taken: %v", err, tt.want)
			}
			if err != nil && !errors.As(err, new(*tls.CertificateVerificationError)) {
				t.Errorf("got %T, want a *tls.CertificateVerificationError", err)
			}
		})
	}
	config := &tls.Config{ServerName: "db.example.com", RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(authority.cert)
	verifyCommonName(config)
	if err := handshake(t, authority.leaf(t, "", []string{"db.example.com"}), config); err != nil {
		t.Errorf("a certificate with the name is not taken: %v", err)
	}
}

func handshake(t *testing.T, cert tls.Certificate, config *tls.Config) error {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", ln.Addr().String(), config)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

type authorityOfTest struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authorityOfTest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authorityOfTest{cert, key}
}

func (a *authorityOfTest) leaf(t *testing.T, cn string, dns []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: cn}, DNSNames: dns, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
