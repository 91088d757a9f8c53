package faults

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// flips is a running cluster, of which only the acceptor a1 is stopped.
type flips struct {
	t     *testing.T
	m     *memory
	c     *client.Client
	acked map[client.Index]string // entries answered, by index
	// emptied says that a1 was started once more while nobody was there: its log is
	// in tables then, and nothing but its MANIFEST tells how far it had come.
	emptied bool

	disk   *vfs.MemFS          // of a1, as kill -9 left it
	files  map[string][]string // of it, by kind
	before *known              // in it
}

// known is what an acceptor's directory holds.
type known struct {
	state    string // all but the values
	promised paxos.Ballot
	values   map[paxos.Instance][32]byte
	unread   error // why not all of it can be read
}

// readKnown reads a directory as a starting acceptor does, and then all of it.
// Pebble also reads in goroutines of its own, and may find damage there first.
func readKnown(disk vfs.FS, want wal.Identity) (*known, error) {
	type result struct {
		k   *known
		err error
	}
	results := make(chan result, 8)
	tell := func(k *known, err error) {
		select {
		case results <- result{k, err}:
		default:
		}
	}
	go func() {
		defer func() {
			if v := recover(); v != nil {
				tell(nil, fmt.Errorf("panic: %v", v))
			}
		}()
		s, err := wal.Open(dataDir, want, wal.Options{FS: disk, ReadOnly: true, Fatal: func(err error) { tell(nil, err) }})
		if err != nil {
			tell(nil, err)
			return
		}
		k, err := readStore(s)
		tell(k, errors.Join(err, s.Close()))
	}()
	select {
	case r := <-results:
		return r.k, r.err
	case <-time.After(30 * time.Second):
		return nil, errors.New("reading it hangs")
	}
}

// everything is above all instances.
const everything = paxos.Instance(1) << 62

func readStore(s *wal.Store) (*known, error) {
	st, err := s.Acceptor()
	if err != nil {
		return nil, err
	}
	k := &known{state: fmt.Sprintf("%+v", st), promised: st.Promised, values: map[paxos.Instance][32]byte{}}
	if _, err := s.Verify(); err != nil {
		k.unread = err
		return k, nil
	}
	for next := paxos.Instance(1); ; {
		l, err := s.Load(paxos.Load{Kind: paxos.LoadVotes, From: next, To: everything, MaxBytes: 1 << 20})
		if err != nil {
			k.unread = err
			return k, nil
		}
		for _, v := range l.Votes {
			k.values[v.Instance] = sha256.Sum256(v.Value.Batch)
			next = v.Instance + 1
		}
		if !l.More {
			return k, nil
		}
	}
}

// newFlips runs a cluster until its acceptor a1 has tables, a MANIFEST with some
// edits and, unless it is emptied, a log, and stops a1.
func newFlips(t *testing.T, emptied bool) *flips {
	t.Helper()
	f := &flips{t: t, m: newMemory(t), emptied: emptied, acked: map[client.Index]string{}}
	t.Cleanup(f.m.stopAll)
	f.must(f.m.start("a1", "a2", "a3", "p1", "l1"))
	f.c = f.m.client()
	t.Cleanup(func() { _ = f.c.Close() })
	for range 2 {
		f.append(100)
		f.m.stop("a1") // its next start makes a table of its log
		f.must(f.m.start("a1"))
		f.hasAll()
	}
	f.append(100)
	f.stopA1()
	return f
}

func (f *flips) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// append appends n entries, one by one.
func (f *flips) append(n int) {
	f.t.Helper()
	for range n {
		value := fmt.Sprintf("entry %d, and some words so that it is longer", len(f.acked))
		r, err := f.c.Append(context.Background(), []byte(value))
		f.must(err)
		if old, ok := f.acked[r.Index]; ok {
			f.t.Fatalf("index %d was answered for %q and for %q", r.Index, old, value)
		}
		f.acked[r.Index] = value
	}
}

