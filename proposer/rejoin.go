package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// onRejoin answers an acceptor that has forgotten votes. It may vote again under a
// ballot that begins with a campaign among the others, in which each of them notes
// that its earlier promises are void. Such a campaign interrupts the log for a
// moment, so it begins only when enough others answer, and not too often.
// The ballot must have begun after the process that asks: what was forgotten is
// of earlier processes, and so were the votes that Phase 1 has to find elsewhere.
func (l *leading) onRejoin(p *Proposer, place int, m *paxos.Rejoin) {
	who := rejoiner{p.members.Acceptors[place], m.Process}
	if l.rejoin == who && !l.ballot.Less(m.Void) {
		p.Send(who.id, l.grant(p))
		return
	}
	// A campaign that fails would void the promises of a directory that may yet be put
	// right, so those it needs must be known to vote.
	members, others := p.members.Newest(), p.not(l.doubtful).Without(place)
	if p.order != nil || !l.isComplete(p) { // first the acceptors are what they are to be
		return
	}
	if p.stopping || p.now-l.since < p.cfg.ElectionMax || !members.IsPhase1(others) || !members.IsRejoin(others) {
		return
	}
	if !p.renewal.Due(p.now) {
		return
	}
	p.renewal.Set(p.now + p.cfg.StallTicks)
	if m.Void.Round > p.reach() {
		p.disbelieve(place, "its promises were voided by a round further ahead than elections can bring it", "round", m.Void.Round)
		return
	}
	p.round = max(p.round, m.Void.Round)
	l.refuseQueue(p, paxos.RefuseNoLeader, "the leader renews its ballot")
	p.campaign(fmt.Sprintf("%s has forgotten votes and is to rejoin", who.id), who)
}

// grant tells an acceptor that it may vote again.
func (l *leading) grant(p *Proposer) *paxos.Rejoined {
	return &paxos.Rejoined{Process: l.rejoin.process, Ballot: l.ballot, UpTo: l.upTo, Marks: slices.Clone(p.marks), Of: p.of()}
}
