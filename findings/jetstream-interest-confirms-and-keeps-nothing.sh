#!/usr/bin/env bash
# What:    JetStream (nats-server v2.15.2), retention "interest", published to before the first consumer is there.
# Guess:   The acknowledgement with a sequence number means that the message is stored until consumers have had it;
#          without one it waits, or the publish is refused as core NATS does ("no responders").
# Happens: It is acknowledged with sequence 1 and dropped at once. A consumer that is made a moment later, with
#          "deliver all", starts after it. The number is used up.
# Why:     At the first deployment, or after somebody deleted the only consumer to make it anew, everything is
#          confirmed and nothing is kept.
# Paxlog:  Readers do not register; an acknowledged entry is in the log whoever reads.
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
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "LOG", Subjects: []string{"log"}, Retention: jetstream.InterestPolicy})
	must(err)
	early, err := js.Publish(ctx, "log", []byte("before any consumer"))
	must(err)
	info, err := stream.Info(ctx)
	must(err)
	fmt.Printf("published without a consumer: acknowledged with sequence %d; messages in the stream: %d\n", early.Sequence, info.State.Msgs)
	kept := info.State.Msgs

	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "reader", DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy})
	must(err)
	late, err := js.Publish(ctx, "log", []byte("after the consumer"))
	must(err)
	batch, err := consumer.FetchNoWait(10)
	must(err)
	var got []string
	for m := range batch.Messages() {
		got = append(got, string(m.Data()))
	}
	must(batch.Error())
	fmt.Printf("the next one has sequence %d; the consumer, from the start: %q\n", late.Sequence, got)
	nc.Close()
	s.Shutdown()
	s.WaitForShutdown()
	if kept != 0 || len(got) != 1 || late.Sequence != 2 {
		fmt.Println("CHANGED: the first message was expected to be acknowledged and dropped")
		os.Exit(1)
	}
}
GO
go run .
