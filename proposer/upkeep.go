package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// repairSpan is how many instances one repair read covers.
const repairSpan = 64

// quorum reports whether a Phase 2 quorum answered heartbeats that were sent
// within the election timeout.
func (l *leading) quorum(p *Proposer) bool { return p.cfg.Membership.IsPhase2(p.since(l.fresh)) }

// since are the acceptors whose time in at lies within the election timeout.
func (p *Proposer) since(at []paxos.Ticks) (live paxos.Set) {
	for i, t := range at {
		if t != 0 && p.now-t <= p.cfg.ElectionMax {
			live = live.With(i)
		}
	}
	return live
}

func (l *leading) tick(p *Proposer) {
	if !l.quorum(p) {
		l.resign(p, fmt.Sprintf("no answers of a Phase 2 quorum for %d ms", p.cfg.ElectionMax), p.rand.Between(0, p.cfg.ElectionMin))
		return
	}
	if o := l.open[l.chosenUpTo+1]; o != nil && p.now-o.born > p.cfg.StallTicks {
		// Heartbeats go on, yet nothing gets chosen: disks hang, or a quorum can be
		// heard but not written to. Leave it to somebody who may reach another one.
		l.resign(p, fmt.Sprintf("instance %d has not been chosen for %d ms", l.chosenUpTo+1, p.cfg.StallTicks), 2*p.cfg.ElectionMax)
		return
	}
	if p.stopping && len(l.queue) == 0 && len(l.open) == 0 {
		l.resign(p, "the process is stopping", 0)
		return
	}
	if p.now-l.heartbeatAt >= p.cfg.HeartbeatTicks || l.announced < l.chosenUpTo {
		l.beat(p)
	}
	l.fill(p)
	l.resend(p)
	if l.repair != nil {
		if l.repair.retry(p); p.now-l.repairAt > p.cfg.StallTicks {
			l.repair = nil
		}
	}
}

func (l *leading) beat(p *Proposer) {
	l.heartbeatAt, l.announced = p.now, l.chosenUpTo
	p.broadcast(&paxos.Heartbeat{Ballot: l.ballot, Nonce: uint64(p.now), ChosenUpTo: l.chosenUpTo, Marks: slices.Clone(p.marks)})
}

// onRejoin answers an acceptor that has forgotten votes. It may vote again under a
// ballot that begins with a campaign among the others, in which each of them notes
// that its earlier promises are void. Such a campaign interrupts the log for a
// moment, so it begins only when enough others answer, and not too often.
// The ballot must have begun after the run that asks: what was forgotten is of
// earlier runs, and so were the votes that Phase 1 has to find elsewhere.
func (l *leading) onRejoin(p *Proposer, place int, m *paxos.Rejoin) {
	who := rejoiner{p.cfg.Membership.Acceptors[place], m.Run}
	if l.rejoin == who && !l.ballot.Less(m.Void) {
		p.Now(who.id, l.grant(p))
		return
	}
	// A campaign that fails would void the promises of a directory that may yet be put
	// right, so those it needs must be known to vote.
	members, others := p.cfg.Membership, p.since(l.voted).Without(place)
	if p.stopping || p.now-l.since < p.cfg.ElectionMax || !members.IsPhase1(others) || !members.IsRejoin(others) {
		return
	}
	if p.renewed && p.now-p.renewedAt < p.cfg.StallTicks {
		return
	}
	p.renewed, p.renewedAt = true, p.now
	p.round = max(p.round, m.Void.Round)
	l.refuseQueue(p, "the leader renews its ballot")
	p.campaign(fmt.Sprintf("%s has forgotten votes and is to rejoin", who.id), who)
}

// grant tells an acceptor that it may vote again.
func (l *leading) grant(p *Proposer) *paxos.Rejoined {
	return &paxos.Rejoined{Run: l.rejoin.run, Ballot: l.ballot, UpTo: l.upTo, Marks: slices.Clone(p.marks)}
}

// resend sends proposals again that have been waiting for votes, for each twice
// as long as before.
func (l *leading) resend(p *Proposer) {
	var due []paxos.Instance
	for i, o := range l.open {
		if !o.chosen && p.now-o.sentAt >= o.wait {
			due = append(due, i)
		}
	}
	slices.Sort(due)
	for _, i := range due {
		o := l.open[i]
		o.sentAt, o.wait = p.now, 2*o.wait
		for place, id := range p.cfg.Membership.Acceptors {
			if !o.votes.Has(place) && p.up[id] {
				p.Now(id, l.accept(i))
			}
		}
	}
}

// resendTo sends an acceptor that has just connected what it has not voted for.
func (l *leading) resendTo(p *Proposer, place int) {
	for _, i := range slices.Sorted(maps.Keys(l.open)) {
		if !l.open[i].votes.Has(place) {
			p.Now(p.cfg.Membership.Acceptors[place], l.accept(i))
		}
	}
}

// onRepair starts a repair: somebody knows that m.Instance is chosen but reaches
// nobody who holds it. The leader reads it at a Phase 1 quorum under its own
// ballot. Instances above chosenUpTo are in flight anyway.
func (l *leading) onRepair(p *Proposer, m *paxos.Repair) {
	if m.Instance == 0 || m.Instance > l.chosenUpTo || l.repair != nil || l.open[m.Instance] != nil {
		return
	}
	if l.repaired && p.now-l.repairAt < 10*p.cfg.RetryTicks {
		return // everybody who misses it asks, again and again
	}
	to := min(m.Instance+repairSpan-1, l.chosenUpTo)
	p.Info("repairing chosen instances that no node holds", "from_instance", uint64(m.Instance), "to_instance", uint64(to))
	l.repairAt, l.repaired = p.now, true
	l.repair = newQuorumRead(p, l.ballot, m.Instance, to, "")
}

// finishRepair proposes what the quorum forces. All of the quorum promised this
// ballot, so no older vote can appear later; what this ballot itself proposed
// before and saw chosen is in the quorum's votes.
func (l *leading) finishRepair(p *Proposer) {
	read := l.repair
	l.repair = nil
	values, _ := read.forced()
	for i := read.from; i <= read.to; i++ {
		if l.open[i] != nil {
			continue
		}
		v, ok := values[i]
		if !ok {
			// A chosen value is in every Phase 1 quorum's votes: it has been lost.
			// A no-op here would put another value in its place.
			p.Warn("a chosen instance is in no acceptor of a Phase 1 quorum: data has been lost; "+
				"restore the data directory of an acceptor that held it", "instance", uint64(i))
			return
		}
		l.propose(p, i, v)
	}
}
