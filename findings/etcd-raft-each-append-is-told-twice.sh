#!/usr/bin/env bash
# What:    go.etcd.io/raft/v3 v3.7.0, one proposal at the leader of three idle members.
# Guess:   Two messages and two answers: that it is committed goes with the next entry or heartbeat, as in the paper.
# Happens: Eight. As soon as a majority has answered, the leader sends everybody an append without entries, only to
#          tell the commit, and both answer that as well.
# Why:     Who plans messages or packets an append by the paper is wrong by two for single appends; under load the
#          extra ones melt into the next. It also means that followers apply at once, without a heartbeat's delay.
# Paxlog:  chosenUpTo goes with the next Accept or heartbeat; learners count the votes themselves, and wait for neither.
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
	messages := 0
	settle := func() {
		for busy := true; busy; {
			busy = false
			var sent []*pb.Message // all that one step of the network carries
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
				for _, msg := range rd.Messages {
					sent = append(sent, proto.Clone(msg).(*pb.Message))
				}
				m.Advance(rd)
			}
			for _, msg := range sent {
				messages++
				_ = group[msg.GetTo()-1].Step(msg)
			}
		}
	}
	must(group[0].Campaign())
	settle()
	messages = 0
	must(group[0].Propose([]byte("entry")))
	settle()
	fmt.Println("messages for one proposal, without a heartbeat:", messages)
	if messages != 8 {
		fmt.Println("CHANGED: 8 were expected")
		os.Exit(1)
	}
}
GO
go run .
