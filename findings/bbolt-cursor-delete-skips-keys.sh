#!/usr/bin/env bash
# What:    bbolt v1.5.0, deleting with Cursor.Delete while going on with Cursor.Next.
# Guess:   The loop deletes every key, as it does in the tests that everybody writes: they fill a
#          bucket in one transaction and trim it in another.
# Happens: Where the page was changed in the same transaction, Delete moves the next key under the
#          cursor and Next steps over it: every second key stays. No error, and the same loop over
#          pages of earlier transactions deletes everything.
# Why:     A trim of a log that also writes its new start into the bucket, in one transaction,
#          keeps half of what it trimmed; a log with holes is worse than one that is too long.
#          Bucket.Delete after collecting the keys does not depend on it.
# Paxlog:  Keeps its log in Pebble and deletes ranges there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get go.etcd.io/bbolt@v1.5.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m go.etcd.io/bbolt

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func fill(b *bolt.Bucket) {
	for i := range 1000 {
		must(b.Put(fmt.Appendf(nil, "%06d", i), []byte("entry")))
	}
}

func trim(b *bolt.Bucket) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		must(c.Delete())
	}
}

func main() {
	db, err := bolt.Open("db", 0o600, nil)
	must(err)
	left := func() (n int) {
		must(db.View(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("log")).ForEach(func(_, _ []byte) error { n++; return nil })
		}))
		return n
	}
	must(db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("log"))
		must(err)
		fill(b)
		return nil
	}))
	must(db.Update(func(tx *bolt.Tx) error { trim(tx.Bucket([]byte("log"))); return nil }))
	apart := left()
	fmt.Println("1000 keys written, then deleted in the next transaction: left", apart)
	must(db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("log"))
		fill(b)
		trim(b)
		return nil
	}))
	together := left()
	fmt.Println("1000 keys written and deleted in one transaction:        left", together)
	must(db.Close())
	if apart != 0 || together == 0 {
		fmt.Println("CHANGED: the loop was expected to leave keys behind in the same transaction only")
		os.Exit(1)
	}
}
GO
go run .
