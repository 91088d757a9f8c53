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
// time, and another client is behind a few messages. What a standby passes on for its clients is no
// server's message in this: it has the turns of one client, as its reader has the share of one.
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
	turns   paxos.Queue[*lane] // those with messages, whose turn is next first
	waits   int                // messages in lanes
	stopped bool
	wake    chan struct{} // holds one

	ofClients atomic.Int64 // bytes in lanes
	floods    atomic.Int64 // lanes that flood
	restUntil time.Time    // when the last of the readers that rest reads on
	now       func() time.Time
	// tellsCrowds says that the machine wants to know of which clients much waits (paxos.Crowd).
	tellsCrowds bool
}

// lane is what waits of one client, or of the appends that one server passed on.
type lane struct {
	paxos.Queue[item]
	bytes int
	query *paxos.StatusQuery // the one that waits, or nil
	// repeats are the questions in whose place query came; more than a few of them are a flood. The
	// reader of a client that was found out is one of its own, and waits.
	repeats int
	pacing
	over   bool // it has asked for more than it may, and its reader has not rested since
	floods bool // it repeats a question, or has asked for more than it may
	own    bool
	gone   bool      // its connection has ended: its reader, which may wait here, is to find out
	told   time.Time // when it was told last that much waits
}

func newInbox(limit int) *inbox {
	b := &inbox{limit: limit, wake: make(chan struct{}, 1), lanes: map[paxos.NodeID]*lane{}, now: time.Now}
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

// gone has what a client asked not be stepped any more, since its connection has ended and nobody can be
// answered, and its reader not wait for room.
func (b *inbox) gone(id paxos.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[id]; l != nil {
		l.gone = true
		b.forgetQuestions(l)
		b.room.Broadcast()
	}
}

// left adds, as the last of a client, that it is gone. What it asked is not stepped any more, and what
// it appended, or ordered, is.
func (b *inbox) left(id paxos.NodeID, it item) {
	b.mu.Lock()
	l := b.lanes[id]
	delete(b.lanes, id)
	if l != nil {
		b.forgetQuestions(l)
		if l.floods {
			b.floods.Add(-1)
		}
	}
	if l != nil && l.Len() > 0 {
		l.Push(it)
		b.waits++
	} else {
		b.items = append(b.items, it)
	}
	b.mu.Unlock()
	b.signal()
}

// lost adds that the connection to a server is gone. What that has passed on and waits still is lost, as if
// the connection had broken before: it must not be stepped after that, and the server's clients send it again.
func (b *inbox) lost(id paxos.NodeID, it item) {
	b.mu.Lock()
	if l := b.lanes[id]; l != nil {
		delete(b.lanes, id)
		l.gone = true
		for l.Len() > 0 {
			x := l.Pop()
			b.ofClients.Add(int64(-x.size))
			b.waits--
		}
		l.bytes = 0
		b.room.Broadcast()
	}
	b.items = append(b.items, it)
	b.mu.Unlock()
	b.signal()
}

// forgetQuestions takes what a client asked out of its lane; mu is held. An empty lane keeps its turn
// until that comes.
func (b *inbox) forgetQuestions(l *lane) {
	for range l.Len() {
		x := l.Pop()
		if _, asks := costOf(x.msg); !asks {
			l.Push(x)
			continue
		}
		l.bytes -= x.size
		b.ofClients.Add(int64(-x.size))
		b.waits--
	}
	l.query = nil
}

// putRemote adds a message from a connection, when there is room. The caller sees to
// it that the machine is stepped.
func (b *inbox) putRemote(it item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, passed := it.msg.(*paxos.Append); passed || it.from.IsClient() {
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
		l.begin(b.now())
		b.lanes[it.from] = l
	}
	// How this process is takes longer to find out than to ask: the later question takes the place
	// of one that waits, so that a client has it found out once for all that it sends at a time.
	query, asks := it.msg.(*paxos.StatusQuery)
	for asks && l.query != nil && l.own && !l.gone && !b.stopped {
		b.await()
	}
	cost, _ := costOf(it.msg)
	if asks && l.query != nil {
		cost = 1 // it is only read
	}
	if l.count(cost, b.now) {
		l.over = true
		b.foundOut(l)
	}
	if asks && l.query != nil {
		l.query.Nonce = query.Nonce
		if l.repeats++; l.repeats > maxRepeats {
			b.foundOut(l)
		}
		return
	}
	for l.Len() > 0 && l.bytes+it.size > b.share()+laneSlack && !l.gone && !b.stopped {
		b.await()
	}
	for all := int(b.ofClients.Load()); all > 0 && all+it.size > b.limit/2 && !l.gone && !b.stopped; all = int(b.ofClients.Load()) {
		b.await()
	}
	if b.stopped || l.gone {
		return
	}
	if l.Len() == 0 {
		b.turns.Push(l)
	}
	if asks {
		l.query = query
	}
	l.Push(it)
	l.bytes += it.size
	b.ofClients.Add(int64(it.size))
	b.waits++
}

// share is how many bytes one client may have waiting; mu is held.
func (b *inbox) share() int { return b.limit / 2 / (b.turns.Len() + 1) }

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
	if b.ofClients.Load() < laneSlack/2 && b.floods.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[id]
	if l != nil && l.floods {
		l.own = true
	}
	return l != nil && (l.own || l.bytes > min(b.share(), laneSlack/2))
}

