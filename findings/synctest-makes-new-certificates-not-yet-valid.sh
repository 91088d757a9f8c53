#!/usr/bin/env bash
# What:    testing/synctest of Go 1.26 and crypto/tls: a handshake inside a bubble, over net.Pipe.
# Guess:   A certificate made a moment before the bubble, valid from an hour ago until tomorrow, is valid in it.
# Happens: "certificate has expired or is not yet valid": a bubble's clock begins on 2000-01-01. The same handshake
#          outside is fine. Either make the certificate inside, or give tls.Config.Time.
# Why:     The tests of a log's timeouts belong into a bubble and those of its TLS do not fit in, with an error that
#          everybody reads as a fault of the certificate. So do tokens, cookies and whatever else has a date.
# Paxlog:  Its machines are told the time and read no clock; the tests that use bubbles have no dates in them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
go mod init finding 2>setup.log || { cat setup.log; exit 1; }
go version | cut -d' ' -f3

cat >finding_test.go <<'GO'
package finding

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// certificate is valid from an hour ago until tomorrow.
func certificate() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"log"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	parsed, err := x509.ParseCertificate(der)
	must(err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func handshake(cert tls.Certificate, pool *x509.CertPool) error {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{cert}})
		_ = s.Handshake() // the client says how it went
		_ = a.Close()
	}()
	err := tls.Client(b, &tls.Config{RootCAs: pool, ServerName: "log"}).Handshake()
	_ = b.Close()
	<-done
	return err
}

func Test(t *testing.T) {
	cert, pool := certificate()
	outside := handshake(cert, pool)
	var before, within error
	synctest.Test(t, func(t *testing.T) {
		fmt.Println("the bubble's clock:               ", time.Now().UTC().Format(time.DateOnly))
		before = handshake(cert, pool)
		within = handshake(certificate())
	})
	fmt.Println("handshake outside:                ", outside)
	fmt.Println("in the bubble, the same:          ", before)
	fmt.Println("in the bubble, made in the bubble:", within)
	if outside != nil || before == nil || within != nil {
		t.Fatal("CHANGED: only the certificate from outside was expected to be refused in the bubble")
	}
}
GO
go test -count=1 -v . | grep -v '^=== RUN\|^--- PASS\|^PASS\|^ok'
