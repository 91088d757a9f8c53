#!/usr/bin/env bash
# What:    goccy/go-yaml v1.19.2 beside go.yaml.in/yaml/v3 v3.0.5: a plain scalar that looks like a
#          number, decoded into a Go string.
# Guess:   The string is what stands in the file, since the field says that it is text.
# Happens: yaml.v3 keeps the characters. goccy makes the number first and prints it: 1.10 becomes 1.1,
#          010 becomes 8, 0x1F becomes 31, 1_000 becomes 1000, .5 becomes 0.5; 1e3 stays.
# Why:     Two tools that read one cluster file see different ids, versions and tags: a process named
#          010 is process 8 to the other one, and nobody complains.
# Paxlog:  Reads ids from the scalar's text (config/fields.go), so `id: 010` is 010. Quote such ids for
#          the sake of other readers of the file.
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

	goccy "github.com/goccy/go-yaml"
	yaml "go.yaml.in/yaml/v3"
)

type process struct {
	ID string `yaml:"id"`
}

func main() {
	changed := false
	for text, want := range map[string]string{"1.10": "1.1", "010": "8", "0x1F": "31", "1_000": "1000", ".5": "0.5", "1e3": "1e3"} {
		var a, b process
		errA, errB := yaml.Unmarshal([]byte("id: "+text), &a), goccy.Unmarshal([]byte("id: "+text), &b)
		fmt.Printf("id: %-6s yaml.v3: %-6q goccy: %q\n", text, a.ID, b.ID)
		changed = changed || errA != nil || errB != nil || a.ID != text || b.ID != want
	}
	if changed {
		fmt.Println("CHANGED: goccy was expected to print the number again, yaml.v3 to keep the text")
		os.Exit(1)
	}
}
GO
go run .
