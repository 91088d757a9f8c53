package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// genesis is the value that begins a log.
func genesis(level uint64) paxos.Value {
	return paxos.Value{Batch: control.Batch(control.Genesis{
		Log: paxos.LogID{5}, Level: level, Sessions: 10,
		Config: control.Configuration{Epoch: 1, Phase1: 1, Phase2: 1, Acceptors: paxos.ByPlace[control.Acceptor]{{ID: "a1"}}},
	})}
}

// begun is what a directory has of a log whose instance 1 is v, in the records of an earlier
// release, which know nothing of what v decides.
func begun(role paxos.Role, v paxos.Value) []paxos.Record {
	fence := paxos.Value{Batch: paxos.Fence(paxos.SessionID{1})}
	if role == paxos.RoleAcceptor {
		return []paxos.Record{
			paxos.PutVote{Vote: paxos.Vote{Instance: 1, Value: v}}, paxos.PutVote{Vote: paxos.Vote{Instance: 2, Value: fence}}, paxos.SetHeld{Held: 2},
		}
	}
	return []paxos.Record{
		paxos.PutApplied{Record: paxos.LogRecord{Instance: 1, First: 1}, Value: v}, paxos.PutApplied{Record: paxos.LogRecord{Instance: 2, First: 1}, Value: fence},
		paxos.SetLearner{State: paxos.LearnerState{Applied: 2, Next: 1}},
	}
}

// controlIn is what a store recovers of the log's own state.
func controlIn(s *Store) (paxos.Encoded, error) {
	if s.id.Role == paxos.RoleAcceptor.String() {
		st, err := s.Acceptor()
		return st.Control, err
	}
	st, err := s.Learner()
	return st.Control, err
}

// TestControlOfOlderRelease: a directory that an earlier release has written into while a
// log began knows afterwards that it has begun. One of level 0 stays that.
func TestControlOfOlderRelease(t *testing.T) {
	want, err := control.State{}.Apply(1, genesis(1).Batch, control.Level)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		for name, c := range map[string]struct {
			first paxos.Value
			want  paxos.Encoded
		}{
			"begun": {genesis(1), want.Encode()},
			"older": {paxos.Value{Batch: paxos.Fence(paxos.SessionID{2})}, ""},
			"no-op": {paxos.Value{}, ""},
		} {
			fs := vfs.NewMem()
			initDir(t, fs, role)
			s := mustOpen(t, fs, role)
			mustCommit(t, s, begun(role, c.first), true)
			if got, err := controlIn(s); err != nil || got != c.want {
				t.Errorf("%v, %s: %q, %v", role, name, got, err)
			}
			if sum, err := s.Summary(); err != nil || sum.Control.Encode() != c.want {
				t.Errorf("%v, %s: %+v, %v", role, name, sum.Control, err)
			}
			if _, err := s.Verify(); err != nil {
				t.Errorf("%v, %s: %v", role, name, err)
			}
			mustClose(t, s)
		}
	}
}

// TestControlOfNewerRelease: a directory of a log of a level that is not known here is
// refused with a sentence, and not misread.
func TestControlOfNewerRelease(t *testing.T) {
	for _, role := range roles {
		for name, records := range map[string][]paxos.Record{
			"state": {paxos.SetControl{State: "\x7f"}},
			"value": begun(role, genesis(control.Level+1)),
		} {
			fs := vfs.NewMem()
			initDir(t, fs, role)
			s := mustOpen(t, fs, role)
			mustCommit(t, s, records, true)
			if _, err := controlIn(s); !errors.Is(err, control.ErrUnknown) || !strings.Contains(fmt.Sprint(err), s.dir) {
				t.Errorf("%v, %s: %v", role, name, err)
			}
			mustClose(t, s)
		}
	}
}