// foundOut notes that a client floods this process; mu is held.
func (b *inbox) foundOut(l *lane) {
	if !l.floods {
		l.floods = true
		b.floods.Add(1)
	}
}

// charge counts what was refused of a client.
func (b *inbox) charge(id paxos.NodeID, cost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[id]; l != nil && l.count(cost, b.now) {
		l.over = true
		b.foundOut(l)
	}
}

// rest is how long the reader of a client is to rest before it reads on, since that asked for much;
// late is how late it was after its last rest. It is of readers of one client. They rest one after the other,
// as far as none rests for longer than mostRest: so many who ask for much get little more than one would.
func (b *inbox) rest(id paxos.NodeID, late time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[id]
	if l == nil || !l.over {
		return 0
	}
	now := b.now()
	if l.over = false; now.Sub(l.began) >= 2*paceWindow {
		return 0 // that was long ago
	}
	l.own = true
	if b.restUntil.Before(now) {
		b.restUntil = now
	}
	d := min(b.restUntil.Sub(now)+restFor(late), mostRest)
	b.restUntil = now.Add(d)
	l.rested(b.restUntil)
	return d
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
// stepped before others are looked at again; more reports whether some of them wait still. A machine that
// asks for that is told now and then of which clients much stays.
func (b *inbox) take() (items []item, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items = b.items
	b.items, b.bytes, b.spare = b.spare[:0], 0, nil
	// Each round takes one message of each client.
	most := min(maxClients, maxClient*b.turns.Len())
	for n, bytes := 0, 0; b.turns.Len() > 0 && n < most && bytes < drainBytes; n++ {
		if b.turns.First().Len() == 0 {
			b.turns.Pop() // it has left
			continue
		}
		it := b.next()
		bytes += it.size
		items = append(items, it)
	}
	if b.blocked > 0 {
		b.room.Broadcast()
	}
	if b.tellsCrowds && b.waits > 0 {
		items = b.tellCrowds(items)
	}
	return items, b.waits > 0
}

// tellCrowds adds of which clients much stays; mu is held.
func (b *inbox) tellCrowds(items []item) []item {
	now := b.now()
	for range b.turns.Len() { // after which everybody has the turn that it had
		l := b.turns.Pop()
		b.turns.Push(l)
		if l.bytes > crowdBytes && now.Sub(l.told) >= crowdEach {
			l.told = now
			items = append(items, item{msg: &paxos.Crowd{Client: l.First().from}})
		}
	}
	return items
}

// next is the oldest message of the client whose turn it is; mu is held.
func (b *inbox) next() item {
	l := b.turns.Pop()
	it := l.Pop()
	if l.query != nil && it.msg == paxos.Message(l.query) {
		l.query, l.repeats = nil, 0
	}
	l.bytes -= it.size
	b.ofClients.Add(int64(-it.size))
	b.waits--
	if l.Len() > 0 {
		b.turns.Push(l)
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
