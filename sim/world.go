package sim

import (
	"container/heap"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
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
	queue events
	seq   uint64
	nodes map[paxos.NodeID]*Node
	order []paxos.NodeID
	Net   *Network
	Check *Checker
	// Trace, if set, is told every message delivered and every fault.
	Trace func(line string)
	wall  paxos.UnixNanos // of simulated time 0

	Steps  uint64
	Events map[string]int // how often each kind of thing happened
}

type event struct {
	at  Micros
	seq uint64
	do  func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// NewWorld returns an empty world.
func NewWorld(seed uint64, members paxos.Membership) *World {
	w := &World{
		Seed: seed, rng: paxos.Rand{State: seed}, nodes: map[paxos.NodeID]*Node{},
		wall: 1_700_000_000_000_000_000, Events: map[string]int{},
	}
	w.Net = newNetwork(w)
	w.Check = newChecker(w, members)
	return w
}

// Now is the simulated time since the start.
func (w *World) Now() Micros { return w.now }

// after schedules do.
func (w *World) after(d Micros, do func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now + d, w.seq, do})
}

// Run runs the world for d.
func (w *World) Run(d Micros) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		w.Steps++
		e.do()
	}
	w.now = end
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

func (w *World) between(lo, hi Micros) Micros {
	if hi <= lo {
		return lo
	}
	return lo + Micros(w.rng.Uint64()%uint64(hi-lo+1))
}

func (w *World) trace(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(fmt.Sprintf("%9.3f  ", float64(w.now)/float64(Millisecond)) + fmt.Sprintf(format, args...))
	}
}

// Node is one simulated process.
type Node struct {
	w     *World
	ID    paxos.NodeID
	Role  paxos.Role
	build func(*Store) paxos.Machine
	m     paxos.Machine
	store *Store

	Up     bool
	Paused bool
	Hung   bool   // its syncs do not end
	Halted string // why it stopped for good
	// forgot says that its directory was rolled back, and that it has not rejoined;
	// life is the one that it had then.
	forgot bool
	life   paxos.Ballot
	epoch  int // of this run; what an earlier run started is void
	inbox  []inItem
	awake  bool // a drain is scheduled
	jobs   []*job
	syncs  uint64
	start  Micros // of this run
	ticked Micros // when the machine was last told the time
}

type inItem struct {
	from paxos.NodeID
	msg  paxos.Message
}

// job is an output whose SendAfter waits.
type job struct {
	after   []paxos.Envelope
	sync    bool
	durable bool
	commits int // of the store, up to this output
}

// Add adds a node that is not running yet. build makes its machine from its
// store, at each start.
func (w *World) Add(role paxos.Role, id paxos.NodeID, build func(*Store) paxos.Machine) *Node {
	n := &Node{w: w, ID: id, Role: role, build: build, store: newStore(role)}
	w.nodes[id] = n
	w.order = append(w.order, id)
	slices.Sort(w.order)
	return n
}

// Node returns a node.
func (w *World) Node(id paxos.NodeID) *Node { return w.nodes[id] }

const tickEvery = 10 * Millisecond

// Start starts a node from what its disk holds.
func (n *Node) Start() {
	w := n.w
	n.Up, n.Paused, n.start = true, false, w.now
	n.epoch++
	n.inbox, n.awake, n.jobs, n.syncs = nil, false, nil, 0
	n.m = n.build(n.store)
	n.tick()
	w.trace("%s starts", n.ID)
	for _, id := range w.order {
		if o := w.nodes[id]; o.Up && o != n {
			w.Net.connect(n, o)
		}
	}
	n.tickLater(0)
}

// Crash stops a node at once; its disk keeps what was synced, and part of the rest.
func (n *Node) Crash() {
	w := n.w
	n.Up = false
	n.epoch++
	kept, lost := n.store.crash(&w.rng)
	w.Check.onDurable(n, kept)
	if lost > 0 {
		w.Events["crash that lost data"]++
	}
	w.Events["crash"]++
	w.trace("%s crashes, losing %d commits", n.ID, lost)
	for _, id := range w.order {
		if o := w.nodes[id]; o.Up {
			w.Net.disconnect(o, n)
		}
	}
}

