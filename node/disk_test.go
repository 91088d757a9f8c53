package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

// gate holds up the syncs of Pebble's log while it is closed, and fails them if
// it is told to.
type gate struct {
	mu      sync.Mutex
	open    chan struct{} // closed: syncs pass
	fail    error
	reached chan struct{} // a sync is at the gate
}

func newGate() *gate {
	g := &gate{open: make(chan struct{}), reached: make(chan struct{}, 1000)}
	close(g.open)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// release lets syncs pass, or fail with err.
func (g *gate) release(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = err
	close(g.open)
}

func (g *gate) String() string { return "gate" }

func (g *gate) MaybeError(op errorfs.Op) error {
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
	if !sync || !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	default:
		g.reached <- struct{}{}
		<-open
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fail
}

// rig is a disk of a node that has no machine and no network.
type rig struct {
	t      *testing.T
	mem    *vfs.MemFS
	gate   *gate
	n      *Node
	mu     sync.Mutex
	sent   []uint64 // nonces, in the order in which they left
	fatals []error
	onSend func(nonce uint64)
	synced []uint64
	loaded []uint64
	each   func(paxos.Message) // is shown what comes into the inbox
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, func(fs vfs.FS) vfs.FS { return fs })
}

// newRigOn is newRig on a file system that is made of the usual one.
func newRigOn(t *testing.T, on func(vfs.FS) vfs.FS) *rig {
	t.Helper()
	k := &rig{t: t, mem: vfs.NewCrashableMem(), gate: newGate()}
	members := paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1"}, Phase1: 1, Phase2: 1, Sessions: 1}
	id := wal.NewIdentity(members, paxos.RoleAcceptor, "a1")
	if err := wal.Init(k.mem, "data", id); err != nil {
		t.Fatal(err)
	}
	k.n = &Node{peerLog: newPeerLog(), died: make(chan struct{}), accepted: newAccepted(nil, func() {}), log: zerolog.Nop(), inbox: newInbox(1 << 30), opts: Options{ID: "a1", Fatal: func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.fatals = append(k.fatals, err)
	}}}
	k.n.out = func(envelopes []paxos.Envelope) {
		for _, e := range envelopes {
			nonce := e.Msg.(*paxos.Poll).Nonce
			if k.onSend != nil {
				k.onSend(nonce)
			}
			k.mu.Lock()
			k.sent = append(k.sent, nonce)
			k.mu.Unlock()
		}
	}
	var err error
	if k.n.store, err = wal.Open("data", id, wal.Options{FS: on(errorfs.Wrap(k.mem, k.gate)), Fatal: k.n.fatal, Synced: k.n.onSynced}); err != nil {
		t.Fatal(err)
	}
	k.n.disk = newDisk(k.n, 1<<30)
	return k
}

// close ends a rig of which nothing failed.
func (k *rig) close() {
	k.t.Helper()
	k.n.disk.stop()
	if err := k.n.store.Close(); err != nil {
		k.t.Error(err)
	}
	if len(k.fatals) > 0 {
		k.t.Errorf("fatal: %v", k.fatals)
	}
}

func (k *rig) sentSoFar() []uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sent)
}

func (k *rig) wantSent(when string, want ...uint64) {
	k.t.Helper()
	if got := k.sentSoFar(); !slices.Equal(got, want) {
		k.t.Fatalf("%s: sent %v, want %v", when, got, want)
	}
}

// awaitInbox takes from the inbox until ok.
func (k *rig) awaitInbox(ok func() bool) {
	k.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		k.n.inbox.wait(tick.C)
		items, _ := k.n.inbox.take()
		for _, it := range items {
			if k.each != nil {
				k.each(it.msg)
			}
			switch m := it.msg.(type) {
			case *paxos.Synced:
				k.synced = append(k.synced, m.Count)
			case *paxos.Loaded:
				k.loaded = append(k.loaded, m.Load.Tag)
			}
		}
		k.n.inbox.recycle(items)
	}
}

func (k *rig) awaitSynced(n uint64) {
	k.t.Helper()
	k.awaitInbox(func() bool { return len(k.synced) > 0 && k.synced[len(k.synced)-1] >= n })
	if !slices.IsSorted(k.synced) || k.synced[len(k.synced)-1] != n {
		k.t.Fatalf("Synced %v, want %d at last", k.synced, n)
	}
}

