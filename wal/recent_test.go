package wal

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
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

// TestFoldNoOps: instances without values are read by Open, too.
func TestFoldNoOps(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	s.recent.limits.bytes = 10 * recordBytes
	for i := paxos.Instance(1); i <= 25; i++ {
		mustCommit(t, s, applied(i, nil, 0), false)
	}
	if n, err := s.folded(); err != nil || n != 20 {
		t.Errorf("folded up to %d of 25, %v", n, err)
	}
	mustClose(t, s)
}

// olderLearner makes a learner's directory of a format before 3, in which each session
// and each run had a key of its own, and nothing noted that.
func olderLearner(t *testing.T, fs vfs.FS, format int) *work {
	t.Helper()
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
	edit(t, fs, `"format": 4`, fmt.Sprintf(`"format": %d`, format)) // its log has a level
	return w
}

// TestOlderLearnerCrashes: a crash at any moment while a directory of format 1 becomes
// one of format 2 leaves one of either, which goes on.
func TestOlderLearnerCrashes(t *testing.T) {
	d := newCrashDisk(rand.New(rand.NewPCG(1, 4)))
	w := olderLearner(t, d.fs, 1)
	d.on = true
	mustClose(t, mustOpen(t, d.fs, paxos.RoleLearner))
	d.on = false
	want := w.m.state(paxos.RoleLearner)
	records := w.next()
	after := w.m.state(paxos.RoleLearner)
	formats := map[int]int{}
	for _, c := range d.crashes {
		if id, err := ReadIdentity(c.fs, dir); err == nil {
			formats[id.Format]++
		}
		s, err := Open(dir, identity(paxos.RoleLearner), Options{FS: c.fs, Fatal: neverFatal, FoldEach: 5})
		if err != nil && strings.Contains(c.at, "50% kept") && strings.Contains(err.Error(), "could not open manifest file") {
			continue // as in checkCrash
		}
		if err != nil {
			t.Fatalf("%s: %v", c.at, err)
		}
		for _, want := range []string{want, after} {
			got, err := stateOf(s)
			if err != nil {
				t.Fatalf("%s: %v", c.at, err)
			}
			equal(t, c.at, got, want)
			if want != after {
				mustCommit(t, s, records, false)
			}
		}
		mustClose(t, s)
	}
	if formats[1] == 0 || formats[2] == 0 {
		t.Errorf("crashes of formats %v: the test misses its cases", formats)
	}
}

// TestOlderLearner: a directory of format 2 can be inspected, and is one of format 2
// also after it was opened and written to: the version of paxlog that made it reads what
// this one wrote.
func TestOlderLearner(t *testing.T) {
	fs := vfs.NewMem()
	w := olderLearner(t, fs, 2)
	check := func(s *Store) {
		t.Helper()
		got, err := stateOf(s)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "state", got, w.m.state(paxos.RoleLearner))
		if n := s.recent.countRuns(); n != 0 || len(s.recent.changes) != 0 {
			t.Fatalf("%d runs and %d changes count as not folded", n, len(s.recent.changes))
		}
		if now, begun := s.Formats(); now != 2 && now != begunUnfolded || begun != begunUnfolded {
			t.Fatalf("it has become one of format %d", now)
		}
	}
	s, err := Inspect(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	check(s)
	mustClose(t, s)
	for range 3 {
		s = mustOpen(t, fs, paxos.RoleLearner)
		check(s)
		for range 10 {
			mustCommit(t, s, w.next(), false)
			check(s)
		}
		if n := keys(t, s, keyChanges) + keys(t, s, keyFolded); n != 0 {
			t.Fatalf("%d keys that format 2 does not have", n)
		}
		mustClose(t, s)
	}
}