func (n *Node) tickLater(d Micros) {
	epoch := n.epoch
	n.w.after(d, func() {
		if n.epoch != epoch {
			return
		}
		n.tickLater(tickEvery)
		if !n.Paused {
			n.drain()
		}
	})
}

// receive queues a message for the machine.
func (n *Node) receive(from paxos.NodeID, m paxos.Message) {
	if !n.Up || n.Halted != "" {
		return
	}
	n.inbox = append(n.inbox, inItem{from, m})
	if n.awake || n.Paused {
		return
	}
	n.awake = true
	epoch := n.epoch
	n.w.after(n.w.between(1, 30), func() {
		if n.epoch == epoch && !n.Paused {
			n.drain()
		}
	})
}

// drain steps what waits, ticks the machine, flushes, and acts.
func (n *Node) drain() {
	n.awake = false
	if n.Halted != "" {
		return
	}
	items := n.inbox
	n.inbox = nil
	if n.w.now-n.ticked > ElectionMin*Millisecond {
		n.tick() // after a pause
	}
	for _, it := range items {
		n.m.Step(it.from, it.msg)
	}
	n.tick()
	n.act(n.m.Flush())
}

func (n *Node) tick() {
	n.ticked = n.w.now
	n.m.Tick(paxos.Ticks((n.w.now-n.start)/Millisecond)+1, n.w.wall+paxos.UnixNanos(n.w.now)*1000)
}

// act does what package node does.
func (n *Node) act(out paxos.Output) {
	w := n.w
	for _, note := range out.Notes {
		w.trace("%s: %s %v", n.ID, note.Text, note.Fields)
		w.Events[note.Text]++
	}
	if out.Halt != "" {
		n.Halted = out.Halt
		w.trace("%s halts: %s", n.ID, out.Halt)
		return
	}
	w.Check.onOutput(n, &out)
	for _, e := range out.SendNow {
		w.Net.send(n, e)
	}
	n.store.apply(out.Writes)
	if len(out.SendAfter) > 0 || out.Sync {
		n.jobs = append(n.jobs, &job{after: out.SendAfter, sync: out.Sync, durable: !out.Sync, commits: n.store.commits()})
	}
	epoch := n.epoch
	for _, l := range out.Loads {
		w.after(w.between(20, 500), func() {
			if n.epoch != epoch {
				return
			}
			// What is read is what was there then; the machine hears of it later.
			r := n.store.load(l)
			w.after(w.between(0, 2000), func() {
				if n.epoch == epoch {
					n.receive(n.ID, r)
				}
			})
		})
	}
	if out.Sync {
		n.sync(n.jobs[len(n.jobs)-1])
	}
	n.release()
}

// sync makes a job durable after a while, and all before it.
func (n *Node) sync(j *job) {
	epoch := n.epoch
	n.w.after(n.w.between(100, 2500), func() {
		if n.epoch != epoch {
			return
		}
		if n.Hung {
			n.w.Events["hung sync"]++
			n.sync(j)
			return
		}
		for _, k := range n.jobs {
			if !k.durable && k.commits <= j.commits {
				k.durable = true
				n.syncs++
			}
		}
		n.w.Check.onDurable(n, n.store.sync(j.commits))
		n.receive(n.ID, &paxos.Synced{Count: n.syncs})
		n.release()
	})
}

// release sends, in order, what waits for nothing any more.
func (n *Node) release() {
	for len(n.jobs) > 0 && n.jobs[0].durable {
		for _, e := range n.jobs[0].after {
			n.w.Net.send(n, e)
		}
		n.jobs = n.jobs[1:]
	}
}

// Pause stops a node as SIGSTOP does; Resume continues it.
func (n *Node) Pause() { n.Paused = true; n.w.Events["pause"]++; n.w.trace("%s is paused", n.ID) }

// Resume continues a paused node.
func (n *Node) Resume() {
	if n.Paused {
		n.Paused = false
		n.w.trace("%s resumes", n.ID)
		if n.Up {
			n.drain()
		}
	}
}
