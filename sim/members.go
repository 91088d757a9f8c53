package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

type member = configuration.Acceptor

// drawChanges draws when acceptors die for good and are replaced, are added, and are removed. It
// has a source of its own, as drawOld has.
func drawChanges(seed uint64, end Micros, t Topology) (faults []Fault) {
	r := paxos.Rand{State: seed ^ 0x6d656d62657273}
	if r.Uint64()%4 != 0 {
		return nil
	}
	return moreChanges(&r, end, t)
}

// moreChanges draws some, if the log can go on without an acceptor.
func moreChanges(r *paxos.Rand, end Micros, t Topology) (faults []Fault) {
	if phase1, phase2 := t.quorums(); max(phase1, phase2) >= t.Acceptors {
		return nil
	}
	for at := between(r, 300*Millisecond, 1500*Millisecond); at < end; at += between(r, 500*Millisecond, 4*Second) {
		f := Fault{At: at, Kind: []FaultKind{ReplaceAcceptor, ReplaceAcceptor, AddAcceptor, RemoveAcceptor}[r.Uint64()%4], Arg: r.Uint64()}
		f.For = between(r, 100*Millisecond, 3*Second)
		if f.Kind != RemoveAcceptor && f.Arg>>32%4 == 0 {
			f.Kind = LoseNewcomer
		}
		faults = append(faults, f)
	}
	return faults
}

// changes puts them into a plan. A directory that has forgotten something needs all others to
// rejoin, and so does a member that is dead to be replaced: both at once is more than a log
// survives (mayForget).
func (p *Plan) changes(faults []Fault) {
	if len(faults) == 0 {
		return
	}
	p.Changes = true
	p.Faults = append(p.Faults, faults...)
}

// changeMembers changes the acceptors, as an operator does, who asks again until it is done.
func (c *Cluster) changeMembers(f Fault, r *paxos.Rand) {
	h := c.Check.Members()
	now := h.Now
	if now.IsZero() || f.Kind == RemoveAcceptor && len(now.Acceptors) < 4 || f.Kind == ReplaceAcceptor && len(now.Acceptors) < 3 || f.Kind == AddAcceptor && len(now.Acceptors) > 6 {
		return
	}
	if c.isOneDead() || !c.haveArrived() || c.forgetful() != "" {
		return // to lose another one now is more than the log survives
	}
	if f.Kind == ReplaceAcceptor && (int(max(now.Phase1, now.Phase2)) >= len(now.Acceptors) || c.removing+c.adding > 0) {
		return // the log does not go on without one, or will not once another one is removed, or added and has not arrived
	}
	member := now.Acceptors[r.Uint64()%uint64(len(now.Acceptors))].ID
	m := &paxos.Member{Order: paxos.MemberRemove, ID: member, Force: true}
	if f.Kind == RemoveAcceptor {
		c.removing++
	} else {
		m.Order, m.With = paxos.MemberAdd, c.joins(c.nodes[member].lag)
	}
	if f.Kind == AddAcceptor {
		c.adding++
	}
	if f.Kind == ReplaceAcceptor {
		m.Order = paxos.MemberReplace
		c.dies(member)
	}
	c.askFor(m, f, r)
}

// joins starts one more acceptor, which is no member.
func (c *Cluster) joins(lag Micros) paxos.NodeID {
	c.newcomers++
	id := paxos.NodeID(fmt.Sprintf("b%d", c.newcomers))
	c.incarnations[id] = uint64(100 + c.newcomers)
	n := c.addAcceptor(id)
	n.incarnation, n.refusal, n.lag = c.incarnations[id], c.refusal, lag
	c.trace("%s joins", id)
	n.Start()
	return id
}

// dies has the machine of an acceptor die for good.
func (c *Cluster) dies(id paxos.NodeID) {
	n := c.nodes[id]
	c.dead[id], n.away = true, true
	c.trace("the machine of %s dies for good", id)
	if n.Up {
		n.Crash()
	}
}

// askFor asks every proposer that leads, or believes so, again and again.
func (c *Cluster) askFor(m *paxos.Member, f Fault, r *paxos.Rand) {
	h := c.Check.Members()
	done := m.Order == paxos.MemberAdd && isMember(h.Now.Acceptors, m.With) || m.Order == paxos.MemberRemove && !isMember(h.Now.Acceptors, m.ID) ||
		m.Order == paxos.MemberReplace && !isMember(h.Now.Acceptors, m.ID)
	tooFew := m.Order == paxos.MemberRemove && len(h.Now.Acceptors) < 4 // another one was removed meanwhile
	if m.Order == paxos.MemberRemove && (done || tooFew) {
		c.removing--
	}
	if m.Order == paxos.MemberAdd && done {
		c.adding--
	}
	if done {
		c.Events["acceptors changed"]++
		if m.Order == paxos.MemberReplace && r.Uint64()%2 == 0 {
			c.after(f.For, func() { c.resurrect(m.ID, r) })
		}
		return
	}
	if tooFew {
		return
	}
	if c.forgetful() != "" { // an operator sees that one does not vote, and waits
		c.after(300*Millisecond, func() { c.askFor(m, f, r) })
		return
	}
	c.askAll(m)
	c.after(300*Millisecond, func() { c.askFor(m, f, r) })
}

