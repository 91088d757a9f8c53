#!/usr/bin/env bash
# What:    crypto/x509 of Go 1.26: a certificate that names its owner by a URI, as SPIFFE does, whose host is a name with a
#          dot at its end or two side by side ("orders.", "eu..orders").
# Guess:   What CreateCertificate writes without an error ParseCertificate reads.
# Happens: "cannot parse URI ...: invalid domain". CreateCertificate looks at no host, ParseCertificate holds it to the rules
#          of a DNS name. A server that has the certificate from CreateCertificate starts and shows it, and every client ends
#          the handshake with "failed to parse certificate from server"; openssl reads it without a word.
# Why:     An authority gives such certificates to all processes of a log at once, says that all went well, and nobody can
#          connect. The name that does it, that of the cluster, is the one thing in them that cannot be changed any more.
# Paxlog:  Refuses such a name where the cluster file has TLS, and reads every certificate back before it writes it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
go mod init finding 2>setup.log || { cat setup.log; exit 1; }
go version | cut -d' ' -f3

cat >main.go <<'GO'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// show makes a certificate for a process of a cluster, and says what becomes of it.
func show(cluster string) (read, shaken, other error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{{Scheme: "log", Host: cluster, Path: "/node/1"}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	_, read = x509.ParseCertificate(der)

	a, b := net.Pipe()
	go func() {
		_ = tls.Server(a, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}).Handshake()
		_ = a.Close()
	}()
	shaken = tls.Client(b, &tls.Config{InsecureSkipVerify: true}).Handshake()

	openssl := exec.Command("openssl", "x509", "-noout", "-ext", "subjectAltName")
	openssl.Stdin = strings.NewReader(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if _, err := exec.LookPath("openssl"); err == nil {
		other = openssl.Run()
	}
	fmt.Printf("%-14s created; read: %v; handshake: %v; openssl: %v\n", cluster, read, shaken, other)
	return read, shaken, other
}

func main() {
	ok := true
	for _, name := range []string{"orders", "eu.orders"} {
		read, shaken, _ := show(name)
		ok = ok && read == nil && shaken == nil
	}
	for _, name := range []string{"orders.", "eu..orders", ".orders"} {
		read, shaken, other := show(name)
		ok = ok && read != nil && shaken != nil && other == nil
	}
	if !ok {
		fmt.Println("CHANGED: the last three were expected to be created, and refused by Go alone when they are read")
		os.Exit(1)
	}
}
GO
go run .
