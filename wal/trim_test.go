package wal

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestAfterInstall: what sessions did after a checkpoint was installed is kept, also when
// both are in one commit.
func TestAfterInstall(t *testing.T) {
	mem := vfs.NewMem()
	initDir(t, mem, paxos.RoleLearner)
	s := mustOpen(t, mem, paxos.RoleLearner)
	old, installed, later := paxos.SessionID{8: 1}, paxos.SessionID{8: 2}, paxos.SessionID{8: 3}
	apply := func(outputs ...[]paxos.Record) {
		t.Helper()
		c := s.NewCommit(4, 0)
		var err error
		for _, records := range outputs {
			err = errors.Join(err, c.Add(records))
		}
		if err := errors.Join(err, c.Apply(true), c.Wait()); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	session := func(id paxos.SessionID, last uint64) paxos.Record {
		return paxos.PutSessions{States: []paxos.SessionState{{ID: id, Last: last, Used: last}}}
	}
	apply([]paxos.Record{session(old, 1)})
	state := paxos.LearnerState{Applied: 5, Next: 5, FirstIndex: 5, FirstInstance: 6}
	apply([]paxos.Record{paxos.Install{State: state, Sessions: []paxos.SessionState{{ID: installed, Last: 2, Used: 2}}, Control: control.State{}.Encode()}},
		[]paxos.Record{session(installed, 3), session(later, 4)})
	apply([]paxos.Record{session(later, 5)})
	mustClose(t, s)
	s = mustOpen(t, mem, paxos.RoleLearner)
	defer mustClose(t, s)
	st, err := s.Learner()
	if err != nil {
		t.Fatal(err)
	}
	last := map[paxos.SessionID]uint64{}
	for _, k := range st.Sessions {
		last[k.ID] = k.Last
	}
	if len(last) != 2 || last[installed] != 3 || last[later] != 5 {
		t.Errorf("sessions are at %v", last)
	}
}
