package sim

import "github.com/paxlog/paxlog/paxos"

// DiskState is what is wrong with a node's disk.
type DiskState struct {
	Hung      bool   // syncs do not end
	Slow      Micros // each sync takes so much longer
	Full      bool   // every write fails until space is freed
	FailWrite bool   // the next write fails
	FailSync  bool   // the next sync fails
	Size      int    // bytes of values that it has room for, 0: any
}

// Why a process ends over its disk.
const (
	fullDisk    = "full disk"
	failedWrite = "failed write"
	failedSync  = "failed sync"
)

// sync makes the first n commits durable after a while.
func (n *Node) sync(commits int) {
	n.later(n.w.between(100, 2500)+n.Disk.Slow, work{kind: workSync, n: uint32(commits)})
}

// onSync is the end of a sync: everything up to it may be told.
func (n *Node) onSync(commits int) {
	w := n.w
	switch {
	case n.Disk.Hung:
		w.Events["hung sync"]++
		n.later(w.between(5*Millisecond, 20*Millisecond), work{kind: workSync, n: uint32(commits)})
		return
	case n.Disk.Slow > 0:
		w.Events["slow sync"]++
	}
	if n.Disk.FailSync {
		n.Disk.FailSync = false
		n.die(failedSync)
		return
	}
	for i := range n.jobs {
		if k := &n.jobs[i]; !k.durable && k.commits <= commits {
			k.durable = true
			n.syncs++
		}
	}
	n.store.sync(commits, n.durable)
	n.receive(n.ID, &paxos.Synced{Count: n.syncs})
	n.release()
}

// writeFails reports whether a write fails now, which ends the process.
func (n *Node) writeFails() bool {
	switch {
	case n.Disk.Full:
		n.die(fullDisk)
	case n.Disk.FailWrite:
		n.Disk.FailWrite = false
		n.die(failedWrite)
	default:
		return false
	}
	return true
}

// die ends a process over its disk, as package node does: after a failed write or
// sync nothing is said. A supervisor starts it again.
func (n *Node) die(why string) {
	n.w.Events[why]++
	n.w.trace("%s stops: %s", n.ID, why)
	if n.store.disk != nil {
		n.store.disk.failing = why
	}
	n.Crash()
	n.supervise()
}

// supervise starts the process again after a while.
func (n *Node) supervise() {
	n.w.after(n.w.between(50*Millisecond, 500*Millisecond), func() {
		if !n.Up && !n.away {
			n.Start()
		}
	})
}
