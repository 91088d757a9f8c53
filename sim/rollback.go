package sim

import "github.com/paxlog/paxlog/paxos"

// rollBack crashes an acceptor and puts an older state of its directory in place, as
// a damaged end of its log or a restored copy does. It does so only where the loss
// must be found out: when every other acceptor durably remembers commits that are
// lost. Beyond that detection is as good as the peers that remember, and promises
// nothing. At most one acceptor at a time has forgotten something, for what two of
// them voted for together may be lost for good.
func (c *Cluster) rollBack(id paxos.NodeID) {
	n := c.nodes[id]
	if !n.Up || n.Role != paxos.RoleAcceptor || !c.Members.CanRejoin() || c.forgetful() != "" {
		return
	}
	n.Crash()
	keep := int(c.rng.Uint64() % uint64(len(n.store.history)+1))
	if c.remembered(id) > n.store.commitsAt(keep) {
		n.store.rollBack(keep)
		n.forgot = true
		c.Events["directory rolled back"]++
		c.trace("%s is rolled back to its first %d commits", id, keep)
	}
	c.after(c.between(0, 500*Millisecond), func() { c.restart(n) })
}

// forgetful is the acceptor that was rolled back and has not rejoined yet, or "".
func (c *Cluster) forgetful() paxos.NodeID {
	for _, id := range c.Acceptors {
		if c.nodes[id].forgot {
			return id
		}
	}
	return ""
}

// remembered is the number of commits of id that every other acceptor remembers
// durably.
func (c *Cluster) remembered(id paxos.NodeID) uint64 {
	least := ^uint64(0)
	for _, o := range c.Acceptors {
		if o != id {
			least = min(least, c.nodes[o].store.durable.peers[id].Mark.Commits)
		}
	}
	return least
}

// commitsAt is the mark that the first k commits of history leave.
func (s *Store) commitsAt(k int) (commits uint64) {
	for _, records := range s.history[:k] {
		for _, r := range records {
			if m, ok := r.(paxos.SetMark); ok {
				commits = m.Commits
			}
		}
	}
	return commits
}

// rollBack forgets all but the first k commits that were durable.
func (s *Store) rollBack(k int) {
	s.durable = newContents()
	for _, records := range s.history[:k] {
		s.durable.apply(records)
	}
	s.history, s.tail = s.history[:k:k], nil
	s.visible = s.durable.clone()
}
