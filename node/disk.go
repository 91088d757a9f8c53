package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wal"
)

const (
	diskQueue = 1024            // outputs waiting to be applied
	syncQueue = 64              // commits whose sync is under way
	loadQueue = 4096            // loads waiting
	loaders   = 2               // loads at once
	slowSync  = 1 * time.Second // a sync that takes longer is told to the operator
)

// disk applies outputs in order. The loop submits; nothing here waits for the
// loop, so that neither can block the other for good.
type disk struct {
	n       *Node
	limit   int // of bytes
	jobs    chan paxos.Output
	syncs   chan *pendingSync
	loads   chan paxos.Load
	waiting atomic.Int64 // outputs submitted whose SendAfter has not been sent
	synced  uint64       // outputs with Sync so far; applyLoop's
	wg      sync.WaitGroup
	loadWG  sync.WaitGroup

	mu     sync.Mutex
	room   sync.Cond
	bytes  int  // of values submitted that are not on disk yet
	broken bool // the process is ending: nobody waits for room any more
}

// pendingSync is a commit, or nil, and what may be said once it is durable.
type pendingSync struct {
	commit *wal.Commit
	after  [][]paxos.Envelope
	synced uint64 // outputs with Sync up to here, 0 if there is none new
	jobs   int64
	bytes  int
}

// newDisk returns a disk that keeps at most limit bytes of values waiting.
func newDisk(n *Node, limit int) *disk {
	d := &disk{
		n: n, limit: limit, jobs: make(chan paxos.Output, diskQueue), syncs: make(chan *pendingSync, syncQueue),
		loads: make(chan paxos.Load, loadQueue),
	}
	d.room.L = &d.mu
	d.wg.Add(2)
	go d.applyLoop()
	go d.syncLoop()
	d.loadWG.Add(loaders)
	for range loaders {
		go d.loadLoop()
	}
	return d
}

// submit queues an output. What needs neither the disk nor an earlier sync is
// sent at once.
func (d *disk) submit(out paxos.Output) {
	if len(out.Writes) == 0 && !out.Sync && len(out.Loads) == 0 {
		if len(out.SendAfter) == 0 {
			return
		}
		if d.waiting.Load() == 0 {
			d.n.send(out.SendAfter)
			return
		}
	}
	d.reserve(valueBytes(out))
	d.waiting.Add(1)
	// Not applied here, though nothing may be under way: a commit that rotates Pebble's
	// log waits for a sync, on all acceptors at once, and nothing would be heard meanwhile.
	d.jobs <- out
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

// reserve waits until n more bytes may be under way: a disk that hangs must not
// fill the memory. One output is always admitted.
func (d *disk) reserve(n int) {
	d.mu.Lock()
	for d.bytes > 0 && d.bytes+n > d.limit && !d.broken {
		d.room.Wait()
	}
	d.bytes += n
	d.mu.Unlock()
}

// release gives back what reserve took.
func (d *disk) release(n int) {
	d.mu.Lock()
	d.bytes -= n
	d.room.Broadcast()
	d.mu.Unlock()
}

// end ends the process over err; nobody is blocked while it ends.
func (d *disk) end(err error) {
	d.n.fatal(err)
	d.mu.Lock()
	d.broken = true
	d.room.Broadcast()
	d.mu.Unlock()
}

// applyLoop turns all outputs that wait into one commit.
func (d *disk) applyLoop() {
	defer d.wg.Done()
	defer close(d.syncs)
	defer close(d.loads)
	var outs []paxos.Output
	for first := range d.jobs {
		outs = append(outs[:0], first)
		for more := true; more; {
			select {
			case out, ok := <-d.jobs:
				if more = ok; ok {
					outs = append(outs, out)
				}
			default:
				more = false
			}
		}
		err := d.apply(outs)
		clear(outs)
		if err != nil {
			d.fail(err)
			return
		}
	}
}

// apply makes one commit of outputs, and hands it on.
func (d *disk) apply(outs []paxos.Output) error {
	p := &pendingSync{jobs: int64(len(outs))}
	writes, sync := 0, false
	for i := range outs {
		writes += len(outs[i].Writes)
		p.bytes += valueBytes(outs[i])
	}
	commit := d.n.store.NewCommit(writes, p.bytes)
	for i := range outs {
		out := &outs[i]
		if err := commit.Add(out.Writes); err != nil {
			return err
		}
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
		if err := commit.Apply(sync); err != nil {
			return err
		}
	}
	if sync {
		p.commit = commit
	} else {
		commit.Close()
	}
	d.syncs <- p
	for i := range outs {
		for _, l := range outs[i].Loads {
			d.loads <- l
		}
	}
	return nil
}

// fail ends the process over a failed write. Outputs are still taken, and
// dropped, so that nobody is blocked while it ends.
func (d *disk) fail(err error) {
	d.end(err)
	for range d.jobs {
	}
}

// syncLoop waits for each commit in order, and only then lets its messages go.
func (d *disk) syncLoop() {
	defer d.wg.Done()
	for p := range d.syncs {
		if p.commit != nil {
			watch := time.AfterFunc(slowSync, func() {
				d.n.log.Warn().Dur("waited", slowSync).Msg("a sync is slow: the disk is overloaded or failing")
			})
			err := p.commit.Wait()
			watch.Stop()
			if err != nil {
				d.end(err)
				for range d.syncs { // nothing more is said, and nobody is blocked
				}
				return
			}
			p.commit.Close()
		}
		for _, after := range p.after {
			d.n.send(after)
		}
		d.release(p.bytes)
		d.waiting.Add(-p.jobs)
		if p.synced > 0 { // which nobody hurries to hear
			d.n.inbox.putQuiet(item{from: d.n.opts.ID, msg: &paxos.Synced{Count: p.synced}})
		}
	}
}

func (d *disk) loadLoop() {
	defer d.loadWG.Done()
	for l := range d.loads {
		r, err := d.n.store.Load(l)
		if err != nil {
			d.end(err)
			for range d.loads {
			}
			return
		}
		d.n.inbox.put(item{from: d.n.opts.ID, msg: r})
	}
}

// stop finishes what was submitted. No submit may follow.
func (d *disk) stop() {
	close(d.jobs)
	d.wg.Wait()
	d.loadWG.Wait()
}
