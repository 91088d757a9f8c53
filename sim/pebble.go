package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
	"github.com/paxlog/paxlog/wal"
)

// disk is a real data directory, a wal.Store in Pebble on a file system in memory,
// that goes along with a Store: it is given what the Store says is synced, by the
// calls that package node makes, and what it recovers and reads is what the
// machine gets. It must agree with the Store on all of it.
//
// Pebble's files are not the same in each run (its memtables and background work
// are not seeded), so what a crash loses is not left to them: a commit is held
// back until its sync, and a crash keeps nothing that was not synced. Torn is the
// exception: commits are written when they are made, and a crash keeps blocks of
// what was not synced at random. Such a run is not the same twice.
type disk struct {
	w        *World
	role     paxos.Role
	identity wal.Identity
	torn     bool
	mem      *vfs.MemFS
	fault    *fault
	store    *wal.Store // nil while the process is down
	failing  string     // how the process ended, if it was over its disk
}

const dataDir = "data"

// fault makes every write fail while it has an error.
type fault struct {
	err   atomic.Pointer[error]
	fatal atomic.Pointer[error] // what the store called fatal
}

func (f *fault) MaybeError(op errorfs.Op) error {
	if err := f.err.Load(); err != nil && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return *err
	}
	return nil
}

func (f *fault) String() string { return "fault" }

func (f *fault) set(err error) {
	if err == nil {
		f.err.Store(nil)
		return
	}
	f.err.Store(&err)
}

// reused has writes of a log that is used again fail like those of others, which errorfs lets
// pass.
type reused struct{ vfs.FS }

func (r reused) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := r.Rename(old, name); err != nil {
		return nil, err
	}
	return r.OpenReadWrite(name, category)
}

func (r reused) Unwrap() vfs.FS { return r.FS }

// usePebble puts a real store beside n's. It must not have started.
func (w *World) usePebble(n *Node, members paxos.Membership, torn bool) {
	d := &disk{
		w: w, role: n.Role, identity: wal.NewIdentity(members, n.Role, n.ID), torn: torn,
		mem: vfs.NewCrashableMem(), fault: &fault{},
	}
	d.must("init", wal.Init(d.mem, dataDir, d.identity))
	n.store.disk = d
}

// must turns a failure of the store, which nothing explains, into a violation.
func (d *disk) must(what string, err error) {
	if err != nil {
		d.fail("%s: %v", what, err)
	}
}

func (d *disk) fail(format string, args ...any) {
	d.w.Check.Fail("store", "%s: %s", d.identity.ID, fmt.Sprintf(format, args...))
}

// open opens the directory as package node does.
func (d *disk) open() error {
	d.fault.fatal.Store(nil)
	var err error
	d.store, err = wal.Open(dataDir, d.identity, wal.Options{
		FS: reused{errorfs.Wrap(d.mem, d.fault)}, Fatal: func(err error) { d.fault.fatal.Store(&err) }, FoldEach: 20,
	})
	if err != nil {
		d.store = nil
	}
	return err
}

// acceptor recovers the state, which must be want.
func (d *disk) acceptor(want acceptor.State) acceptor.State {
	d.must("open", d.open())
	got, err := d.store.Acceptor()
	d.must("recover", err)
	if !reflect.DeepEqual(got, want) {
		d.fail("recovered %+v, what was synced is %+v", got, want)
	}
	return got
}

func (d *disk) learner(want learner.State) learner.State {
	d.must("open", d.open())
	got, err := d.store.Learner()
	d.must("recover", err)
	byID := func(a, b paxos.SessionState) int { return slices.Compare(a.ID[:], b.ID[:]) }
	slices.SortFunc(want.Sessions, byID)
	slices.SortFunc(got.Sessions, byID)
	if !reflect.DeepEqual(got, want) {
		d.fail("recovered %+v, what was synced is %+v", got, want)
	}
	return got
}

// apply makes one commit of records; with sync it is durable after.
func (d *disk) apply(records []paxos.Record, sync bool) error {
	c := d.store.NewCommit(len(records), 0)
	err := c.Add(records)
	if err == nil {
		err = c.Apply(sync)
	}
	if err == nil && sync {
		err = c.Wait()
	}
	if err == nil {
		c.Close()
	}
	return err
}

// commit takes what was synced.
func (d *disk) commit(records []paxos.Record) {
	if d.store != nil && len(records) > 0 { // else a torn crash has kept it
		d.must("commit", d.apply(records, true))
		d.reclaim()
	}
}

// reclaim gives back the space of what was trimmed, as package node does.
func (d *disk) reclaim() {
	if d.store.Reclaimable() {
		d.w.Events["space given back"]++
		d.must("sweep", d.store.Sweep(context.Background()))
		d.must("reclaim", d.store.Reclaim())
	}
}

// load asks the real store what the model was asked, where it has seen as much,
// and gives its answer to the machine. The two count the bytes of an item
// differently; where a page ends the model says.
func (d *disk) load(s *Store, l paxos.Load, out *paxos.Loaded) {
	want := out
	if len(s.tail) > 0 {
		want = s.durable.Load(s.role, l) // the store has not seen more
	}
	ask := l
	ask.MaxBytes = 16*l.MaxBytes + 1<<16
	got, err := d.store.Load(ask)
	d.must("load", err)
	if want.More {
		got.Votes, got.Log = got.Votes[:min(len(want.Votes), len(got.Votes))], got.Log[:min(len(want.Log), len(got.Log))]
		got.Chains = got.Chains[:min(len(want.Chains), len(got.Chains))]
	}
	if !sameLoad(got, want) {
		d.fail("a load of %+v gave %+v, and the model of what is synced has %+v", l, got, want)
	}
	if want == out {
		out.Votes, out.Chains, out.Log, out.Index, out.Runs = got.Votes, got.Chains, got.Log, got.Index, got.Runs
	}
}

