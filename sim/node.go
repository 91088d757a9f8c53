package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
)

// Node is one simulated process.
type Node struct {
	w       *World
	ID      paxos.NodeID
	Role    paxos.Role
	num     int
	build   func(*Store) paxos.Machine
	refusal func(*Node) string // why it does not start, "" if it does
	m       paxos.Machine
	store   *Store
	watched *check.Process
	links   []link // by the number of the node at the other end

	Up     bool
	Paused bool
	away   bool   // it never starts again
	Slow   Micros // each drain takes so long
	Disk   DiskState
	// forgot says that its directory was rolled back, and that it has not rejoined;
	// life is the one that it had then.
	forgot bool
	life   paxos.Ballot
	// incarnation is shown to peers: of an acceptor that has joined.
	incarnation uint64
	principal   paxos.Principal // that its connections prove, of a client

	epoch uint32 // of this run; what an earlier run started is void
	inbox []inItem
	spare []inItem
	awake bool   // a drain is scheduled
	busy  Micros // a slow process is at work until then
	jobs  []job
	syncs uint64
	start Micros // of this run
	mono  paxos.Ticks
	next  paxos.Ticks // when the machine wants to be told the time
	alarm Micros      // when it will be; 0: at no time
	lag   Micros      // how late that may be
	drift int64       // its clock gains so many thousandths
	jump  paxos.UnixNanos
}

type inItem struct {
	from paxos.NodeID
	msg  paxos.Message
}

// job is an output whose SendAfter waits.
type job struct {
	after   []paxos.Envelope
	durable bool
	commits int // of the store, up to this output
}

// pause is what makes a process paused, and not merely late, as package node counts it.
const pause = paxos.Ticks(ElectionMin / 2)

// Start starts a node from what its disk holds. It does not start while its disk
// is full; a supervisor tries again.
func (n *Node) Start() {
	w := n.w
	if n.Disk.Full && n.stores() {
		if n.store.disk != nil {
			n.store.disk.openFull()
		}
		w.Events["start refused by a full disk"]++
		w.trace("%s cannot start: its disk is full", n.ID)
		n.supervise()
		return
	}
	if n.refusal != nil {
		if why := n.refusal(n); why != "" {
			w.trace("%s does not start: %s", n.ID, why)
			n.supervise()
			return
		}
	}
	n.Up, n.Paused, n.start, n.busy, n.mono = true, false, w.now, 0, 0
	n.epoch++
	n.inbox, n.awake, n.jobs, n.syncs = n.inbox[:0], false, n.jobs[:0], 0
	n.m = n.build(n.store)
	w.Check.OnStart(n.watched)
	n.hashStart()
	n.tick(n.clock())
	n.next, n.alarm = n.mono+1, 0
	w.trace("%s starts", n.ID)
	for _, id := range w.order {
		if o := w.nodes[id]; o.Up && o != n {
			w.Net.connect(n, o)
		}
	}
	n.tellRoom() // before anything is taken
	n.awake = true
	n.later(0, work{kind: workDrain})
}

// hashStart adds what the node recovered to the hash of the run.
func (n *Node) hashStart() {
	switch n.Role {
	case paxos.RoleAcceptor:
		n.w.digest.acceptor(n.store.visible.AcceptorState())
	case paxos.RoleLearner:
		n.w.digest.learner(n.store.visible.LearnerState())
	}
}

// stores reports whether the node keeps anything on disk.
func (n *Node) stores() bool {
	return n.Role == paxos.RoleAcceptor || n.Role == paxos.RoleLearner || n.Role == RoleGuest
}

