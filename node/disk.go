package node

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

const (
	diskQueue  = 1024            // outputs that wait, after which messages with values are not taken
	syncQueue  = 64              // commits whose sync is under way
	loadQueue  = 4096            // loads waiting
	loaders    = 2               // loads at once
	slowSync   = 1 * time.Second // a sync that takes longer is told to the operator
	smallBytes = 64 << 10        // values of an output that may be applied in the turn
)

// disk applies outputs in order, and sends what had to wait for their syncs. The turn
// submits, and waits for nothing here.
//
// An output that finds nobody applying is applied by who has the turn, and what it says
// is sent by the goroutine of Pebble's that synced it: each goroutine that has to be woken
// costs more than what it does for a small commit. The apply loop takes what may have to
// wait for the disk, and what comes meanwhile, as one commit.
type disk struct {
	n       *Node
	limit   int           // of bytes
	wake    chan struct{} // of the apply loop, holds one
	loads   chan paxos.Load
	waiting atomic.Int64 // outputs submitted whose SendAfter has not been sent
	wg      sync.WaitGroup
	loadWG  sync.WaitGroup
	reclaim reclaiming
	room    rooming

	applying sync.Mutex    // held by who applies
	synced   uint64        // outputs with Sync so far
	spent    []*wal.Commit // told, and not yet closed

	mu      sync.Mutex
	jobs    []paxos.Output // not applied
	pending []*pendingSync // applied, and not told
	telling bool
	watched bool          // a timer looks after pending
	bytes   int           // of values submitted that are not on disk yet
	since   time.Time     // since when an output is being applied, zero if none is
	done    chan struct{} // holds one: the last of pending was told, or the process ends
}

// pendingSync is a commit, or nil, and what may be said once it is durable.
type pendingSync struct {
	commit *wal.Commit
	after  [][]paxos.Envelope
	synced uint64 // outputs with Sync up to here, 0 if there is none new
	jobs   int64
	bytes  int
	since  time.Time
	slow   bool // and told so
}

// newDisk returns a disk that takes no messages with values while it keeps limit bytes of them.
func newDisk(n *Node, limit int) *disk {
	d := &disk{n: n, limit: limit, wake: make(chan struct{}, 1), loads: make(chan paxos.Load, loadQueue), done: make(chan struct{}, 1)}
	d.wg.Add(1)
	go d.applyLoop()
	d.reclaim.start(d)
	d.room.start(d)
	d.loadWG.Add(loaders)
	for range loaders {
		go d.loadLoop()
	}
	return d
}

// submit takes an output. What needs neither the disk nor an earlier sync is sent at once.
func (d *disk) submit(out paxos.Output) {
	if len(out.Writes) == 0 && !out.Sync && len(out.Loads) == 0 {
		if len(out.SendAfter) == 0 {
			return
		}
		if d.waiting.Load() == 0 {
			d.n.send(out.SendAfter)
			return
		}
		if d.crowded() { // a disk that hangs may do so for days
			d.tellBehind()
			return
		}
	}
	if d.n.dead.Load() {
		return
	}
	d.waiting.Add(1)
	size := valueBytes(out)
	d.mu.Lock()
	d.bytes += size
	d.mu.Unlock()
	if size <= smallBytes && d.applyNow(out) {
		return
	}
	d.mu.Lock()
	d.jobs = append(d.jobs, out)
	d.mu.Unlock()
	signal(d.wake)
}

// signal wakes who waits for c, which holds one, or will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// valueBytes is how much of an output has to be kept until it is on disk.
func valueBytes(out paxos.Output) (n int) {
	for _, r := range out.Writes {
		switch r := r.(type) {
		case paxos.PutVote:
			n += len(r.Vote.Value.Batch)
		case paxos.PutApplied:
			n += len(r.Value.Batch)
		}
	}
	return n
}

// full reports whether so much waits for the disk that what has to be written is better
// not taken: a disk that hangs must not fill the memory.
func (d *disk) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes > d.limit || len(d.jobs) > diskQueue
}

// crowded reports whether more outputs wait than need be kept: of one that writes nothing,
// what it says is lost then, as messages may be.
func (d *disk) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.jobs) > diskQueue
}

// takes reports whether the machine is stepped with a message: while the disk is full not
// with what has to be written, a value or a promise. The sender says it again.
func (d *disk) takes(m paxos.Message) bool {
	if _, promise := m.(*paxos.Prepare); !promise && !paxos.Messages.Row(m).CarriesValues() || !d.full() {
		return true
	}
	d.tellBehind()
	return false
}

// tellBehind says that something was dropped, at most once a minute, and how often since.
func (d *disk) tellBehind() {
	if more, ok := d.n.peerLog.tell("disk", "behind", 1); ok {
		repeats(d.n.log.Warn(), more).Msg("the disk is so far behind that messages are dropped, which their senders repeat: it is overloaded, hangs or fails")
	}
}

// applyNow applies an output, unless that may have to wait, or others come first.
func (d *disk) applyNow(out paxos.Output) bool {
	if !d.applying.TryLock() {
		return false
	}
	defer d.applying.Unlock() // also where a fatal error ends this goroutine
	d.mu.Lock()
	first := len(d.jobs) == 0 && len(d.pending) < syncQueue
	d.mu.Unlock()
	if !first || len(d.loads)+len(out.Loads) > cap(d.loads) {
		return false
	}
	applied, err := d.apply([]paxos.Output{out}, false)
	if err != nil {
		d.n.fatal(err)
	}
	return applied || err != nil
}

