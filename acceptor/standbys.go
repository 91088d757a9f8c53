package acceptor

import (
	"cmp"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// standby is a proposer that is told whom this acceptor hears, without asking.
type standby struct {
	id    paxos.NodeID
	until paxos.Ticks
	nonce uint64 // of its latest question
	stream
	heard heard // told last
}

// heard is what a standby is told of a change of: whom this acceptor heard last, whether
// that one has resigned, and for how many whole election timeouts it has been silent. So a
// silence that lasts is told again at the end of each.
type heard struct {
	ballot   paxos.Ballot
	resigned bool
	missed   paxos.Ticks
	granted  paxos.Instance // at which the rights changed last
}

// told is what standbys are told now.
func (a *Acceptor) told() heard {
	h := &a.hearing
	out := heard{ballot: h.ballot, resigned: h.resigned, granted: a.control.state.GrantedAt}
	if election := a.cfg.ElectionTicks; election > 0 {
		out.missed = (a.now - h.at) / election
	}
	return out
}

func (a *Acceptor) onQuery(from paxos.NodeID, m *paxos.Query) {
	if !a.admission.admitted {
		return
	}
	if slices.ContainsFunc(a.standbys, func(s standby) bool { return s.id == from && s.ended }) {
		a.tellConfiguration(from) // it may be that which was lost, and it is told once
	}
	a.standbys = slices.DeleteFunc(a.standbys, func(s standby) bool { return s.id == from })
	if m.Stay {
		s := standby{
			id: from, until: a.now + a.cfg.IdleTicks, nonce: m.Nonce,
			stream: stream{stays: true, told: a.now}, heard: a.told(),
		}
		i, _ := slices.BinarySearchFunc(a.standbys, from, func(s standby, id paxos.NodeID) int { return cmp.Compare(s.id, id) })
		a.standbys = slices.Insert(a.standbys, i, s)
	}
	a.tellHeard(from, paxos.QueryReply{Nonce: m.Nonce, Stays: m.Stay})
}

// tellHeard completes m, and sends it. It waits for what was written so far, since it shows
// promised. And an acceptor whose disk hangs should not invite candidates to a promise that
// it cannot make.
func (a *Acceptor) tellHeard(to paxos.NodeID, m paxos.QueryReply) {
	m.GrantedAt = a.control.state.GrantedAt
	m.Promised, m.Heard, m.Silent = a.promised, a.hearing.ballot, a.hearing.silent(a.now)
	a.After(to, &m)
}

// tellStandbys tells each what has changed since it was told, at once.
func (a *Acceptor) tellStandbys() {
	if !a.admission.admitted {
		return
	}
	heard := a.told()
	for i := range a.standbys {
		if s := &a.standbys[i]; s.heard != heard || s.ended && a.now >= s.told+a.cfg.HeartbeatTicks {
			s.heard, s.told = heard, a.now
			a.tellHeard(s.id, paxos.QueryReply{Nonce: s.nonce, Ended: s.ended})
		}
	}
}

// nextStandby is when tellStandbys has something to do, beside what hearing looks for.
func (a *Acceptor) nextStandby() paxos.Ticks {
	at := paxos.Never
	for i := range a.standbys {
		s := &a.standbys[i]
		if at = min(at, s.until); s.ended && a.admission.admitted {
			at = min(at, s.told+a.cfg.HeartbeatTicks)
		}
	}
	return at
}