// hasAll waits until a1 votes and has everything, and returns how far that is.
func (f *flips) hasAll() (chosen int) {
	f.t.Helper()
	await(f.t, "a1 votes and has everything", func() bool {
		s := acceptorStatus(f.c, "a1")
		chosen = int(s.Chosen)
		return s.Voting && s.Missing == 0
	})
	return chosen
}

// stopA1 stops a1 and keeps its disk as kill -9 would leave it, with all it has.
func (f *flips) stopA1() {
	f.t.Helper()
	chosen := f.hasAll()
	await(f.t, "a1 has everything on its disk", func() bool {
		f.append(1) // the sync of its vote covers what it only copied, which nothing waits for
		f.disk = f.m.disks["a1"].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 0))})
		f.read()
		return len(f.before.values) >= chosen
	})
	f.m.stop("a1")
	if f.emptied {
		s, err := wal.Open(dataDir, f.identity(), wal.Options{FS: f.disk, Fatal: func(err error) { f.t.Error(err) }})
		f.must(err)
		f.must(s.Close())
		f.read()
	}
	f.list()
}

// read reads what the disk of a1 holds.
func (f *flips) read() {
	f.t.Helper()
	var err error
	if f.before, err = readKnown(f.copy(), f.identity()); err != nil || f.before.unread != nil {
		f.t.Fatalf("a1 knows %+v, %v", f.before, err)
	}
}

// list lists the files on the disk of a1.
func (f *flips) list() {
	f.t.Helper()
	f.files = map[string][]string{}
	for _, dir := range []string{dataDir, path.Join(dataDir, "db")} {
		names, err := f.disk.List(dir)
		f.must(err)
		for _, name := range names {
			file := path.Join(dir, name)
			if info, err := f.disk.Stat(file); err == nil && !info.IsDir() && info.Size() > 0 {
				f.files[kindOf(name)] = append(f.files[kindOf(name)], file)
			}
		}
	}
	for _, files := range f.files {
		slices.Sort(files) // the same seed is the same flip
	}
}

func (f *flips) identity() wal.Identity {
	return wal.NewIdentity(f.m.c.Membership(), paxos.RoleAcceptor, "a1")
}

// copy is a copy of the disk of a1, without its locks.
func (f *flips) copy() *vfs.MemFS { return f.disk.CrashClone(vfs.CrashCloneCfg{}) }

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// flip returns a copy of the disk of a1 with one byte changed: in a file of any
// kind alike, in the newest of them more often, and often near its end.
func (f *flips) flip(rng *rand.Rand) (disk *vfs.MemFS, kind, name string) {
	f.t.Helper()
	kinds := slices.Sorted(maps.Keys(f.files))
	kind = kinds[rng.IntN(len(kinds))]
	file := f.files[kind][rng.IntN(len(f.files[kind]))]
	if rng.IntN(2) == 0 {
		file = slices.Max(f.files[kind])
	}
	disk = f.copy()
	data := readAll(f.t, disk, file)
	place := rng.IntN(len(data))
	if rng.IntN(4) == 0 {
		place = max(0, len(data)-1-rng.IntN(64))
	}
	change := byte(1 + rng.IntN(255))
	data[place] ^= change
	out, err := disk.OpenReadWrite(file, vfs.WriteCategoryUnspecified)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := out.WriteAt(data[place:place+1], int64(place)); err != nil {
		f.t.Fatal(err)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		f.t.Fatal(err)
	}
	return disk, kind, fmt.Sprintf("%s, byte %d of %d changed by %#x", file, place, len(data), change)
}

