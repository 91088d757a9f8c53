package wal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/paxos"
)

// filled is a store with random commits in it, some in a table, some in memory.
func filled(t *testing.T, r *rand.Rand, role paxos.Role, commits int) (*Store, *model) {
	t.Helper()
	fs := vfs.NewMem()
	initDir(t, fs, role)
	s := mustOpen(t, fs, role)
	t.Cleanup(func() { mustClose(t, s) })
	w := newWork(r, role)
	mustCommit(t, s, w.first(), false)
	for i := range commits {
		mustCommit(t, s, w.next(), false)
		if i == commits/2 {
			flush(t, s)
		}
	}
	return s, w.m
}

func mustLoad(t *testing.T, s *Store, l paxos.Load) *paxos.Loaded {
	t.Helper()
	out, err := s.Load(l)
	if err != nil {
		t.Fatalf("%+v: %v", l, err)
	}
	equal(t, "the load in the result", out.Load, l)
	return out
}

// TestLoadVotes pages through random ranges with random bounds.
func TestLoadVotes(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			seeds(t, 3, func(t *testing.T, r *rand.Rand) {
				s, m := filled(t, r, role, 60)
				top := 5 + int(max(m.held+20, m.learner.Applied))
				for range 150 {
					from := paxos.Instance(r.IntN(top))
					to := from + paxos.Instance(r.IntN(top))
					limit := r.IntN(1500) - 100
					want := m.loadVotes(role, from, to)
					pages := 0
					for {
						l := paxos.Load{Kind: paxos.LoadVotes, Tag: r.Uint64(), From: from, To: to, MaxBytes: limit}
						got := mustLoad(t, s, l)
						n := len(got.Votes)
						if n > len(want) || (n == 0 && len(want) > 0) {
							t.Fatalf("%+v: %d votes of %d", l, n, len(want))
						}
						equal(t, "votes", got.Votes, want[:n])
						if got.More != (n < len(want)) {
							t.Fatalf("%+v: More %v after %d of %d votes", l, got.More, n, len(want))
						}
						size, most := 0, 0
						for i, v := range want {
							if i < n {
								size += len(v.Value.Batch)
							}
							most += len(v.Value.Batch) + 300 // what else may count of one
						}
						if n > 1 && size > limit {
							t.Fatalf("%+v: %d bytes of values in %d votes", l, size, n)
						}
						if most <= limit && got.More {
							t.Fatalf("%+v: stopped after %d of %d votes", l, n, len(want))
						}
						want = want[n:]
						if pages++; !got.More {
							break
						}
						from = got.Votes[n-1].Instance + 1
					}
				}
			})
		})
	}
}

// TestLoadVotesBounds: a page of no-ops is bounded too, one item of any size is
// admitted, and a range that is empty or upside down holds nothing.
func TestLoadVotesBounds(t *testing.T) {
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleAcceptor)
	s := mustOpen(t, fs, paxos.RoleAcceptor)
	defer mustClose(t, s)
	var records []paxos.Record
	for i := range paxos.Instance(100) {
		records = append(records, paxos.PutVote{Vote: paxos.Vote{Instance: i + 1}})
	}
	records = append(records, paxos.PutVote{Vote: paxos.Vote{Instance: 101, Value: paxos.Value{Batch: make([]byte, 1<<20)}}})
	mustCommit(t, s, records, false)
	for _, c := range []struct {
		from, to paxos.Instance
		limit    int
		n        int
		more     bool
	}{
		{1, 100, 0, 1, true},
		{1, 100, 5_000, 5_000 / (itemBytes + 28), true},
		{1, 100, 100_000, 100, false},
		{101, 200, 0, 1, false},
		{100, 101, 1000, 1, true},
		{102, 200, 0, 0, false},
		{5, 4, 1000, 0, false},
		{50, 4, 1000, 0, false},
	} {
		got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadVotes, From: c.from, To: c.to, MaxBytes: c.limit})
		if len(got.Votes) != c.n || got.More != c.more {
			t.Errorf("[%d, %d] in %d bytes: %d votes, more %v; want %d, %v", c.from, c.to, c.limit, len(got.Votes), got.More, c.n, c.more)
		}
	}
	if _, err := s.Load(paxos.Load{}); err == nil {
		t.Error("a load of no kind succeeded")
	}
}

