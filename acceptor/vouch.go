package acceptor

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// vouching is the check that nobody knows this acceptor by another incarnation:
// a directory that was wiped and initialised anew has forgotten its promises, so
// it must never vote. A new directory votes once a Phase 1 quorum less itself,
// and at least one acceptor, has vouched for it and remembers it. All peers are asked, also afterwards, so
// that as many as can remember. It is as good as the peers that remember.
type vouching struct {
	answered map[paxos.NodeID]bool
	acceptor paxos.Set // acceptors that vouched
	askedAt  paxos.Ticks
	asked    bool
}

func (a *Acceptor) tickVouch() {
	v := &a.vouch
	if !a.admitted && len(a.cfg.Membership.Acceptors) == 1 {
		a.admit() // there is nobody to ask
	}
	if len(v.answered) == len(a.cfg.Sources) || (v.asked && a.now-v.askedAt < a.cfg.RetryTicks) {
		return
	}
	v.asked, v.askedAt = true, a.now
	for _, id := range a.cfg.Sources {
		if a.up[id] && !v.answered[id] {
			a.Now(id, &paxos.Vouch{Incarnation: a.cfg.Incarnation})
		}
	}
}

func (a *Acceptor) onVouched(from paxos.NodeID, m *paxos.Vouched) {
	if m.Asked != a.cfg.Incarnation {
		return
	}
	if m.Known != a.cfg.Incarnation {
		a.Out.Halt = fmt.Sprintf("%s remembers %s by incarnation %016x, but this data directory is %016x: it was initialised anew, and %s may have voted before. "+
			"Restore the old directory; a new one cannot take its place", from, a.cfg.ID, m.Known, a.cfg.Incarnation, a.cfg.ID)
		return
	}
	v := &a.vouch
	v.answered[from] = true
	if place := a.cfg.Membership.Place(from); place >= 0 {
		v.acceptor = v.acceptor.With(place)
	}
	if !a.admitted && v.acceptor.Len() >= max(1, a.cfg.Membership.Phase1-1) {
		a.admit()
	}
}

func (a *Acceptor) admit() {
	a.admitted = true
	a.Write(paxos.SetAdmitted{})
	a.Out.Sync = true
	a.Info("admitted: peers vouched for this acceptor, it votes from now on")
}
