package proposer

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// rounds are the highest that each acceptor has shown. One acceptor's word is not enough to
// carry a ballot far: a proposer that believed 2^61 would be refused everywhere, or would
// take everybody there.
type rounds struct {
	shown paxos.ByPlace[uint64]
	heard paxos.Set
}

// hear takes the round that an acceptor shows, and reports whether it can be.
func (p *Proposer) hear(place int, round uint64) bool {
	if place < 0 {
		return false
	}
	r := &p.rounds
	r.shown[place], r.heard = max(r.shown[place], round), r.heard.With(place)
	if round > p.reach() {
		p.disbelieve(place, "its round is further ahead than elections can bring it", "round", round)
		return false
	}
	if p.members.Newest().IsPhase1(r.heard) {
		p.round = p.highest()
	}
	return true
}

// reach is the highest round that is believed: MaxJump above what a quorum has shown, and
// any round as long as none has.
func (p *Proposer) reach() uint64 {
	group, r := p.members.Newest(), &p.rounds
	if !group.IsPhase1(r.heard) {
		return paxos.Bound
	}
	var shown []uint64
	for i, round := range r.shown {
		if r.heard.Has(i) {
			shown = append(shown, round)
		}
	}
	slices.Sort(shown)
	return max(p.round, shown[len(shown)-group.Phase1]) + paxos.MaxJump
}

// highest is the highest round that is believed to be promised.
func (p *Proposer) highest() uint64 {
	h, reach := p.round, p.reach()
	for _, round := range p.rounds.shown {
		if round <= reach {
			h = max(h, round)
		}
	}
	return h
}

// disbelieve notes that what an acceptor said is not believed. It stops nobody.
func (p *Proposer) disbelieve(place int, why string, kv ...any) {
	p.refused++
	if p.refusal.Due(p.now) {
		p.refusal.Set(p.now + warnTicks)
		p.Warn("refused what a peer claims: "+why, append([]any{"peer", string(p.members.Acceptors[place]), "refused_so_far", p.refused}, kv...)...)
	}
}

// judge drops the promises of acceptors that claim to hold instances far above what a quorum
// holds. A leader begins above the highest that its quorum holds, so one such claim would
// leave a gap in the log that nobody could ever fill.
func (q *quorumRead) judge(p *Proposer) {
	m := p.members.Newest()
	var held []paxos.Instance // of those that are not new
	for i := range q.promises {
		if h := q.promises[i].held; q.done.Has(i) && h > 0 {
			held = append(held, h)
		}
	}
	need := min(m.Phase1, m.Phase2)
	if len(held) < need {
		return
	}
	slices.Sort(held)
	base := held[len(held)-need]
	for i := range q.promises {
		if c := &q.promises[i]; q.done.Has(i) && c.held > base+paxos.MaxJump {
			p.disbelieve(i, "it holds instances far ahead of what a quorum of acceptors holds", "held", uint64(c.held), "quorum", uint64(base))
			q.begin(p, i, p.rand.Uint64()%paxos.Bound)
		}
	}
}

// fits reports whether a page can be what was asked for: votes in order, within the range
// asked for, and no more than an acceptor keeps.
func (q *quorumRead) fits(c *promise, m *paxos.Promise) bool {
	next := c.from
	for i := range m.Votes {
		v := &m.Votes[i]
		if v.Instance < next || q.to != 0 && v.Instance > q.to || v.Instance > max(q.highestHeld(), m.Held)+paxos.MaxJump {
			return false
		}
		next = v.Instance + 1
	}
	return len(c.votes)+len(m.Votes) <= maxReported
}

// highestHeld is the highest that any acceptor has shown that it holds.
func (q *quorumRead) highestHeld() (h paxos.Instance) {
	for i := range q.promises {
		h = max(h, q.promises[i].held)
	}
	return h
}
