package main

import (
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// storage is the library's own storage in memory, with the voters of the cluster,
// which do not change here.
type storage struct {
	*raft.MemoryStorage
	voters *pb.ConfState
}

func (s storage) InitialState() (*pb.HardState, *pb.ConfState, error) {
	hard, _, err := s.MemoryStorage.InitialState()
	return hard, s.voters, err
}

// What a process writes, as records on its disk.
type (
	// saved is a MsgStorageAppend: what must be on disk before its answers leave.
	saved struct {
		hard     *pb.HardState
		entries  []*pb.Entry
		snapshot *pb.Snapshot // received from the leader
	}
	// compacted is a snapshot that the process made of its own state, in place of the
	// entries up to keep.
	compacted struct {
		index, keep uint64
		data        []byte
	}
)

// savedOf is what a MsgStorageAppend asks for.
func savedOf(m *pb.Message) saved {
	s := saved{entries: m.GetEntries()}
	if !raft.IsEmptySnap(m.GetSnapshot()) {
		s.snapshot = m.GetSnapshot()
	}
	if m.Term != nil && m.Vote != nil && m.Commit != nil {
		s.hard = &pb.HardState{Term: proto.Uint64(m.GetTerm()), Vote: proto.Uint64(m.GetVote()), Commit: proto.Uint64(m.GetCommit())}
		if raft.IsEmptyHardState(s.hard) {
			s.hard = nil
		}
	}
	return s
}

// keep makes a record part of the storage.
func (s storage) keep(record any) error {
	switch r := record.(type) {
	case saved:
		if r.snapshot != nil {
			if err := s.ApplySnapshot(r.snapshot); err != nil {
				return fmt.Errorf("a snapshot up to %d: %w", r.snapshot.GetMetadata().GetIndex(), err)
			}
		}
		if err := s.Append(r.entries); err != nil {
			return err
		}
		if r.hard != nil {
			return s.SetHardState(r.hard)
		}
		return nil
	case compacted:
		if _, err := s.CreateSnapshot(r.index, s.voters, r.data); err != nil {
			return err
		}
		return s.Compact(r.keep)
	}
	return fmt.Errorf("a record of %T", record)
}
