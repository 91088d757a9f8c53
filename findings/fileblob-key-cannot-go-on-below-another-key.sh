#!/usr/bin/env bash
# What:    gocloud.dev v0.47.0, the same keys in a bucket of files and in one of memory, which orders and keeps keys as
#          the object stores do.
# Guess:   A key is a string; the tests with fileblob say how it goes in production.
# Happens: With files a key is a path: once "log/1" is there, "log" cannot be written, and the other way round. The
#          error is one of the file system, of code Unknown, so it looks like a broken disk.
# Why:     Names such as `backup` for the newest manifest beside `backup/000017` work in one kind of bucket only. Keys
#          that end in a suffix (`backup.json`) are safe in both.
# Paxlog:  Reaches buckets by s3:// only; a file is written by its path, file:///PATH too, and synced.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get gocloud.dev@v0.47.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m gocloud.dev

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"
)

func main() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "bucket")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	files, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true})
	if err != nil {
		panic(err)
	}
	write := func(b *blob.Bucket, key string) error {
		err := b.WriteAll(ctx, key, []byte("x"), nil)
		text := "written"
		if err != nil {
			text = fmt.Sprintf("code %v: %s", gcerrors.Code(err), strings.ReplaceAll(err.Error(), dir, "DIR"))
		}
		fmt.Printf("  %-12s %s\n", key, text)
		return err
	}
	keys := []string{"backup/17", "backup", "entry", "entry/1", "backup.json"}
	var failed []string
	fmt.Println("files:")
	for _, k := range keys {
		if write(files, k) != nil {
			failed = append(failed, k)
		}
	}
	memory := memblob.OpenBucket(nil)
	fmt.Println("memory:")
	for _, k := range keys {
		if write(memory, k) != nil {
			failed = append(failed, "memory "+k)
		}
	}
	if strings.Join(failed, " ") != "backup entry/1" {
		fmt.Println("CHANGED: two of the keys were expected to fail, with files only")
		defer os.Exit(1)
	}
}
GO
go run .
