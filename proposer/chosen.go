package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// countVotes counts votes: "a value is chosen when a single proposal with that
// value has been accepted by a majority of the acceptors" (Paxos Made Simple,
// 2.3). Votes at other ballots are not for this leader's proposals.
func (l *leading) countVotes(p *Proposer, place int, runs []paxos.VoteRun) {
	for _, r := range runs {
		if r.Ballot != l.ballot {
			continue
		}
		if r.Last >= r.First && uint64(r.Last-r.First) <= uint64(len(l.open)) {
			for k := range r.Last - r.First + 1 {
				l.vote(p, r.First+k, place)
			}
			continue
		}
		for _, i := range slices.Sorted(maps.Keys(l.open)) {
			if r.First <= i && i <= r.Last {
				l.vote(p, i, place)
			}
		}
	}
}

func (l *leading) vote(p *Proposer, i paxos.Instance, place int) {
	o := l.open[i]
	if o == nil || o.chosen {
		return
	}
	o.votes = o.votes.With(place)
	if p.members.At(i).IsPhase2(o.votes) {
		if !o.quiet {
			l.took = p.now - o.born
			l.quickest.add(p.now, l.took)
		}
		l.choose(p, i, o)
	}
}

// choose notes that o, the proposal at i, is chosen.
func (l *leading) choose(p *Proposer, i paxos.Instance, o *proposal) {
	o.chosen = true
	if i <= l.chosenUpTo { // a repaired instance, of which the state knows
		l.drop(i, o)
		return
	}
	if i > l.chosenUpTo+1 {
		return // an earlier one is not chosen yet
	}
	for ; o != nil && o.chosen; o = l.open[l.chosenUpTo+1] {
		l.chosenUpTo++
		l.close(p, l.chosenUpTo, o)
	}
}

// close forgets o, the proposal at i: from now on i is known to be chosen.
func (l *leading) close(p *Proposer, i paxos.Instance, o *proposal) {
	if !o.chosen {
		p.Violated("chosenUpTo covers chosen instances only", "ballot", l.ballot, "instance", i)
	}
	before := p.control
	p.learn(i, &o.value)
	l.decided(p, before, &o.value)
	l.drop(i, o)
	if p.control.FirstInstance() > before.FirstInstance() {
		l.dropRepairs(p)
	}
}

// dropRepairs gives up repairs of which nothing comes: those of instances that were trimmed meanwhile,
// where nobody votes any more, and those that nobody has voted for in StallTicks. Else the window
// would be full of them for good. Whoever still needs one asks again. That is safe: the instance is
// chosen, so every repair of it is forced to propose the same value (Paxos Made Simple, P2c).
//
// Example: a learner begun anew asks for 71, which only the leader can bring back. It proposes 71 to
// 134, and then a trim is chosen, up to 128.
func (l *leading) dropRepairs(p *Proposer) {
	l.repairStale.Stop()
	if l.repair != nil && l.repair.from < p.control.FirstInstance() {
		l.repair = nil
	}
	for i, o := range l.open {
		switch until := o.born + p.cfg.StallTicks + 1; {
		case i > l.chosenUpTo:
		case i < p.control.FirstInstance(), p.now >= until:
			l.drop(i, o)
		default:
			l.repairStale.Set(min(l.repairStale.At(), until))
		}
	}
}

func (l *leading) drop(i paxos.Instance, o *proposal) {
	l.openBytes -= len(o.value.Batch)
	if o.answered {
		l.hints.answered--
	}
	delete(l.open, i)
	l.underWay.leave(o)
}

// onHeld takes the answer to an Accept at an instance that the acceptor holds:
// the value chosen there. If it is not what this leader proposed, a higher ballot
// chose it, and announcing anything above would be a lie.
func (l *leading) onHeld(p *Proposer, from paxos.NodeID, m *paxos.Page) {
	if m.Control != "" {
		p.onTrimmed(m)
	}
	for _, v := range m.Values {
		o := l.open[v.Instance]
		if o == nil || o.chosen || v.Instance > m.Held {
			continue
		}
		if !o.value.Equal(v.Value) {
			l.resign(p, fmt.Sprintf("%s holds another value at instance %d: a later leader has taken over", from, v.Instance), 0)
			return
		}
		l.choose(p, v.Instance, o)
	}
}

// onRepair starts a repair: somebody knows that m.Instance is chosen but reaches
// nobody who holds it. The leader reads it at a Phase 1 quorum under its own
// ballot. Instances above chosenUpTo are in flight anyway.
func (l *leading) onRepair(p *Proposer, m *paxos.Repair) {
	if m.Instance < p.control.FirstInstance() || m.Instance > l.chosenUpTo || l.repair != nil || l.open[m.Instance] != nil {
		return
	}
	if !p.members.After.IsZero() && m.Instance < p.members.From {
		// Its Phase 1 quorums are of another configuration, which promised this ballot nothing.
		// A Phase 2 quorum of this one holds it, or the change would not be complete.
		return
	}
	if !l.repairAgain.Due(p.now) {
		return
	}
	to := min(m.Instance+repairSpan-1, l.chosenUpTo)
	p.Info("repairing chosen instances that no node holds", "from_instance", uint64(m.Instance), "to_instance", uint64(to))
	l.repairAgain.Set(p.now + repairRetries*p.cfg.RetryTicks)
	l.repairEnd.Set(p.now + p.cfg.StallTicks + 1)
	l.repair = newQuorumRead(p, l.ballot, m.Instance, to, "")
}

func (l *leading) tickRepair(p *Proposer) {
	if l.repairStale.Due(p.now) {
		l.dropRepairs(p)
	}
	switch {
	case l.repair == nil:
	case l.repairEnd.Due(p.now):
		l.repair = nil
	default:
		l.repair.retry(p)
	}
}

func (l *leading) nextRepair() paxos.Ticks {
	if l.repair == nil {
		return l.repairStale.At()
	}
	return min(l.repairStale.At(), l.repairEnd.At(), l.repair.nextRetry())
}

// finishRepair proposes what the quorum forces. All of the quorum promised this
// ballot, so no older vote can appear later; what this ballot itself proposed
// before and saw chosen is in the quorum's votes.
func (l *leading) finishRepair(p *Proposer) {
	read := l.repair
	l.repair = nil
	defer l.dropRepairs(p) // it knows when those that begin now are given up
	values, _ := read.forced()
	first := max(p.control.FirstInstance(), read.firstKept(p.cfg.Knows))
	for k := range read.to - read.from + 1 {
		i := read.from + k
		if l.open[i] != nil {
			continue
		}
		v, ok := values[i]
		if i < first {
			// It was trimmed: whoever asks for it is told so by those who hold more. What the others still
			// report may not be what was chosen, for those who have trimmed it report nothing.
			continue
		}
		if !ok {
			// A chosen value is in every Phase 1 quorum's votes: it has been lost.
			// A no-op here would put another value in its place.
			p.Warn("a chosen instance is in no acceptor of a Phase 1 quorum: data has been lost; "+
				"restore the data directory of an acceptor that held it", "instance", uint64(i))
			return
		}
		l.propose(p, i, v, false)
	}
}