// awaitApplied returns when all that was submitted is in the store.
func (k *rig) awaitApplied() {
	k.t.Helper()
	tag := uint64(len(k.loaded) + 1000)
	k.n.act(paxos.Output{Loads: []paxos.Load{{Kind: paxos.LoadVotes, Tag: tag}}})
	k.awaitInbox(func() bool { return slices.Contains(k.loaded, tag) })
}

func message(nonce uint64) []paxos.Envelope {
	return []paxos.Envelope{{To: "l1", Msg: &paxos.Poll{Nonce: nonce}}}
}

func vote(i uint64) []paxos.Record {
	return []paxos.Record{
		paxos.SetPromised{Ballot: paxos.Ballot{Round: i, Proposer: "p1"}},
		paxos.PutVote{Vote: paxos.Vote{Instance: paxos.Instance(i), Ballot: paxos.Ballot{Round: i, Proposer: "p1"}}},
	}
}

// TestNothingBeforeItsSync: what waits for a blocked sync waits, with all that
// comes after it; what waits for nothing leaves at once; and all leave in order.
func TestNothingBeforeItsSync(t *testing.T) {
	k := newRig(t)
	k.gate.shut()
	k.n.act(paxos.Output{SendNow: message(1), Writes: vote(1), Sync: true, SendAfter: message(2)})
	<-k.gate.reached
	k.wantSent("while the sync is blocked", 1)

	k.n.act(paxos.Output{SendAfter: message(3)})                                          // nothing to write: behind the sync
	k.n.act(paxos.Output{SendNow: message(4), Writes: vote(2), SendAfter: message(5)})    // nothing to sync: behind it too
	k.n.act(paxos.Output{Writes: vote(3), Sync: true, SendAfter: message(6)})             // a later commit
	k.n.act(paxos.Output{SendNow: message(7), Sync: true, SendAfter: message(8)})         // nothing to write
	k.n.act(paxos.Output{Loads: []paxos.Load{{Kind: paxos.LoadVotes, Tag: 1, To: 1000}}}) // answered meanwhile
	k.awaitApplied()
	k.awaitInbox(func() bool { return slices.Contains(k.loaded, 1) })
	if len(k.synced) > 0 {
		t.Fatalf("Synced %v while the sync is blocked", k.synced)
	}
	k.wantSent("still blocked", 1, 4, 7)

	k.gate.release(nil)
	k.awaitSynced(3)
	k.wantSent("unblocked", 1, 4, 7, 2, 3, 5, 6, 8)
	if k.synced[0] != 1 {
		t.Errorf("Synced %v: outputs submitted while a sync was under way were part of it", k.synced)
	}

	// Idle: what needs no disk leaves at once again, and an empty output is nothing.
	k.awaitApplied()
	k.n.disk.stop()
	k.n.disk = newDisk(k.n, 1<<30)
	k.n.act(paxos.Output{SendAfter: message(9)})
	k.n.act(paxos.Output{})
	k.wantSent("idle", 1, 4, 7, 2, 3, 5, 6, 8, 9)
	k.close()
}

// TestManyOutputs: outputs submitted while a sync is blocked share later commits,
// and random outputs leave in order, each counted.
func TestManyOutputs(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			k := newRig(t)
			k.gate.shut()
			var after []uint64
			syncs := uint64(0)
			const outputs = 400
			for i := range uint64(outputs) {
				out := paxos.Output{Sync: i == 0 || r.IntN(3) == 0}
				if i == 0 || r.IntN(2) == 0 {
					out.Writes = vote(i + 1)
				}
				if r.IntN(3) > 0 {
					out.SendAfter = message(i)
					after = append(after, i)
				}
				if out.Sync {
					syncs++
				}
				k.n.act(out)
				if i == 0 {
					<-k.gate.reached
				}
				if i == outputs/2 {
					k.gate.release(nil)
				}
			}
			k.awaitSynced(syncs)
			k.n.disk.stop()
			k.wantSent("at the end", after...)
			if len(k.synced) >= int(syncs) {
				t.Errorf("%d outputs with Sync in %d commits: none were put together", syncs, len(k.synced))
			}
			k.n.disk = newDisk(k.n, 1<<30)
			k.close()
		})
	}
}

