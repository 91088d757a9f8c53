#!/usr/bin/env bash
# What:    One Go struct written by five MessagePack libraries with their defaults: hashicorp/go-msgpack
#          v2.1.5, ugorji/go codec v1.3.2, vmihailenco/msgpack v5.4.1, shamaton/msgpack v2.4.0 and
#          tinylib/msgp v1.6.5.
# Guess:   The format says to use the smallest form, so equal values are equal bytes.
# Happens: Four different byte strings. vmihailenco writes each uint64 and int64 in 9 bytes; go-msgpack sorts
#          the fields by name, the others keep their order; go-msgpack and ugorji write []byte as a text.
# Why:     A log that compares entries, or remembers a retry by the hash of its bytes, calls the same
#          value written by two clients two values. Compare what a person meant, or bytes of one writer.
# Paxlog:  Compares and keeps values as the bytes that the client gave, and recognises a retry by its
#          session and number, never by its bytes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/hashicorp/go-msgpack/v2@v2.1.5 github.com/ugorji/go/codec@v1.3.2 \
  github.com/vmihailenco/msgpack/v5@v5.4.1 github.com/shamaton/msgpack/v2@v2.4.0 github.com/tinylib/msgp@v1.6.5; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/hashicorp/go-msgpack/v2 github.com/ugorji/go/codec github.com/vmihailenco/msgpack/v5 github.com/shamaton/msgpack/v2 github.com/tinylib/msgp

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"
	shamaton "github.com/shamaton/msgpack/v2"
	"github.com/tinylib/msgp/msgp"
	ugorji "github.com/ugorji/go/codec"
	vmihailenco "github.com/vmihailenco/msgpack/v5"
)

type entry struct {
	Index uint64
	Data  []byte
	Delta int64
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	e := entry{Index: 7, Data: []byte{1, 2}, Delta: 5}
	var h, u []byte
	must(hashicorp.NewEncoderBytes(&h, &hashicorp.MsgpackHandle{}).Encode(e))
	must(ugorji.NewEncoderBytes(&u, &ugorji.MsgpackHandle{}).Encode(e))
	v, err := vmihailenco.Marshal(e)
	must(err)
	s, err := shamaton.Marshal(e)
	must(err)
	t := msgp.AppendMapHeader(nil, 3) // as its generated code does
	t = msgp.AppendUint64(msgp.AppendString(t, "Index"), e.Index)
	t = msgp.AppendBytes(msgp.AppendString(t, "Data"), e.Data)
	t = msgp.AppendInt64(msgp.AppendString(t, "Delta"), e.Delta)
	different := map[string]bool{}
	for _, x := range []struct {
		name  string
		bytes []byte
	}{{"go-msgpack", h}, {"ugorji", u}, {"vmihailenco", v}, {"shamaton", s}, {"tinylib", t}} {
		fmt.Printf("%-12s %2d bytes  %x\n", x.name, len(x.bytes), x.bytes)
		different[string(x.bytes)] = true
	}
	fmt.Println("different encodings:", len(different))
	if len(different) != 4 {
		fmt.Println("CHANGED: four different encodings of the five were expected")
		os.Exit(1)
	}
}
GO
go run .
