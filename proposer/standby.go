package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// standby asks the acceptors whom they hear, passes appends on to the leader, and
// campaigns only when a Phase 1 quorum reports silence: nobody else's word
// counts, so it campaigns exactly when it could win.
type standby struct {
	timeout paxos.Ticks // silence that a Phase 1 quorum must report
	backoff paxos.Timer // when it may campaign
	query   paxos.Timer // when the acceptors are asked again
	answers paxos.ByPlace[answer]
	named   named
}

// named is which acceptors say that the leader of a ballot has named this proposer its
// successor.
type named struct {
	ballot paxos.Ballot
	by     paxos.Set
	stale  paxos.Timer // when that says nothing any more
}

// answer is an acceptor's latest QueryReply.
type answer struct {
	stale paxos.Timer // when it says nothing any more; the zero answer never did
	paxos.QueryReply
}

// sentAt is when the query was sent that a answers.
func (a *answer) sentAt() paxos.Ticks { return paxos.Ticks(a.Nonce) }

// standBy makes p a standby that does not campaign for the next wait ticks.
func (p *Proposer) standBy(reason string, wait paxos.Ticks) {
	p.reason = reason
	s := &standby{
		timeout: p.rand.Between(p.cfg.ElectionMin, p.cfg.ElectionMax),
		answers: make([]answer, len(p.cfg.Membership.Acceptors)),
	}
	s.backoff.Set(p.now + wait)
	p.phase = s
}

func (s *standby) name() string { return "standby" }

func (s *standby) tick(p *Proposer) {
	if s.query.Due(p.now) {
		s.query.Set(p.now + p.cfg.HeartbeatTicks)
		p.broadcast(&paxos.Query{Nonce: uint64(p.now)})
	}
	if silent := s.silent(p); s.mayCampaign(p, silent) {
		p.campaign(fmt.Sprintf("%d of %d acceptors have heard no leader for %d ms", silent.Len(), len(s.answers), s.timeout), rejoiner{})
	}
}

// silent are the acceptors that have heard nobody for long enough, or let this proposer
// through.
func (s *standby) silent(p *Proposer) paxos.Set {
	silent := s.letThrough(p)
	for i := range s.answers {
		if s.fresh(p, i) && s.answers[i].Silent >= s.timeout {
			silent = silent.With(i)
		}
	}
	return silent
}

func (s *standby) mayCampaign(p *Proposer, silent paxos.Set) bool {
	return s.backoff.Due(p.now) && !p.stopping && !p.drained && p.cfg.Membership.IsPhase1(silent)
}

// nextTick: what an acceptor said of whom it hears grows old, and clients are told so.
func (s *standby) nextTick(p *Proposer) paxos.Ticks {
	if s.mayCampaign(p, s.silent(p)) {
		return p.now
	}
	at := s.query.At()
	if !s.backoff.Due(p.now) {
		at = min(at, s.backoff.At())
	}
	for i := range s.answers {
		if s.fresh(p, i) {
			at = min(at, s.answers[i].stale.At())
		}
	}
	return at
}

// fresh reports whether the i-th acceptor answered a query of the last election
// timeout.
func (s *standby) fresh(p *Proposer, i int) bool { return !s.answers[i].stale.Due(p.now) }

// why says why nobody leads: that too few acceptors answer here, else what made p a
// standby.
func (s *standby) why(p *Proposer) string {
	if p.drained {
		return fmt.Sprintf("it is drained: `paxlog undrain %s` lets it lead", p.cfg.ID)
	}
	answer := s.answering(p)
	if need := p.cfg.Membership.Need(); answer < need && p.now > s.backoff.At()+p.cfg.ElectionMin {
		return fmt.Sprintf("%d of %d acceptors answer it, and %d are needed", answer, len(s.answers), need)
	}
	return p.reason
}

// onNamed campaigns at once, without waiting for silence, when a Phase 1 quorum lets this
// proposer through. A ballot names a successor once: one that has campaigned since has seen
// a higher round.
func (s *standby) onNamed(p *Proposer, place int, m *paxos.Named) {
	if place < 0 || p.stopping || p.drained || m.Ballot.Round < p.round {
		return
	}
	p.round = m.Ballot.Round
	if n := &s.named; n.ballot != m.Ballot || n.stale.Due(p.now) {
		*n = named{ballot: m.Ballot}
		n.stale.Set(p.now + p.cfg.ElectionMin)
	}
	s.named.by = s.named.by.With(place)
	if p.cfg.Membership.IsPhase1(s.letThrough(p)) {
		p.campaign(fmt.Sprintf("%s has handed over", m.Ballot.Proposer), rejoiner{})
	}
}

// letThrough are the acceptors that let this proposer through although they hear a leader.
func (s *standby) letThrough(p *Proposer) paxos.Set {
	if s.named.stale.Due(p.now) {
		return 0
	}
	return s.named.by
}

func (s *standby) step(p *Proposer, from paxos.NodeID, m paxos.Message) {
	if m, ok := m.(*paxos.Named); ok {
		s.onNamed(p, p.place(from), m)
		return
	}
	reply, ok := m.(*paxos.QueryReply)
	if !ok {
		return
	}
	if !p.hear(p.place(from), reply.Promised.Round) {
		return // it promises nothing that anybody else can use
	}
	sent := paxos.Ticks(reply.Nonce)
	if i := p.place(from); i >= 0 && sent <= p.now && sent >= s.answers[i].sentAt() {
		s.answers[i].QueryReply = *reply
		s.answers[i].stale.Set(sent + p.cfg.ElectionMin + 1)
	}
}

// answering is how many acceptors answer.
func (s *standby) answering(p *Proposer) (n int) {
	for i := range s.answers {
		if s.fresh(p, i) {
			n++
		}
	}
	return n
}

// leader is the highest ballot that an acceptor has heard of lately, or under which a
// connected proposer says that it leads.
func (s *standby) leader(p *Proposer) paxos.Ballot {
	var b paxos.Ballot
	for i := range s.answers {
		if s.fresh(p, i) && s.answers[i].Silent < p.cfg.ElectionMax && b.Less(s.answers[i].Heard) && s.answers[i].Heard.Round <= p.reach() {
			b = s.answers[i].Heard
		}
	}
	for _, claim := range p.claims {
		if b.Less(claim) && claim.Round <= p.reach() {
			b = claim
		}
	}
	if b.Proposer == p.cfg.ID {
		return paxos.Ballot{} // an earlier ballot of this proposer: nobody leads
	}
	return b
}

// onAppend passes an append on to the leader. One that was passed on already is
// refused, so that it cannot travel in circles.
func (s *standby) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	leader := s.leader(p).Proposer
	switch {
	case leader == "":
		p.refuse(from, m, paxos.RefuseNoLeader, "no leader: "+s.why(p))
	case m.Client != "" || !p.up[leader]:
		p.refuse(from, m, paxos.RefuseNoLeader, fmt.Sprintf("%s does not lead, and cannot pass appends on to %s", p.cfg.ID, leader))
	default:
		passed := *m
		passed.Client = from
		p.passedTo = leader
		p.Send(leader, &passed)
	}
}
