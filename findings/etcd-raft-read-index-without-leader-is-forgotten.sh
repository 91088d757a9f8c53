#!/usr/bin/env bash
# What:    go.etcd.io/raft/v3 v3.7.0, RawNode.ReadIndex at a follower that knows no leader yet.
# Guess:   The read waits for a leader, or is refused as a proposal is (ErrProposalDropped).
# Happens: It is dropped; ReadIndex has no result, and no ReadState ever comes, also long after a leader was
#          elected. So it is with one whose message to the leader was lost.
# Why:     A server that keeps the request until its ReadState comes keeps it for ever: the reads that came during
#          an election hang, while later ones are answered. Each needs a time and another try, with a new context.
# Paxlog:  A read asks acceptors itself, needs no leader, and is asked again until it is answered or its time is up.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
{ go mod init finding && go get go.etcd.io/raft/v3@v3.7.0; } 2>setup.log || { cat setup.log; exit 1; }
go list -m go.etcd.io/raft/v3

cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type member struct {
	*raft.RawNode
	store *raft.MemoryStorage
}

func main() {
	var group [3]member
	for i := range group {
		store := raft.NewMemoryStorage()
		must(store.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(1), Term: proto.Uint64(1), ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}}}}))
		node, err := raft.NewRawNode(&raft.Config{ID: uint64(i + 1), Applied: 1, ElectionTick: 10, HeartbeatTick: 1, Storage: store, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 16,
			Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}})
		must(err)
		group[i] = member{node, store}
	}
	var answered []string
	settle := func() {
		for busy := true; busy; {
			busy = false
			for _, m := range group {
				if !m.HasReady() {
					continue
				}
				busy = true
				rd := m.Ready()
				if !raft.IsEmptyHardState(rd.HardState) {
					must(m.store.SetHardState(rd.HardState))
				}
				must(m.store.Append(rd.Entries))
				for _, r := range rd.ReadStates {
					answered = append(answered, string(r.RequestCtx))
				}
				for _, msg := range rd.Messages {
					_ = group[msg.GetTo()-1].Step(proto.Clone(msg).(*pb.Message))
				}
				m.Advance(rd)
			}
		}
	}
	follower := group[1]
	fmt.Println("without a leader, Propose at 2:", follower.Propose([]byte("entry")))
	follower.ReadIndex([]byte("early"))
	settle()
	must(group[0].Campaign())
	settle()
	fmt.Println("leader elected:", follower.Status().Lead)
	follower.ReadIndex([]byte("late"))
	for range 50 {
		group[0].Tick()
		settle()
	}
	fmt.Println("reads that were answered in 50 ticks:", answered)
	if fmt.Sprint(answered) != "[late]" {
		fmt.Println("CHANGED: only the read after the election was expected to be answered")
		os.Exit(1)
	}
}
GO
go run .
