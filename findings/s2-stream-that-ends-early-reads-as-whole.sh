#!/usr/bin/env bash
# What:    Compressed streams whose end is missing because the writer was killed after a Flush: S2 and zstd of
#          klauspost/compress v1.20.4, minlz v1.2.4, lz4 of pierrec v4.1.33, and Go's gzip.
# Guess:   The reader says io.ErrUnexpectedEOF: it has not seen the end.
# Happens: S2 has no end mark: whatever was flushed reads as a whole stream, without an error; the others notice. A
#          file of no bytes is a whole stream for all of them but gzip.
# Why:     A backup of a log that was piped through a compressor looks complete after a crash of the writer, and after
#          a disk that filled up at its first byte. Count entries, or write the last index beside it.
# Paxlog:  Writes no compressed streams. `tail` ends with an exit code of its own: look at it, and at the last index.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/klauspost/compress@v1.20.4 github.com/minio/minlz@v1.2.4 github.com/pierrec/lz4/v4@v4.1.33; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/klauspost/compress github.com/minio/minlz github.com/pierrec/lz4/v4

cat >main.go <<'GO'
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/minio/minlz"
	"github.com/pierrec/lz4/v4"
)

type writer interface {
	io.Writer
	Flush() error
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	changed := false
	for _, f := range []struct {
		name            string
		open            func(io.Writer) writer
		read            func(io.Reader) (io.Reader, error)
		killed, nothing bool // taken for a whole stream
	}{
		{"s2", func(w io.Writer) writer { return s2.NewWriter(w) }, func(r io.Reader) (io.Reader, error) { return s2.NewReader(r), nil }, true, true},
		{"zstd", func(w io.Writer) writer { z, err := zstd.NewWriter(w); must(err); return z }, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }, false, true},
		{"minlz", func(w io.Writer) writer { return minlz.NewWriter(w) }, func(r io.Reader) (io.Reader, error) { return minlz.NewReader(r), nil }, false, true},
		{"lz4", func(w io.Writer) writer { return lz4.NewWriter(w) }, func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }, false, true},
		{"gzip", func(w io.Writer) writer { return gzip.NewWriter(w) }, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }, false, false},
	} {
		whole := func(b []byte) (text string, ok bool) {
			r, err := f.read(bytes.NewReader(b))
			var out []byte
			if err == nil {
				out, err = io.ReadAll(r)
			}
			return fmt.Sprintf("%d bytes, error: %v", len(out), err), err == nil
		}
		var stored bytes.Buffer
		w := f.open(&stored)
		_, err := w.Write([]byte("entry 1\nentry 2\n"))
		must(err)
		must(w.Flush()) // and then the writer was killed
		killed, a := whole(stored.Bytes())
		nothing, b := whole(nil)
		fmt.Printf("%-6s flushed, never closed: %-44s nothing: %s\n", f.name, killed, nothing)
		changed = changed || a != f.killed || b != f.nothing
	}
	if changed {
		fmt.Println("CHANGED: other formats than these were expected to notice")
		os.Exit(1)
	}
}
GO
go run .