// TestLoadLog pages through random ranges: only records with entries, the first
// one possibly beginning before Index.
func TestLoadLog(t *testing.T) {
	t.Parallel()
	seeds(t, 4, func(t *testing.T, r *rand.Rand) {
		s, m := filled(t, r, paxos.RoleLearner, 60)
		before := 0
		for range 200 {
			index := 1 + paxos.Index(r.Uint64N(uint64(m.learner.Next)+5))
			upTo := index + paxos.Index(r.Uint64N(uint64(m.learner.Next)))
			limit := r.IntN(1500) - 100
			want := m.loadLog(index, upTo)
			if len(want) > 0 && want[0].First < index {
				before++
			}
			for {
				l := paxos.Load{Kind: paxos.LoadLog, Index: index, UpTo: upTo, MaxBytes: limit}
				got := mustLoad(t, s, l)
				n := len(got.Log)
				if n > len(want) || (n == 0 && len(want) > 0) || (n < len(want) && !got.More) {
					t.Fatalf("%+v: %d records of %d, more %v\n%s", l, n, len(want), got.More, dump(got.Log))
				}
				equal(t, "log", got.Log, want[:n])
				size, most := 0, 0
				for i, rec := range want {
					if i < n {
						size += len(rec.Log)
					}
					most += len(rec.Log) + len(m.applied[rec.Instance].Value.Batch) + 300
				}
				if n > 1 && size > limit {
					t.Fatalf("%+v: %d bytes in %d records", l, size, n)
				}
				if most <= limit && n < len(want) {
					t.Fatalf("%+v: stopped after %d of %d records", l, n, len(want))
				}
				if want = want[n:]; len(want) == 0 {
					break
				}
				index = want[0].First
			}
		}
		if before == 0 {
			t.Error("no range began inside a record")
		}
	})
}

// TestLoadTime compares the bisection with a look at every record.
func TestLoadTime(t *testing.T) {
	seeds(t, 6, func(t *testing.T, r *rand.Rand) {
		s, m := filled(t, r, paxos.RoleLearner, r.IntN(60))
		for at := range m.learner.Time + 3 {
			got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadTime, Time: at - 1, Index: m.kept})
			if want := m.loadTime(at - 1); got.Index != want {
				t.Fatalf("time %d: index %d, want %d", at-1, got.Index, want)
			}
			if m.learner.Next == 1 {
				continue
			}
			first := max(m.kept, 1+paxos.Index(r.Uint64N(uint64(m.learner.Next-1)))) // what is below was trimmed
			got = mustLoad(t, s, paxos.Load{Kind: paxos.LoadTime, Time: at - 1, Index: first})
			if want := m.loadTime(at - 1); want == 0 && got.Index != 0 || want != 0 && got.Index != max(want, first) {
				t.Fatalf("time %d from %d on: index %d, without a bound %d", at-1, first, got.Index, want)
			}
		}
	})
}

// TestLoadEmpty: an empty learner has nothing, and says so.
func TestLoadEmpty(t *testing.T) {
	s, _ := filled(t, rand.New(rand.NewPCG(1, 0)), paxos.RoleLearner, 0)
	for _, l := range []paxos.Load{
		{Kind: paxos.LoadVotes, To: 9}, {Kind: paxos.LoadLog, Index: 1, UpTo: 9}, {Kind: paxos.LoadTime}, {Kind: paxos.LoadRuns, Seq: 1, UpToSeq: 9},
	} {
		equal(t, "an empty store", mustLoad(t, s, l), paxos.Loaded{Load: l})
	}
}

// TestLoadRuns: for random stretches of random sessions, every command that was
// applied is told, where it is, and no other.
func TestLoadRuns(t *testing.T) {
	t.Parallel()
	seeds(t, 4, func(t *testing.T, r *rand.Rand) {
		s, m := filled(t, r, paxos.RoleLearner, 80)
		w := newWork(r, paxos.RoleLearner)
		strange := paxos.SessionID{7: 3, 19: 77}
		begins, ends := 0, 0
		for range 600 {
			id := append(slices.Clone(w.ids), strange)[r.IntN(len(w.ids)+1)]
			l := paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: uint64(r.IntN(200))}
			l.UpToSeq = l.Seq + uint64(r.IntN(60))
			if r.IntN(10) == 0 {
				l.UpToSeq = 1 << 62
			}
			got := mustLoad(t, s, l)
			want := m.commands(id, l.Seq, l.UpToSeq)
			if g, w := expand(got.Runs), want; !slices.Equal(g, w) || got.More {
				t.Fatalf("%+v: more %v\n got %v\nwant %v", l, got.More, g, w)
			}
			// The same stretch, one command further at each end, in no more runs.
			if wider := mustLoad(t, s, paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: l.Seq - min(l.Seq, 1), UpToSeq: l.UpToSeq + 1}); len(got.Runs) > 0 && len(wider.Runs) == len(got.Runs) {
				if wider.Runs[0].First < got.Runs[0].First {
					begins++
				}
				if a, b := wider.Runs[len(wider.Runs)-1], got.Runs[len(got.Runs)-1]; a.First+a.Count > b.First+b.Count {
					ends++
				}
			}
		}
		if begins == 0 || ends == 0 {
			t.Errorf("%d runs began before Seq, %d ended after UpToSeq: the test misses its cases", begins, ends)
		}
	})
}