// TestSentIsDurable cuts the power at each message that shows a vote: the vote is
// there (hazard 4, a reply before its sync).
func TestSentIsDurable(t *testing.T) {
	k := newRig(t)
	type moment struct {
		nonce uint64
		fs    *vfs.MemFS
	}
	var moments []moment
	k.onSend = func(nonce uint64) {
		moments = append(moments, moment{nonce, k.mem.CrashClone(vfs.CrashCloneCfg{})})
	}
	const outputs = 30
	for i := range uint64(outputs) {
		k.n.act(paxos.Output{Writes: vote(i + 1), Sync: true, SendAfter: message(i + 1)})
		if i%3 == 0 {
			k.awaitSynced(i + 1)
		}
	}
	k.awaitSynced(outputs)
	k.close()
	if len(moments) != outputs {
		t.Fatalf("%d messages", len(moments))
	}
	for _, m := range moments {
		s, err := wal.Open("data", k.n.store.Identity(), wal.Options{FS: m.fs, Fatal: func(err error) { panic(err) }})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Acceptor()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := st.Votes[paxos.Instance(m.nonce)]; !ok || st.Promised.Round < m.nonce {
			t.Errorf("vote %d was told, but is not on the disk; promised %v", m.nonce, st.Promised)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedSync: after a failed sync nothing is ever sent, Fatal is called once,
// and nobody is blocked.
func TestFailedSync(t *testing.T) {
	k := newRig(t)
	k.n.act(paxos.Output{Writes: vote(1), Sync: true, SendAfter: message(1)})
	k.awaitSynced(1)
	var once sync.Once
	left := make(chan struct{})
	k.onSend = func(uint64) { once.Do(func() { close(left) }) }
	k.gate.shut()
	k.n.act(paxos.Output{Writes: vote(2), Sync: true, SendAfter: message(2)})
	<-k.gate.reached
	k.n.act(paxos.Output{SendAfter: message(3)})
	k.n.act(paxos.Output{Writes: vote(3), Sync: true, SendAfter: message(4)})
	k.awaitApplied()
	failed := errors.New("the disk is gone")
	dead := make(chan struct{})
	fatal := k.n.opts.Fatal
	k.n.opts.Fatal = func(err error) { fatal(err); close(dead) }
	k.gate.release(failed)
	select {
	case <-dead:
	case <-left:
		t.Fatal("a message left after a sync that failed")
	}
	for i := range uint64(2 * diskQueue) {
		k.n.act(paxos.Output{SendNow: message(100), Writes: vote(4 + i), Sync: true, SendAfter: message(101)})
	}
	// Also past act, as an output is that was on its way when the sync failed.
	for range syncQueue {
		k.n.disk.submit(paxos.Output{SendAfter: message(102)})
	}
	k.n.disk.stop()
	k.wantSent("after the failure", 1)
	if len(k.fatals) != 1 || !errors.Is(k.fatals[0], failed) {
		t.Errorf("fatal: %v", k.fatals)
	}
	if k.synced[len(k.synced)-1] != 1 {
		t.Errorf("Synced %v", k.synced)
	}
}

// TestFailedLoad is fatal too.
func TestFailedLoad(t *testing.T) {
	k := newRig(t)
	dead := make(chan error, 1)
	k.n.opts.Fatal = func(err error) { dead <- err }
	k.n.act(paxos.Output{Loads: []paxos.Load{{Kind: 99}}})
	if err := <-dead; !strings.Contains(err.Error(), "unknown load") {
		t.Errorf("fatal: %v", err)
	}
	for range 2 * loadQueue {
		k.n.disk.submit(paxos.Output{Loads: []paxos.Load{{Kind: 99}}, SendAfter: message(1)})
	}
	k.close()
	k.wantSent("after the failure")
}

// TestDiskThatHangs: while a disk hangs, nobody who submits waits for it, also where
// Pebble must close a log. Values are not taken any more when many wait, but what carries
// none is; and when the disk goes on, or fails, all is as ever.
func TestDiskThatHangs(t *testing.T) {
	for _, failure := range []error{nil, errorfs.ErrInjected} {
		t.Run(fmt.Sprint(failure), func(t *testing.T) {
			k := newRig(t)
			k.n.disk.stop()
			const votes, size = 100, 10 << 10 // several memtables' worth
			k.n.disk = newDisk(k.n, votes*size-1)
			big := func(i paxos.Instance) []paxos.Record {
				return []paxos.Record{paxos.PutVote{Vote: paxos.Vote{Instance: i, Value: paxos.Value{Batch: make([]byte, size)}}}}
			}
			k.gate.shut()
			var want []uint64
			for i := range uint64(votes) {
				if k.n.disk.full() {
					t.Fatalf("full with %d votes", i)
				}
				k.n.act(paxos.Output{Writes: big(paxos.Instance(i + 1)), Sync: true, SendAfter: message(i)})
				want = append(want, i)
			}
			<-k.gate.reached
			if !k.n.disk.full() {
				t.Fatal("not full")
			}
			h := handler{k.n}
			h.Receive("p1", &paxos.Accept{Value: paxos.Value{Batch: make([]byte, size)}}, size)
			h.Receive("p1", &paxos.Prepare{}, 10)
			h.Receive("p1", &paxos.Heartbeat{}, 10)
			h.Receive("c", &paxos.StatusQuery{}, 10)
			if items, _ := k.n.inbox.take(); len(items) != 2 {
				t.Errorf("%d messages taken, want the heartbeat and the question", len(items))
			}
			k.wantSent("while the disk hangs")
			if failure != nil {
				dead := make(chan struct{})
				k.n.opts.Fatal = func(error) { close(dead) }
				k.gate.release(failure)
				<-dead
				k.n.disk.stop()
				k.wantSent("after the failure")
				return
			}
			k.gate.release(nil)
			k.awaitSynced(votes)
			k.n.disk.stop()
			k.wantSent("at the end", want...)
			if k.n.disk.full() || k.n.disk.bytes != 0 {
				t.Errorf("%d bytes are taken for waiting", k.n.disk.bytes)
			}
			k.n.disk = newDisk(k.n, 1<<30)
			k.close()
		})
	}
}

// TestAnswersBehindAHungDisk: answers that wait for a sync that never ends are dropped beyond
// a bound, since a disk may hang for days. Those that wait are sent, in order.
func TestAnswersBehindAHungDisk(t *testing.T) {
	k := newRig(t)
	k.gate.shut()
	k.n.act(paxos.Output{Writes: vote(1), Sync: true, SendAfter: message(0)})
	<-k.gate.reached
	for i := range uint64(3 * diskQueue) {
		k.n.act(paxos.Output{SendAfter: message(i + 1)})
	}
	if !k.n.disk.crowded() {
		t.Error("not crowded")
	}
	k.n.act(paxos.Output{Writes: vote(2), Sync: true, SendAfter: message(1 << 20)})
	k.gate.release(nil)
	k.awaitSynced(2)
	k.n.disk.stop()
	got := k.sentSoFar()
	if n := len(got); n < diskQueue || n > diskQueue+2*syncQueue || !slices.IsSorted(got) || got[n-1] != 1<<20 {
		t.Errorf("%d messages were sent, to %d", n, got[n-1])
	}
	k.n.disk = newDisk(k.n, 1<<30)
	k.close()
}

// TestAppliedInTheTurn: a small output is applied by who submits it if nobody else applies,
// so that a load sees it at once, and also behind one whose sync hangs.
func TestAppliedInTheTurn(t *testing.T) {
	k := newRig(t)
	k.gate.shut()
	for i := range uint64(3) {
		k.n.act(paxos.Output{Writes: vote(i + 1), Sync: true, SendAfter: message(i)})
		st, err := k.n.store.Load(paxos.Load{Kind: paxos.LoadVotes, From: 1, To: 100, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Votes) != int(i+1) {
			t.Errorf("%d votes are seen after %d were submitted", len(st.Votes), i+1)
		}
	}
	// How long the oldest has waited is told when that is long.
	if h := k.n.disk.hangs(); h >= 1000 {
		t.Errorf("hangs for %d ms", h)
	}
	k.n.disk.mu.Lock()
	k.n.disk.pending[0].since = time.Now().Add(-time.Hour)
	k.n.disk.mu.Unlock()
	if h := k.n.disk.hangs(); h < 3_600_000 {
		t.Errorf("hangs for %d ms, want an hour", h)
	}
	// Who applies hands what comes meanwhile to the loop.
	k.n.disk.applying.Lock()
	k.n.act(paxos.Output{Writes: vote(4), Sync: true, SendAfter: message(3)})
	k.n.act(paxos.Output{Writes: vote(5), Sync: true, SendAfter: message(4)})
	if len(k.n.disk.jobs) != 2 {
		t.Errorf("%d outputs wait for the loop", len(k.n.disk.jobs))
	}
	k.n.disk.applying.Unlock()
	k.gate.release(nil)
	k.awaitSynced(5)
	k.n.disk.stop()
	k.wantSent("at the end", 0, 1, 2, 3, 4)
	k.n.disk = newDisk(k.n, 1<<30)
	k.close()
}
