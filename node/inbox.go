package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// item is a message for the machine.
type item struct {
	from paxos.NodeID
	msg  paxos.Message
	size int
}

// inbox holds what waits for the machine. What servers and this process itself have sent goes
// first, in order. Clients come after it and take turns, a message each, and no more of them at
// once than take milliseconds: so however much some of them ask for, a heartbeat is heard in
// time, and another client is behind a few messages.
//
// Readers of servers' connections block when half of the limit waits. A reader of a client's
// blocks when its client has more than its share of the other half, and not for what others have
// in it, unless all of it is full. Local messages always fit, since they answer what the machine
// asked.
type inbox struct {
	limit int // bytes

	mu      sync.Mutex
	room    sync.Cond
	blocked int // readers that wait for room
	items   []item
	spare   []item
	bytes   int // of items
	lanes   map[paxos.NodeID]*lane
	turns   fifo[*lane] // those with messages, whose turn is next first
	waits   int         // messages in lanes
	stopped bool
	wake    chan struct{} // holds one

	ofClients atomic.Int64 // bytes in lanes
}

// lane is what waits of one client.
type lane struct {
	fifo[item]
	bytes int
}

// fifo is a queue that uses its memory again.
type fifo[T any] struct {
	all  []T
	head int
}

func (q *fifo[T]) len() int { return len(q.all) - q.head }

func (q *fifo[T]) push(x T) {
	if q.head > 0 && len(q.all) == cap(q.all) {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, x)
}

func (q *fifo[T]) pop() T {
	var none T
	x := q.all[q.head]
	q.all[q.head] = none
	if q.head++; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	}
	return x
}

func newInbox(limit int) *inbox {
	b := &inbox{limit: limit, wake: make(chan struct{}, 1), lanes: map[paxos.NodeID]*lane{}}
	b.room.L = &b.mu
	return b
}

// put adds a local message.
func (b *inbox) put(it item) {
	b.putQuiet(it)
	b.signal()
}

// putQuiet adds a local message that may wait until the machine is woken for
// something else, or for the time.
func (b *inbox) putQuiet(it item) {
	b.mu.Lock()
	b.items = append(b.items, it)
	b.bytes += it.size
	b.mu.Unlock()
}

// left adds, as the last of a client, that it is gone.
func (b *inbox) left(id paxos.NodeID, it item) {
	b.mu.Lock()
	l := b.lanes[id]
	delete(b.lanes, id)
	if l != nil && l.len() > 0 {
		l.push(it)
		b.waits++
	} else {
		b.items = append(b.items, it)
	}
	b.mu.Unlock()
	b.signal()
}

// putRemote adds a message from a connection, when there is room. The caller sees to
// it that the machine is stepped.
func (b *inbox) putRemote(it item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if it.from.IsClient() {
		b.putClient(it)
		return
	}
	for b.bytes+it.size > b.limit/2 && b.bytes > 0 && !b.stopped {
		b.await()
	}
	if b.stopped {
		return
	}
	b.items = append(b.items, it)
	b.bytes += it.size
}

// putClient adds a message of a client; mu is held.
func (b *inbox) putClient(it item) {
	l := b.lanes[it.from]
	if l == nil {
		l = &lane{}
		b.lanes[it.from] = l
	}
	for l.len() > 0 && l.bytes+it.size > b.share()+laneSlack && !b.stopped {
		b.await()
	}
	for all := int(b.ofClients.Load()); all > 0 && all+it.size > b.limit/2 && !b.stopped; all = int(b.ofClients.Load()) {
		b.await()
	}
	if b.stopped {
		return
	}
	if l.len() == 0 {
		b.turns.push(l)
	}
	l.push(it)
	l.bytes += it.size
	b.ofClients.Add(int64(it.size))
	b.waits++
}

// share is how many bytes one client may have waiting; mu is held.
func (b *inbox) share() int { return b.limit / 2 / (b.turns.len() + 1) }

// await waits until something was taken; mu is held.
func (b *inbox) await() {
	b.signal()
	b.blocked++
	b.room.Wait()
	b.blocked--
}

// crowded reports whether a client has so much waiting that who reads for many clients
// should not read for it: it would have to wait.
func (b *inbox) crowded(id paxos.NodeID) bool {
	if b.ofClients.Load() < laneSlack/2 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[id]
	return l != nil && l.bytes > min(b.share(), laneSlack/2)
}

// waiting is how many messages wait.
func (b *inbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items) + b.waits
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// wait returns when there is a message or it is time, and false when stopped.
func (b *inbox) wait(timer <-chan time.Time) bool {
	select {
	case <-b.wake:
	case <-timer:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.stopped
}

// take returns all that waits of servers and of this process, and of clients as much as may be
// stepped before others are looked at again; more reports whether some of them wait still.
func (b *inbox) take() (items []item, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items = b.items
	b.items, b.bytes, b.spare = b.spare[:0], 0, nil
	for n, bytes := 0, 0; b.turns.len() > 0 && n < maxDrain && bytes < drainBytes; n++ {
		it := b.next()
		bytes += it.size
		items = append(items, it)
	}
	if b.blocked > 0 {
		b.room.Broadcast()
	}
	return items, b.waits > 0
}

// next is the oldest message of the client whose turn it is; mu is held.
func (b *inbox) next() item {
	l := b.turns.pop()
	it := l.pop()
	l.bytes -= it.size
	b.ofClients.Add(int64(-it.size))
	b.waits--
	if l.len() > 0 {
		b.turns.push(l)
	}
	return it
}

// recycle gives the slice of an earlier take back.
func (b *inbox) recycle(items []item) {
	clear(items)
	b.mu.Lock()
	if b.spare == nil && cap(items) <= maxSpare {
		b.spare = items[:0]
	}
	b.mu.Unlock()
}

// stop ends take, and lets go of blocked readers.
func (b *inbox) stop() {
	b.mu.Lock()
	b.stopped = true
	b.room.Broadcast()
	b.mu.Unlock()
	b.signal()
}
