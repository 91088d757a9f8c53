#!/usr/bin/env bash
# What:    fsnotify v1.10.1 on Linux (inotify), a watched file that is deleted.
# Guess:   The watcher gets Remove.
# Happens: As long as anybody has the file open, only Chmod comes (the number of its links
#          changed). Remove comes when the last descriptor is closed. Who follows a log has it open
#          himself, so he waits for an event that he holds back.
# Why:     A feeder that follows a file until "Remove" never moves on to the next one, and the disk
#          space of the deleted file is never freed. Watch the directory instead.
# Paxlog:  Follows no files; it is fed by a pipe (`tail -F FILE | paxlog append`).
set -euo pipefail
[ "$(uname)" = Linux ] || { echo "needs Linux"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/fsnotify/fsnotify@v1.10.1; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/fsnotify/fsnotify

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	must(os.WriteFile("followed.log", []byte("line\n"), 0o600))
	f, err := os.Open("followed.log")
	must(err)
	w, err := fsnotify.NewWatcher()
	must(err)
	must(w.Add("followed.log"))
	events := func() string {
		var got []string
		for {
			select {
			case e := <-w.Events:
				got = append(got, e.Op.String())
			case <-time.After(500 * time.Millisecond):
				return strings.Join(got, " ")
			}
		}
	}
	must(os.Remove("followed.log"))
	open := events()
	fmt.Println("deleted while the follower has it open:", open)
	must(f.Close())
	closed := events()
	fmt.Println("after the follower closed it:          ", closed)
	must(w.Close())
	if open != "CHMOD" || closed != "REMOVE" {
		fmt.Println("CHANGED: REMOVE was expected only when the last descriptor is closed")
		os.Exit(1)
	}
}
GO
go run .
