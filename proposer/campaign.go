package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

// preparing is Phase 1 under way.
type preparing struct {
	ballot  paxos.Ballot
	why     string
	giveUp  paxos.Timer // set anew by each page that comes
	read    *quorumRead
	refused paxos.Set
	rejoin  rejoiner
}

// rejoiner is an acceptor that may vote again under a ballot, although it has
// forgotten votes of the processes before this one. The zero rejoiner is nobody.
type rejoiner struct {
	id      paxos.NodeID
	process uint64
}

// campaign starts Phase 1a: "A proposer selects a proposal number n and sends a
// prepare request with number n to a majority of acceptors" (Paxos Made Simple, 2.2).
// It may be for an acceptor to rejoin.
func (p *Proposer) campaign(why string, rejoin rejoiner) { p.campaignFor(why, rejoin, nil) }

// campaignFor is campaign, with a change of the acceptors that was voted for, or is to be
// proposed.
func (p *Proposer) campaignFor(why string, rejoin rejoiner, found *configuration.Found) {
	if l, leads := p.phase.(*leading); leads {
		l.abandon(p, fmt.Sprintf("%s renews its ballot", p.cfg.ID))
	}
	p.adopt(p.electorate(found))
	p.round++
	c := &preparing{
		ballot: paxos.Ballot{Round: p.round, Proposer: p.cfg.ID, Process: p.cfg.Process},
		why:    why,
		rejoin: rejoin,
	}
	if !p.latest.Less(c.ballot) {
		p.Violated("no ballot is used twice", "latest", p.latest, "campaign", c.ballot)
	}
	p.latest = c.ballot
	c.wait(p)
	c.read = newQuorumRead(p, c.ballot, 1, 0, rejoin.id)
	p.phase = c
	p.passedTo = "" // there is a new leader to wait for, which clients are told
	p.reason = "campaigning: " + why
}

// wait gives the acceptors time for their next page. Slow disks make slow promises, and a
// leader that lives on such disks is patient, too: each failure doubles the patience.
func (c *preparing) wait(p *Proposer) {
	c.giveUp.Set(p.now + p.cfg.ElectionMax<<min(p.failed, maxPatience) + 1)
}

func (c *preparing) name() string                  { return "preparing" }
func (c *preparing) leader(*Proposer) paxos.Ballot { return paxos.Ballot{} }
func (c *preparing) fail(p *Proposer, format string, a ...any) {
	p.failed = min(p.failed+1, maxFailed)
	// Duelling proposers back off at random, for longer each time.
	wait := p.rand.Between(0, p.cfg.ElectionMin<<p.failed/4)
	reason := fmt.Sprintf(format, a...)
	p.Info("campaign failed", "ballot", c.ballot.String(), "reason", reason)
	p.dropOrder("the campaign that it takes failed: " + reason + "; try again")
	p.standBy(reason, wait)
}

func (c *preparing) tick(p *Proposer) {
	if !c.giveUp.Due(p.now) {
		c.read.retry(p)
		return
	}
	if c.read.isQuorum(p) || c.read.isQuorumBelow(p) {
		c.rejoin = rejoiner{} // enough to lead, too few for anybody to rejoin
		p.lead(c)
		return
	}
	c.fail(p, "no promise of a Phase 1 quorum within %d ms", p.cfg.ElectionMax)
}

func (c *preparing) nextTick(*Proposer) paxos.Ticks {
	return min(c.giveUp.At(), c.read.nextRetry())
}

func (c *preparing) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	p.refuse(from, m, paxos.RefuseNoLeader, "an election is under way")
}

func (c *preparing) step(p *Proposer, from paxos.NodeID, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Promise:
		if c.read.onPromise(p, from, m) {
			c.wait(p)
			c.read.judge(p)
			if c.read.isQuorum(p) && (c.rejoin.id == "" || c.read.isRejoin(p)) {
				p.lead(c)
			}
		}
	case *paxos.Reject:
		c.onReject(p, from, m)
	case *paxos.PeerUp:
		c.read.ask(p, p.place(m.ID))
	}
}

func (c *preparing) onReject(p *Proposer, from paxos.NodeID, m *paxos.Reject) {
	place := p.place(from)
	if m.Ballot != c.ballot || place < 0 {
		return
	}
	if c.ballot.Less(m.Promised) {
		c.fail(p, "%s promised %s to another", from, m.Promised)
		return
	}
	c.refused = c.refused.With(place)
	e := &p.members
	if rest := (e.Before.Members | e.After.Members) &^ c.refused; !e.Newest().IsPhase1(rest) && !e.Before.IsPhase1(rest) {
		c.fail(p, "%d of %d acceptors refused: they hear a leader or may not vote yet", c.refused.Len(), len(p.members.Acceptors))
	}
}

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
