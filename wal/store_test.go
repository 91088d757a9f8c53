package wal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

var roles = []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner}

// TestRecovery: what a store tells, before and after it is opened anew, is what
// was committed.
func TestRecovery(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			seeds(t, 6, func(t *testing.T, r *rand.Rand) {
				fs := vfs.NewMem()
				initDir(t, fs, role)
				s := mustOpen(t, fs, role)
				w := newWork(r, role)
				mustCommit(t, s, w.first(), false)
				for i := range 60 {
					mustCommit(t, s, w.next(), r.IntN(2) == 0)
					if r.IntN(20) == 0 {
						flush(t, s)
					}
					if r.IntN(15) == 0 {
						mustClose(t, s)
						s = mustOpen(t, fs, role)
					}
					got, err := stateOf(s)
					if err != nil {
						t.Fatal(err)
					}
					if want := w.m.state(role); got != want {
						t.Fatalf("after commit %d:\n got %s\nwant %s", i, got, want)
					}
				}
				mustClose(t, s)
			})
		})
	}
}

// TestEveryRecord round-trips one of each, at the ends of their ranges.
func TestEveryRecord(t *testing.T) {
	top := paxos.Ballot{Round: 1<<64 - 1, Proposer: paxos.NodeID(strings.Repeat("p", 300)), Process: 1<<64 - 1}
	batch := paxos.Fence(paxos.SessionID{1})
	for _, c := range []struct {
		role    paxos.Role
		records []paxos.Record
	}{
		{paxos.RoleAcceptor, nil},
		{paxos.RoleAcceptor, []paxos.Record{paxos.SetPromised{}, paxos.SetHeld{}, paxos.SetPeer{}, paxos.PutVote{}}},
		{paxos.RoleAcceptor, []paxos.Record{
			paxos.SetPromised{Ballot: top}, paxos.SetHeld{Held: 7}, paxos.SetControl{State: begunAt(7)}, paxos.SetMark{Commits: 1<<64 - 1, Life: top, Forgot: true},
			paxos.SetPeer{ID: "a2", Peer: paxos.Peer{Incarnation: 1<<64 - 1}}, paxos.SetPeer{ID: "a", Peer: paxos.Peer{Incarnation: 1}},
			paxos.SetPeer{ID: "a2", Peer: paxos.Peer{Incarnation: 2, Mark: paxos.Mark{Commits: 1<<64 - 1, Process: 1<<64 - 1, Life: top}}},
			paxos.PutVote{Vote: paxos.Vote{Instance: 7, Ballot: top, Value: paxos.Value{Time: -1, Batch: []byte{0}}}},
			paxos.PutVote{Vote: paxos.Vote{Instance: 9, Value: paxos.Value{Origin: top}}},
			paxos.PutVote{Vote: paxos.Vote{Instance: 9, Ballot: top, Value: paxos.Value{Time: -1 << 63, Batch: batch}}},
			paxos.PutVote{Vote: paxos.Vote{Instance: everything}},
		}},
		{paxos.RoleLearner, []paxos.Record{
			paxos.SetLearner{State: paxos.LearnerState{Applied: 1<<64 - 1, Next: 1<<64 - 2, Time: -5, Floor: 1<<64 - 3, Uses: 1<<64 - 4}},
			paxos.SetControl{State: begunAt(1 << 40)},
			paxos.PutSessions{States: []paxos.SessionState{{ID: paxos.SessionID{1}, Last: 1<<64 - 1, Used: 1<<64 - 1, Closed: true}}},
			paxos.PutSessions{States: []paxos.SessionState{{ID: paxos.SessionID{0: 1, 19: 1}}}},
			paxos.PutSessions{States: []paxos.SessionState{{ID: paxos.SessionID{2}, Last: 4}}}, paxos.DropSession{ID: paxos.SessionID{2}},
			paxos.DropSession{ID: paxos.SessionID{3}},
			paxos.PutApplied{Record: paxos.LogRecord{Instance: 1, First: 1, Origin: top, Time: -1}, Value: paxos.Value{Origin: top, Time: -1 << 63}},
			paxos.PutApplied{Record: paxos.LogRecord{Instance: 2, First: 1}, Value: paxos.Value{Batch: batch}},
		}},
	} {
		fs := vfs.NewMem()
		initDir(t, fs, c.role)
		m := newModel()
		for range 2 { // the second time is a repeat of the same
			s := mustOpen(t, fs, c.role)
			mustCommit(t, s, c.records, true)
			m.apply(c.records)
			got, err := stateOf(s)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.state(c.role); got != want {
				t.Fatalf("\n got %s\nwant %s", got, want)
			}
			mustClose(t, s)
		}
	}
}

