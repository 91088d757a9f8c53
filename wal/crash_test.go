package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// isSync reports whether an operation is a sync point.
func isSync(k errorfs.OpKind) bool {
	return k == errorfs.OpFileSync || k == errorfs.OpFileSyncData || k == errorfs.OpFileSyncTo
}

func isWrite(k errorfs.OpKind) bool { return k.ReadOrWrite() == errorfs.OpIsWrite }

// crashDisk is a disk that loses power before each write and each sync, in
// copies: what a copy holds is what a start after that finds.
type crashDisk struct {
	mem *vfs.MemFS
	fs  vfs.FS

	mu      sync.Mutex
	r       *rand.Rand
	on      bool
	crashes []crash
	began   atomic.Int64 // commits applied
	acked   atomic.Int64 // commits of which Wait returned, and all before them
}

// crash is a copy, and how many commits it must and can hold.
type crash struct {
	fs          *vfs.MemFS
	at          string
	least, most int64
}

// newCrashDisk crashes with a copy of every kind at sync points, and with one of
// a random kind at other writes.
func newCrashDisk(r *rand.Rand) *crashDisk {
	d := &crashDisk{mem: vfs.NewCrashableMem(), r: rand.New(rand.NewPCG(r.Uint64(), 0))}
	d.fs = errorfs.Wrap(d.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if isWrite(op.Kind) {
			d.crash(fmt.Sprintf("op %d on %s", op.Kind, op.Path), isSync(op.Kind))
		}
		return nil
	}))
	return d
}

func (d *crashDisk) crash(at string, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on {
		return
	}
	percents := []int{0, 50, 100}
	if !all {
		percents = percents[d.r.IntN(3):][:1]
	}
	for _, p := range percents {
		least := d.acked.Load()
		fs := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p, RNG: d.r})
		d.crashes = append(d.crashes, crash{fs, fmt.Sprintf("crash %d, %d%% kept, before %s", len(d.crashes), p, at), least, d.began.Load()})
	}
}

// commit makes one commit, of which the disk keeps count.
func (d *crashDisk) commit(t *testing.T, s *Store, records []paxos.Record, sync bool) {
	t.Helper()
	d.began.Add(1)
	mustCommit(t, s, records, sync)
	if sync {
		d.acked.Store(d.began.Load())
	}
}

// TestCrash: after a crash at any moment every commit that was waited for is
// there, and what is there is what some first commits made, all of each.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			seeds(t, 2, func(t *testing.T, r *rand.Rand) {
				d := newCrashDisk(r)
				initDir(t, d.fs, role)
				d.on = true // no other goroutine is there yet
				s := mustOpen(t, d.fs, role)
				w := newWork(r, role)
				states := []string{newModel().state(role)}
				add := func(records []paxos.Record, sync bool) {
					states = append(states, w.m.state(role))
					d.commit(t, s, records, sync)
				}
				add(w.first(), true)
				swept := false
				for i := range 24 {
					add(w.next(), r.IntN(3) > 0)
					if i%10 == 9 {
						flush(t, s)
					}
					if swept { // another commit came meanwhile
						swept = false
						if err := s.Reclaim(); err != nil {
							t.Fatal(err)
						}
					}
					if s.Reclaimable() {
						swept = true
						if err := s.Sweep(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				d.crash("the end", true)
				mustClose(t, s)
				d.acked.Store(d.began.Load())
				d.crash("the close", true)

				partly := 0
				for _, c := range d.crashes {
					n := checkCrash(t, c, role, states)
					if int64(n) < c.most {
						partly++
					}
					if t.Failed() {
						return
					}
				}
				t.Logf("%d crashes, of which %d lost commits that nobody waited for", len(d.crashes), partly)
				if partly == 0 {
					t.Error("no crash lost anything: the test misses its cases")
				}
			})
		})
	}
}

// checkCrash opens what a crash left and returns how many commits are there.
func checkCrash(t *testing.T, c crash, role paxos.Role, states []string) int {
	t.Helper()
	s, err := Open(dir, identity(role), Options{FS: c.fs, Fatal: neverFatal, FoldEach: 5})
	if err != nil && strings.Contains(c.at, "50% kept") && strings.Contains(err.Error(), "could not open manifest file") {
		// Pebble makes the MANIFEST and then the marker that names it, and syncs the
		// directory after both. A file system that keeps the second name without the
		// first loses this one; it is told, and nothing is answered.
		t.Logf("%s: %v", c.at, err)
		return int(c.most)
	}
	if err != nil {
		t.Errorf("%s: %v", c.at, err)
		return 0
	}
	got, err := stateOf(s)
	if err != nil {
		t.Errorf("%s: %v", c.at, err)
	}
	found := -1
	for n, want := range states {
		if got == want && int64(n) >= c.least { // an empty commit leaves the state of the one before
			found = n
			break
		}
	}
	if found < 0 || int64(found) > c.most {
		t.Errorf("%s: the state is that of %d commits, not of %d to %d\n got %s\nwant %s", c.at, found, c.least, c.most, got, states[c.least])
	}
	checkPromise(t, c.at, s)
	mustClose(t, s)
	// What was found stays: a second start finds the same.
	s = mustOpen(t, c.fs.CrashClone(vfs.CrashCloneCfg{}), role)
	if again, err := stateOf(s); err != nil || again != got {
		t.Errorf("%s: another start finds something else: %v\n got %s\nwant %s", c.at, err, again, got)
	}
	mustClose(t, s)
	return found
}