// applyLoop turns all outputs that wait into one commit.
func (d *disk) applyLoop() {
	defer d.wg.Done()
	defer close(d.loads)
	for range d.wake {
		for d.applyWaiting() {
		}
	}
}

// applyWaiting reports whether there may be more.
func (d *disk) applyWaiting() bool {
	d.applying.Lock()
	defer d.applying.Unlock()
	d.mu.Lock()
	var outs []paxos.Output
	if len(d.pending) < syncQueue { // else tell wakes the loop
		outs, d.jobs = d.jobs, nil
	}
	d.mu.Unlock()
	if len(outs) == 0 || d.n.dead.Load() {
		return false
	}
	if _, err := d.apply(outs, true); err != nil {
		d.n.fatal(err)
		return false
	}
	return true
}

// apply makes one commit of outputs, unless it may have to wait for the disk and must not;
// applying is held.
func (d *disk) apply(outs []paxos.Output, mayWait bool) (applied bool, err error) {
	p := &pendingSync{jobs: int64(len(outs)), since: time.Now()}
	writes, sync := 0, false
	for i := range outs {
		writes += len(outs[i].Writes)
		p.bytes += valueBytes(outs[i])
	}
	d.closeSpent()
	commit := d.n.store.NewCommit(writes, p.bytes)
	for i := range outs {
		if err := commit.Add(outs[i].Writes); err != nil {
			return false, err
		}
	}
	if !mayWait && commit.MayWait() {
		commit.Close()
		return false, nil
	}
	for i := range outs {
		out := &outs[i]
		if out.Sync {
			sync = true
			d.synced++
			p.synced = d.synced
		}
		if len(out.SendAfter) > 0 {
			p.after = append(p.after, out.SendAfter)
		}
	}
	if writes > 0 || sync {
		d.setApplying(p.since)
		if err := commit.Apply(sync); err != nil {
			return false, err
		}
		d.setApplying(time.Time{})
	}
	d.reclaim.look()
	if sync {
		p.commit = commit
		d.spent = append(d.spent, commit)
	} else {
		commit.Close()
	}
	d.await(p)
	for i := range outs {
		for _, l := range outs[i].Loads {
			d.loads <- l
		}
	}
	return true, nil
}

func (d *disk) setApplying(since time.Time) {
	d.mu.Lock()
	d.since = since
	d.mu.Unlock()
}

// hangs is for how long the oldest write or sync has been under way, in milliseconds, 0 if
// that is no longer than usual.
func (d *disk) hangs() paxos.Ticks {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := d.since
	for _, p := range d.pending {
		if since.IsZero() || p.since.Before(since) {
			since = p.since
		}
	}
	if since.IsZero() || time.Since(since) < slowSync {
		return 0
	}
	return paxos.Ticks(time.Since(since).Milliseconds())
}

// closeSpent gives back the memory of commits; applying is held.
func (d *disk) closeSpent() {
	n := 0
	for n < len(d.spent) && d.spent[n].Spent() {
		d.spent[n].Close()
		n++
	}
	d.spent = slices.Delete(d.spent, 0, n)
}

// await has p told when it is durable.
func (d *disk) await(p *pendingSync) {
	d.mu.Lock()
	d.pending = append(d.pending, p)
	if p.commit != nil && !d.watched {
		d.watched = true
		time.AfterFunc(slowSync, d.watch)
	}
	d.mu.Unlock()
	d.tell()
}

// tell sends what is durable, in order. Whoever comes while somebody is at it leaves it to
// them, and waits for nothing.
func (d *disk) tell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.telling {
		return
	}
	d.telling = true
	for len(d.pending) > 0 && (d.pending[0].commit == nil || d.pending[0].commit.Durable()) {
		p := d.pending[0]
		d.mu.Unlock()
		for _, after := range p.after {
			d.n.send(after)
		}
		if p.synced > 0 { // which nobody hurries to hear
			d.n.inbox.putQuiet(item{from: d.n.opts.ID, msg: &paxos.Synced{Count: p.synced}})
		}
		d.mu.Lock()
		d.pending = slices.Delete(d.pending, 0, 1)
		d.bytes -= p.bytes
		d.waiting.Add(-p.jobs)
	}
	d.telling = false
	if len(d.jobs) > 0 {
		signal(d.wake)
	}
	if d.waiting.Load() == 0 {
		signal(d.done)
	}
}

// watch tells the operator of a sync that takes long. Its timer is started again only
// while something waits.
func (d *disk) watch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pending {
		if p.commit != nil && !p.slow && time.Since(p.since) >= slowSync {
			p.slow = true
			d.n.log.Warn().Dur("waited", slowSync).Msg("a sync is slow: the disk is overloaded or failing")
			break
		}
	}
	if d.watched = len(d.pending) > 0; d.watched {
		time.AfterFunc(slowSync, d.watch)
	}
}

func (d *disk) loadLoop() {
	defer d.loadWG.Done()
	for l := range d.loads {
		r, err := d.n.store.Load(l)
		if err != nil {
			d.n.fatal(err)
			for range d.loads {
			}
			return
		}
		d.n.inbox.put(item{from: d.n.opts.ID, msg: r})
	}
}

// stop finishes what was submitted. No submit may follow.
func (d *disk) stop() {
	for d.waiting.Load() > 0 && !d.n.dead.Load() {
		select {
		case <-d.done:
		case <-d.n.died:
		}
	}
	close(d.wake)
	d.reclaim.stop()
	d.room.stop()
	d.wg.Wait()
	d.loadWG.Wait()
}
