package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/paxos"
)

// failing is a disk of which the n-th write fails: that one only, so that a retry
// would succeed, or all from there on.
type failing struct {
	mu    sync.Mutex
	n     int
	only  bool
	which func(errorfs.Op) bool
	err   error
	off   bool
	hits  int
	seen  int
	at    string
}

func (f *failing) MaybeError(op errorfs.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off || !f.which(op) {
		return nil
	}
	f.seen++
	if f.seen < f.n || (f.only && f.seen > f.n) {
		return nil
	}
	if f.hits++; f.hits == 1 {
		f.at = fmt.Sprintf("op %d on %s", op.Kind, op.Path)
	}
	return f.err
}

func (f *failing) String() string { return "failing" }

// stop ends the failures: Pebble retries a failed flush for ever.
func (f *failing) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
}

func (f *failing) hit() (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.hits > 0
}

// outcome is what a run on a failing disk came to.
type outcome struct {
	errs   []error // of Open, Apply, Wait and Close
	fatals []error
	acked  int    // commits that succeeded before anything failed
	after  string // what succeeded after an error
	closed bool
}

// trial is a run under way.
type trial struct {
	mu    sync.Mutex
	out   outcome
	fatal chan struct{} // closed by the first Fatal
}

func (tr *trial) onFatal(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.out.fatals = append(tr.out.fatals, err); len(tr.out.fatals) == 1 {
		close(tr.fatal)
	}
}

// note takes down how a step ended, unless the process would have stopped before.
func (tr *trial) note(step string, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch o := &tr.out; {
	case len(o.fatals) > 0:
	case err != nil:
		o.errs = append(o.errs, err)
	case len(o.errs) > 0:
		o.after = step
	case step == "commit":
		o.acked++
	case step == "Close":
		o.closed = true
	}
}

// abandoned keeps stores that failed from being finalised: Pebble checks then
// that they were closed, which they cannot be.
var abandoned struct {
	sync.Mutex
	stores []*Store
}

func abandon(s *Store) {
	abandoned.Lock()
	defer abandoned.Unlock()
	abandoned.stores = append(abandoned.stores, s)
}

// run opens a store on fs, commits, and closes it. It does not stop at an error,
// but notes what succeeds after it. A Fatal stops a process, so it ends the run:
// Pebble may hold locks for ever then.
func run(fs vfs.FS, w *work, flushes bool) outcome {
	tr := &trial{fatal: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s, err := Open(dir, identity(w.role), Options{FS: fs, Fatal: tr.onFatal, FoldEach: 5})
		tr.note("Open", err)
		if err != nil {
			return
		}
		abandon(s)
		healthy := true
		for i := range 12 {
			err := commit(s, w.next(), true)
			tr.note("commit", err)
			healthy = healthy && err == nil
			if flushes && i%4 == 3 && healthy {
				if flushed, err := s.db.AsyncFlush(); err == nil {
					select {
					case <-flushed:
					case <-tr.fatal: // it never ends if it cannot be done
						return
					}
				}
			}
		}
		tr.note("Close", s.Close())
	}()
	select {
	case <-ended:
	case <-tr.fatal:
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.out
}

// everyFailure runs with each write failing in turn, until none is hit.
//
// Some failures make Pebble panic, in goroutines of its own: of a sync of the
// directory, and of the log when a new one takes its place. The process stops,
// which is all that counts, but a test cannot see it: so the directory does not
// fail, and the log only where there are no flushes.
func everyFailure(t *testing.T, which func(errorfs.Op) bool, flushes, only bool, injected error, check func(at string, out outcome, left *vfs.MemFS, states []string)) {
	t.Helper()
	chosen := func(op errorfs.Op) bool {
		return which(op) && op.Path != "data/db" && !(flushes && strings.HasSuffix(op.Path, ".log"))
	}
	role := paxos.RoleAcceptor
	base := vfs.NewCrashableMem()
	initDir(t, base, role)
	for n := 1; ; n += fewerSeeds { // not every one of them with the race detector
		if n > 1000 {
			t.Fatal("there is no end of writes")
		}
		mem := base.CrashClone(vfs.CrashCloneCfg{})
		f := &failing{n: n, only: only, err: injected, which: chosen}
		w := newWork(rand.New(rand.NewPCG(1, 0)), role)
		out := run(errorfs.Wrap(mem, f), w, flushes)
		left := mem.CrashClone(vfs.CrashCloneCfg{})
		f.stop()
		at, hit := f.hit()
		if !hit {
			if len(out.errs)+len(out.fatals) > 0 || !out.closed {
				t.Fatalf("without a failure: %+v", out)
			}
			t.Logf("%d failures", (n-1)/fewerSeeds)
			return
		}
		again := newWork(rand.New(rand.NewPCG(1, 0)), role)
		states := []string{again.m.state(role)}
		for range 12 {
			again.next()
			states = append(states, again.m.state(role))
		}
		check(fmt.Sprintf("failure %d, %s", n, at), out, left, states)
		if t.Failed() {
			return
		}
	}
}

// TestEveryWriteFails: a failed write or sync is told, by an error or by Fatal;
// nothing succeeds after it, also if the disk would; and what succeeded before it
// is there.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]func(errorfs.Op) bool{
		"syncs": func(op errorfs.Op) bool { return isSync(op.Kind) },
		"writes": func(op errorfs.Op) bool {
			return isSync(op.Kind) || op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRename
		},
	} {
		for i := range 4 {
			flushes, only := i&1 != 0, i&2 != 0
			t.Run(fmt.Sprintf("%s/flushes=%v/only=%v", name, flushes, only), func(t *testing.T) {
				everyFailure(t, which, flushes, only, errorfs.ErrInjected, func(at string, out outcome, left *vfs.MemFS, states []string) {
					if len(out.errs)+len(out.fatals) == 0 {
						t.Errorf("%s: nobody was told", at)
					}
					if out.after != "" {
						t.Errorf("%s: %s succeeded after %v", at, out.after, out.errs)
					}
					c := crash{left, at, int64(out.acked), 12}
					checkCrash(t, c, paxos.RoleAcceptor, states)
				})
			})
		}
	}
}