// Crash stops a node at once; its disk keeps what was synced, and part of the rest.
func (n *Node) Crash() {
	w := n.w
	n.Up = false
	n.epoch++
	lost := n.store.crash(&w.rng, n.durable)
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

// durable is told what is on disk from now on.
func (n *Node) durable(records []paxos.Record) { n.w.Check.OnDurable(n.watched, records) }

// later schedules e for this run of n.
func (n *Node) later(d Micros, e work) {
	e.node, e.epoch = n, n.epoch
	n.w.queue.push(n.w.now+d, e)
}

// receive queues a message for the machine.
func (n *Node) receive(from paxos.NodeID, m paxos.Message) {
	if !n.Up {
		return
	}
	n.inbox = append(n.inbox, inItem{from, m})
	if n.awake || n.Paused {
		return
	}
	n.awake = true
	n.later(n.w.between(1, n.w.wakeMost), work{kind: workDrain})
}

// wake drains now, or when a slow process is done with the drain before.
func (n *Node) wake() {
	switch w := n.w; {
	case n.Paused:
	case n.Slow > 0 && w.now < n.busy:
		if !n.awake {
			n.awake = true
			n.later(n.busy-w.now, work{kind: workDrain})
		}
	default:
		n.busy = w.now + n.Slow
		n.drain()
	}
}

// drain is a turn, as paxos.Machine describes it.
func (n *Node) drain() {
	items := n.inbox
	n.inbox = n.spare[:0]
	now := n.clock()
	switch {
	case now == n.mono:
	case now < n.next:
		n.tick(now)
		n.checkIdle()
	case now-n.next > pause:
		n.m.Step(n.ID, &paxos.Late{By: now - n.next})
		n.tick(now)
	default:
		n.tick(n.next - 1)
	}
	for i := range items {
		n.m.Step(items[i].from, items[i].msg)
	}
	clear(items)
	n.spare = items
	n.tick(now)
	if n.act(n.m.Flush()); n.Up { // else it could not write, and has crashed
		n.next = n.asked()
		n.arm()
	}
}

// asked is when the machine wants to be told the time: not before time has gone on.
func (n *Node) asked() paxos.Ticks { return max(n.m.Next(), n.mono+1) }

// checkIdle: a machine that was just told the time, and wants to be told it later, has
// nothing to do. So it does not depend on how often it is told.
func (n *Node) checkIdle() {
	if n.Role == paxos.RoleClient || n.Role == RoleGuest {
		return // they draw lots as time goes on
	}
	if out := n.m.Flush(); !out.Empty() {
		n.w.Check.Fail("ticks", "%s was told that it is %d, and had something to do: it wanted to be told at %d only: %+v", n.ID, n.mono, n.next, out)
	} else if next := n.asked(); next != n.next {
		n.w.Check.Fail("ticks", "%s wanted to be told the time at %d, and at %d wants it at %d", n.ID, n.next, n.mono, next)
	}
}

// clock is the node's own time.
func (n *Node) clock() paxos.Ticks { return paxos.Ticks(n.own(n.w.now-n.start)/Millisecond) + 1 }

// own is how long d is by the clock of the node.
func (n *Node) own(d Micros) Micros { return d + d*Micros(n.drift)/1000 }

// arm sees to it that the machine is told the time when it wants to be.
func (n *Node) arm() {
	if n.next == paxos.Never {
		return
	}
	own := Micros(n.next-1) * Millisecond
	run := own * 1000 / Micros(1000+n.drift)
	for n.own(run) < own {
		run++ // what was lost in rounding
	}
	at := max(n.start+run+n.w.between(0, n.lag), n.w.now)
	if n.alarm == 0 || at < n.alarm {
		n.alarm = at
		n.later(at-n.w.now, work{kind: workTick})
	}
}

// ring is called when an alarm goes off. The machine may have wanted to be told the time
// later since.
func (n *Node) ring() {
	if n.alarm != n.w.now {
		return // there was an earlier one
	}
	n.alarm = 0
	if n.clock() < n.next {
		n.arm()
		return
	}
	n.wake()
}

// tick tells the machine the time, if it has gone on.
func (n *Node) tick(mono paxos.Ticks) {
	if mono > n.mono {
		n.mono = mono
		n.m.Tick(mono, n.w.wall+paxos.UnixNanos(n.w.now)*1000+n.jump)
	}
}

// act does what package node does.
func (n *Node) act(out paxos.Output) {
	if out.Empty() {
		return
	}
	w := n.w
	for _, note := range out.Notes {
		w.trace("%s: %s%s", n.ID, note.Text, fieldsText(note.Fields))
		w.Events[note.Text]++
	}
	if out.Halt != "" {
		w.Check.Fail("halt", "%s: %s", n.ID, out.Halt)
	}
	w.Check.OnOutput(n.watched, &out)
	for _, e := range out.SendNow {
		w.Net.send(n, e)
	}
	if len(out.Writes) > 0 || out.Sync {
		if n.writeFails() {
			return // it says nothing after
		}
		n.store.apply(out.Writes)
	}
	if len(out.SendAfter) > 0 || out.Sync {
		n.jobs = append(n.jobs, job{after: out.SendAfter, durable: !out.Sync, commits: n.store.commits()})
	}
	for i := range out.Loads {
		n.later(w.between(20, 500), work{kind: workLoad, msg: &paxos.Loaded{Load: out.Loads[i]}})
	}
	if out.Sync {
		n.sync(n.store.commits())
	}
	n.release()
}

// release sends, in order, what waits for nothing any more.
func (n *Node) release() {
	done := 0
	for done < len(n.jobs) && n.jobs[done].durable {
		for _, e := range n.jobs[done].after {
			n.w.Net.send(n, e)
		}
		done++
	}
	if done > 0 {
		rest := copy(n.jobs, n.jobs[done:])
		clear(n.jobs[rest:])
		n.jobs = n.jobs[:rest]
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
			n.wake()
		}
	}
}

// fieldsText is the details of a note, for people.
func fieldsText(fields []paxos.Field) string {
	s := ""
	for _, f := range fields {
		s += fmt.Sprintf(", %s %v", f.Key, f.Value)
	}
	return s
}
