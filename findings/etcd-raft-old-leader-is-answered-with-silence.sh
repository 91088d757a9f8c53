#!/usr/bin/env bash
# What:    go.etcd.io/raft/v3 v3.7.0, an entry of a leader of an earlier term that reaches who follows a later one.
# Guess:   It is refused with the higher term, as the Raft paper has it ("reply false if term < currentTerm"), so that
#          the old leader steps down.
# Happens: With the defaults there is no answer at all. With CheckQuorum or PreVote there is one, and the old leader
#          steps down when it gets it.
# Why:     Until the new leader itself reaches the old one, that still calls itself leader, takes proposals, and hands
#          none on. A proxy or a metric that asks "are you the leader" believes it; its clients wait for ever.
# Paxlog:  An acceptor refuses with the ballot that it promised, and one such word deposes.
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

// deposed says whether member 1, whose term is over, knows that after it has sent an
// entry to member 2, and how many answers it got.
func deposed(checkQuorum, preVote bool) (answers int, knows bool) {
	var group [3]member
	for i := range group {
		store := raft.NewMemoryStorage()
		must(store.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(1), Term: proto.Uint64(1), ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}}}}))
		node, err := raft.NewRawNode(&raft.Config{ID: uint64(i + 1), Applied: 1, ElectionTick: 10, HeartbeatTick: 1, Storage: store, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 16,
			CheckQuorum: checkQuorum, PreVote: preVote, Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}})
		must(err)
		group[i] = member{node, store}
	}
	open := func(from, to uint64) bool { return true }
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
				for _, msg := range rd.Messages {
					if open(msg.GetFrom(), msg.GetTo()) {
						_ = group[msg.GetTo()-1].Step(proto.Clone(msg).(*pb.Message))
					}
				}
				m.Advance(rd)
			}
		}
	}
	must(group[0].Campaign())
	settle()
	open = func(from, to uint64) bool { return from != 1 && to != 1 }
	for k := 0; group[1].Status().RaftState != raft.StateLeader && k < 200; k++ {
		group[1].Tick() // 2 has heard nothing for long enough; 3, too
		if k < 10 {
			group[2].Tick()
		}
		settle()
	}
	open = func(from, to uint64) bool { // 1 reaches 2 again; 2 has nothing to send of itself
		if from == 2 && to == 1 {
			answers++
		}
		return from != 3 && to != 3
	}
	must(group[0].Propose([]byte("entry")))
	settle()
	return answers, group[0].Status().RaftState != raft.StateLeader
}

func main() {
	var seen []string
	for _, c := range []struct {
		name                 string
		checkQuorum, preVote bool
	}{{"defaults", false, false}, {"CheckQuorum", true, false}, {"PreVote", false, true}} {
		answers, knows := deposed(c.checkQuorum, c.preVote)
		fmt.Printf("%s: %d answers, the old leader knows: %v\n", c.name, answers, knows)
		seen = append(seen, fmt.Sprint(answers > 0, knows))
	}
	if fmt.Sprint(seen) != "[false false true true true true]" {
		fmt.Println("CHANGED: silence was expected with the defaults only")
		os.Exit(1)
	}
}
GO
go run .
