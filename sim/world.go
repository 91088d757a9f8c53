package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
	"github.com/paxlog/paxlog/sim/picture"
)

// Micros is simulated time in microseconds.
type Micros int64

// Millisecond and Second are simulated durations.
const (
	Millisecond Micros = 1000
	Second             = 1000 * Millisecond
)

// World is one simulated cluster.
type World struct {
	Seed  uint64
	rng   paxos.Rand
	now   Micros
	queue queue
	nodes map[paxos.NodeID]*Node
	order []paxos.NodeID
	all   []*Node // in the order of their numbers
	short [shortNames]*Node
	Net   *Network
	Check *check.Checker
	// Trace, if set, is told every message delivered and every fault.
	Trace func(line string)
	// Fault, if set, is told every fault and what came of it, without messages.
	Fault func(line string)
	wall  paxos.UnixNanos // of simulated time 0
	// wakeMost is how long a process takes at most to look at what has arrived.
	wakeMost Micros

	digest hasher
	Steps  uint64
	Events map[string]int // how often each kind of thing happened
}

// NewWorld returns an empty world.
func NewWorld(seed uint64, members paxos.Membership) *World {
	w := &World{
		Seed: seed, rng: paxos.Rand{State: seed}, nodes: map[paxos.NodeID]*Node{},
		wall: 1_700_000_000_000_000_000, wakeMost: 30, Events: map[string]int{},
	}
	w.Net = newNetwork(w)
	w.Check = check.New(members, func() int64 { return int64(w.now) })
	return w
}

// Now is the simulated time since the start.
func (w *World) Now() Micros { return w.now }

// Hash is the running hash over every message delivered and every state recovered:
// two runs of one seed have the same.
func (w *World) Hash() uint64 { return uint64(w.digest.digest) }

// after schedules do.
func (w *World) after(d Micros, do func()) { w.queue.push(w.now+d, work{kind: workDo, do: do}) }

// draw lets a ladder see all that happens.
func (w *World) draw(l *picture.Ladder) {
	l.Now = func() int64 { return int64(w.now) }
	w.Net.Observe = l.Observe
	w.Fault = l.Fault
}

// Run runs the world for d.
func (w *World) Run(d Micros) {
	end := w.now + d
	for {
		e, ok := w.queue.pop(end)
		if !ok {
			break
		}
		w.now = e.at()
		w.Steps++
		w.do(w.queue.at(e.cell))
		w.queue.done(e.cell)
	}
	w.now = end
}

// do makes one event happen.
func (w *World) do(e *work) {
	n := e.node
	switch e.kind {
	case workDo:
		e.do()
		return
	case workDeliver:
		w.Net.arrive(e)
		return
	}
	if n.epoch != e.epoch {
		return
	}
	switch e.kind {
	case workTick:
		n.ring()
	case workDrain:
		n.awake = false
		n.wake()
	case workSync:
		n.onSync(int(e.n))
	case workLoad:
		// What is read is what was there then; the machine hears of it later.
		load := e.msg.(*paxos.Loaded).Load
		n.later(w.between(0, 2000), work{kind: workLoaded, msg: n.store.load(load)})
	case workLoaded:
		n.receive(n.ID, e.msg)
	}
}

// RunUntil runs until done or for at most d, and reports whether done.
func (w *World) RunUntil(d Micros, done func() bool) bool {
	end := w.now + d
	for w.now < end && !done() {
		w.Run(Millisecond)
	}
	return done()
}

func (w *World) chance(perMille uint64) bool { return w.rng.Uint64()%1000 < perMille }

func (w *World) between(lo, hi Micros) Micros { return between(&w.rng, lo, hi) }

func between(r *paxos.Rand, lo, hi Micros) Micros {
	if hi <= lo {
		return lo
	}
	return lo + Micros(r.Uint64()%uint64(hi-lo+1))
}

// trace tells what is no message: faults, and what machines tell operators.
func (w *World) trace(format string, args ...any) {
	if w.Trace == nil && w.Fault == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if w.Trace != nil {
		w.Trace(w.stamp() + text)
	}
	if w.Fault != nil {
		w.Fault(text)
	}
}

func (w *World) stamp() string { return fmt.Sprintf("%9.3f  ", float64(w.now)/float64(Millisecond)) }

// Add adds a node that is not running yet. build makes its machine from its
// store, at each start.
func (w *World) Add(role paxos.Role, id paxos.NodeID, build func(*Store) paxos.Machine) *Node {
	n := &Node{w: w, ID: id, Role: role, num: len(w.all), build: build, store: newStore(role)}
	n.watched = w.Check.Add(id, role, n.store)
	w.nodes[id] = n
	w.short[shortName(id)] = n
	w.all = append(w.all, n)
	w.order = append(w.order, id)
	slices.Sort(w.order)
	for _, o := range w.all {
		for len(o.links) < len(w.all) {
			o.links = append(o.links, link{conn: 1})
		}
	}
	return n
}

// Node returns a node.
func (w *World) Node(id paxos.NodeID) *Node {
	if n := w.short[shortName(id)]; n != nil && n.ID == id {
		return n
	}
	return w.nodes[id]
}

// shortNames and shortName tell most names apart without a map: every message
// needs its receiver.
const shortNames = 1 << 11

func shortName(id paxos.NodeID) int {
	k := len(id)
	if k < 2 {
		return 0
	}
	return int(id[k-2]&127)<<4 | int(id[k-1]&15)
}
