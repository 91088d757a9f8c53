#!/usr/bin/env bash
# What:    npm msgpackr 1.12.1 with its defaults, between JavaScript and Go.
# Guess:   A whole number is a whole number: 5 from Go is 5 in JavaScript, 2**32 from there is 4294967296
#          here.
# Happens: What arrives depends on the width that the other side chose, not on the value. The same 5
#          written in 9 bytes (Go's vmihailenco/msgpack writes each uint64 so) is the BigInt 5n, and
#          `5n + 1` throws. In the other direction a number from 2**32 on is sent as a float64, which
#          go-msgpack, vmihailenco and shamaton refuse to decode into a uint64.
# Why:     Indexes of a log: a JavaScript client works for years and breaks at the entry 4,294,967,296,
#          or with the first Go writer that uses another library.
# Paxlog:  Speaks MessagePack among its own processes only, each number checked against its type before it
#          is decoded (wire/shape.go).
# Needs:   Node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
npm install --silent --no-audit --no-fund --ignore-scripts msgpackr@1.12.1 >setup.log 2>&1 || { cat setup.log; exit 1; }
{ go mod init finding && go get github.com/hashicorp/go-msgpack/v2@v2.1.5 github.com/vmihailenco/msgpack/v5@v5.4.1 \
  github.com/shamaton/msgpack/v2@v2.4.0; } 2>setup.log || { cat setup.log; exit 1; }
echo "msgpackr $(node -p 'JSON.parse(fs.readFileSync("node_modules/msgpackr/package.json")).version'), node $(node --version)"
go list -m github.com/hashicorp/go-msgpack/v2 github.com/vmihailenco/msgpack/v5 github.com/shamaton/msgpack/v2

cat >main.go <<'GO'
package main

import (
	"encoding/hex"
	"fmt"
	"os"

	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"
	shamaton "github.com/shamaton/msgpack/v2"
	vmihailenco "github.com/vmihailenco/msgpack/v5"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	if len(os.Args) == 1 {
		b, err := vmihailenco.Marshal(uint64(5))
		must(err)
		var c []byte
		must(hashicorp.NewEncoderBytes(&c, &hashicorp.MsgpackHandle{}).Encode(uint64(5)))
		fmt.Printf("%x %x\n", b, c)
		return
	}
	b, err := hex.DecodeString(os.Args[1])
	must(err)
	var n uint64
	fmt.Println("  go-msgpack: ", hashicorp.NewDecoderBytes(b, &hashicorp.MsgpackHandle{}).Decode(&n))
	fmt.Println("  vmihailenco:", vmihailenco.Unmarshal(b, &n))
	fmt.Println("  shamaton:   ", shamaton.Unmarshal(b, &n))
}
GO
go build -o finding .
read -r wide small < <(./finding)
typed() { node -p 'typeof require("msgpackr").unpack(Buffer.from(process.argv[1], "hex"))' "$1"; }
echo "uint64(5) of vmihailenco, $wide: $(typed "$wide")"
echo "uint64(5) of go-msgpack, $small: $(typed "$small")"
sent=$(node -p 'require("msgpackr").pack(2**32).toString("hex")')
less=$(node -p 'require("msgpackr").pack(2**32-1).toString("hex")')
echo "msgpackr packs 2**32-1 as $less and 2**32 as $sent; the latter decoded into a uint64:"
./finding "$sent" | tee refused
if [ "$(typed "$wide") $(typed "$small")" != "bigint number" ] || [ "${less:0:2} ${sent:0:2}" != "ce cb" ] || grep -q '<nil>' refused; then
  echo "CHANGED: a BigInt, a number, and a float64 that Go refuses were expected"
  exit 1
fi
