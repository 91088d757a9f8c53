package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

// TestFormatOfControlVote: a vote for a control value is in no directory that an earlier release
// would open: it would tell it on, and take it for held, without knowing what it says.
func TestFormatOfControlVote(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	mustCommit(t, s, []paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: 7, Value: genesis(1)}}}, true)
	if now, begun := s.Formats(); now != begunFormat || begun != begunFormat {
		t.Errorf("format %d, %d", now, begun)
	}
	mustClose(t, s)
	if id, err := ReadIdentity(fs, dir); err != nil || id.Format != begunFormat {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestFormatOfInstall: a learner that begins with a checkpoint has the log's state from that
// commit on, and before any command comes.
func TestFormatOfInstall(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	mustCommit(t, s, []paxos.Record{paxos.Install{
		State: paxos.LearnerState{Applied: 5, Next: 5, FirstIndex: 5, FirstInstance: 6}, Control: begunAt(5),
	}}, true)
	mustClose(t, s)
	if id, err := ReadIdentity(fs, dir); err != nil || id.Format != begunFormat {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestUnfoldedLearner: the directory of a learner that was made in format 2 is refused by
// earlier releases, too, once its log has a level, and goes on as it was.
func TestUnfoldedLearner(t *testing.T) {
	fs := vfs.NewMem()
	w := olderLearner(t, fs, 2)
	s := mustOpen(t, fs, paxos.RoleLearner)
	mustCommit(t, s, []paxos.Record{paxos.SetControl{State: w.m.learnerState().Control}}, true)
	mustClose(t, s)
	if id, err := ReadIdentity(fs, dir); err != nil || id.Format != begunUnfolded {
		t.Fatalf("%+v, %v", id, err)
	}
	for range 2 {
		s = mustOpen(t, fs, paxos.RoleLearner)
		mustCommit(t, s, w.next(), true)
		if n := keys(t, s, keyChanges) + keys(t, s, keyFolded); n != 0 {
			t.Fatalf("%d keys that format 2 does not have", n)
		}
		got, err := stateOf(s)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "state", got, w.m.state(paxos.RoleLearner))
		mustClose(t, s)
	}
}

// TestFormatOfBegunLog: a directory is one of format 3, which earlier releases know, until it
// says that its log has a level, and from then on one of format 4. After a crash at any moment
// it opens, and never says so in format 3.
func TestFormatOfBegunLog(t *testing.T) {
	for _, role := range roles {
		d := newCrashDisk(rand.New(rand.NewPCG(3, 3)))
		initDir(t, d.fs, role)
		s := mustOpen(t, d.fs, role)
		format := func(fs vfs.FS) int {
			id, err := ReadIdentity(fs, dir)
			if err != nil {
				t.Fatal(err)
			}
			return id.Format
		}
		mustCommit(t, s, begun(role, paxos.Value{}), true)
		if got := format(d.mem); got != Format {
			t.Errorf("%v: before its log has a level it is of format %d", role, got)
		}
		d.on = true
		d.commit(t, s, []paxos.Record{paxos.SetControl{State: begunAt(2)}}, true)
		d.crash("the end", true)
		mustClose(t, s)
		between := 0
		for _, c := range d.crashes {
			got := format(c.fs)
			s := mustOpen(t, c.fs, role)
			state, err := controlIn(s)
			if err != nil || state != "" && got != begunFormat || got != Format && got != begunFormat {
				t.Errorf("%v, %s: format %d, state %q, %v", role, c.at, got, state, err)
			}
			if got == begunFormat && state == "" {
				between++
			}
			mustClose(t, s)
		}
		if got := format(d.mem); got != begunFormat || between == 0 {
			t.Errorf("%v: at the end it is of format %d; %d crashes came between the two writes", role, got, between)
		}
	}
}

// TestFloorsAreKept: what a learner writes of floors is there when it starts again, and goes with
// the state that takes its place.
func TestFloorsAreKept(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	floors := func() paxos.Floors {
		t.Helper()
		st, err := s.Learner()
		if err != nil {
			t.Fatal(err)
		}
		return st.Floors
	}
	if got := floors(); got != "" {
		t.Errorf("a new directory has floors %q", got)
	}
	mustCommit(t, s, []paxos.Record{paxos.SetLearner{State: paxos.LearnerState{Applied: 1, Next: 1}}, paxos.SetFloors{Floors: "one"}}, true)
	mustClose(t, s)
	s = mustOpen(t, fs, paxos.RoleLearner)
	if got := floors(); got != "one" {
		t.Errorf("%q", got)
	}
	mustCommit(t, s, []paxos.Record{paxos.Install{State: paxos.LearnerState{Applied: 9, Next: 3, FirstIndex: 3, FirstInstance: 10}, Control: begunAt(9), Floors: "two"}}, true)
	if got := floors(); got != "two" {
		t.Errorf("after a state was installed: %q", got)
	}
	mustClose(t, s)
}