// TestSkippedEntryOfEqualLength: a run that lost an empty entry at the bound of a
// one-byte number is as long as the whole run. The log must hold what was applied.
func TestSkippedEntryOfEqualLength(t *testing.T) {
	asked := paxos.Run{Kind: paxos.RunAppend, First: 127, Count: 2, Entries: []byte{0, 1, 'x'}}
	kept := asked.Skip(1)
	batch, log := asked.AppendTo(nil), kept.AppendTo(nil)
	if len(batch) != len(log) {
		t.Fatalf("lengths %d and %d: the case is gone", len(batch), len(log))
	}
	want := paxos.PutApplied{Record: paxos.LogRecord{Instance: 1, First: 127, Count: 1, Log: log}, Value: paxos.Value{Batch: batch}}
	got, err := decodeApplied(numberKey(keyChosen, 1), appendApplied(nil, want))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "applied", got, want)
}

// TestDecodeDamaged: no cut of a record decodes, and nothing panics.
func TestDecodeDamaged(t *testing.T) {
	b := paxos.Ballot{Round: 300, Proposer: "p1", Process: 9}
	key := numberKey(keyVote, 5)
	for name, c := range map[string]struct {
		whole  []byte
		decode func(key, value []byte) error
	}{
		"vote": {appendVote(nil, paxos.Vote{Ballot: b, Value: paxos.Value{Origin: b}}),
			func(k, v []byte) error { _, err := decodeVote(k, v); return err }},
		"applied": {appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 1, Log: []byte("xyz")}, Value: paxos.Value{Origin: b}}),
			func(k, v []byte) error { _, err := decodeApplied(k, v); return err }},
		"chained": {appendApplied(nil, paxos.PutApplied{Record: paxos.LogRecord{First: 1, Log: []byte("xyz")}, Value: paxos.Value{Origin: b}, Chain: paxos.Chain{1}}),
			func(k, v []byte) error { _, err := decodeApplied(k, v); return err }},
		"session": {appendSession(nil, paxos.SessionState{Last: 300, Used: 1 << 40}),
			func(_, v []byte) error {
				_, err := decodeSession(sessionKey(keySession, paxos.SessionID{}), v)
				return err
			}},
		"learner": {appendLearner(nil, paxos.LearnerState{}),
			func(k, v []byte) error { _, err := decodeLearner(k, v); return err }},
		"changes": {appendChanges(nil, []sessionChange{{dropped: true}}),
			func(k, v []byte) error { _, err := decodeChanges(k, v); return err }},
		"run": {appendRuns(nil, []paxos.RunAt{{Count: 300, Index: 300, Instance: 300}}),
			func(k, v []byte) error { _, err := decodeRuns(k, v); return err }},
	} {
		if err := c.decode(key, c.whole); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range len(c.whole) {
			if err := c.decode(key, c.whole[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(c.whole), err)
			}
		}
		if err := c.decode(key, slices.Repeat([]byte{255}, 100)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s of ones: %v", name, err)
		}
	}
}

// TestVoteAboveThePromise is never silently recovered.
func TestVoteAboveThePromise(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	defer mustClose(t, s)
	b := paxos.Ballot{Round: 2, Proposer: "p1", Process: 1}
	mustCommit(t, s, []paxos.Record{
		paxos.SetPromised{Ballot: paxos.Ballot{Round: 2, Proposer: "p1"}}, paxos.PutVote{Vote: paxos.Vote{Instance: 3, Ballot: b}},
	}, true)
	if _, err := s.Acceptor(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "the vote at instance 3 is above the promise") {
		t.Fatalf("Acceptor: %v", err)
	}
	mustCommit(t, s, []paxos.Record{paxos.SetHeld{Held: 3}}, true) // what is held is exempt from the promise
	if _, err := s.Acceptor(); err != nil {
		t.Fatal(err)
	}
}

// TestCloseSyncs: a clean end loses nothing, waited for or not.
func TestCloseSyncs(t *testing.T) {
	fs := vfs.NewCrashableMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	w := newWork(rand.New(rand.NewPCG(1, 0)), paxos.RoleAcceptor)
	for range 5 {
		mustCommit(t, s, w.next(), false)
	}
	mustClose(t, s)
	s = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}), paxos.RoleAcceptor)
	defer mustClose(t, s)
	if got, err := stateOf(s); err != nil || got != w.m.state(paxos.RoleAcceptor) {
		t.Fatalf("%v\n got %s\nwant %s", err, got, w.m.state(paxos.RoleAcceptor))
	}
}

// TestInspect reads whosever directory it is, and changes nothing.
func TestInspect(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	w := newWork(rand.New(rand.NewPCG(1, 0)), paxos.RoleLearner)
	mustCommit(t, s, w.first(), true)
	for range 20 {
		mustCommit(t, s, w.next(), false)
	}
	mustClose(t, s)
	want := w.m.state(paxos.RoleLearner)
	for range 2 {
		s, err := Inspect(fs, dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stateOf(s); err != nil || got != want {
			t.Fatalf("%v\n got %s\nwant %s", err, got, want)
		}
		if id := s.Identity(); id.Role != "learner" || id.ID != "l1" || id.Incarnation == 0 || id.Format != begunFormat {
			t.Fatalf("identity %+v", id)
		}
		if err := commit(s, w.next(), true); err == nil {
			t.Fatal("a commit through Inspect succeeded")
		}
		mustClose(t, s)
	}
}
