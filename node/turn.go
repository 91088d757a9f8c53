package node

import (
	"sync"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// turn is the machine, and the right to step it: of the loop, which is woken, and of a
// reader that finds nobody at it and so saves waking the loop. Whoever has the turn steps
// the machine with all that waits, tells it the time, and does what it says.
type turn struct {
	inbox *inbox
	act   func(paxos.Output)
	start time.Time
	pause time.Duration // a longer time without a turn is a pause, of which the machine must know

	mu       sync.Mutex
	machine  paxos.Machine
	ended    bool
	last     paxos.Ticks   // told last
	lastTick time.Duration // when, since the start
}

// begin calls f, which lets readers come, and tells the machine the time before any of
// them gets the turn.
func (t *turn) begin(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := f(); err != nil {
		return err
	}
	t.tick()
	return nil
}

// take waits for the turn and works.
func (t *turn) take() {
	t.mu.Lock()
	defer t.mu.Unlock() // also where a fatal error of the disk ends this goroutine
	t.work()
}

// try works if the turn is free, for a message that has just been put into the inbox. If
// somebody is at work, or was until just now, the loop is woken for it: until it runs,
// more may arrive, and what is stepped together is written, synced and sent together.
func (t *turn) try() {
	if !t.tryNow() || t.inbox.waiting() { // those who put it there found the turn taken
		t.inbox.signal()
	}
}

func (t *turn) tryNow() bool {
	if !t.mu.TryLock() {
		return false
	}
	defer t.mu.Unlock()
	if time.Since(t.start)-t.lastTick <= burst {
		return false
	}
	t.work()
	return true
}

// work steps the machine with all that waits; mu is held. Messages are stepped before the
// clock is told: what arrived while this process was busy is evidence that came in time.
// After a pause it is not, and the machine must know of the pause first.
func (t *turn) work() {
	if t.ended {
		return
	}
	items := t.inbox.take()
	for rest := items; ; {
		drain := rest[:min(len(rest), maxDrain)]
		rest = rest[len(drain):]
		if time.Since(t.start)-t.lastTick > t.pause {
			t.tick()
		}
		for i := range drain {
			t.machine.Step(drain[i].from, drain[i].msg)
		}
		t.tick()
		t.act(t.machine.Flush())
		if len(rest) == 0 {
			break
		}
	}
	t.inbox.recycle(items)
}

// tick tells the machine the time, in milliseconds since the start, from 1; mu is held.
func (t *turn) tick() {
	now := time.Now()
	t.lastTick = now.Sub(t.start)
	if mono := paxos.Ticks(now.Sub(t.start).Milliseconds()) + 1; mono > t.last {
		t.last = mono
		t.machine.Tick(mono, paxos.UnixNanos(now.UnixNano()))
	}
}

// end waits until nobody has the turn, and gives it to nobody any more.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}
