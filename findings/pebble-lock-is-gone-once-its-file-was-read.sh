#!/usr/bin/env bash
# What:    Pebble v2.1.7 on Linux, the file LOCK of an open directory.
# Guess:   While a process has the directory open, no other one can open it.
# Happens: The lock is a POSIX record lock. It ends when the process that holds it closes any
#          descriptor of that file. So a process that copies its own directory file by file, to
#          back it up or to checksum it, gives its lock away, and is told nothing: another
#          process opens the directory beside it. Within the process it still looks locked.
# Why:     Two processes that both write one log directory are the end of it, and "copy all
#          files of the directory" is what a backup within the process does first.
# Paxlog:  Never opens LOCK of a directory that it has open; what reads all files (wal/whole.go)
#          reads tables, manifests and logs by their names.
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
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

type silent struct{}

func (silent) Infof(string, ...any)           {}
func (silent) Errorf(string, ...any)          {}
func (silent) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func open(dir string, readOnly bool) (*pebble.DB, error) {
	return pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: silent{}, ReadOnly: readOnly})
}

func main() {
	if len(os.Args) > 1 { // the other process; it only reads, so nothing is harmed
		db, err := open(os.Args[1], true)
		if err != nil {
			fmt.Println("refused:", err)
			return
		}
		must(db.Close())
		fmt.Println("opened")
		return
	}
	db, err := open("db", false)
	must(err)
	must(db.Set([]byte("k"), []byte("v"), pebble.Sync))
	other := func() string {
		out, err := exec.Command(os.Args[0], "db").Output()
		must(err)
		return strings.TrimSpace(string(out))
	}
	before := other()
	fmt.Println("another process, directory open here:    ", before)
	_, err = os.ReadFile("db/LOCK")
	must(err)
	after := other()
	fmt.Println("the same after this one read the file LOCK:", after)
	_, err = open("db", true)
	fmt.Println("this process, a second time:              refused:", err)
	must(db.Close())
	if !strings.HasPrefix(before, "refused") || after != "opened" || err == nil {
		fmt.Println("CHANGED: reading LOCK was expected to end the lock for other processes only")
		os.Exit(1)
	}
}
GO
go build -o finding . && ./finding
