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
func (c *Cluster) restartAfter(d Micros, n *Node) {
	c.after(d, func() {
		if !n.Up && !n.away {
			n.Start()
		}
	})
}

// play does what a fault says. What is random about it is drawn from its Arg, so
// that it does the same when other faults are taken out of the plan.
func (c *Cluster) play(f Fault) {
	n, r := c.nodes[f.Node], &paxos.Rand{State: f.Arg}
	if f.Node != "" && n == nil || f.Peer != "" && c.nodes[f.Peer] == nil {
		return // the cluster was made smaller
	}
	if f.Kind != HealNetwork {
		c.Events[f.Kind.String()]++
	}
	switch f.Kind {
	case CrashNode:
		if n.Up {
			n.Crash()
			c.restartAfter(f.For, n)
		}
	case CrashAll:
		for _, id := range c.servers() {
			if m := c.nodes[id]; m.Up {
				m.Crash()
				c.restartAfter(between(r, 0, f.For), m)
			}
		}
	case PauseNode:
		if n.Up && !n.Paused {
			n.Pause()
			c.after(f.For, n.Resume)
		}
	case RollBack:
		c.rollBack(n, f.For, r)
	case SlowNode:
		n.Slow = between(r, Millisecond, 60*Millisecond)
		c.trace("%s is slow: %d us for each drain", n.ID, n.Slow)
		c.after(f.For, func() { n.Slow = 0 })
	case JumpWall:
		if c.noJumps {
			return
		}
		n.jump += paxos.UnixNanos(between(r, 0, 2*jumpMost)-jumpMost) * 1000
		c.trace("the wall clock of %s jumps, to %+d s", n.ID, n.jump/1e9)
	case HangDisk, SlowDisk, BreakWrite, BreakSync, FillDisk:
		c.harmDisk(f, n, r)
	default:
		c.harmNetwork(f, n, r)
	}
}

// jumpMost is how far a wall clock jumps, either way: 30 days.
const jumpMost = 30 * 24 * 3600 * Second

func (c *Cluster) harmDisk(f Fault, n *Node, r *paxos.Rand) {
	c.trace("%s: %s", n.ID, f)
	switch f.Kind {
	case HangDisk:
		n.Disk.Hung = true
		c.after(f.For, func() { n.Disk.Hung = false })
	case SlowDisk:
		n.Disk.Slow = between(r, Millisecond, 100*Millisecond)
		c.after(f.For, func() { n.Disk.Slow = 0 })
	case BreakWrite:
		n.Disk.FailWrite = true
	case BreakSync:
		n.Disk.FailSync = true
	case FillDisk:
		n.Disk.Full = true
		c.after(f.For, func() { n.Disk.Full = false })
	}
}

func (c *Cluster) harmNetwork(f Fault, n *Node, r *paxos.Rand) {
	switch f.Kind {
	case CutOneWay:
		c.Net.Cut(f.Node, f.Peer)
	case CutBothWays:
		c.Net.CutBoth(f.Node, f.Peer)
	case Isolate:
		for _, id := range c.servers() {
			if id != n.ID {
				c.Net.CutBoth(n.ID, id)
			}
		}
	case Flap:
		c.flap(f, r)
	case BreakConnection:
		c.Net.Break(f.Node, f.Peer, f.For)
	case Orphan:
		c.orphan(n, f.Peer, r)
	case ReplayOld:
		c.Net.ReplayOld(int(1+r.Uint64()%40), r)
	case LossyNetwork:
		t := c.Net
		t.Loss, t.Duplicate = uint64(between(r, 0, 100)), uint64(between(r, 0, 50))
		t.Reorder, t.Replay = uint64(between(r, 0, 100)), uint64(between(r, 0, 10))
		c.trace("the network loses %d, doubles %d, reorders %d and replays %d of 1000 messages", t.Loss, t.Duplicate, t.Reorder, t.Replay)
	case HealNetwork:
		c.Net.Heal()
	}
}

// flap cuts and joins a link again and again.
func (c *Cluster) flap(f Fault, r *paxos.Rand) {
	for at := Micros(0); at < f.For; {
		c.after(at, func() { c.Net.CutBoth(f.Node, f.Peer) })
		at += between(r, Millisecond, 80*Millisecond)
		c.after(at, func() { c.Net.Join(f.Node, f.Peer) })
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
		n.Disk, n.Slow = DiskState{}, 0
	}
	c.lost = map[paxos.NodeID]bool{}
	waits := c.forgetful() != ""
	for _, id := range gone {
		if waits && c.Members.Place(id) >= 0 {
			continue // it is needed to let the one that has forgotten something rejoin
		}
		if n := c.nodes[id]; n != nil {
			c.lost[id], n.away = true, true
			c.Events["node lost for good"]++
			if n.Up {
				n.Crash()
			}
		}
	}
	c.StartAll()
}