// checkPromise: the promise is not below any vote.
func checkPromise(t *testing.T, at string, s *Store) {
	t.Helper()
	if s.id.Role != paxos.RoleAcceptor.String() {
		return
	}
	st, err := s.Acceptor()
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	for i, b := range st.Votes {
		if st.Promised.Less(b) {
			t.Errorf("%s: promised %v, voted %v at %d", at, st.Promised, b, i)
		}
	}
}

// TestCrashAgain crashes, goes on from what is left, and crashes again.
func TestCrashAgain(t *testing.T) {
	role := paxos.RoleAcceptor
	seeds(t, 3, func(t *testing.T, r *rand.Rand) {
		fs := vfs.NewCrashableMem()
		initDir(t, fs, role)
		var states []string
		w := newWork(r, role)
		states = append(states, w.m.state(role))
		acked := 0
		for round := range 15 {
			s := mustOpen(t, fs, role)
			got, err := stateOf(s)
			if err != nil {
				t.Fatal(err)
			}
			n := acked
			for ; n < len(states) && states[n] != got; n++ {
			}
			if n == len(states) {
				t.Fatalf("round %d: not the state of %d to %d commits\n got %s\nwant %s", round, acked, len(states)-1, got, states[acked])
			}
			// The model goes back to what is left: promises keep rising.
			w.m = modelOf(t, s)
			states = append(states[:0], got)
			acked = 0
			for range 1 + r.IntN(8) {
				sync := r.IntN(3) == 0
				records := w.next()
				states = append(states, w.m.state(role))
				mustCommit(t, s, records, sync)
				if sync {
					acked = len(states) - 1
				}
			}
			if r.IntN(3) == 0 {
				flush(t, s)
			}
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[r.IntN(3)], RNG: r})
			mustClose(t, s)
		}
	})
}

// modelOf reads an acceptor's store into a model.
func modelOf(t *testing.T, s *Store) *model {
	t.Helper()
	m := newModel()
	st, err := s.Acceptor()
	if err != nil {
		t.Fatal(err)
	}
	m.promised, m.held, m.mark, m.peers = st.Promised, st.Held, paxos.SetMark{Commits: st.Commits, Life: st.Life, Forgot: st.Forgot}, st.Peers
	m.control = st.Control
	for _, v := range mustLoad(t, s, paxos.Load{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 40}).Votes {
		m.votes[v.Instance] = v
	}
	return m
}

// TestCrashInInit: a directory is uninitialised, so that Init can be repeated, or
// initialised for good; also when the repetition is cut off.
func TestCrashInInit(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"data", "one/two/data"} {
		t.Run(path, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 0))
			first := initCrashes(t, nil, path, r)
			done := 0
			for i, c := range first {
				if checkInit(t, c, path) {
					done++
				} else if i%(7*fewerSeeds) == 0 {
					for _, again := range initCrashes(t, c.fs, path, r) {
						again.at = c.at + ", then " + again.at
						checkInit(t, again, path)
					}
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d crashes, %d of them initialised", len(first), done)
			if done == 0 || done == len(first) {
				t.Error("the test misses its cases")
			}
		})
	}
}

// initCrashes cuts off an Init of base before each operation that writes.
func initCrashes(t *testing.T, base *vfs.MemFS, path string, r *rand.Rand) []crash {
	t.Helper()
	d := newCrashDisk(r)
	if base != nil {
		// Wrap what is there: a copy, since checkInit goes on with base itself.
		d.mem = base.CrashClone(vfs.CrashCloneCfg{})
		d.fs = errorfs.Wrap(d.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if isWrite(op.Kind) {
				d.crash(fmt.Sprintf("op %d on %s", op.Kind, op.Path), false)
			}
			return nil
		}))
	}
	d.on = true
	if err := Init(d.fs, path, identity(paxos.RoleAcceptor)); err != nil {
		t.Fatalf("Init: %v", err)
	}
	d.began.Store(1)
	d.acked.Store(1)
	d.crash("the end", true)
	return d.crashes
}

// checkInit reports whether c is initialised. It checks a copy.
func checkInit(t *testing.T, c crash, path string) bool {
	t.Helper()
	fs, want := c.fs.CrashClone(vfs.CrashCloneCfg{}), identity(paxos.RoleAcceptor)
	id, err := ReadIdentity(fs, path)
	if err != nil {
		if c.least > 0 || !errors.Is(err, ErrUninitialised) {
			t.Errorf("%s: %v", c.at, err)
			return false
		}
		if err := Init(fs, path, want); err != nil {
			t.Errorf("%s: Init repeated: %v", c.at, err)
			return false
		}
	}
	s, oerr := Open(path, want, Options{FS: fs, Fatal: neverFatal})
	if oerr != nil {
		t.Errorf("%s: after %v: %v", c.at, err, oerr)
		return false
	}
	if err == nil {
		equal(t, c.at, s.Identity(), id)
	}
	if got, err := stateOf(s); err != nil || got != newModel().state(paxos.RoleAcceptor) {
		t.Errorf("%s: %v, %s", c.at, err, got)
	}
	mustClose(t, s)
	if err := Init(fs, path, want); !errors.Is(err, ErrInitialised) {
		t.Errorf("%s: a further Init: %v", c.at, err)
	}
	return err == nil
}
