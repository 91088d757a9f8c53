package sim

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Report is what one run did.
type Report struct {
	Seed      uint64
	Topology  Topology
	Simulated Micros
	Steps     uint64
	Chosen    int
	Entries   int
	Answers   int
	Events    map[string]int
	Err       error // a *Violation, or a failure of liveness
}

func (r *Report) fill(c *Cluster) {
	r.Topology, r.Events = c.Topology, c.Events
	r.Simulated, r.Steps, r.Chosen, r.Entries, r.Answers = c.now, c.Steps, c.Check.Chosen(), c.Check.Entries(), c.Check.Answers
}

// errNothingChosen: a run that shows nothing counts as a failure.
var errNothingChosen = errors.New("nothing was chosen")

// liveness is the simulated time after healing within which every client must be
// done.
const liveness = 60 * Second

// RandomTopology draws the size of a cluster from a seed.
func RandomTopology(seed uint64) Topology {
	r := paxos.Rand{State: seed ^ 0x70706f6c6f67}
	pick := func(n ...int) int { return n[r.Uint64()%uint64(len(n))] }
	t := Topology{
		Acceptors: pick(1, 3, 3, 3, 5, 2, 4), Proposers: pick(1, 2, 2, 3, 5), Learners: pick(1, 2, 2, 3), Clients: pick(1, 2, 3),
		Sessions: pick(2, 3, 4, 100), Entries: pick(5, 50, 200), PageBytes: pick(100, 300, 2000),
	}
	if n := t.Acceptors; n > 1 && r.Uint64()%3 == 0 {
		t.Phase1 = 1 + int(r.Uint64()%uint64(n))
		t.Phase2 = n + 1 - t.Phase1
	}
	return t
}

// RunSeed runs one seed: a phase in which anything may break, then everything is
// healed and every client must get its answers. ladder and trace may be nil.
func RunSeed(seed uint64, ladder *Ladder, trace func(string)) (rep Report) {
	c := NewCluster(seed, RandomTopology(seed))
	c.Trace = trace
	if ladder != nil {
		c.Net.Observe = ladder.Observe
	}
	rep = Report{Seed: seed}
	defer func() {
		rep.fill(c)
		if v := recover(); v != nil {
			violation, ok := v.(*Violation)
			if !ok {
				panic(v)
			}
			rep.Err = violation
		}
	}()
	for _, k := range c.Clients {
		k.Think = uint64(c.between(1, 30))
	}
	c.StartAll()
	if c.chance(300) {
		c.Net.Loss, c.Net.Duplicate, c.Net.Reorder, c.Net.Replay = uint64(c.between(0, 100)), uint64(c.between(0, 50)), uint64(c.between(0, 100)), uint64(c.between(0, 10))
	}
	for end := c.between(2, 10) * Second; c.now < end && !c.Done(); {
		c.Run(c.between(10*Millisecond, 600*Millisecond))
		c.breakSomething()
	}
	c.trace("healing")
	c.Net.Heal()
	c.healCore()
	for _, k := range c.Clients {
		k.Think = 1
	}
	if !c.RunUntil(liveness, c.Done) {
		rep.Err = fmt.Errorf("liveness: %v simulated seconds after healing, clients still wait: %s", liveness/Second, c.waiting())
	} else if c.Check.Chosen() == 0 {
		rep.Err = errNothingChosen
	}
	for _, id := range c.order {
		if h := c.nodes[id].Halted; h != "" && rep.Err == nil {
			rep.Err = fmt.Errorf("%s halted: %s", id, h)
		}
	}
	return rep
}

// healCore starts all, but for some that stay away for ever: as many as the
// cluster must do without, but not more.
func (c *Cluster) healCore() {
	gone := map[paxos.NodeID]bool{}
	leave := func(all []paxos.NodeID, atMost int) {
		for ; atMost > 0 && c.chance(300); atMost-- {
			gone[c.anyOf(all)] = true
		}
	}
	leave(c.Acceptors, len(c.Acceptors)-max(c.Members.Phase1, c.Members.Phase2))
	leave(c.Proposers, len(c.Proposers)-1)
	leave(c.Learners, len(c.Learners)-1)
	if len(gone) > 0 {
		c.Events["node lost for good"]++
	}
	c.lost = gone
	for _, id := range c.order {
		if n := c.nodes[id]; gone[id] && n.Up {
			n.Crash()
		}
	}
	c.StartAll()
}

func (c *Cluster) waiting() string {
	s := ""
	for _, k := range c.Clients {
		s += fmt.Sprintf(" %s %d/%d done, %d open, %d sessions to resolve, born %v;", k.id, k.done, k.Total, len(k.ops), len(k.resolving), k.born)
	}
	return s
}

// servers are the nodes that faults befall.
func (c *Cluster) servers() []paxos.NodeID {
	return append(append(append([]paxos.NodeID{}, c.Acceptors...), c.Proposers...), c.Learners...)
}

func (c *Cluster) anyOf(ids []paxos.NodeID) paxos.NodeID { return ids[c.rng.Uint64()%uint64(len(ids))] }

func (c *Cluster) restart(n *Node) {
	if !n.Up && !c.lost[n.ID] {
		n.Start()
	}
}

// breakSomething does one random harm, or heals some.
func (c *Cluster) breakSomething() {
	n := c.nodes[c.anyOf(c.servers())]
	switch c.rng.Uint64() % 14 {
	case 0, 1, 2:
		if n.Up {
			n.Crash()
			c.after(c.between(0, 1500*Millisecond), func() {
				c.restart(n)
			})
		}
	case 3:
		for _, id := range c.servers() { // all at once
			if m := c.nodes[id]; m.Up {
				m.Crash()
				c.after(c.between(0, 300*Millisecond), func() {
					c.restart(m)
				})
			}
		}
	case 4:
		if n.Up && !n.Paused {
			n.Pause()
			c.after(c.between(10*Millisecond, 2*Second), n.Resume)
		}
	case 5:
		n.Disk.Hung = true
		c.after(c.between(50*Millisecond, 3*Second), func() { n.Disk.Hung = false })
	case 6, 7:
		if o := c.anyOf(c.servers()); o != n.ID {
			c.Net.Cut(n.ID, o)
			if c.chance(500) {
				c.Net.Cut(o, n.ID)
			}
		}
	case 8:
		for _, id := range c.servers() { // alone
			if id != n.ID {
				c.Net.CutBoth(n.ID, id)
			}
		}
	case 9, 10:
		c.orphan()
	default:
		c.Net.Heal()
	}
}

// orphan makes votes that one acceptor alone has: a proposer reaches only that
// one for a while, then both are cut off or crash, so that others choose without
// them; later they return.
func (c *Cluster) orphan() {
	p, a := c.nodes[c.anyOf(c.Proposers)], c.anyOf(c.Acceptors)
	for _, id := range c.Acceptors {
		if id != a {
			c.Net.Cut(p.ID, id)
		}
	}
	c.after(c.between(10*Millisecond, 200*Millisecond), func() {
		if p.Up && c.chance(700) {
			p.Crash()
			c.after(c.between(0, 1500*Millisecond), func() {
				c.restart(p)
			})
		}
		for _, id := range c.Proposers {
			c.Net.CutBoth(a, id)
		}
		c.after(c.between(200*Millisecond, 1500*Millisecond), func() {
			for _, id := range c.Proposers {
				c.Net.Join(a, id)
			}
		})
	})
}
