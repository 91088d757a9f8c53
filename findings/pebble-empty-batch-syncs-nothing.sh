#!/usr/bin/env bash
# What:    Pebble v2.1.7, a commit of an empty batch with pebble.Sync.
# Guess:   It makes durable whatever was written before it with NoSync, as an fsync would.
# Happens: It returns nil at once and syncs nothing: after a crash the earlier write is gone.
#          LogData(nil, pebble.Sync) does what one meant.
# Why:     A replicated log that writes first and "syncs the rest" with an empty commit says
#          that a vote is on disk while it is not.
# Paxlog:  Asks for a sync only beside a write (wal/commit.go, Apply says so), and syncs with
#          LogData when it closes a directory (wal/store.go, Close).
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

func open(fs vfs.FS) *pebble.DB {
	db, err := pebble.Open("db", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: silent{}})
	must(err)
	return db
}

// survives reports whether the key is there if the machine loses its power now.
func survives(fs *vfs.MemFS) bool {
	db := open(fs.CrashClone(vfs.CrashCloneCfg{}))
	_, closer, err := db.Get([]byte("vote"))
	if err == nil {
		must(closer.Close())
	}
	must(db.Close())
	return err == nil
}

func main() {
	fs := vfs.NewCrashableMem()
	db := open(fs)
	must(db.Set([]byte("vote"), []byte("yes"), pebble.NoSync))
	fmt.Println("Set with NoSync:              survives a crash:", survives(fs))
	must(db.NewBatch().Commit(pebble.Sync))
	empty := survives(fs)
	fmt.Println("then an empty batch, Sync:    survives a crash:", empty)
	must(db.LogData(nil, pebble.Sync))
	logged := survives(fs)
	fmt.Println("then LogData(nil), Sync:      survives a crash:", logged)
	must(db.Close())
	if empty || !logged {
		fmt.Println("CHANGED: an empty batch with Sync was expected to sync nothing, and LogData to sync")
		os.Exit(1)
	}
}
GO
go run .
