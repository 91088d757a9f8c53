package acceptor

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// rejoining is the way back of an acceptor that has forgotten commits. Until it is
// over it neither promises nor votes, answers no poll and keeps no leader in office;
// what it holds it serves, for that is knowledge. The argument is in package paxos,
// "Rejoining".
type rejoining struct {
	commits uint64       // the most that anybody remembers
	life    paxos.Ballot // the highest that anybody knows: an earlier rejoin, perhaps not finished
	asked   bool
	askedAt paxos.Ticks
	granted *paxos.Rejoined // by the leader of the highest ballot that did
}

// forget notes that this directory has lost what it showed in mark m, says who knows
// it, and stops voting.
func (a *Acceptor) forget(who string, m paxos.Mark) {
	v := &a.admission
	if !a.cfg.Membership.CanRejoin() {
		a.Out.Halt = fmt.Sprintf("%s %d commits of %s, and this data directory has %d: it has forgotten promises or votes that it told (its newest files are damaged or missing, or an old copy was put back). "+
			"With quorums of phase1=%d and phase2=%d among %d acceptors the others cannot make up for it: restore the newest state of the directory",
			who, m.Commits, a.cfg.ID, v.start.Commits, a.cfg.Membership.Phase1, a.cfg.Membership.Phase2, len(a.cfg.Membership.Acceptors))
		return
	}
	if v.rejoin == nil {
		v.admitted, v.rejoin = false, &rejoining{}
		what := "this data directory has forgotten commits: its newest files were damaged or missing, or an old copy was put back; it does not vote until it has rejoined"
		if v.start.Commits >= m.Commits {
			what = "this acceptor was about to rejoin, so that its promises are void; it does not vote until it has rejoined"
		}
		a.Warn(what, "evidence", who, "remembered", m.Commits, "here", v.start.Commits)
	}
	v.rejoin.commits = max(v.rejoin.commits, m.Commits)
	if v.rejoin.life.Less(m.Life) {
		v.rejoin.life = m.Life
	}
}

// askToRejoin asks the leader that was just heard.
func (a *Acceptor) askToRejoin(leader paxos.NodeID) {
	r := a.admission.rejoin
	if r == nil || r.granted != nil || (r.asked && a.now-r.askedAt < a.cfg.RetryTicks) {
		return
	}
	r.asked, r.askedAt = true, a.now
	a.Now(leader, &paxos.Rejoin{})
}

// voidLives notes, durably, whose earlier promises are void from a candidate's ballot
// on, and reports whether this acceptor is among them. It may be although it has
// forgotten nothing, if its request of long ago turns up late: then it rejoins, too.
func (a *Acceptor) voidLives(m *paxos.Prepare) (own bool) {
	for i, id := range a.cfg.Membership.Acceptors {
		switch {
		case !m.Rejoin.Has(i):
		case id == a.cfg.ID:
			if own = a.mark.Life.Less(m.Ballot); own {
				a.forget(m.Ballot.String()+" voids", paxos.Mark{Life: m.Ballot})
			}
		case a.peers.Take(id, paxos.Mark{Life: m.Ballot}):
			a.Write(paxos.SetPeer{ID: id, Peer: a.peers[id]})
			a.Out.Sync = true
		}
	}
	return own
}

// onRejoined takes a leader's grant.
func (a *Acceptor) onRejoined(m *paxos.Rejoined) {
	r := a.admission.rejoin
	if r == nil || m.Ballot.Less(r.life) || !a.mark.Life.Less(m.Ballot) || (r.granted != nil && !r.granted.Ballot.Less(m.Ballot)) {
		return
	}
	r.granted = m
	a.known = max(a.known, m.UpTo) // to be copied
	a.admission.tryRejoin(a)
}

// tryRejoin begins a new life once everything is held that votes forgotten may have
// helped to choose.
func (v *admission) tryRejoin(a *Acceptor) {
	r := v.rejoin
	if r == nil || r.granted == nil || a.held < r.granted.UpTo || r.granted.Ballot.Less(r.life) {
		return
	}
	g := r.granted
	a.promise(g.Ballot)
	a.mark.Life = g.Ballot
	a.mark.Commits = max(a.mark.Commits, r.commits)
	for i, id := range a.cfg.Membership.Acceptors {
		if id != a.cfg.ID && i < len(g.Marks) {
			a.remember(id, g.Marks[i])
		}
	}
	a.Out.Sync = true // promise need not have
	since := v.since
	*v = newAdmission(a.mark)
	v.admitted, v.since = true, since
	a.Info("rejoined: it votes again", "ballot", g.Ballot.String(), "held", uint64(a.held))
}
