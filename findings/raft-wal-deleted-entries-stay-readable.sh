#!/usr/bin/env bash
# What:    hashicorp/raft-wal v0.4.0, DeleteRange of the oldest entries, then GetLog of one of them.
# Guess:   ErrLogNotFound, as for entries that were deleted at the end, and as other stores say.
# Happens: FirstIndex moves on, but GetLog goes on to return deleted entries of the segment that is still written to.
#          Deleting at the end, or a restart, begins a new segment: then they are gone.
# Why:     "Is it trimmed?" has another answer on each replica and after each new segment. Decide it by the index.
# Paxlog:  Keeps its log in Pebble.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/hashicorp/raft-wal@v0.4.0 github.com/hashicorp/raft@v1.8.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/hashicorp/raft-wal

cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	must(os.Mkdir("log", 0o700))
	w, err := wal.Open("log")
	must(err)
	for i := uint64(1); i <= 10; i++ {
		must(w.StoreLog(&raft.Log{Index: i, Data: fmt.Appendf(nil, "entry %d", i)}))
	}
	get := func(i uint64) error {
		var l raft.Log
		err := w.GetLog(i, &l)
		fmt.Printf("  GetLog(%d): %q, error: %v\n", i, l.Data, err)
		return err
	}
	must(w.DeleteRange(1, 4))
	first, err := w.FirstIndex()
	must(err)
	fmt.Println("1 to 4 of ten entries are deleted, the first index is", first)
	head := get(2)
	must(w.DeleteRange(9, 10))
	last, err := w.LastIndex()
	must(err)
	fmt.Println("9 and 10 are deleted, the last index is", last)
	tail, later := get(9), get(2)
	must(w.Close())
	if first != 5 || last != 8 || head != nil || !errors.Is(tail, raft.ErrLogNotFound) || !errors.Is(later, raft.ErrLogNotFound) {
		fmt.Println("CHANGED: entry 2 was expected to be readable at first, and entry 9 to be gone")
		os.Exit(1)
	}
}
GO
go run .
