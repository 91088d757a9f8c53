package wal

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// benchStore opens a new acceptor's directory on the real disk.
func benchStore(b *testing.B) *Store {
	b.Helper()
	data := filepath.Join(b.TempDir(), "data")
	id := identity(paxos.RoleAcceptor)
	if err := Init(vfs.Default, data, id); err != nil {
		b.Fatal(err)
	}
	s, err := Open(data, id, Options{FS: vfs.Default, Fatal: neverFatal})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { mustClose(b, s) })
	return s
}

// BenchmarkCommit writes votes as an acceptor does, so many in one commit, with
// the held mark beside them. Those of one vote are synced; the time of that is the
// disk's. Those of many are not, so that their time is what the store itself does.
func BenchmarkCommit(b *testing.B) {
	for _, shape := range []struct {
		votes, size int
		sync        bool
	}{{1, 256, true}, {1, 256, false}, {16, 256, false}, {1, 64 << 10, false}} {
		b.Run(fmt.Sprintf("votes-%d-bytes-%d-sync-%v", shape.votes, shape.size, shape.sync), func(b *testing.B) {
			s := benchStore(b)
			origin := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
			batch := make([]byte, shape.size)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(batch) // it cannot fail
			records := make([]paxos.Record, shape.votes+1)
			instance := paxos.Instance(0)
			b.SetBytes(int64(shape.votes * shape.size))
			b.ReportAllocs()
			for b.Loop() {
				records[0] = paxos.SetHeld{Held: instance}
				for i := range shape.votes {
					instance++
					v := paxos.Value{Origin: origin, Time: 1, Batch: batch}
					records[i+1] = paxos.PutVote{Vote: paxos.Vote{Instance: instance, Ballot: origin, Value: v}}
				}
				c := s.NewCommit(len(records), shape.votes*shape.size)
				if err := c.Add(records); err != nil {
					b.Fatal(err)
				}
				if err := c.Apply(shape.sync); err != nil {
					b.Fatal(err)
				}
				if shape.sync {
					if err := c.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				c.Close()
			}
		})
	}
}

// BenchmarkCommitApplied writes what a learner applied: a value of 1000 entries of
// one session, and of 1000 sessions with an entry each, as 1000 clients make it.
func BenchmarkCommitApplied(b *testing.B) {
	for _, sessions := range []int{1, 1000} {
		b.Run(fmt.Sprintf("sessions-%d-entries-1000", sessions), func(b *testing.B) {
			data := filepath.Join(b.TempDir(), "data")
			id := identity(paxos.RoleLearner)
			if err := Init(vfs.Default, data, id); err != nil {
				b.Fatal(err)
			}
			s, err := Open(data, id, Options{FS: vfs.Default, Fatal: neverFatal})
			if err != nil {
				b.Fatal(err)
			}
			defer mustClose(b, s)
			var log []byte
			var states []paxos.SessionState
			for i := range sessions {
				r := paxos.Run{Kind: paxos.RunAppend, Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(i), byte(i >> 8)}), First: 1, Count: uint64(1000 / sessions)}
				for range r.Count {
					r.Entries = paxos.AppendEntry(r.Entries, make([]byte, 100))
				}
				log = r.AppendTo(log)
				states = append(states, paxos.SessionState{ID: r.Session, Last: r.Count, Used: 1})
			}
			instance := paxos.Instance(0)
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			for b.Loop() {
				instance++
				rec := paxos.LogRecord{Instance: instance, First: paxos.Index(1000*instance - 999), Count: 1000, Log: log}
				c := s.NewCommit(2, len(log))
				records := []paxos.Record{paxos.PutApplied{Record: rec, Value: paxos.Value{Batch: log}}, paxos.PutSessions{States: states}}
				if err := c.Add(records); err != nil {
					b.Fatal(err)
				}
				if err := c.Apply(false); err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}
