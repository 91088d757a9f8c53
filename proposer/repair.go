package proposer

import "github.com/paxlog/paxlog/paxos"

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
		return paxos.Never
	}
	return min(l.repairEnd.At(), l.repair.nextRetry())
}

// finishRepair proposes what the quorum forces. All of the quorum promised this
// ballot, so no older vote can appear later; what this ballot itself proposed
// before and saw chosen is in the quorum's votes.
func (l *leading) finishRepair(p *Proposer) {
	read := l.repair
	l.repair = nil
	values, _ := read.forced()
	first := max(p.control.FirstInstance(), read.firstKept(p.cfg.Knows))
	for k := range read.to - read.from + 1 {
		i := read.from + k
		if l.open[i] != nil {
			continue
		}
		v, ok := values[i]
		if !ok && i < first {
			continue // it was trimmed: whoever asks for it is told so by those who hold more
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