// TestOlderRuns: in a directory of format 2 no key holds more than one run, and what is
// written there fits together.
func TestOlderRuns(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	edit(t, fs, `"format": 3`, `"format": 2`)
	s := mustOpen(t, fs, paxos.RoleLearner)
	sessions := []paxos.SessionID{{19: 1}, {19: 2}}
	for i := paxos.Instance(1); i <= 8; i++ {
		mustCommit(t, s, applied(i, sessions, 1), false)
	}
	lo, hi := prefixRange(keyRun)
	err := s.scan(lo, hi, func(k, v []byte) (bool, error) {
		runs, err := decodeRuns(k, v)
		if len(runs) != 1 {
			t.Errorf("%d runs under one key", len(runs))
		}
		return true, err
	})
	if n := keys(t, s, keyRun); err != nil || n != 16 {
		t.Errorf("%d keys of runs, %v", n, err)
	}
	if v, err := s.Verify(); err != nil || v.Entries != 16 {
		t.Errorf("%+v, %v", v, err)
	}
	mustClose(t, s)
}

// TestLoadsWhileFolding: whoever reads runs while commits fold them finds each once, in
// order.
func TestLoadsWhileFolding(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s, err := Open(dir, identity(paxos.RoleLearner), Options{FS: fs, Fatal: neverFatal, FoldEach: 12}) // of 3 commits
	if err != nil {
		t.Fatal(err)
	}
	const commits = 300
	sessions := []paxos.SessionID{{19: 1}, {19: 2}}
	var done atomic.Uint64
	var wg sync.WaitGroup
	for k, id := range sessions {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(k)))
			for n := uint64(0); n < commits; {
				if n = done.Load(); n == 0 {
					continue
				}
				next := 1 + r.Uint64N(n)
				out, err := s.Load(paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: next, UpToSeq: n})
				if err != nil {
					t.Error(err)
					return
				}
				for _, run := range out.Runs { // of one command each
					want := paxos.RunAt{First: next, Count: 1, Index: paxos.Index(2*(next-1) + uint64(k) + 1), Instance: paxos.Instance(next)}
					if run != want {
						t.Errorf("of %d commits: %+v, not %+v", n, run, want)
						return
					}
					next++
				}
				if next != n+1 {
					t.Errorf("runs up to %d of %d", next-1, n)
					return
				}
			}
		})
	}
	for i := paxos.Instance(1); i <= commits; i++ {
		mustCommit(t, s, applied(i, sessions, 1), false)
		done.Store(uint64(i))
	}
	wg.Wait()
	mustClose(t, s)
}

// TestFoldGoesOn: a learner that crashes again and again, also between folds and where
// only some of its commits are kept, goes on from what is left.
func TestFoldGoesOn(t *testing.T) {
	seeds(t, 5, func(t *testing.T, r *rand.Rand) {
		fs := vfs.NewCrashableMem()
		initDir(t, fs, paxos.RoleLearner)
		sessions := []paxos.SessionID{{19: 1}, {19: 2}, {19: 3}}
		synced := paxos.Instance(0)
		for round := range 30 {
			s, err := Open(dir, identity(paxos.RoleLearner), Options{FS: fs, Fatal: neverFatal, FoldEach: 1 + r.IntN(20)})
			if err != nil {
				t.Fatal(err)
			}
			st, err := s.Learner()
			if err != nil || st.Applied < synced {
				t.Fatalf("round %d: %d applied, and %d synced: %v", round, st.Applied, synced, err)
			}
			if v, err := s.Verify(); err != nil || v.Instances != uint64(st.Applied) {
				t.Fatalf("round %d: %+v, %v", round, v, err)
			}
			for i := st.Applied + 1; i <= st.Applied+paxos.Instance(r.IntN(8)); i++ {
				records := applied(i, sessions, 1)
				sync := r.IntN(4) == 0
				if mustCommit(t, s, records, sync); sync {
					synced = i
				}
				if r.IntN(4) == 0 { // a commit without changes of sessions may fold
					mustCommit(t, s, []paxos.Record{records[2]}, false)
				}
				if r.IntN(10) == 0 {
					flush(t, s)
				}
			}
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 100}[r.IntN(2)], RNG: r})
			mustClose(t, s)
		}
	})
}
