package wal

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// applied are the records of instance i, which appends n commands to each of some
// sessions.
func applied(i paxos.Instance, sessions []paxos.SessionID, n uint64) []paxos.Record {
	first := (uint64(i) - 1) * n
	rec := paxos.LogRecord{Instance: i, First: paxos.Index(first*uint64(len(sessions)) + 1), Count: n * uint64(len(sessions))}
	var states []paxos.SessionState
	for _, id := range sessions {
		run := paxos.Run{Kind: paxos.RunAppend, Session: id, First: first + 1, Count: n}
		for range n {
			run.Entries = paxos.AppendEntry(run.Entries, []byte("entry"))
		}
		rec.Log = run.AppendTo(rec.Log)
		states = append(states, paxos.SessionState{ID: id, Last: first + n, Used: uint64(i)})
	}
	return []paxos.Record{
		paxos.PutApplied{Record: rec, Value: paxos.Value{Batch: rec.Log}}, paxos.PutSessions{States: states},
		paxos.SetLearner{State: paxos.LearnerState{Applied: i, Next: rec.First + paxos.Index(rec.Count)}},
	}
}

// keys counts the keys of a kind.
func keys(t testing.TB, s *Store, prefix byte) (n int) {
	t.Helper()
	lo, hi := prefixRange(prefix)
	if err := s.scan(lo, hi, func(_, _ []byte) (bool, error) { n++; return true, nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFold: a commit has one key for all sessions, until they are folded into one for
// each, with all its runs; and at each moment, also after a restart, all are found.
func TestFold(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	sessions := []paxos.SessionID{{19: 1}, {19: 2}, {19: 3}}
	open := func() *Store {
		s, err := Open(dir, identity(paxos.RoleLearner), Options{FS: fs, Fatal: neverFatal, FoldEach: 24}) // of 4 commits
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	for i := paxos.Instance(1); i <= 9; i++ {
		mustCommit(t, s, applied(i, sessions, 2), false)
		folds := (int(i) - 1) / 4
		want := fmt.Sprint("changes ", int(i)-4*folds, " sessions ", 3*min(folds, 1), " runs ", 3*folds)
		if i%2 == 0 {
			mustClose(t, s)
			s = open()
		}
		if got := fmt.Sprint("changes ", keys(t, s, keyChanges), " sessions ", keys(t, s, keySession), " runs ", keys(t, s, keyRun)); got != want {
			t.Fatalf("after %d commits: %s, not %s", i, got, want)
		}
		if v, err := s.Verify(); err != nil || v.Entries != 6*uint64(i) {
			t.Fatalf("after %d commits: %+v, %v", i, v, err)
		}
		for _, id := range sessions {
			r, err := s.Load(paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: 2, UpToSeq: 1 << 62})
			if err != nil || len(r.Runs) != int(i) || r.Runs[0].First != 2 || r.Runs[0].Count != 1 {
				t.Fatalf("after %d commits: %+v, %v", i, r, err)
			}
		}
	}
	mustClose(t, s)
}

// TestFoldBytes: also large values without sessions are folded, since Open reads all
// that are not.
func TestFoldBytes(t *testing.T) {
	r := newRecent(foldLimits{count: 100, bytes: 1000})
	for n := range 10 {
		if r.full() {
			t.Fatalf("full after %d bytes", 100*n)
		}
		r.add(&changes{bytes: 100}, false)
	}
	if !r.full() {
		t.Error("not full after 1000 bytes")
	}
	if r.add(&changes{}, true); r.full() {
		t.Error("full after it was folded")
	}
}

// TestOlderLearner: before format 3 each session and each run had a key of its own,
// and nothing noted that.
func TestOlderLearner(t *testing.T) {
	fs := vfs.NewMem()
	w := newWork(rand.New(rand.NewPCG(1, 3)), paxos.RoleLearner)
	initDir(t, fs, paxos.RoleLearner)
	s, err := Open(dir, identity(paxos.RoleLearner), Options{FS: fs, Fatal: neverFatal, FoldEach: 1})
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, w.first(), false)
	for range 20 {
		mustCommit(t, s, w.next(), false)
	}
	mustCommit(t, s, []paxos.Record{paxos.SetLearner{State: w.m.learner}}, false) // folds
	if n := keys(t, s, keyChanges); n != 0 {
		t.Fatalf("%d keys of changes are left", n)
	}
	if err := s.db.Delete([]byte{keyFolded}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	edit(t, fs, `"format": 3`, `"format": 2`)
	check := func(s *Store) {
		t.Helper()
		got, err := stateOf(s)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "state", got, w.m.state(paxos.RoleLearner))
		if n := s.recent.countRuns(); n != 0 {
			t.Fatalf("%d runs count as not folded", n)
		}
	}
	s, err = Inspect(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	check(s)
	mustClose(t, s)
	for range 2 { // the second time as one of the present format
		s = mustOpen(t, fs, paxos.RoleLearner)
		check(s)
		mustClose(t, s)
	}
}