// TestDiskFull: whatever write meets a full disk, the last line says so.
func TestDiskFull(t *testing.T) {
	which := func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
	}
	silent := 0
	check := func(at string, out outcome, left *vfs.MemFS, states []string) {
		first := append(out.fatals, out.errs...)
		if len(first) == 0 {
			t.Errorf("%s: nobody was told", at)
			return
		}
		const want = "the disk of data is full: free some space and start again, nothing acknowledged is lost ("
		if !strings.HasPrefix(first[0].Error(), want) || !errors.Is(first[0], syscall.ENOSPC) {
			silent++
			t.Logf("%s: %v", at, first[0])
		}
	}
	everyFailure(t, which, false, false, syscall.ENOSPC, check)
	everyFailure(t, which, true, false, syscall.ENOSPC, check)
	if silent > 0 {
		t.Errorf("%d failures did not say that the disk is full", silent)
	}
	// Init says it too.
	for n := 1; ; n++ {
		f := &failing{n: n, err: syscall.ENOSPC, which: which}
		err := Init(errorfs.Wrap(vfs.NewMem(), f), dir, identity(paxos.RoleAcceptor))
		if at, hit := f.hit(); !hit {
			break
		} else if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "the disk of data is full: ") {
			t.Errorf("Init, %s: %v", at, err)
		}
	}
}

// TestInitFails: an Init that met an error can be repeated, unless it is done.
func TestInitFails(t *testing.T) {
	for n := 1; ; n++ {
		mem := vfs.NewCrashableMem()
		f := &failing{n: n, only: true, err: errorfs.ErrInjected, which: func(op errorfs.Op) bool { return isWrite(op.Kind) }}
		err := Init(errorfs.Wrap(mem, f), dir, identity(paxos.RoleAcceptor))
		at, hit := f.hit()
		if !hit {
			t.Logf("%d failures", n-1)
			return
		}
		mem = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 0))}) // without its locks
		again := Init(mem, dir, identity(paxos.RoleAcceptor))
		if done := errors.Is(again, ErrInitialised); (again != nil && !done) || (err == nil && !done) {
			t.Fatalf("%s: Init: %v, again: %v", at, err, again)
		}
		mustClose(t, mustOpen(t, mem, paxos.RoleAcceptor))
	}
}

// TestReadFails: a load that cannot be read is an error, not an empty answer.
func TestReadFails(t *testing.T) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			mem := vfs.NewMem()
			initDir(t, mem, role)
			s := mustOpen(t, mem, role)
			w := newWork(rand.New(rand.NewPCG(1, 0)), role)
			w.size = 20000 // so that what reads one block of a table does not read all
			mustCommit(t, s, w.first(), false)
			for range 40 {
				mustCommit(t, s, w.next(), false)
			}
			flush(t, s)
			mustClose(t, s)
			loads := []paxos.Load{
				{Kind: paxos.LoadVotes, To: everything, MaxBytes: 1 << 30},
				{Kind: paxos.LoadLog, Index: w.m.learner.FirstIndex, UpTo: everything},
				{Kind: paxos.LoadTime, Time: w.m.learner.Time},
				{Kind: paxos.LoadRuns, Session: w.ids[0], Seq: 1, UpToSeq: 1 << 62},
			}
			if role == paxos.RoleAcceptor {
				loads = loads[:1]
			}
			for _, l := range loads {
				inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
					if strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpFileReadAt {
						return errorfs.ErrInjected
					}
					return nil
				})
				toggle := &errorfs.Toggle{Injector: inj}
				s, err := Open(dir, identity(role), Options{FS: errorfs.Wrap(mem, toggle), Fatal: func(error) {}}) // Pebble reads too
				if err != nil {
					t.Fatal(err)
				}
				// Pebble opens a table once for all that want it, some in the background: so
				// that none fails while the disk is well, all are open before.
				for prefix := byte('a'); prefix <= 'z'; prefix++ {
					lo, hi := prefixRange(prefix)
					if err := s.scan(lo, hi, func(k, v []byte) (bool, error) { return false, nil }); err != nil {
						t.Fatal(err)
					}
				}
				toggle.On()
				if got, err := s.Load(l); !errors.Is(err, errorfs.ErrInjected) || !strings.HasPrefix(err.Error(), "data: ") || errors.Is(err, ErrDamaged) {
					t.Errorf("%+v: %v, %v", l, got, err)
				}
				if _, err := s.Acceptor(); role == paxos.RoleAcceptor && !errors.Is(err, errorfs.ErrInjected) {
					t.Errorf("Acceptor: %v", err)
				}
				toggle.Off()
				if _, err := s.Load(l); err != nil {
					t.Errorf("after the disk recovered: %v", err)
				}
				mustClose(t, s)
			}
		})
	}
}
