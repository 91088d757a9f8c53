#!/usr/bin/env bash
# What:    JetStream (nats-server v2.15.2, run inside the test), publishing with Nats-Msg-Id.
# Guess:   "duplicate" with a sequence number means: that message is in the stream, under that number.
# Happens: The list of ids knows nothing of what became of the message, of its subject, or of its body. After a
#          purge the retry is answered "duplicate, sequence 1" though the stream is empty; the same id with
#          another body on another subject is answered so, too, and never stored. A restart makes the list anew
#          from the messages: then the purged one is stored again.
# Why:     A producer that takes the answer for a proof of storage deletes its only copy. Ids must be unique over
#          the whole stream, not over a subject.
# Paxlog:  Answers a repeat with the index that the entry has in the log. Ids are a session's own, so two writers
#          cannot choose the same one.
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

func start() (stop func(), js jetstream.JetStream) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: "store", NoLog: true, NoSigs: true})
	must(err)
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		panic("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	must(err)
	js, err = jetstream.New(nc)
	must(err)
	return func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }, js
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stop, js := start()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log.>"}})
	must(err)
	publish := func(subject, body, id string) *jetstream.PubAck {
		ack, err := js.Publish(ctx, subject, []byte(body), jetstream.WithMsgID(id))
		must(err)
		info, err := stream.Info(ctx)
		must(err)
		fmt.Printf("%-8s %-8q id %s: sequence %d, duplicate %-5v  messages in the stream: %d\n", subject, body, id, ack.Sequence, ack.Duplicate, info.State.Msgs)
		return ack
	}
	publish("log.a", "one", "id-1")
	must(stream.Purge(ctx))
	fmt.Println("-- the stream is purged")
	purged := publish("log.a", "one", "id-1")
	_, gone := stream.GetMsg(ctx, purged.Sequence)
	fmt.Println("sequence", purged.Sequence, "read back:", gone)
	publish("log.b", "two", "id-2")
	other := publish("log.c", "other", "id-2")
	stop()
	fmt.Println("-- the server is started again")
	stop, js = start()
	stream, err = js.Stream(ctx, "LOG")
	must(err)
	again := publish("log.a", "one", "id-1")
	stop()
	if !purged.Duplicate || gone == nil || !other.Duplicate || again.Duplicate {
		fmt.Println("CHANGED: duplicates of a purged message and of another body were expected, and none after the restart")
		os.Exit(1)
	}
}
GO
go run .
