package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// standby hears from the acceptors whom they hear, passes appends on to the leader, and
// campaigns only when a Phase 1 quorum reports silence: nobody else's word
// counts, so it campaigns exactly when it could win. See the package doc, "Who campaigns".
type standby struct {
	timeout paxos.Ticks // silence that a Phase 1 quorum must report
	backoff paxos.Timer // when it may campaign
	confirm paxos.Timer // when silence that was told is confirmed again
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

// standBy makes p a standby that does not campaign for the next wait ticks.
func (p *Proposer) standBy(reason string, wait paxos.Ticks) {
	p.adopt(p.electorate(nil))
	p.reason = reason
	s := &standby{
		timeout: p.rand.Between(p.cfg.ElectionMin, p.cfg.ElectionMax),
		answers: make([]answer, len(p.members.Acceptors)),
	}
	if !p.isEnrolled() {
		s.timeout *= paxos.StrangerShare
	}
	s.backoff.Set(p.now + wait)
	p.tried.until.Set(p.now + triedTimeouts*p.cfg.ElectionMax)
	p.phase = s
}

func (s *standby) name() string { return "standby" }

func (s *standby) tick(p *Proposer) {
	if s.tickTried(p) {
		return
	}
	for i := range s.answers {
		if p.now >= s.askAt(p, i) {
			s.ask(p, i)
		}
	}
	if s.mayCampaign(p, s.hinted(p)) && s.confirm.Due(p.now) {
		s.confirm.Set(p.now + max(1, p.cfg.HeartbeatTicks/confirmShare))
		for i := range s.answers {
			s.ask(p, i)
		}
	}
	if silent := s.silent(p); s.mayCampaign(p, silent) {
		p.campaign(fmt.Sprintf("%d of %d acceptors have heard no leader for %d ms", silent.Len(), len(s.answers), s.timeout), rejoiner{})
	}
}

// silent are the acceptors that have heard nobody for long enough, as they said when they
// were asked just now, or that let this proposer through.
func (s *standby) silent(p *Proposer) paxos.Set {
	silent := s.letThrough(p)
	for i := range s.answers {
		if s.answers[i].confirms(p) && s.answers[i].Silent >= s.timeout {
			silent = silent.With(i)
		}
	}
	return silent
}

func (s *standby) mayCampaign(p *Proposer, silent paxos.Set) bool {
	return s.backoff.Due(p.now) && !p.stopping && !p.drained && s.couldWin(p, silent)
}

// couldWin reports whether enough acceptors are silent for this proposer to win.
func (s *standby) couldWin(p *Proposer, silent paxos.Set) bool {
	return p.members.Newest().IsPhase1(silent) || s.mayLeadBelow(p, silent)
}

// mayLeadBelow reports whether a quorum of the configuration before is silent, for so long that
// nobody seems to win one of the newest: an acceptor may be added that has not arrived, and
// cannot arrive as long as nobody leads.
func (s *standby) mayLeadBelow(p *Proposer, silent paxos.Set) bool {
	for i := range s.answers {
		if s.answers[i].Silent < belowTimeouts*p.cfg.ElectionMax {
			silent = silent.Without(i)
		}
	}
	return !p.members.After.IsZero() && p.members.Before.IsPhase1(silent)
}

// nextTick: what an acceptor said of whom it hears grows old, and clients are told so; and those that
// let this proposer through do so for a while.
func (s *standby) nextTick(p *Proposer) paxos.Ticks {
	if s.mayCampaign(p, s.silent(p)) {
		return p.now
	}
	at := paxos.Never
	switch {
	case !s.backoff.Due(p.now):
		at = s.backoff.At()
	case s.mayCampaign(p, s.hinted(p)):
		at = s.confirm.At()
	}
	for i := range s.answers {
		at = min(at, s.askAt(p, i), s.answers[i].nextChange(p))
	}
	if s.letThrough(p) != 0 {
		at = min(at, s.named.stale.At())
	}
	if p.tries() && !p.members.Newest().IsPhase1(s.known(p)) {
		at = min(at, p.tried.until.At())
	}
	return at
}

// why says why nobody leads: that too few acceptors answer here, else what made p a
// standby.
func (s *standby) why(p *Proposer) string {
	if p.drained {
		return fmt.Sprintf("it is drained: `paxlog undrain %s` lets it lead", p.cfg.ID)
	}
	if !p.isEnrolled() {
		return p.notEnrolled()
	}
	answer := s.answering(p)
	if need := p.members.Newest().Need(); answer < need && p.now > s.backoff.At()+p.cfg.ElectionMin {
		return fmt.Sprintf("%d of %d acceptors answer %s, and %d are needed", answer, len(s.answers), p.cfg.ID, need)
	}
	return p.reason
}

// onNamed campaigns at once, without waiting for silence, when a Phase 1 quorum lets this
// proposer through. A ballot names a successor once: one that has campaigned since has seen
// a higher round.
func (s *standby) onNamed(p *Proposer, place int, m *paxos.Named) {
	if place < 0 || p.stopping || p.drained || !p.isEnrolled() || m.Ballot.Round < p.round {
		return
	}
	p.round = m.Ballot.Round
	if n := &s.named; n.ballot != m.Ballot || n.stale.Due(p.now) {
		*n = named{ballot: m.Ballot}
		n.stale.Set(p.now + p.cfg.ElectionMin)
	}
	s.named.by = s.named.by.With(place)
	if p.members.Newest().IsPhase1(s.letThrough(p)) {
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
	switch m := m.(type) {
	case *paxos.Named:
		s.onNamed(p, p.place(from), m)
	case *paxos.QueryReply:
		s.onReply(p, p.place(from), m)
	case *paxos.PeerUp:
		if i := p.place(m.ID); i >= 0 {
			s.answers[i] = answer{}
			s.ask(p, i)
		}
	case *paxos.PeerDown:
		if i := p.place(m.ID); i >= 0 {
			s.answers[i] = answer{}
		}
	case *paxos.Dropped:
		if i := p.place(m.ID); i >= 0 {
			s.answers[i].stays = false
		}
	}
}

// leader is the highest ballot that an acceptor has heard of lately, or under which a
// connected proposer says that it leads.
func (s *standby) leader(p *Proposer) paxos.Ballot {
	var b paxos.Ballot
	for i := range s.answers {
		if a := &s.answers[i]; a.known(p) && a.silence(p) < p.cfg.ElectionMax && b.Less(a.Heard) && a.Heard.Round <= p.reach() {
			b = a.Heard
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
		passed.Client, passed.Principal = from, p.vouched(from, m)
		p.passedTo = leader
		p.Send(leader, &passed)
	}
}
