#!/usr/bin/env bash
# What:    github.com/rs/zerolog v1.35.1, its package diode: a writer that never blocks who logs, with a waiter (poll
#          interval 0), as its documentation shows.
# Guess:   A line is written as soon as the wrapped writer takes it, and nothing else is written anywhere.
# Happens: Now and then a line stays where it is until the next one comes: Write wakes the reader without the lock under
#          which the reader decides to sleep. And where several goroutines fill the ring faster than it is emptied,
#          Write itself prints "Diode set collision" through the standard logger, to standard error by default, and waits
#          for that.
# Why:     The line that waits is the last one before a quiet time: "ready", or why a process stopped doing things. And
#          who uses the package since standard error may block waits for standard error.
# Paxlog:  Lines wait in a bounded queue of its own, which a goroutine empties that lives as long as there are any; a test
#          blocks standard error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/rs/zerolog@v1.35.1; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/rs/zerolog

cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/diode"
)

// lines hands on what is written.
type lines chan struct{}

func (l lines) Write(p []byte) (int, error) {
	l <- struct{}{}
	return len(p), nil
}

// waited is which of so many lines, each logged when the one before was written, was not
// written within half a second, but came with the next one; 0 if none.
func waited(tries int) int {
	out := make(lines, 2)
	logger := zerolog.New(diode.NewWriter(out, 1000, 0, nil))
	for n := 1; n <= tries; n++ {
		logger.Info().Msg("line")
		select {
		case <-out:
			continue
		case <-time.After(500 * time.Millisecond):
		}
		logger.Info().Msg("next")
		<-out
		<-out
		return n
	}
	return 0
}

// slow is a writer that takes its time.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(time.Microsecond)
	return len(p), nil
}

// collisions is how many lines the standard logger got while eight goroutines logged.
func collisions() int {
	var standard bytes.Buffer
	log.SetOutput(&standard)
	logger := zerolog.New(diode.NewWriter(slow{}, 4, 0, nil))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50_000 {
				logger.Info().Msg("line")
			}
		})
	}
	all.Wait()
	return bytes.Count(standard.Bytes(), []byte("collision"))
}

func main() {
	n, told := waited(3_000_000), collisions()
	fmt.Printf("line %d was written only when the next one came (0: none)\n", n)
	fmt.Printf("lines of the package on the standard logger, any: %v\n", told > 0)
	if n == 0 || told == 0 {
		fmt.Println("CHANGED: both were expected")
		os.Exit(1)
	}
}
GO
go run .
