#!/usr/bin/env bash
# What:    lumberjack v2.2.1 (natefinch), the log rotation that most Go programs use.
# Guess:   Without MaxBackups and MaxAge nothing is ever deleted.
# Happens: A backup's name is the time in milliseconds. The second rotation within one
#          millisecond renames its file over the first one's, without an error. With MaxSize 1
#          (MB, the smallest) and writes of 600 KiB each write rotates, and a fast disk loses
#          about every second file.
# Why:     A feeder that ships rotated files into a log (dumps, batches, audit lines with large
#          payloads) never sees the lost ones, and the program that wrote them got nil.
# Paxlog:  Writes no log files: it logs to stderr, and the supervisor keeps them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get gopkg.in/natefinch/lumberjack.v2@v2.2.1; } 2>setup.log || { cat setup.log; exit 1; }
go list -m gopkg.in/natefinch/lumberjack.v2

cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// kept counts the lines in all files of dir.
func kept(dir string) (files, lines int) {
	entries, err := os.ReadDir(dir)
	must(err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(err)
		lines += bytes.Count(b, []byte("\n"))
	}
	return len(entries), lines
}

func main() {
	const wrote = 300
	l := &lumberjack.Logger{Filename: "asked/app.log"}
	for i := range wrote {
		_, err := fmt.Fprintf(l, "line %d\n", i)
		must(err)
		must(l.Rotate())
	}
	must(l.Close())
	files, lines := kept("asked")
	fmt.Printf("Rotate after each line:             %d lines written, %d left, in %d files\n", wrote, lines, files)

	l = &lumberjack.Logger{Filename: "big/app.log", MaxSize: 1}
	line := append(bytes.Repeat([]byte("x"), 600<<10), '\n')
	for range 100 {
		_, err := l.Write(line)
		must(err)
	}
	must(l.Close())
	bigFiles, bigLines := kept("big")
	fmt.Printf("lines of 600 KiB, MaxSize 1 MB:     100 lines written, %d left, in %d files (how many depends on the disk)\n", bigLines, bigFiles)
	if lines == wrote {
		fmt.Println("CHANGED: rotations within one millisecond were expected to replace each other's files")
		os.Exit(1)
	}
}
GO
go run .
