package transport

import (
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// sized is a message and what it counts.
type sized struct {
	msg  paxos.Message
	size int
}

// queue is what waits on one connection.
type queue struct {
	mu      sync.Mutex
	urgent  []sized // written before everything in rest
	rest    []sized
	bytes   int       // of both
	last    time.Time // when the latest was queued
	row     int       // messages queued within a burst of each other, until now
	dropped uint64    // for want of room
	full    bool      // the latest was dropped
	newer   uint64    // messages that the version of the connection does not have
	writing bool      // what was taken is not written yet
	err     error     // why nothing is queued any more
	share   *budget   // that this queue counts in, or nil
	owed    int       // bytes of it that count there: those that wait, and those that are being written
	taken   int       // of these, bytes that are being written
}

// queued is what a sender has to see to after it queued a message.
type queued struct {
	mine  bool // nothing waited: push or signal must follow
	alone bool // none came just before, and none is likely to come just after
	full  bool // there was no room
	first bool // and there was for the one before
}

// add queues m, which must not wait behind more than limit bytes, for a peer that speaks version.
func (q *queue) add(m paxos.Message, limit int, version uint64) (out queued) {
	size := wire.Size(m)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.err != nil:
		return queued{}
	case version < wire.Version && wire.Since(m) > version: // the peer would take it for garbage
		q.newer++
		return queued{}
	case q.bytes+size > limit && q.bytes > 0:
		q.dropped++
		out = queued{full: true, first: !q.full}
		q.full = true
		return out
	}
	q.full = false
	out.mine = len(q.urgent)+len(q.rest) == 0
	if wire.Urgent(m) {
		q.urgent = append(q.urgent, sized{m, size})
	} else {
		q.rest = append(q.rest, sized{m, size})
	}
	q.bytes += size
	q.charge(size)
	now := time.Now()
	first := now.Sub(q.last) > burst
	q.last = now
	if first {
		out.alone = q.row <= 1
		q.row = 0
	}
	q.row++
	return out
}

// enqueue queues m, and tells when the first is lost for want of room.
func (n *Network) enqueue(c *conn, to paxos.NodeID, m paxos.Message) queued {
	q := c.enqueue(m)
	if q.first && c.drop {
		n.dropped(to)
	}
	if c.share.isOver() {
		n.relieve()
	}
	return q
}

// crowded reports whether a client should be read by a reader of its own, which may wait.
func (n *Network) crowded(id paxos.NodeID) bool { return n.cfg.Crowded != nil && n.cfg.Crowded(id) }

func (n *Network) dropped(id paxos.NodeID) {
	if n.cfg.Dropped != nil {
		n.cfg.Dropped(id)
	}
}

// take returns what to write next: all that is urgent, then about a chunk of the
// rest, so that a heartbeat never waits behind megabytes of values.
func (q *queue) take() []sized {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.repay(q.taken) // what was taken before is written
	before := q.bytes
	out := q.urgent
	q.urgent = nil
	size, n := 0, 0
	for n < len(q.rest) && size < writeChunk {
		size += q.rest[n].size
		n++
	}
	for _, m := range out {
		q.bytes -= m.size
	}
	q.bytes -= size
	if out == nil && n == len(q.rest) {
		out, q.rest = q.rest, nil
	} else {
		out = append(out, q.rest[:n]...)
		clear(q.rest[:n])
		q.rest = q.rest[n:]
	}
	q.writing, q.taken = len(out) > 0, before-q.bytes
	return out
}

// wrote notes that all that was taken is written, and reports whether more waits.
func (q *queue) wrote() (more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	q.repay(q.taken)
	q.taken = 0
	return len(q.urgent)+len(q.rest) > 0
}

func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// drained reports whether all that was queued is written, or never will be.
func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err != nil || len(q.rest)+len(q.urgent) == 0 && !q.writing
}

// end has nothing queued any more. It reports whether this was the first reason for it.
func (q *queue) end(why error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return false
	}
	q.err = why
	q.repay(q.owed)
	return true
}

// why is the reason for the end.
func (q *queue) why() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}
