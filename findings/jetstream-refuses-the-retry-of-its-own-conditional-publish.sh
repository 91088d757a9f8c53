#!/usr/bin/env bash
# What:    JetStream (nats-server v2.15.2, one replica), publishing with an id and with "expected last sequence".
# Guess:   A retry of a publish that was stored is a duplicate, whatever its condition says by now: the id is
#          there for that.
# Happens: The condition is looked at first. It fails, since the first copy is the last message now: "wrong last
#          sequence". Without the condition the same id is answered as a duplicate.
# Why:     A writer whose answer was lost reads "somebody else was faster", gives up or merges with itself, and
#          its entry is in the log. The two safety measures break each other.
# Paxlog:  Knows a retry by session and number before anything else, and answers with the index it has.
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
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log"}})
	must(err)
	publish := func(what string, o ...jetstream.PublishOpt) (duplicate bool, err error) {
		ack, err := js.Publish(ctx, "log", []byte("entry"), append(o, jetstream.WithMsgID("id"))...)
		if err != nil {
			fmt.Printf("%-40s %v\n", what, err)
			return false, err
		}
		fmt.Printf("%-40s sequence %d, duplicate %v\n", what, ack.Sequence, ack.Duplicate)
		return ack.Duplicate, nil
	}
	empty := jetstream.WithExpectLastSequence(0)
	_, first := publish("id, if the stream is empty:", empty)
	_, retry := publish("the same again, its answer was lost:", empty)
	duplicate, plain := publish("the same id without the condition:")
	nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
	if first != nil || retry == nil || plain != nil || !duplicate {
		fmt.Println("CHANGED: the conditional retry was expected to be refused, the other one to be a duplicate")
		os.Exit(1)
	}
}
GO
go run .