// askAll asks every proposer once.
func (c *Cluster) askAll(m *paxos.Member) {
	for _, id := range c.Proposers {
		if n := c.nodes[id]; n.Up {
			n.receive(operator, m)
		}
	}
}

func isMember(list paxos.ByPlace[member], id paxos.NodeID) bool {
	return slices.ContainsFunc(list, func(a member) bool { return a.ID == id })
}

// isOneDead reports whether a machine has died for good whose acceptor is not replaced yet.
func (c *Cluster) isOneDead() bool {
	h := c.Check.Members()
	for id := range c.dead {
		if isMember(h.Now.Acceptors, id) {
			return true
		}
	}
	return false
}

// haveArrived reports whether every member has what it takes to vote as one.
func (c *Cluster) haveArrived() bool {
	h := c.Check.Members()
	return !slices.ContainsFunc(h.Now.Acceptors, func(a member) bool { return c.nodes[a.ID].store.durable.Held+1 < h.From })
}

// resurrect starts the directory of an acceptor that was replaced, or an old copy of it.
func (c *Cluster) resurrect(id paxos.NodeID, r *paxos.Rand) {
	if n := c.nodes[id]; !n.Up {
		if r.Uint64()%2 == 0 {
			n.store.rollBack(int(r.Uint64() % uint64(len(n.store.history)+1)))
			c.Check.Forget(n.watched)
			c.Events["old directory of a replaced acceptor started"]++
		}
		c.Events["directory of a replaced acceptor started"]++
		n.Start()
	}
}

// loseNewcomer begins to replace a dead acceptor, or to add one. The newcomer can copy no more from
// then on, and its machine dies for good: before the change is proposed, while it is, or when it is
// chosen. Then the change is cancelled, and, half of the time, another newcomer comes in its place.
func (c *Cluster) loseNewcomer(f Fault, r *paxos.Rand) {
	h := c.Check.Members()
	now := h.Now
	n := len(now.Acceptors)
	majority := uint64(n/2 + 1)
	if n < 3 || n > 6 || now.Phase1 != majority || now.Phase2 != majority || c.isOneDead() || !c.haveArrived() || c.forgetful() != "" || c.removing+c.adding > 0 {
		return // to lose another one now is more than the log survives
	}
	member := now.Acceptors[r.Uint64()%uint64(n)].ID
	lag := c.nodes[member].lag
	lost := c.joins(lag)
	first := &paxos.Member{Order: paxos.MemberAdd, With: lost, Force: true}
	if r.Uint64()%2 == 0 {
		first.Order, first.ID = paxos.MemberReplace, member
		c.dies(member)
	}
	another := paxos.NodeID("")
	if r.Uint64()%2 == 0 {
		another = c.joins(lag)
	}
	c.adding++ // until it is over nobody else is lost
	c.after(between(r, 100*Millisecond, Second), func() {
		for _, id := range slices.Concat(c.voters(), c.Learners) {
			c.Net.CutBoth(lost, id)
		}
		c.askAll(first)
		c.after(between(r, 0, 300*Millisecond), func() { c.askAll(first) })
		c.after(between(r, 0, 600*Millisecond), func() {
			c.dies(lost)
			c.cancel(first, lost, another, 0)
		})
	})
}

// cancelTries is how often an operator looks whether a change is made after all of which the
// newcomer is lost.
const cancelTries = 10

// cancel goes on to cancel a change whose newcomer is lost, as an operator does, who looks at the
// members again and again.
func (c *Cluster) cancel(first *paxos.Member, lost, another paxos.NodeID, tries int) {
	h := c.Check.Members()
	replaces := first.Order == paxos.MemberReplace
	switch {
	case h.WasReplaced(lost):
		c.adding--
		c.Events["change cancelled"]++
		return
	case c.forgetful() != "": // an operator sees that one does not vote, and waits
	case isMember(h.Now.Acceptors, lost) && tries%4 == 3: // a leader may have heard that it has arrived
		c.askAll(&paxos.Member{Order: paxos.MemberRemove, ID: lost, Force: true})
	case isMember(h.Now.Acceptors, lost):
		c.askAll(&paxos.Member{Order: paxos.MemberCancel, ID: lost, With: another, Force: true})
	case tries < cancelTries:
	case replaces && isMember(h.Now.Acceptors, first.ID): // it was never made
		if another == "" {
			another = c.joins(c.nodes[lost].lag)
		}
		c.askAll(&paxos.Member{Order: paxos.MemberReplace, ID: first.ID, With: another, Force: true})
	default:
		c.adding--
		return
	}
	c.after(300*Millisecond, func() { c.cancel(first, lost, another, tries+1) })
}
