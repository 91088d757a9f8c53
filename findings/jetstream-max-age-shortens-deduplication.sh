#!/usr/bin/env bash
# What:    JetStream (nats-server v2.15.2), a stream with MaxAge below two minutes.
# Guess:   Retries are recognised for two minutes, the documented default of the duplicate window.
# Happens: The window is silently made as short as MaxAge. With MaxAge 1 s a retry after 2 s is stored again; an
#          explicit window of two minutes with that MaxAge is refused, so who left it out is not told.
# Why:     Retention and exactly-once look like two settings and are one: shortening the first, also for a
#          test, ends the second.
# Paxlog:  Forgets a session when `limits.sessions` newer ones have pushed it out, never by a time; what is sent in
#          it then is refused, not applied twice.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get github.com/nats-io/nats-server/v2@v2.15.2 github.com/nats-io/nats.go@v1.55.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m github.com/nats-io/nats-server/v2 github.com/nats-io/nats.go

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: "store", NoLog: true, NoSigs: true})
	must(err)
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		panic("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	must(err)
	js, err := jetstream.New(nc)
	must(err)
	// retried publishes with one id, 2 s apart, and reports whether the second one was recognised.
	retried := func(name string, maxAge time.Duration) bool {
		stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, MaxAge: maxAge})
		must(err)
		_, err = js.Publish(ctx, name, []byte("entry"), jetstream.WithMsgID("id"))
		must(err)
		time.Sleep(2 * time.Second)
		ack, err := js.Publish(ctx, name, []byte("entry"), jetstream.WithMsgID("id"))
		must(err)
		fmt.Printf("MaxAge %-3v duplicate window %-5v a retry after 2s: sequence %d, duplicate %v\n", maxAge, stream.CachedInfo().Config.Duplicates, ack.Sequence, ack.Duplicate)
		return ack.Duplicate
	}
	forever := retried("FOREVER", 0)
	second := retried("SECOND", time.Second)
	_, refused := js.CreateStream(ctx, jetstream.StreamConfig{Name: "ASKED", Subjects: []string{"ASKED"}, MaxAge: time.Second, Duplicates: 2 * time.Minute})
	fmt.Println("MaxAge 1s and a window of 2m asked for:", refused)
	nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
	if !forever || second || refused == nil {
		fmt.Println("CHANGED: only the stream without MaxAge was expected to recognise the retry")
		os.Exit(1)
	}
}
GO
go run .