// TestLoadRunsStrange: numbers that only a broken or hostile client sends are
// answered, with what is there.
func TestLoadRunsStrange(t *testing.T) {
	s, m := filled(t, rand.New(rand.NewPCG(1, 0)), paxos.RoleLearner, 80)
	w := newWork(rand.New(rand.NewPCG(1, 0)), paxos.RoleLearner)
	for _, id := range w.ids {
		for _, c := range [][2]uint64{{0, 0}, {1<<64 - 1, 1<<64 - 1}, {1 << 63, 1<<64 - 2}, {10, 5}, {1<<64 - 1, 3}, {1 << 62, 1 << 62}} {
			got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: c[0], UpToSeq: c[1]})
			if want := m.commands(id, c[0], c[1]); len(got.Runs) != 0 || len(want) != 0 || got.More {
				t.Errorf("%d .. %d: %+v, want %v", c[0], c[1], got, want)
			}
		}
	}
}

// TestLoadRunsPages: more runs than one load returns.
func TestLoadRunsPages(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	initDir(t, fs, paxos.RoleLearner)
	s := mustOpen(t, fs, paxos.RoleLearner)
	defer mustClose(t, s)
	next := paxos.Index(1)
	for i, runs := range []uint64{10, 4200, 10} { // neighbours on either side
		instance := paxos.Instance(i + 1)
		var batch []byte
		for seq := range runs {
			batch = paxos.Run{Kind: paxos.RunAppend, Session: paxos.SessionID{19: byte(i + 1)}, First: 3*seq + 1, Count: 3, Entries: []byte{0, 0, 0}}.AppendTo(batch)
		}
		mustCommit(t, s, []paxos.Record{paxos.PutApplied{
			Record: paxos.LogRecord{Instance: instance, First: next, Count: 3 * runs, Log: batch, Time: 9},
			Value:  paxos.Value{Batch: batch},
		}}, false)
		next += paxos.Index(3 * runs)
	}
	l := paxos.Load{Kind: paxos.LoadRuns, Session: paxos.SessionID{19: 2}, Seq: 2, UpToSeq: 3*4200 - 1}
	got := mustLoad(t, s, l)
	if len(got.Runs) != 4096 || !got.More {
		t.Fatalf("%d runs, more %v", len(got.Runs), got.More)
	}
	all := expand(got.Runs)
	l.Seq = all[len(all)-1].seq + 1
	got = mustLoad(t, s, l)
	if len(got.Runs) != 4200-4096 || got.More {
		t.Fatalf("then %d runs, more %v", len(got.Runs), got.More)
	}
	all = append(all, expand(got.Runs)...)
	for i, c := range all {
		if want := (command{seq: uint64(i + 2), index: 30 + 2 + paxos.Index(i), instance: 2, time: 9}); c != want {
			t.Fatalf("command %d: %+v, want %+v", i, c, want)
		}
	}
	if len(all) != 3*4200-2 {
		t.Fatalf("%d commands", len(all))
	}
	// Exactly as many runs as fit: that was all.
	l = paxos.Load{Kind: paxos.LoadRuns, Session: paxos.SessionID{19: 2}, Seq: 1, UpToSeq: 3 * 4096}
	if got := mustLoad(t, s, l); len(got.Runs) != 4096 || got.More {
		t.Fatalf("of 4096: %d runs, more %v", len(got.Runs), got.More)
	}
	for _, most := range []int{1, 16, 5000} {
		l.MaxRuns = most
		if got := mustLoad(t, s, l); len(got.Runs) != min(most, 4096) || got.More != (most < 4096) {
			t.Fatalf("at most %d: %d runs, more %v", most, len(got.Runs), got.More)
		}
	}
}

// TestLoadDamaged: an index that names a missing instance is told, not skipped.
func TestLoadDamaged(t *testing.T) {
	s, m := filled(t, rand.New(rand.NewPCG(2, 0)), paxos.RoleLearner, 20)
	state := m.learner
	state.FirstIndex, state.FirstInstance = 1, 1
	mustCommit(t, s, []paxos.Record{paxos.SetLearner{State: state}}, true)
	log := m.loadLog(1, everything)
	gone := log[len(log)/2]
	run, _, err := paxos.NextRun(gone.Log)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Delete(numberKey(keyChosen, uint64(gone.Instance)), nil); err != nil {
		t.Fatal(err)
	}
	for _, l := range []paxos.Load{
		{Kind: paxos.LoadLog, Index: gone.First, UpTo: everything},
		{Kind: paxos.LoadRuns, Session: run.Session, Seq: run.First, UpToSeq: run.First},
	} {
		if _, err := s.Load(l); !errors.Is(err, ErrDamaged) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	// What was trimmed is no damage.
	if got := mustLoad(t, s, paxos.Load{Kind: paxos.LoadRuns, Session: run.Session, Seq: run.First, UpToSeq: run.First, From: gone.Instance + 1}); len(got.Runs) != 0 {
		t.Errorf("%+v", got.Runs)
	}
}
