package sim

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// rollBack crashes an acceptor and puts an older state of its directory in place, as
// a damaged end of its log or a restored copy does. It does so only where the loss
// must be found out: when every other acceptor durably remembers commits that are
// lost. Beyond that detection is as good as the peers that remember, and promises
// nothing. At most one acceptor at a time has forgotten something, for what two of
// them voted for together may be lost for good.
func (c *Cluster) rollBack(n *Node, back Micros, r *paxos.Rand) {
	if !n.Up || !c.mayForget(n.ID) {
		return
	}
	n.Crash()
	keep := int(r.Uint64() % uint64(len(n.store.history)+1))
	if c.remember(n.ID, n.store.markAt(keep)) {
		n.store.rollBack(keep)
		c.Check.Forget(n.watched) // it may have forgotten all of it
		n.forgot, n.life = true, n.store.durable.Mark.Life
		c.Events["directory rolled back"]++
		c.trace("%s is rolled back to its first %d commits", n.ID, keep)
	}
	c.restartAfter(back, n)
}

// mayForget reports whether an acceptor may forget something, so that the log goes on: the others
// let it rejoin. While one is dead, is to go, or has not arrived, that is one loss already.
func (c *Cluster) mayForget(id paxos.NodeID) bool {
	if c.forgetful() != "" || c.removing+c.adding > 0 || c.isOneDead() || !c.haveArrived() {
		return false
	}
	h := c.Check.Members()
	if h.IsZero() {
		return c.Members.CanRejoin()
	}
	e, err := h.Electorate(1, nil)
	return err == nil && isMember(h.Now.Acceptors, id) && e.Newest().CanRejoin()
}

// voters are the acceptors that the log has now.
func (c *Cluster) voters() []paxos.NodeID {
	h := c.Check.Members()
	if h.IsZero() {
		return c.Acceptors
	}
	var ids []paxos.NodeID
	for _, a := range h.Now.Acceptors {
		ids = append(ids, a.ID)
	}
	return ids
}

// forgetful is an acceptor that was rolled back and has not rejoined yet, or has to
// rejoin once more, since a leader has voided its promises in the meantime; "" if
// there is none.
func (c *Cluster) forgetful() paxos.NodeID {
	for _, id := range c.voters() {
		n := c.nodes[id]
		n.forgot = n.forgot && n.store.durable.Mark.Life == n.life
		if n.forgot || c.voided(n) {
			return id
		}
	}
	return ""
}

// voided reports whether an acceptor knows that it has to rejoin, or will learn so from
// another one.
func (c *Cluster) voided(n *Node) bool {
	own := n.store.durable.Mark
	return own.Forgot || slices.ContainsFunc(c.voters(), func(o paxos.NodeID) bool {
		return own.Life.Less(c.nodes[o].store.durable.Peers[n.ID].Mark.Life)
	})
}

// remember reports whether every other acceptor remembers, durably, more of id than a
// directory with mark m has.
func (c *Cluster) remember(id paxos.NodeID, m paxos.Mark) bool {
	for _, o := range c.voters() {
		if o != id && !m.Forgets(c.nodes[o].store.durable.Peers[id].Mark) {
			return false
		}
	}
	return true
}

// markAt is the mark that the first k commits of history leave.
func (s *Store) markAt(k int) (m paxos.Mark) {
	for _, records := range s.history[:k] {
		for _, r := range records {
			if set, ok := r.(paxos.SetMark); ok {
				m = paxos.Mark{Commits: set.Commits, Life: set.Life}
			}
		}
	}
	return m
}

// rollBack forgets all but the first k commits that were durable.
func (s *Store) rollBack(k int) {
	s.durable = model.New()
	for _, records := range s.history[:k] {
		s.durable.Apply(records)
	}
	s.history, s.tail = s.history[:k:k], nil
	s.visible = s.durable.Clone()
	if s.disk != nil {
		s.disk.rollBack(s.history)
	}
}
