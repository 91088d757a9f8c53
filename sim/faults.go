package sim

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// servers are the nodes that faults befall.
func (c *Cluster) servers() []paxos.NodeID {
	return slices.Concat(c.Acceptors, c.Proposers, c.Learners)
}

// restartAfter starts n again after a while, unless somebody else has.
func (w *World) restartAfter(d Micros, n *Node) {
	w.after(d, func() {
		if !n.Up && !n.away {
			n.Start()
		}
	})
}

// play does what a fault says. What is random about it is drawn from its Arg, so
// that it does the same when other faults are taken out of the plan.
func (c *Cluster) play(f Fault) {
	if !c.noteFault(f) {
		return
	}
	r := &paxos.Rand{State: f.Arg}
	switch {
	case f.Kind == RollBack:
		c.rollBack(c.nodes[f.Node], f.For, r)
	case f.Kind == Orphan:
		c.orphan(c.nodes[f.Node], f.Peer, r)
	case f.Kind == HandOver:
		c.handOver(f, r)
	case f.Kind == TrimLog:
		c.trim(r)
	case f.Kind == HoldLog:
		c.hold(r)
	case f.Kind == AdjustLog:
		c.adjust(r)
	case f.Kind == ReplaceAcceptor, f.Kind == AddAcceptor, f.Kind == RemoveAcceptor:
		c.changeMembers(f, r)
	case f.Kind == LoseNewcomer:
		c.loseNewcomer(f, r)
	case f.Kind == HearTwin:
		c.hearTwin(c.nodes[f.Node], c.nodes[f.Peer])
	case f.Kind == StealSession:
		c.steal(r)
	case f.Kind == MoveProcess:
		c.move(f, r)
	case f.Kind == LoseLearner:
		c.loseLearner(c.nodes[f.Node], f.For)
	case f.Kind == ReplaceProgram:
		c.replaceProgram(c.nodes[f.Node], f.Arg, f.For)
	case f.Kind == RaiseLevel:
		c.raiseLevel(f.Arg)
	case f.Kind == DrainNode:
		c.drain(c.nodes[f.Node], false)
		c.after(f.For, func() { c.drain(c.nodes[f.Node], true) })
	case f.Kind != JumpWall || !c.noJumps:
		c.harm(f, c.servers(), r)
	}
}

// hearTwin has a peer of an acceptor hear another process under its id, one that ends before it says
// anything: the connection is made anew, and the acceptor is told why.
func (c *Cluster) hearTwin(n, by *Node) {
	if n.Up && by.Up && c.Net.open(n.ID, by.ID) {
		c.Net.breakNow(n, by, 0)
		n.receive(n.ID, &paxos.Twin{ID: by.ID})
	}
}

// noteFault counts a fault, unless the cluster was made smaller and has not whom it
// befalls.
func (w *World) noteFault(f Fault) bool {
	if f.Node != "" && w.nodes[f.Node] == nil || f.Peer != "" && w.nodes[f.Peer] == nil {
		return false
	}
	if f.Kind != HealNetwork {
		w.Events[f.Kind.String()]++
	}
	return true
}

// Harm does what a fault says to the processes of another protocol, which servers
// are. What only Paxlog's processes have does nothing to them.
func (w *World) Harm(f Fault, servers []paxos.NodeID) {
	if !slices.Contains([]FaultKind{RollBack, Orphan, HandOver, DrainNode, TrimLog, LoseLearner, ReplaceProgram, RaiseLevel, ReplaceAcceptor, AddAcceptor, RemoveAcceptor, LoseNewcomer, StealSession, MoveProcess, HoldLog, AdjustLog, HearTwin, NarrowDisk}, f.Kind) && w.noteFault(f) {
		w.harm(f, servers, &paxos.Rand{State: f.Arg})
	}
}

// harm does a fault that needs to know nothing of what the processes are.
func (w *World) harm(f Fault, servers []paxos.NodeID, r *paxos.Rand) {
	n := w.nodes[f.Node]
	switch f.Kind {
	case CrashNode:
		if n.Up {
			n.Crash()
			w.restartAfter(f.For, n)
		}
	case CrashAll:
		for _, id := range servers {
			if m := w.nodes[id]; m.Up {
				m.Crash()
				w.restartAfter(between(r, 0, f.For), m)
			}
		}
	case PauseNode:
		if n.Up && !n.Paused {
			n.Pause()
			w.after(f.For, n.Resume)
		}
	case SlowNode:
		n.Slow = between(r, Millisecond, 60*Millisecond)
		w.trace("%s is slow: %d us for each drain", n.ID, n.Slow)
		w.after(f.For, func() { n.Slow = 0 })
	case JumpWall:
		n.jump += paxos.UnixNanos(between(r, 0, 2*jumpMost)-jumpMost) * 1000
		w.trace("the wall clock of %s jumps, to %+d s", n.ID, n.jump/1e9)
	case HangDisk, SlowDisk, BreakWrite, BreakSync, FillDisk, NarrowDisk:
		w.harmDisk(f, n, r)
	default:
		w.harmNetwork(f, n, servers, r)
	}
}