func readAll(t testing.TB, fs vfs.FS, file string) []byte {
	t.Helper()
	in, err := fs.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFlips flips one byte after the other in copies of an acceptor's directory
// and opens each as a starting acceptor does. It is refused, or knows all it knew;
// what is read only later is refused then. If it knows less, it starts in its
// running cluster: it must be told, and nothing that was answered may be lost.
// PAXLOG_FLIPS says how many.
func TestFlips(t *testing.T) {
	rng := cluster.Seed(t, "./faults")
	n := cluster.Number(t, "PAXLOG_FLIPS", 150)
	tally := tally{count: map[string]int{}}
	began := time.Now()
	workers := max(2, min(8, n/250)) // a start in a cluster waits more than it works
	t.Run("clusters", func(t *testing.T) {
		for w := range workers {
			own := rand.New(rand.NewPCG(rng.Uint64(), 0))
			t.Run(strconv.Itoa(w), func(t *testing.T) {
				t.Parallel()
				f := newFlips(t, w%2 == 1)
				for i := w; i < n && !t.Failed(); i += workers {
					tally.add(f.trial(own))
				}
				f.checkLog("at the end")
			})
		}
	})
	for _, line := range slices.Sorted(maps.Keys(tally.count)) {
		t.Logf("%5d  %s", tally.count[line], line)
	}
	t.Logf("%d flips in %v", n, time.Since(began).Round(time.Second))
}

// tally counts outcomes.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (y *tally) add(kind, how string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.count[fmt.Sprintf("%-9s %s", kind, how)]++
}

// trial flips a byte and says in what kind of file, and what comes of it.
func (f *flips) trial(rng *rand.Rand) (kind, how string) {
	f.t.Helper()
	disk, kind, name := f.flip(rng)
	// Reading changes nothing, but a crash clone is without its locks.
	after, err := readKnown(disk.CrashClone(vfs.CrashCloneCfg{}), f.identity())
	switch {
	case err != nil:
		return kind, string(refused)
	case after.state != f.before.state || after.unread == nil && !maps.Equal(after.values, f.before.values):
		return kind, f.inCluster(disk, name)
	case after.unread != nil:
		return kind, string(later)
	}
	return kind, string(unchanged)
}

// inCluster starts a1 on a damaged disk, on which it is in an earlier state, and
// checks that it is told and that nothing is lost. Then a1 goes on from there.
func (f *flips) inCluster(disk *vfs.MemFS, name string) string {
	f.t.Helper()
	f.m.disks["a1"] = disk
	if err := f.m.start("a1"); err != nil {
		return string(refused) + " by its node"
	}
	var ended error
	await(f.t, name+": a1 is well again, or ends", func() bool {
		select {
		case ended = <-f.m.fatal["a1"]:
			return true
		default:
		}
		s := acceptorStatus(f.c, "a1")
		return s.Voting && s.Missing == 0 && int(s.Chosen) >= len(f.before.values)
	})
	f.append(5)
	f.checkLog(name)
	if ended != nil {
		f.m.stop("a1")
		return "ends: " + strings.ReplaceAll(ended.Error(), "\n", " ")
	}
	if !strings.Contains(f.m.logs["a1"].text(), "has forgotten") {
		f.t.Errorf("%s: a1 was in an earlier state, and nobody told it", name)
	}
	before := f.before
	f.stopA1()
	for i, v := range before.values {
		now, there := f.before.values[i]
		if !there {
			f.t.Errorf("%s: a1 caught up, and instance %d is lost", name, i)
		} else if now != v {
			f.t.Errorf("%s: a1 caught up, and instance %d is another", name, i)
		}
	}
	if f.t.Failed() {
		f.t.Logf("before it\n%.400s\nafter it\n%.400s\nit says\n%s", before.state, f.before.state, f.m.logs["a1"].text())
	}
	if f.before.promised.Less(before.promised) {
		f.t.Errorf("%s: a1 caught up, and its promise went from %s to %s", name, before.promised, f.before.promised)
	}
	return string(older) + ", and it is told"
}

// checkLog checks that everything answered is in the log, at its index.
func (f *flips) checkLog(name string) {
	f.t.Helper()
	found := 0
	for e, err := range f.c.Tail(context.Background(), client.TailOptions{}) {
		if err != nil {
			f.t.Errorf("%s: %v", name, err)
			return
		}
		if want, ok := f.acked[e.Index]; ok {
			found++
			if want != string(e.Value) {
				f.t.Errorf("%s: index %d was answered for %q and holds %q", name, e.Index, want, e.Value)
			}
		}
	}
	if found != len(f.acked) {
		f.t.Errorf("%s: %d of %d answered entries are in the log", name, found, len(f.acked))
	}
}
