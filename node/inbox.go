package node

import (
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// item is a message for the machine.
type item struct {
	from paxos.NodeID
	msg  paxos.Message
	size int
}

// inbox holds what waits for the machine. Readers of connections block when it
// is full; local messages always fit, since they answer what the machine asked.
type inbox struct {
	limit int

	mu      sync.Mutex
	room    sync.Cond
	items   []item
	spare   []item
	bytes   int
	stopped bool
	wake    chan struct{} // holds one
}

func newInbox(limit int) *inbox {
	b := &inbox{limit: limit, wake: make(chan struct{}, 1)}
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

// putRemote adds a message from a connection, when there is room. The caller sees to
// it that the machine is stepped.
func (b *inbox) putRemote(it item) {
	b.mu.Lock()
	for b.bytes+it.size > b.limit && b.bytes > 0 && !b.stopped {
		b.signal()
		b.room.Wait()
	}
	if b.stopped {
		b.mu.Unlock()
		return
	}
	b.items = append(b.items, it)
	b.bytes += it.size
	b.mu.Unlock()
}

// waiting is how many messages wait.
func (b *inbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
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

// take returns all that waits.
func (b *inbox) take() []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.bytes, b.spare = b.spare[:0], 0, nil
	b.room.Broadcast()
	return items
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
