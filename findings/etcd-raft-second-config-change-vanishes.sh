#!/usr/bin/env bash
# What:    go.etcd.io/raft/v3 v3.7.0, two ProposeConfChange calls before the first change is applied.
# Guess:   The second one is refused, or waits.
# Happens: Both return nil. The second one goes through the log as an empty entry: it is replicated, committed,
#          applied as nothing, and its member is never added. The one that proposed it is not told.
# Why:     A script that adds two members one after the other ends with one, and the count of copies that one
#          believes in is wrong. An empty entry of the log is not always the leader's own.
# Paxlog:  The leader refuses a second change of the acceptors with the reason, until the first is complete.
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

func main() {
	store := raft.NewMemoryStorage()
	must(store.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(1), Term: proto.Uint64(1), ConfState: &pb.ConfState{Voters: []uint64{1}}}}))
	node, err := raft.NewRawNode(&raft.Config{ID: 1, Applied: 1, ElectionTick: 10, HeartbeatTick: 1, Storage: store, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 16,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}})
	must(err)
	empty := 0
	settle := func() {
		for node.HasReady() {
			rd := node.Ready()
			if !raft.IsEmptyHardState(rd.HardState) {
				must(store.SetHardState(rd.HardState))
			}
			must(store.Append(rd.Entries))
			for _, e := range rd.CommittedEntries {
				fmt.Printf("  applied %d: %v, %d bytes\n", e.GetIndex(), e.GetType(), len(e.Data))
				if e.GetType() == pb.EntryConfChange {
					var change pb.ConfChange
					must(proto.Unmarshal(e.Data, &change))
					node.ApplyConfChange(&change)
				} else if len(e.Data) == 0 {
					empty++
				}
			}
			node.Advance(rd)
		}
	}
	must(node.Campaign())
	settle()
	propose := func(id uint64) error {
		return node.ProposeConfChange(&pb.ConfChange{Type: pb.ConfChangeAddLearnerNode.Enum(), NodeId: proto.Uint64(id)})
	}
	second, third := propose(2), propose(3)
	fmt.Println("add learner 2:", second)
	fmt.Println("add learner 3:", third)
	settle()
	config := node.Status().Config.String()
	fmt.Println("members:", config)
	if second != nil || third != nil || config != "voters=(1) learners=(2)" || empty != 2 {
		fmt.Println("CHANGED: the second change was expected to become an empty entry")
		os.Exit(1)
	}
}
GO
go run .
