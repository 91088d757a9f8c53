package node

import (
	"sync"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// turn is the machine, and the right to step it: of the loop, which is woken, and of a
// reader that finds nobody at it and so saves waking the loop. Whoever has the turn steps
// the machine with all that waits, tells it the time, and does what it says.
type turn struct {
	inbox *inbox
	me    paxos.NodeID
	act   func(paxos.Output)
	start time.Time
	pause paxos.Ticks // who is told the time so much later than it asked for was paused
	timer *time.Timer // goes off when the machine wants to be told the time

	mu      sync.Mutex
	machine paxos.Machine
	ended   bool
	last    paxos.Ticks // told last
	next    paxos.Ticks // when the machine wants to be told the time
	armed   paxos.Ticks // when timer goes off
}

// pause is half of an election timeout. Acceptors want to be told the time at the end of
// one, so they know of every pause of more than one and a half.
func pause(c *config.Cluster) paxos.Ticks {
	return paxos.Ticks(c.Timeouts.ElectionMin.Milliseconds() / 2)
}

// begin calls f, which lets readers come, and tells the machine the time before any of
// them gets the turn.
func (t *turn) begin(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := f(); err != nil {
		return err
	}
	t.tick(t.now())
	t.next = t.last + 1
	t.timer = time.NewTimer(0) // for what the machine does first
	return nil
}

// take waits for the turn and works.
func (t *turn) take() {
	t.mu.Lock()
	defer t.mu.Unlock() // also where a fatal error of the disk ends this goroutine
	t.work()
}

// try works if the turn is free, for a message that has just been put into the inbox. If
// somebody is at work, or more than a few messages wait, the loop is woken for them: until
// it runs, more may arrive, and what is stepped together is written, synced and sent
// together. What waits decides that and no clock: the vote that completes a quorum, and the
// append that follows another at once, are stepped by who read them.
func (t *turn) try() {
	if !t.tryNow() || t.inbox.waiting() > 0 { // those who put it there found the turn taken
		t.inbox.signal()
	}
}

func (t *turn) tryNow() bool {
	if !t.mu.TryLock() {
		return false
	}
	defer t.mu.Unlock()
	if t.inbox.waiting() > few {
		return false
	}
	t.work()
	return true
}

// work is a turn of the machine, as paxos.Machine describes it, with all that waits; mu is
// held.
func (t *turn) work() {
	if t.ended {
		return
	}
	items, more := t.inbox.take()
	for rest := items; ; {
		drain := rest[:min(len(rest), maxDrain)]
		rest = rest[len(drain):]
		now := t.now()
		switch late := now - t.next; {
		case late < 0:
			t.tick(now)
		case late > t.pause:
			t.machine.Step(t.me, &paxos.Late{By: late})
			t.tick(now)
		default:
			t.tick(t.next - 1)
		}
		for i := range drain {
			t.machine.Step(drain[i].from, drain[i].msg)
		}
		t.tick(t.now())
		t.act(t.machine.Flush())
		t.next = max(t.machine.Next(), t.last+1)
		if len(rest) == 0 {
			break
		}
	}
	t.arm()
	t.inbox.recycle(items)
	if more { // and whoever is at it may be the reader of a connection that others need
		t.inbox.signal()
	}
}

// now is the machine's clock: milliseconds since the start, from 1.
func (t *turn) now() paxos.Ticks {
	return paxos.Ticks(time.Since(t.start).Milliseconds()) + 1
}

// tick tells the machine the time, if it has gone on; mu is held.
func (t *turn) tick(mono paxos.Ticks) {
	if mono > t.last {
		t.last = mono
		t.machine.Tick(mono, paxos.UnixNanos(time.Now().UnixNano()))
	}
}

// arm sets the timer; mu is held. Nobody is woken for a timer that is set anew before it
// goes off: where a leader is heard every 50 ms, no timer does.
func (t *turn) arm() {
	switch {
	case t.next == t.armed:
		return
	case t.next == paxos.Never:
		t.timer.Stop()
	default:
		t.timer.Reset(time.Duration(t.next-1)*time.Millisecond - time.Since(t.start))
	}
	t.armed = t.next
}

// end waits until nobody has the turn, and gives it to nobody any more.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}
