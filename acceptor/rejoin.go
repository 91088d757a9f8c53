package acceptor

import "github.com/paxlog/paxlog/paxos"

// rejoining is the way back of an acceptor that has forgotten commits. Until it is
// over it neither promises nor votes, answers no poll and keeps no leader in office;
// what it holds it serves, for that is knowledge. The argument is in package paxos,
// "Rejoining".
type rejoining struct {
	void    paxos.Ballot    // the highest that is known to have voided its promises
	ask     paxos.Timer     // when a leader may be asked again
	granted *paxos.Rejoined // by the leader of the highest ballot that did; not below void
	stale   paxos.Timer     // when a later leader may be asked what there is to hold
}

// forget notes that this directory has lost what it showed in mark m, says who knows
// it, and stops voting.
func (a *Acceptor) forget(who string, m paxos.Mark) {
	began := a.admission.rejoin == nil
	a.stopVoting(m.Life)
	if began {
		a.tellForgotten(who, m)
	}
}

// tellForgotten logs what this directory has lost.
func (a *Acceptor) tellForgotten(who string, m paxos.Mark) {
	start := a.admission.start
	switch {
	case !a.members.Newest().CanRejoin():
		a.tellWhy("evidence", who, "remembered", m.Commits, "here", start.Commits)
	case start.Life.Less(m.Life):
		a.Warn("this data directory has forgotten that it was to rejoin, or did: it is an older one, or the acceptor ended before it was done; it does not vote until it has rejoined",
			"evidence", who, "ballot", m.Life.String())
	default:
		a.Warn("this data directory has forgotten commits: its newest files were damaged or missing, or an old copy was put back; it does not vote until it has rejoined",
			"evidence", who, "remembered", m.Commits, "here", start.Commits)
	}
}

// stopVoting begins a rejoin, if none has begun. void is a ballot that voided this
// acceptor's promises, or zero.
func (a *Acceptor) stopVoting(void paxos.Ballot) {
	v := &a.admission
	if v.rejoin == nil {
		v.admitted, v.rejoin = false, &rejoining{}
		v.tell.Set(a.now + warnTicks) // it is told now
		a.acks = nil                  // votes of this flush are not told any more
		a.Out.Sync = true             // a later process must know it, too
	}
	if r := v.rejoin; r.void.Less(void) {
		r.void = void
		if r.granted != nil && r.granted.Ballot.Less(void) {
			r.granted = nil
		}
	}
}

// forgot is what a later process with this directory has to know: that it must rejoin. Where
// rejoining is not possible, one peer's word would keep the directory from voting for
// good, so it is not written: whoever remembers the loss will say it again.
func (a *Acceptor) forgot() bool {
	return a.admission.rejoin != nil && a.members.Newest().CanRejoin()
}

// askToRejoin asks the leader that was just heard.
func (a *Acceptor) askToRejoin(leader paxos.NodeID, b paxos.Ballot) {
	r := a.admission.rejoin
	if r == nil || !r.ask.Due(a.now) {
		return
	}
	// What the grant waits for may never be chosen, if its leader is gone: a later one
	// can say anew what there is to hold.
	if r.granted != nil && (!r.granted.Ballot.Less(b) || !r.stale.Due(a.now)) {
		return
	}
	r.ask.Set(a.now + a.cfg.RetryTicks)
	a.Send(leader, &paxos.Rejoin{Process: a.cfg.Seed, Void: r.void})
}

// voidLife notes, durably, that an acceptor's earlier promises are void from a
// candidate's ballot on, and reports whether that acceptor is this one. It may be
// although it has forgotten nothing, if its request of long ago turns up late: then
// it has to rejoin, too.
func (a *Acceptor) voidLife(m *paxos.Prepare) (own bool) {
	switch {
	case m.Rejoin == "" || a.members.Place(m.Rejoin) < 0:
	case m.Rejoin == a.cfg.ID:
		if own = a.mark.Life.Less(m.Ballot); own {
			if a.admission.rejoin == nil {
				a.Warn("a leader has voided the promises of this acceptor, which asked for it before: it does not vote until it has rejoined", "ballot", m.Ballot.String())
			}
			a.stopVoting(m.Ballot)
		}
	case a.peers.Take(m.Rejoin, paxos.Mark{Life: m.Ballot}):
		a.Write(paxos.SetPeer{ID: m.Rejoin, Peer: a.peers[m.Rejoin]})
		a.Out.Sync = true
	}
	return own
}

// onRejoined takes a leader's grant. One for an earlier process says nothing of what
// this one began without.
func (a *Acceptor) onRejoined(from paxos.NodeID, m *paxos.Rejoined) {
	r := a.admission.rejoin
	switch {
	case !a.owns(from, m.Ballot, 0), !a.near(from, m.UpTo):
		return
	case r == nil, m.Process != a.cfg.Seed, m.Ballot.Less(r.void), !a.mark.Life.Less(m.Ballot):
		return
	case r.granted != nil && !r.granted.Ballot.Less(m.Ballot):
		return
	}
	r.granted = m
	r.stale.Set(a.now + patience*a.cfg.RetryTicks)
	a.known = max(a.known, m.UpTo) // to be copied
	a.admission.tryRejoin(a)
}

func (v *admission) mayRejoin(a *Acceptor) bool {
	r := v.rejoin
	return r != nil && r.granted != nil && a.held >= r.granted.UpTo
}

// tryRejoin begins a new life once everything is held that votes forgotten may have
// helped to choose.
func (v *admission) tryRejoin(a *Acceptor) {
	if !v.mayRejoin(a) {
		return
	}
	g := v.rejoin.granted
	a.promise(g.Ballot)
	a.mark.Life = g.Ballot
	of := g.Of
	if len(of) == 0 {
		of = a.cfg.Membership.Acceptors
	}
	for i, id := range of {
		if id != a.cfg.ID && i < len(g.Marks) {
			a.remember(g.Ballot.Proposer, id, g.Marks[i])
		}
	}
	a.Out.Sync = true // promise need not have
	since, denied := v.since, v.denied
	*v = newAdmission(a.mark)
	// Whoever remembers another incarnation has yet to vouch.
	v.since, v.denied, v.admitted = since, denied, len(denied) == 0
	a.Info("rejoined: it votes again", "ballot", g.Ballot.String(), "held", uint64(a.held))
}
