package sim

import "github.com/paxlog/paxlog/paxos"

// operator is who asks for what operators ask for. It is no node: nobody listens to the
// answers.
const operator = paxos.NodeID("@operator")

// drain drains a node, or undoes that.
func (c *Cluster) drain(n *Node, undo bool) {
	if n.Up {
		c.trace("%s: drained %v", n.ID, !undo)
		n.receive(operator, &paxos.Drain{Undo: undo})
	}
}

// transfer asks a proposer to hand over.
func (c *Cluster) transfer(n *Node, to paxos.NodeID) {
	if n.Up {
		c.trace("%s is asked to hand over to %q", n.ID, to)
		n.receive(operator, &paxos.Transfer{To: to})
	}
}

// handOver has every proposer that leads, or believes so, hand over to f.Node, or to
// anybody. In half the cases one side crashes a moment later: within the few milliseconds
// that a handover takes every step of it is met.
func (c *Cluster) handOver(f Fault, r *paxos.Rand) {
	to := f.Node
	if r.Uint64()%3 == 0 {
		to = ""
	}
	from := c.Leader()
	for _, id := range c.Proposers {
		if id != f.Node {
			c.transfer(c.nodes[id], to)
		}
	}
	choice, soon := r.Uint64()%4, between(r, 0, 8*Millisecond)
	id := map[uint64]paxos.NodeID{0: from, 1: f.Node}[choice]
	if id == "" {
		return
	}
	c.after(soon, func() {
		if n := c.nodes[id]; n.Up {
			c.Events["crash in a handover"]++
			n.Crash()
			c.restartAfter(f.For, n)
		}
	})
}

// trim asks every proposer that leads, or believes so, to trim the log somewhere, or has the log
// itself say how much of it is kept.
func (c *Cluster) trim(r *paxos.Rand) {
	to := paxos.Index(1 + r.Uint64()%uint64(c.Check.Entries()+5))
	var ask paxos.Message = &paxos.Order{Trim: to}
	switch r.Uint64() % 4 {
	case 0:
		keep := [...]paxos.Settle{{}, {Age: 1 + paxos.Ticks(r.Uint64()%2000)}, {Bytes: 1 + r.Uint64()%4000}, {Entries: 1 + r.Uint64()%40}}[r.Uint64()%4]
		keep.Set = true
		ask = &keep
		c.Events["retention set"]++
		c.trace("the log is to keep %+v", keep)
	default:
		c.trace("the log is to be trimmed to %d", to)
	}
	c.ask(ask)
}

// adjust asks every proposer that leads, or believes so, to have the log remember more or fewer sessions, or a client
// have no more than so much; or to have it say nothing of that any more.
func (c *Cluster) adjust(r *paxos.Rand) {
	few := [...]uint64{1, 2, 3, 5, 100}[r.Uint64()%5]
	who := c.Clients[r.Uint64()%uint64(len(c.Clients))].principal()
	if r.Uint64()%3 == 0 {
		who = "" // each
	}
	ask := &paxos.Adjust{Set: true, Setting: [...]paxos.Setting{
		{Key: paxos.SettingSessions, Value: few}, {Key: paxos.QuotaSessions, Name: who, Value: few}, {Key: paxos.QuotaBytes, Name: who, Value: 20 * few},
	}[r.Uint64()%3]}
	if r.Uint64()%4 == 0 {
		ask.Set, ask.Unset, ask.Setting.Value = false, true, 0
	}
	c.trace("setting %s is to be %d", ask.Setting.KeyText(), ask.Setting.Value)
	c.ask(ask)
}

// hold asks every proposer that leads, or believes so, for one of three holds: to set it or move it
// to an index that is there, was trimmed, or is beyond the end; or to release it.
func (c *Cluster) hold(r *paxos.Rand) {
	ask := &paxos.Retain{Name: [...]string{"archive", "cursor", "x"}[r.Uint64()%3]}
	if r.Uint64()%3 > 0 {
		ask.At = paxos.Index(1 + r.Uint64()%uint64(c.Check.Entries()+5))
	}
	c.trace("hold %s is to be at %d", ask.Name, ask.At)
	c.ask(ask)
}

// ask asks every proposer that is up for something.
func (c *Cluster) ask(m paxos.Message) {
	for _, id := range c.Proposers {
		if n := c.nodes[id]; n.Up {
			n.receive(operator, m)
		}
	}
}

// loseLearner loses the directory of a learner for good: it begins anew, with an empty one.
func (c *Cluster) loseLearner(n *Node, d Micros) {
	if n.store.disk != nil {
		return // Pebble's directories stay
	}
	if n.Up {
		n.Crash()
	}
	*n.store = *newStore(n.Role)
	c.restartAfter(d, n)
}

// transferScenario: no append waits for an election timeout, although the leader changes.
func transferScenario(s *stage) {
	s.hosts(3)
	s.lead(1)
	for _, next := range []paxos.NodeID{"p2", "p3", "p1"} {
		s.transfer(s.nodes[s.Leader()], next)
		s.expect(50*Millisecond, "%s leads", func() bool { return s.Leader() == next }, next)
		s.progress(settle+ElectionMin*Millisecond, "after a handover")
	}
	s.transfer(s.nodes["p1"], "p2")
	s.expect(50*Millisecond, "p2 leads", func() bool { return s.Leader() == "p2" })
	s.nodes["p1"].Crash()
	s.progress(Second, "after the old leader was stopped")
	s.drain(s.nodes["p3"], false)
	s.transfer(s.nodes["p2"], "p3")
	s.progress(Second, "while only a drained proposer is left to hand over to")
	s.leads("p2")
}
