#!/usr/bin/env bash
# What:    A loop that decodes one message after the other into the same Go struct and keeps the byte
#          slices: hashicorp/go-msgpack v2.1.5, ugorji/go codec v1.3.2, vmihailenco/msgpack v5.4.1,
#          shamaton/msgpack v2.4.0.
# Guess:   Each decoded slice is the caller's own, as those of encoding/json are.
# Happens: go-msgpack, ugorji and vmihailenco write the next message's bytes into the slice that the
#          struct still has, so everything that was kept becomes the last message. shamaton makes a new
#          one, but it is a part of the input: changing the read buffer changes it.
# Why:     A reader that collects entries of a log this way has the last entry many times, and the count is
#          right. Decode into a new struct each time; copy what outlives the buffer.
# Paxlog:  Decodes each frame into a new message; its values are parts of a body that belongs to that
#          message alone, or a copy (wire/wire.go, decode).
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
	"encoding/json"
	"fmt"
	"os"

	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"
	shamaton "github.com/shamaton/msgpack/v2"
	ugorji "github.com/ugorji/go/codec"
	vmihailenco "github.com/vmihailenco/msgpack/v5"
)

type entry struct{ Data []byte }

func message(text string) []byte { return append([]byte{0x81, 0xa4, 'D', 'a', 't', 'a', 0xc4, byte(len(text))}, text...) }

func main() {
	changed := false
	for _, lib := range []struct {
		name           string
		decode         func([]byte, *entry) error
		reuses, shares bool
	}{
		{"encoding/json", func(b []byte, e *entry) error { return json.Unmarshal([]byte(`{"Data":"`+map[byte]string{'o': "b25l", 't': "dHdv"}[b[8]]+`"}`), e) }, false, false},
		{"go-msgpack", func(b []byte, e *entry) error { return hashicorp.NewDecoderBytes(b, &hashicorp.MsgpackHandle{}).Decode(e) }, true, false},
		{"ugorji", func(b []byte, e *entry) error { return ugorji.NewDecoderBytes(b, &ugorji.MsgpackHandle{}).Decode(e) }, true, false},
		{"vmihailenco", func(b []byte, e *entry) error { return vmihailenco.Unmarshal(b, e) }, true, false},
		{"shamaton", func(b []byte, e *entry) error { return shamaton.Unmarshal(b, e) }, false, true},
	} {
		var e entry
		var kept [][]byte
		var buffer []byte
		for _, text := range []string{"one", "two"} {
			buffer = message(text)
			if err := lib.decode(buffer, &e); err != nil {
				panic(err)
			}
			kept = append(kept, e.Data)
		}
		reused := string(kept[0]) != "one"
		fmt.Printf("%-14s kept %q and %q", lib.name, kept[0], kept[1])
		clear(buffer) // the next read comes in
		shared := string(kept[1]) != "two"
		fmt.Printf("; after the buffer was reused the second is %q\n", kept[1])
		changed = changed || reused != lib.reuses || shared != lib.shares
	}
	if changed {
		fmt.Println("CHANGED: three were expected to reuse the struct's slice, and shamaton to share the input")
		os.Exit(1)
	}
}
GO
go run .
