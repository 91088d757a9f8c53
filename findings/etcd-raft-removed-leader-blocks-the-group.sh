#!/usr/bin/env bash
# What:    go.etcd.io/raft/v3 v3.7.0, a leader that removes itself from three members, defaults.
# Guess:   When the change is applied it steps down, or the two that are left elect one of them.
# Happens: It stays leader, sends its heartbeats to the two, and refuses every proposal, also those that they pass
#          on, as "dropped". They hear a leader and never campaign: the group is without writes until somebody
#          stops that process. Config.StepDownOnRemoval, off by default, ends it at once.
# Why:     "Remove the old machine, then switch it off" is an outage from the first to the second, and every process
#          looks healthy: one leader, one term, nothing to elect.
# Paxlog:  A leader is no acceptor, so it goes on leading whichever of them is removed.
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
	store   *raft.MemoryStorage
	applied int // entries with a value
}

type group [3]*member

func newGroup(stepDown bool) (g group) {
	for i := range g {
		store := raft.NewMemoryStorage()
		must(store.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(1), Term: proto.Uint64(1), ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}}}}))
		node, err := raft.NewRawNode(&raft.Config{ID: uint64(i + 1), Applied: 1, ElectionTick: 10, HeartbeatTick: 1, Storage: store, MaxSizePerMsg: 1 << 20,
			MaxInflightMsgs: 16, StepDownOnRemoval: stepDown, Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}})
		must(err)
		g[i] = &member{RawNode: node, store: store}
	}
	return g
}

// settle delivers all messages until nobody has any.
func (g group) settle() {
	for busy := true; busy; {
		busy = false
		for _, m := range g {
			if !m.HasReady() {
				continue
			}
			busy = true
			rd := m.Ready()
			if !raft.IsEmptyHardState(rd.HardState) {
				must(m.store.SetHardState(rd.HardState))
			}
			must(m.store.Append(rd.Entries))
			for _, e := range rd.CommittedEntries {
				if e.GetType() == pb.EntryConfChange {
					var change pb.ConfChange
					must(proto.Unmarshal(e.Data, &change))
					m.ApplyConfChange(&change)
				} else if len(e.Data) > 0 {
					m.applied++
				}
			}
			for _, msg := range rd.Messages {
				_ = g[msg.GetTo()-1].Step(proto.Clone(msg).(*pb.Message)) // a dropped proposal is an error here
			}
			m.Advance(rd)
		}
	}
}

func (g group) run(ticks int) {
	for range ticks {
		for _, m := range g {
			m.Tick()
			g.settle()
		}
	}
}

func try(stepDown bool) (applied int) {
	g := newGroup(stepDown)
	must(g[0].Campaign())
	g.settle()
	must(g[0].ProposeConfChange(&pb.ConfChange{Type: pb.ConfChangeRemoveNode.Enum(), NodeId: proto.Uint64(1)}))
	g.settle()
	g.run(1000) // a hundred election timeouts
	atLeader := g[0].Propose([]byte("at the removed one"))
	atOther := g[1].Propose([]byte("at another one"))
	g.settle()
	g.run(20)
	s := g[1].Status()
	fmt.Printf("StepDownOnRemoval %v, 1000 ticks after the removal of 1:\n", stepDown)
	fmt.Printf("  members %s, member 2 follows %d in term %d, member 1 is %v\n", s.Config.String(), s.Lead, s.HardState.GetTerm(), g[0].Status().RaftState)
	fmt.Printf("  proposed at 1: %v; proposed at 2: %v; entries applied at 2: %d\n", atLeader, atOther, g[1].applied)
	return g[1].applied
}

func main() {
	if off, on := try(false), try(true); off != 0 || on == 0 {
		fmt.Println("CHANGED: nothing was expected to be applied by default, and entries with StepDownOnRemoval")
		os.Exit(1)
	}
}
GO
go run .
