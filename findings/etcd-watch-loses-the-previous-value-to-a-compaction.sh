#!/usr/bin/env bash
# What:    etcd v3.7.3 (server run inside the test), a watch WithPrevKV and with a start revision, after a compaction.
# Guess:   A watch that may start at the revision gets its events whole, or is cancelled with ErrCompacted.
# Happens: Compacted at the very revision of a put, the watch from there succeeds, and that event has no PrevKv: it
#          looks like the first put of a new key, though IsModify says that it is none. Reading at that revision is
#          allowed as well, one below it is an error. A watch of a revision that is yet to come waits without a word,
#          where a read of it is refused.
# Why:     Who makes differences of previous and new value (counters, indexes, audit records) starts with a wrong one
#          after each restart that met a compaction.
# Paxlog:  An entry is what was appended, and has no previous value.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get go.etcd.io/etcd/server/v3@v3.7.3 go.etcd.io/etcd/client/v3@v3.7.3; } 2>setup.log || { cat setup.log; exit 1; }
go list -m go.etcd.io/etcd/server/v3 go.etcd.io/etcd/client/v3

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// free is the address of a port of the loopback that nobody uses.
func free() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer l.Close()
	return l.Addr().String()
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, peer := free(), free()
	cfg := embed.NewConfig()
	cfg.Dir = "data"
	cfg.ListenClientUrls = []url.URL{{Scheme: "http", Host: client}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.ListenPeerUrls = []url.URL{{Scheme: "http", Host: peer}}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	cfg.InitialCluster = "default=http://" + peer
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server, err := embed.StartEtcd(cfg)
	must(err)
	<-server.Server.ReadyNotify()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{client}, Logger: zap.NewNop()})
	must(err)

	_, err = c.Put(ctx, "key", "old")
	must(err)
	put, err := c.Put(ctx, "key", "new")
	must(err)
	at := put.Header.Revision
	first := func() *clientv3.Event {
		watch, stop := context.WithCancel(ctx)
		defer stop()
		r := <-c.Watch(watch, "key", clientv3.WithRev(at), clientv3.WithPrevKV())
		must(r.Err())
		e := r.Events[0]
		prev := "none"
		if e.PrevKv != nil {
			prev = fmt.Sprintf("%q", e.PrevKv.Value)
		}
		fmt.Printf("  watch from %d: %v %q, previous: %s, create %v, modify %v\n", at, e.Type, e.Kv.Value, prev, e.IsCreate(), e.IsModify())
		return e
	}
	fmt.Println("key was put at", at-1, "and at", at)
	before := first()
	_, err = c.Compact(ctx, at)
	must(err)
	fmt.Println("compacted at", at)
	after := first()
	_, errAt := c.Get(ctx, "key", clientv3.WithRev(at))
	_, errBelow := c.Get(ctx, "key", clientv3.WithRev(at-1))
	_, errFuture := c.Get(ctx, "key", clientv3.WithRev(at+100))
	fmt.Println("  read at", at, "error:", errAt)
	fmt.Println("  read at", at-1, "error:", errBelow)
	fmt.Println("  read at", at+100, "error:", errFuture)
	short, stop := context.WithTimeout(ctx, time.Second)
	r, told := <-c.Watch(short, "key", clientv3.WithRev(at+100))
	stop()
	fmt.Println("  watch from", at+100, "for a second: told anything:", told, r.Err())
	must(c.Close())
	server.Close()
	if before.PrevKv == nil || after.PrevKv != nil || errAt != nil || errBelow == nil || errFuture == nil || told {
		fmt.Println("CHANGED: an event without its previous value, and a watch of the future that says nothing, were expected")
		os.Exit(1)
	}
}
GO
go run .
