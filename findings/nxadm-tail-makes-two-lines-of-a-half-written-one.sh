#!/usr/bin/env bash
# What:    nxadm/tail v1.4.11, the Go library that follows log files in many feeders, with Follow and ReOpen.
# Guess:   A line is delivered when its newline is there.
# Happens: What stands in the file when the end is reached is delivered as a line, and the rest as the next one. A
#          program that writes a line in two writes, as buffered output does at each full buffer, gives two entries.
#          CompleteLines, off by default, waits for the newline.
# Why:     It shows under load only: JSON lines that are cut at multiples of 4096 bytes. Once appended, the halves stay.
# Paxlog:  `append` waits for the newline or the end of its input before it takes a line.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/nxadm/tail@v1.4.11; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/nxadm/tail

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/nxadm/tail"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// lines are what a follower is given of "one line\n" that is written in two halves.
func lines(name string, complete bool) (got []string) {
	f, err := os.Create(name)
	must(err)
	t, err := tail.TailFile(name, tail.Config{Follow: true, ReOpen: true, CompleteLines: complete, Logger: tail.DiscardingLogger})
	must(err)
	take := func(wait time.Duration) {
		for {
			select {
			case l := <-t.Lines:
				got = append(got, l.Text)
			case <-time.After(wait):
				return
			}
		}
	}
	_, err = f.WriteString(`{"entry":`)
	must(err)
	take(time.Second)
	_, err = f.WriteString("1}\n")
	must(err)
	take(time.Second)
	must(f.Close())
	must(t.Stop())
	t.Cleanup()
	return got
}

func main() {
	plain, complete := lines("a.log", false), lines("b.log", true)
	fmt.Printf("default:             %q\n", plain)
	fmt.Printf("CompleteLines: true: %q\n", complete)
	if len(plain) != 2 || len(complete) != 1 {
		fmt.Println("CHANGED: two lines were expected by default, and one with CompleteLines")
		os.Exit(1)
	}
}
GO
go run .