func sameLoad(got, want *paxos.Loaded) bool {
	return slices.EqualFunc(got.Votes, want.Votes, func(a, b paxos.Vote) bool {
		return a.Instance == b.Instance && a.Ballot == b.Ballot && a.Value.Equal(b.Value)
	}) && slices.EqualFunc(got.Log, want.Log, func(a, b paxos.LogRecord) bool {
		return a.Instance == b.Instance && a.First == b.First && a.Count == b.Count && a.Origin == b.Origin && a.Time == b.Time && string(a.Log) == string(b.Log)
	}) && got.Index == want.Index && slices.Equal(got.Runs, want.Runs) && slices.Equal(got.Chains, want.Chains)
}

// crash ends the process and keeps what was synced.
func (d *disk) crash() {
	if d.store == nil {
		return
	}
	failing := d.failing
	d.failing = ""
	if failing != "" && d.leave() {
		d.failToWrite(failing)
		d.store = nil
		d.mem = d.mem.CrashClone(vfs.CrashCloneCfg{})
		return
	}
	left := d.mem.CrashClone(vfs.CrashCloneCfg{})
	d.close()
	d.mem = left
}

// tear ends the process as a crash of the machine does that catches the disk at
// work: any block that was not synced may be there or not. It returns how many of
// the commits of the tail have survived, which must be the first ones.
func (d *disk) tear(s *Store, rng *paxos.Rand) int {
	for _, records := range s.tail {
		d.must("commit", d.apply(records, false))
	}
	percent := int(rng.Uint64() % 101)
	left := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(rng.Uint64(), 0))})
	d.close()
	d.mem = left
	d.w.Events["torn clone"]++
	d.must("open a torn directory", d.open())
	recovered := d.contents()
	d.close()
	want := s.durable.Clone()
	for n := 0; ; n++ {
		if contentsText(want, d.role) == recovered {
			return n
		}
		if n == len(s.tail) {
			d.fail("of the %d commits that were not synced no first ones have survived: %s", n, recovered)
		}
		want.Apply(s.tail[n])
	}
}

// contents is the state in the store, as text that can be compared.
func (d *disk) contents() string {
	if d.role == paxos.RoleAcceptor {
		st, err := d.store.Acceptor()
		d.must("recover", err)
		return fmt.Sprintf("%#v", st)
	}
	st, err := d.store.Learner()
	d.must("recover", err)
	var h hasher
	h.learner(st)
	return fmt.Sprintf("%#v %q %q %x", st.LearnerState, st.Control, st.Wrong, h.digest)
}

// contentsText is what contents says of the same state.
func contentsText(c *model.Contents, role paxos.Role) string {
	if role == paxos.RoleAcceptor {
		return fmt.Sprintf("%#v", c.AcceptorState())
	}
	var h hasher
	h.learner(c.LearnerState())
	return fmt.Sprintf("%#v %q %q %x", c.Learner, c.Control, c.Wrong, h.digest)
}

// failToWrite makes the store's last write fail: it must say so, and what it was
// given must not be there afterwards.
func (d *disk) failToWrite(why string) {
	var injected error = syscall.EIO
	if why == fullDisk {
		injected = syscall.ENOSPC
	}
	d.fault.set(injected)
	err := d.apply([]paxos.Record{paxos.SetPeer{ID: "never written", Peer: paxos.Peer{Incarnation: 1}}}, true)
	d.fault.set(nil)
	if fatal := d.fault.fatal.Load(); err == nil && fatal != nil {
		err = *fatal
	}
	if err == nil {
		d.fail("a commit succeeded on a disk that fails every write")
	}
	if why == fullDisk && !strings.Contains(err.Error(), "full") {
		d.fail("a full disk is told as: %v", err)
	}
}

// openFull starts a process on a full disk, which must fail and say why.
func (d *disk) openFull() {
	d.fault.set(syscall.ENOSPC)
	err := d.open()
	d.fault.set(nil)
	if err == nil || !strings.Contains(err.Error(), "full") {
		d.fail("opened on a full disk: %v", err)
	}
	d.mem = d.mem.CrashClone(vfs.CrashCloneCfg{})
}

// rollBack makes the directory one that has seen these commits and no more.
func (d *disk) rollBack(history [][]paxos.Record) {
	d.mem = vfs.NewCrashableMem()
	d.must("init", wal.Init(d.mem, dataDir, d.identity))
	d.must("open", d.open())
	d.commit(slices.Concat(history...))
	left := d.mem.CrashClone(vfs.CrashCloneCfg{})
	d.close()
	d.mem = left
}

// close ends the store of a process that has ended. What closing writes goes to
// files that nobody looks at any more.
func (d *disk) close() {
	if d.store != nil {
		d.must("close", d.store.Close())
		d.store = nil
	}
}

// broken keeps stores whose last write failed. Pebble cannot close them, and
// checks, when they are finalised, that they were.
var broken struct {
	sync.Mutex
	stores []*wal.Store
}

// mostBroken bounds them; beyond it the disk of a process that ends over it is
// only simulated.
const mostBroken = 20

// leave keeps the store open for good, if there may be one more of those.
func (d *disk) leave() bool {
	broken.Lock()
	defer broken.Unlock()
	if len(broken.stores) >= mostBroken {
		return false
	}
	broken.stores = append(broken.stores, d.store)
	return true
}
