#!/usr/bin/env bash
# What:    MessagePack byte strings decoded into a Go array of another length, such as an id [16]byte:
#          hashicorp/go-msgpack v2.1.5, ugorji/go codec v1.3.2, vmihailenco/msgpack v5.4.1,
#          shamaton/msgpack v2.4.0.
# Guess:   A length that differs is an error.
# Happens: A longer one: go-msgpack keeps the first bytes and says nothing; the others refuse. A shorter
#          one: all four fill up with zeros and say nothing.
# Why:     Hashes and ids of another length (a newer peer's 32 bytes in an older one's 16) become other
#          valid ids, and two that differ in their tails become equal.
# Paxlog:  Walks the bytes of a frame beside the type before it decodes, and refuses a fixed array of any
#          other length (wire/shape.go).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/hashicorp/go-msgpack/v2@v2.1.5 github.com/ugorji/go/codec@v1.3.2 \
  github.com/vmihailenco/msgpack/v5@v5.4.1 github.com/shamaton/msgpack/v2@v2.4.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/hashicorp/go-msgpack/v2 github.com/ugorji/go/codec github.com/vmihailenco/msgpack/v5 github.com/shamaton/msgpack/v2

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"
	shamaton "github.com/shamaton/msgpack/v2"
	ugorji "github.com/ugorji/go/codec"
	vmihailenco "github.com/vmihailenco/msgpack/v5"
)

func main() {
	six := []byte{0xc4, 6, 1, 2, 3, 4, 5, 6} // bin of 6 bytes
	two := []byte{0xc4, 2, 1, 2}
	changed := false
	for _, lib := range []struct {
		name     string
		decode   func([]byte, *[4]byte) error
		cutsLong bool
	}{
		{"go-msgpack", func(b []byte, v *[4]byte) error { return hashicorp.NewDecoderBytes(b, &hashicorp.MsgpackHandle{}).Decode(v) }, true},
		{"ugorji", func(b []byte, v *[4]byte) error { return ugorji.NewDecoderBytes(b, &ugorji.MsgpackHandle{}).Decode(v) }, false},
		{"vmihailenco", func(b []byte, v *[4]byte) error { return vmihailenco.Unmarshal(b, v) }, false},
		{"shamaton", func(b []byte, v *[4]byte) error { return shamaton.Unmarshal(b, v) }, false},
	} {
		var long, short [4]byte
		errLong, errShort := lib.decode(six, &long), lib.decode(two, &short)
		fmt.Printf("%-12s 6 bytes into [4]byte: %v, refused: %-5v   2 bytes into [4]byte: %v, refused: %v\n", lib.name, long, errLong != nil, short, errShort != nil)
		changed = changed || (errLong == nil) != lib.cutsLong || errShort != nil || short != [4]byte{1, 2}
	}
	if changed {
		fmt.Println("CHANGED: go-msgpack was expected to cut, and all of them to pad")
		os.Exit(1)
	}
}
GO
go run .
