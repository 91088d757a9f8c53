#!/usr/bin/env bash
# What:    go.yaml.in/yaml/v3 v3.0.5 and goccy/go-yaml v1.19.2, numbers decoded into uint64.
# Guess:   A number that does not fit the field is an error, as 300 for a uint8 is.
# Happens: Both cut a fraction off without a word (1.5 becomes 1, 3.9 becomes 3 even in a uint8), and
#          2^64 becomes 2^63 (on amd64): a value that the file does not have. 010 is 8.
# Why:     `entry_bytes: 1.5` (MiB were meant) starts a cluster that takes entries of one byte, and a
#          limit above 2^64 that was meant as "none" becomes another one.
# Paxlog:  Reads each number of the cluster file from its text, in decimal, and refuses these with the
#          line: `limits.entry_bytes: "1.5" is not a number of bytes such as 65536, 64KiB or 1MiB`
#          (config/fields.go).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get go.yaml.in/yaml/v3@v3.0.5 github.com/goccy/go-yaml@v1.19.2; } 2>setup.log || { cat setup.log; exit 1; }
go list -m go.yaml.in/yaml/v3 github.com/goccy/go-yaml

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	goccy "github.com/goccy/go-yaml"
	yaml "go.yaml.in/yaml/v3"
)

type limits struct {
	Bytes uint64 `yaml:"bytes"`
	Count uint8  `yaml:"count"`
}

func read(unmarshal func([]byte, any) error, doc string) string {
	var l limits
	if err := unmarshal([]byte(doc), &l); err != nil {
		return "error"
	}
	if strings.HasPrefix(doc, "count") {
		return fmt.Sprint(l.Count)
	}
	return fmt.Sprint(l.Bytes)
}

func main() {
	changed := false
	for _, c := range []struct{ doc, want string }{
		{"count: 300", "error"},
		{"count: 3.9", "3"},
		{"bytes: 1.5", "1"},
		{"bytes: 010", "8"},
		{"bytes: 18446744073709551616", ""}, // what a float that is too large becomes is up to the processor
	} {
		a := read(yaml.Unmarshal, c.doc)
		b := read(func(data []byte, v any) error { return goccy.Unmarshal(data, v) }, c.doc)
		fmt.Printf("%-28s yaml.v3: %-20s goccy: %s\n", c.doc, a, b)
		if c.want == "" {
			changed = changed || a == "error" || b == "error"
		} else {
			changed = changed || a != c.want || b != c.want
		}
	}
	if changed {
		fmt.Println("CHANGED: fractions and 2^64 were expected to be taken without an error")
		os.Exit(1)
	}
}
GO
go run .
