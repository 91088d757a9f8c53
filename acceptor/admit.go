package acceptor

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// admission is the check, at each start, that nobody knows this acceptor otherwise
// than its directory shows it. One that was wiped and initialised anew must never
// vote; one that has lost commits which it spoke of has forgotten promises or votes,
// and must rejoin (rejoin.go).
//
// Everybody is asked. It votes once at least one other acceptor, and the smaller
// quorum less itself, has vouched for it, and everybody else has either answered or
// had time to. It is as good as the peers that remember.
type admission struct {
	admitted bool
	start    paxos.Mark // that of the directory when this run, or this life, began
	since    paxos.Ticks
	answered map[paxos.NodeID]bool
	acceptor paxos.Set // acceptors that vouched
	askedAt  paxos.Ticks
	asked    bool
	rejoin   *rejoining // not nil: it has forgotten something
}

func newAdmission(start paxos.Mark) admission {
	return admission{start: start, answered: map[paxos.NodeID]bool{}}
}

// witnesses are all who may remember this acceptor.
func (a *Acceptor) witnesses(f func(paxos.NodeID)) {
	for _, id := range a.cfg.Sources {
		f(id)
	}
	for _, id := range a.cfg.Proposers {
		f(id)
	}
}

func (a *Acceptor) tickAdmission() {
	v := &a.admission
	v.tryRejoin(a)
	v.tryAdmit(a)
	if len(v.answered) == len(a.cfg.Sources)+len(a.cfg.Proposers) || (v.asked && a.now-v.askedAt < a.cfg.RetryTicks) {
		return
	}
	v.asked, v.askedAt = true, a.now
	a.witnesses(func(id paxos.NodeID) {
		if a.up[id] && !v.answered[id] {
			a.After(id, &paxos.Vouch{Incarnation: a.cfg.Incarnation, Mark: v.start})
		}
	})
}

func (a *Acceptor) onVouched(from paxos.NodeID, m *paxos.Vouched) {
	v := &a.admission
	if m.Asked != v.start {
		return // the answer to an earlier run, or life
	}
	if m.Known != 0 && m.Known != a.cfg.Incarnation {
		a.Out.Halt = fmt.Sprintf("%s remembers %s by incarnation %016x, but this data directory is %016x: it was initialised anew, and %s may have voted before. "+
			"Restore the old directory; a new one cannot take its place", from, a.cfg.ID, m.Known, a.cfg.Incarnation, a.cfg.ID)
		return
	}
	v.answered[from] = true
	if a.contradicts(m.Mark) {
		a.forget(string(from)+" remembers", m.Mark)
		return
	}
	if place := a.cfg.Membership.Place(from); place >= 0 {
		v.acceptor = v.acceptor.With(place)
	}
	v.tryAdmit(a)
}

// contradicts reports whether a mark of an earlier run, or life, shows that this
// directory has lost what it held then.
func (a *Acceptor) contradicts(m paxos.Mark) bool {
	return m.Run != a.cfg.Seed && a.admission.start.Forgets(m) || a.mark.Life.Less(m.Life)
}

func (v *admission) tryAdmit(a *Acceptor) {
	m := a.cfg.Membership
	need := max(1, min(m.Phase1, m.Phase2)-1)
	if len(m.Acceptors) == 1 {
		need = 0 // there is no other acceptor to ask
	}
	if v.admitted || v.rejoin != nil || v.acceptor.Len() < need || !v.heardAll(a) {
		return
	}
	v.admitted = true
	a.Info("admitted: peers vouched for this acceptor, it votes from now on")
}

// heardAll reports whether everybody has answered, or had time to: those that do not
// connect an election timeout, those that are connected and silent ten.
func (v *admission) heardAll(a *Acceptor) bool {
	missing, silent := false, false
	a.witnesses(func(id paxos.NodeID) {
		if !v.answered[id] {
			missing, silent = true, silent || a.up[id]
		}
	})
	waited := a.now - v.since
	return !missing || !silent && waited >= a.cfg.ElectionTicks || waited >= 10*a.cfg.ElectionTicks
}

// marks are this acceptor's mark and what it remembers of the others', by place.
func (a *Acceptor) marks() []paxos.Mark {
	marks := make([]paxos.Mark, len(a.cfg.Membership.Acceptors))
	for i, id := range a.cfg.Membership.Acceptors {
		if marks[i] = a.peers[id].Mark; id == a.cfg.ID {
			marks[i] = a.mark
		}
	}
	return marks
}

// takeMarks learns from a leader how far it knows the acceptors to be.
func (a *Acceptor) takeMarks(marks []paxos.Mark) {
	if len(marks) != len(a.cfg.Membership.Acceptors) {
		return
	}
	for i, id := range a.cfg.Membership.Acceptors {
		switch {
		case id != a.cfg.ID:
			a.remember(id, marks[i])
		case a.contradicts(marks[i]):
			a.forget("the leader has seen", marks[i])
		}
	}
}

func (a *Acceptor) remember(id paxos.NodeID, m paxos.Mark) {
	if a.peers.Take(id, m) {
		a.Write(paxos.SetPeer{ID: id, Peer: a.peers[id]})
	}
}
