#!/usr/bin/env bash
# What:    Pebble v2.1.7, Excise of a range that holds keys not flushed yet, under an open snapshot.
# Guess:   A snapshot reads the same until it is closed; that is what it is for.
# Happens: Right after the Excise it still reads 100 keys. After the next flush the same snapshot reads 40, without an
#          error. An iterator opened before goes on with all of them.
# Why:     Excise frees the space of a trimmed log at once, where DeleteRange waits for compactions. A reader that pages
#          through a snapshot meanwhile skips what was cut out, and takes the gap for the log.
# Paxlog:  Calls Excise nowhere; the place where a log could be trimmed must not do it under a reader's snapshot.
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
	"context"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
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

func walk(it *pebble.Iterator) (n int) {
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	must(it.Error())
	return n
}

func main() {
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), FormatMajorVersion: pebble.FormatNewest, Logger: silent{}})
	must(err)
	for i := range 100 {
		must(db.Set(fmt.Appendf(nil, "k%03d", i), []byte("entry"), pebble.NoSync))
	}
	snapshot := db.NewSnapshot()
	opened, err := snapshot.NewIter(nil)
	must(err)
	count := func() int {
		it, err := snapshot.NewIter(nil)
		must(err)
		n := walk(it)
		must(it.Close())
		return n
	}
	before := count()
	must(db.Excise(context.Background(), pebble.KeyRange{Start: []byte("k000"), End: []byte("k060")}))
	excised := count()
	must(db.Flush())
	flushed := count()
	old := walk(opened)
	fmt.Println("keys in the snapshot before:             ", before)
	fmt.Println("after Excise of 60 of them:              ", excised)
	fmt.Println("after the next flush:                    ", flushed)
	fmt.Println("by an iterator that was opened before:   ", old)
	must(opened.Close())
	must(snapshot.Close())
	must(db.Close())
	if before != 100 || excised != 100 || flushed != 40 || old != 100 {
		fmt.Println("CHANGED: 100, 100, 40 and 100 were expected")
		os.Exit(1)
	}
}
GO
go run .
