#!/usr/bin/env bash
# What:    JetStream (nats-server v2.15.2), a work queue whose consumer has MaxDeliver 2, and a message that is refused
#          (Nak) twice.
# Guess:   It goes to a place for the dead, or is removed, or stays pending so that somebody sees it.
# Happens: It is never delivered again and never removed. The consumer says pending 0, waiting for acknowledgement 0,
#          as one that has done all its work; only the stream's own count says that one message is left. A queue with a
#          bound in messages fills up with such ones.
# Why:     "Lag is 0" is what one watches, and here it means "lost sight of". Watch the stream's count as well, or the
#          advisory MAX_DELIVERIES.
# Paxlog:  A reader's place is one index: it cannot get past an entry without being told of it.
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
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work"}, Retention: jetstream.WorkQueuePolicy})
	must(err)
	for _, body := range []string{"bad", "good"} {
		_, err := js.Publish(ctx, "work", []byte(body))
		must(err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "worker", MaxDeliver: 2, AckPolicy: jetstream.AckExplicitPolicy})
	must(err)
	var given []string
	for idle := 0; idle < 3; {
		batch, err := consumer.Fetch(1, jetstream.FetchMaxWait(500*time.Millisecond))
		must(err)
		idle++
		for m := range batch.Messages() {
			idle = 0
			given = append(given, string(m.Data()))
			if string(m.Data()) == "bad" {
				must(m.Nak())
			} else {
				must(m.DoubleAck(ctx))
			}
		}
	}
	c, err := consumer.Info(ctx)
	must(err)
	i, err := stream.Info(ctx)
	must(err)
	fmt.Printf("given to the worker:  %q\n", given)
	fmt.Printf("the consumer says:    pending %d, waiting for acknowledgement %d\n", c.NumPending, c.NumAckPending)
	fmt.Printf("the stream says:      messages %d\n", i.State.Msgs)
	nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
	if len(given) != 3 || c.NumPending != 0 || c.NumAckPending != 0 || i.State.Msgs != 1 {
		fmt.Println("CHANGED: three deliveries, a consumer without work and one message that is left were expected")
		os.Exit(1)
	}
}
GO
go run .
