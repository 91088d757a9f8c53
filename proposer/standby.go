package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// standby asks the acceptors whom they hear, forwards appends to the leader, and
// campaigns only when a Phase 1 quorum reports silence: nobody else's word
// counts, so it campaigns exactly when it could win.
type standby struct {
	timeout   paxos.Ticks // silence that a Phase 1 quorum must report
	notBefore paxos.Ticks // backing off until then
	queriedAt paxos.Ticks
	queried   bool
	answers   paxos.ByPlace[answer]
}

// answer is an acceptor's latest QueryReply, and when its query was sent.
type answer struct {
	ok     bool
	sentAt paxos.Ticks
	paxos.QueryReply
}

// standBy makes p a standby that does not campaign for the next wait ticks.
func (p *Proposer) standBy(reason string, wait paxos.Ticks) {
	p.reason = reason
	p.phase = &standby{
		timeout:   p.rand.Between(p.cfg.ElectionMin, p.cfg.ElectionMax),
		notBefore: p.now + wait,
		answers:   make([]answer, len(p.cfg.Membership.Acceptors)),
	}
}

func (s *standby) name() string { return "standby" }

func (s *standby) tick(p *Proposer) {
	if !s.queried || p.now-s.queriedAt >= p.cfg.HeartbeatTicks {
		s.queried, s.queriedAt = true, p.now
		p.broadcast(&paxos.Query{Nonce: uint64(p.now)})
	}
	if p.now < s.notBefore || p.stopping {
		return
	}
	var silent paxos.Set
	for i := range s.answers {
		if s.fresh(p, i) && s.answers[i].Silent >= s.timeout {
			silent = silent.With(i)
		}
	}
	if p.cfg.Membership.IsPhase1(silent) {
		p.campaign(fmt.Sprintf("%d of %d acceptors have heard no leader for %d ms", silent.Len(), len(s.answers), s.timeout), rejoiner{})
	}
}

// fresh reports whether the i-th acceptor answered a query of the last election
// timeout.
func (s *standby) fresh(p *Proposer, i int) bool {
	return s.answers[i].ok && p.now-s.answers[i].sentAt <= p.cfg.ElectionMin
}

// why says why nobody leads: that too few acceptors answer here, else what made p a
// standby.
func (s *standby) why(p *Proposer) string {
	answer := 0
	for i := range s.answers {
		if s.fresh(p, i) {
			answer++
		}
	}
	m := p.cfg.Membership
	if need := max(m.Phase1, m.Phase2); answer < need && p.now > s.notBefore+p.cfg.ElectionMin {
		return fmt.Sprintf("%d of %d acceptors answer it, and %d are needed", answer, len(s.answers), need)
	}
	return p.reason
}

func (s *standby) step(p *Proposer, from paxos.NodeID, m paxos.Message) {
	reply, ok := m.(*paxos.QueryReply)
	if !ok {
		return
	}
	p.round = max(p.round, reply.Promised.Round)
	sent := paxos.Ticks(reply.Nonce)
	if i := p.place(from); i >= 0 && sent <= p.now && sent >= s.answers[i].sentAt {
		s.answers[i] = answer{ok: true, sentAt: sent, QueryReply: *reply}
	}
}

// leader is the highest ballot that an acceptor has heard of lately.
func (s *standby) leader(p *Proposer) paxos.Ballot {
	var b paxos.Ballot
	for i := range s.answers {
		if s.fresh(p, i) && s.answers[i].Silent < p.cfg.ElectionMax && b.Less(s.answers[i].Heard) {
			b = s.answers[i].Heard
		}
	}
	if b.Proposer == p.cfg.ID {
		return paxos.Ballot{} // an earlier ballot of this proposer: nobody leads
	}
	return b
}

// onAppend forwards to the leader. An append that was forwarded already is
// refused, so that it cannot travel in circles.
func (s *standby) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	leader := s.leader(p).Proposer
	switch {
	case leader == "":
		p.refuse(from, m, paxos.RefuseNoLeader, "no leader: "+s.why(p))
	case m.Origin != "" || !p.up[leader]:
		p.refuse(from, m, paxos.RefuseNoLeader, fmt.Sprintf("%s does not lead, and cannot pass appends on to %s", p.cfg.ID, leader))
	default:
		forwarded := *m
		forwarded.Origin = from
		p.Now(leader, &forwarded)
	}
}
