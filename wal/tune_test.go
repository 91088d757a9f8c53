package wal

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// TestApart: keys that only grow share no table with others, in flushes and in
// compactions.
func TestApart(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			mem := vfs.NewMem()
			initDir(t, mem, role)
			s := mustOpen(t, mem, role)
			defer mustClose(t, s)
			origin := paxos.Ballot{Round: 1, Proposer: "p1", Process: 1}
			for i := range paxos.Instance(40) {
				v := paxos.Value{Origin: origin, Time: 1, Batch: make([]byte, 1000)}
				records := []paxos.Record{paxos.SetMark{Commits: uint64(i)}, paxos.SetHeld{Held: i}, paxos.PutVote{Vote: paxos.Vote{Instance: i + 1, Ballot: origin, Value: v}}}
				if role == paxos.RoleLearner {
					run := paxos.Run{Kind: paxos.RunAppend, Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1}), First: uint64(i) + 1, Count: 1, Entries: paxos.AppendEntry(nil, v.Batch)}
					v.Batch = run.AppendTo(nil)
					records = []paxos.Record{
						paxos.PutApplied{Value: v, Record: paxos.LogRecord{Instance: i + 1, First: paxos.Index(i) + 1, Count: 1, Log: v.Batch}},
						paxos.PutSessions{States: []paxos.SessionState{{ID: run.Session, Last: run.First}}},
						paxos.SetLearner{State: paxos.LearnerState{Applied: i + 1, Next: paxos.Index(i) + 2}},
					}
				}
				mustCommit(t, s, records, false)
				flush(t, s)
			}
			levels, err := s.db.SSTables()
			if err != nil {
				t.Fatal(err)
			}
			for _, tables := range levels {
				for _, table := range tables {
					first, last := table.Smallest.UserKey[0], table.Largest.UserKey[0]
					for _, grows := range []byte{keyVote, keyChosen, keyIndex} {
						if first != last && first <= grows && grows <= last {
							t.Errorf("a table from %q to %q has %q within it", first, last, grows)
						}
					}
				}
			}
		})
	}
}