// jumpMost is how far a wall clock jumps, either way: 30 days.
const jumpMost = 30 * 24 * 3600 * Second

func (w *World) harmDisk(f Fault, n *Node, r *paxos.Rand) {
	w.trace("%s: %s", n.ID, f)
	switch f.Kind {
	case HangDisk:
		n.Disk.Hung = true
		w.after(f.For, func() { n.Disk.Hung = false })
	case SlowDisk:
		n.Disk.Slow = between(r, Millisecond, 100*Millisecond)
		w.after(f.For, func() { n.Disk.Slow = 0 })
	case BreakWrite:
		n.Disk.FailWrite = true
	case BreakSync:
		n.Disk.FailSync = true
	case FillDisk:
		n.Disk.Full = true
		w.after(f.For, func() { n.Disk.Full = false })
	case NarrowDisk:
		n.narrow(n.store.visible.Bytes() + int(between(r, 0, 3000)))
		w.after(f.For, func() { n.narrow(0) })
	}
}

func (w *World) harmNetwork(f Fault, n *Node, servers []paxos.NodeID, r *paxos.Rand) {
	switch f.Kind {
	case CutOneWay:
		w.Net.Cut(f.Node, f.Peer)
	case CutBothWays:
		w.Net.CutBoth(f.Node, f.Peer)
	case Isolate:
		for _, id := range servers {
			if id != n.ID {
				w.Net.CutBoth(n.ID, id)
			}
		}
	case Flap:
		w.flap(f, r)
	case BreakConnection:
		w.Net.Break(f.Node, f.Peer, f.For)
	case ReplayOld:
		w.Net.ReplayOld(int(1+r.Uint64()%40), r)
	case LossyNetwork:
		t := w.Net
		t.Loss, t.Duplicate = uint64(between(r, 0, 100)), uint64(between(r, 0, 50))
		t.Reorder, t.Replay = uint64(between(r, 0, 100)), uint64(between(r, 0, 10))
		w.trace("the network loses %d, doubles %d, reorders %d and replays %d of 1000 messages", t.Loss, t.Duplicate, t.Reorder, t.Replay)
	case HealNetwork:
		w.Net.Heal()
	}
}

// flap cuts and joins a link again and again.
func (w *World) flap(f Fault, r *paxos.Rand) {
	for at := Micros(0); at < f.For; {
		w.after(at, func() { w.Net.CutBoth(f.Node, f.Peer) })
		at += between(r, Millisecond, 80*Millisecond)
		w.after(at, func() { w.Net.Join(f.Node, f.Peer) })
		at += between(r, Millisecond, 80*Millisecond)
	}
}

// orphan makes votes that one acceptor alone has: a proposer reaches only that
// one for a while, then both are cut off or crash, so that others choose without
// them; later they return.
func (c *Cluster) orphan(p *Node, a paxos.NodeID, r *paxos.Rand) {
	for _, id := range c.Acceptors {
		if id != a {
			c.Net.Cut(p.ID, id)
		}
	}
	crash, back := r.Uint64()%1000 < 700, between(r, 0, 1500*Millisecond)
	again := between(r, 200*Millisecond, 1500*Millisecond)
	c.after(between(r, 10*Millisecond, 200*Millisecond), func() {
		if p.Up && crash {
			p.Crash()
			c.restartAfter(back, p)
		}
		for _, id := range c.Proposers {
			c.Net.CutBoth(a, id)
		}
		c.after(again, func() {
			for _, id := range c.Proposers {
				c.Net.Join(a, id)
			}
		})
	})
}

// heal ends every fault, and starts all nodes but those that are gone for good.
func (c *Cluster) heal(gone []paxos.NodeID) {
	c.trace("healing")
	c.Net.Heal()
	for _, n := range c.all {
		n.narrow(0)
		n.Disk, n.Slow = DiskState{}, 0
	}
	for _, id := range c.servers() {
		c.drain(c.nodes[id], true)
	}
	c.lost = map[paxos.NodeID]bool{}
	for id := range c.dead {
		c.lost[id] = true
	}
	for id, off := range c.off {
		c.lost[id] = off
	}
	waits := c.forgetful() != ""
	for _, id := range gone {
		if waits && c.Members.Place(id) >= 0 {
			continue // it is needed to let the one that has forgotten something rejoin
		}
		if n := c.nodes[id]; n != nil && (n.Role != paxos.RoleAcceptor || !c.changes) {
			c.lost[id], n.away = true, true
			c.Events["node lost for good"]++
			if n.Up {
				n.Crash()
			}
		}
	}
	c.replacePrograms()
	c.StartAll()
}
