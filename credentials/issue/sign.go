package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"time"

	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
)

// Authority makes certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// skew is how long before now a certificate is valid from, since clocks differ.
const skew = time.Hour

// newKey is a new private key.
func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// serial is a new serial number: random, so that two authorities of one name do not give the
// same.
func serial() (*big.Int, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	b[0] &= 0x7f // positive
	b[0] |= 0x40 // and of a constant length
	return new(big.Int).SetBytes(b[:]), nil
}

// NewAuthority makes an authority, which vouches for itself.
func NewAuthority(name string, from, until time.Time) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := sign(template, &Authority{template, key}, key.Public())
	if err != nil {
		return nil, err
	}
	return &Authority{cert, key}, nil
}

// Certificate makes the certificate of who, for the key whose public half is given.
func (a *Authority) Certificate(who credentials.Identity, key crypto.PublicKey, from, until time.Time) (*x509.Certificate, error) {
	if err := who.Check(); err != nil {
		return nil, err
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} // who dials
	if who.Role != paxos.RoleClient {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	return sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: who.ID}, URIs: []*url.URL{who.URI()}, NotBefore: from, NotAfter: until,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages,
	}, a, key)
}

// sign makes a certificate, and reads it again: package x509 writes some that it cannot read.
func sign(template *x509.Certificate, by *Authority, key crypto.PublicKey) (cert *x509.Certificate, err error) {
	if template.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Cert, key, by.Key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Revoke returns the list of what a revokes: what old, if there is one, has, and the
// certificates given.
func (a *Authority) Revoke(old *x509.RevocationList, now, until time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: until}
	known := map[string]bool{}
	if old != nil {
		template.Number.Add(old.Number, big.NewInt(1))
		template.RevokedCertificateEntries = old.RevokedCertificateEntries
	}
	for _, e := range template.RevokedCertificateEntries {
		known[e.SerialNumber.String()] = true
	}
	for _, c := range revoked {
		if !known[c.SerialNumber.String()] {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now})
		}
	}
	return x509.CreateRevocationList(rand.Reader, template, a.Cert, a.Key)
}

// pemOf is the text of one block.
func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// CertPEM is the text of a certificate.
func CertPEM(c *x509.Certificate) []byte { return pemOf("CERTIFICATE", c.Raw) }

// KeyPEM is the text of a private key.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pemOf("PRIVATE KEY", der), nil
}

// parseKey reads what KeyPEM writes, and what openssl does.
func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no key in it, in PEM")
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("its key cannot sign")
	}
	return signer, nil
}

// parseCert reads the first certificate of a text.
func parseCert(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate in it, in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
