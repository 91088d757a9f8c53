#!/usr/bin/env bash
# What:    Pebble v2.1.7, Options.ErrorIfNotExists, and ReadOnly on an empty directory.
# Guess:   "The database does not exist" leaves the disk as it was.
# Happens: With ErrorIfNotExists the directory is made, with all its parents, and a file LOCK in
#          it. ReadOnly makes LOCK in an empty directory too, though it makes no directory.
# Why:     A tool that is given a wrong path litters it, and a check such as "refuse a directory
#          that is not empty" then refuses the right one. A mount point that is not mounted gets
#          a folder that the mount later hides.
# Paxlog:  Reads its own IDENTITY file before it calls Pebble, so `inspect` and the daemons leave
#          a wrong path untouched (wal/store.go, Open).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/cockroachdb/pebble/v2@v2.1.7; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/cockroachdb/pebble/v2

cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

type silent struct{}

func (silent) Infof(string, ...any)           {}
func (silent) Errorf(string, ...any)          {}
func (silent) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

func found(dir string) string {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "no directory"
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return fmt.Sprint(names)
}

func try(what, dir string, o pebble.Options) string {
	o.Logger, o.FormatMajorVersion = silent{}, pebble.FormatNewest
	db, err := pebble.Open(dir, &o)
	if err == nil {
		_ = db.Close()
		return "opened"
	}
	fmt.Printf("%-34s error: %v\n%-34s left: %s\n", what, err, "", found(dir))
	return found(dir)
}

func main() {
	if err := os.Mkdir("empty", 0o700); err != nil {
		panic(err)
	}
	a := try("ErrorIfNotExists, nothing there", "no/such/place", pebble.Options{ErrorIfNotExists: true})
	b := try("ReadOnly, nothing there", "nor/here", pebble.Options{ReadOnly: true})
	c := try("ReadOnly, an empty directory", "empty", pebble.Options{ReadOnly: true})
	if a != "[LOCK]" || b != "no directory" || c != "[LOCK]" {
		fmt.Println("CHANGED: a refused open was expected to leave LOCK behind, but for ReadOnly where nothing is")
		os.Exit(1)
	}
}
GO
go run .
