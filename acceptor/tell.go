package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// ack collects the votes of this flush for the proposer that asked for them.
type ack struct {
	to   paxos.NodeID
	runs []paxos.VoteRun
	// asked says that the proposer waits for votes: it is told all under ballot, above
	// the instance above, and not only those of this flush.
	asked  bool
	ballot paxos.Ballot
	above  paxos.Instance
}

// ackFor returns what collects the votes for a proposer.
func (a *Acceptor) ackFor(to paxos.NodeID) *ack {
	for k := range a.acks {
		if a.acks[k].to == to {
			return &a.acks[k]
		}
	}
	a.acks = append(a.acks, ack{to: to})
	return &a.acks[len(a.acks)-1]
}

// ask notes that the leader of ballot b, which knows all up to upTo to be chosen, waits.
func (k *ack) ask(b paxos.Ballot, upTo paxos.Instance) {
	k.asked, k.ballot, k.above = true, b, upTo
}

// acknowledge has the vote that m asked for told.
func (a *Acceptor) acknowledge(to paxos.NodeID, m *paxos.Accept) {
	k := a.ackFor(to)
	k.runs = paxos.AppendRun(k.runs, m.Instance, m.Ballot)
	if !m.Quiet || m.Ballot == a.asking && a.now <= a.askedAt+overtakenTicks {
		k.ask(m.Ballot, m.ChosenUpTo)
	}
}

// tellVotes tells this flush's votes, as runs, to every subscribed learner, and to the
// proposer that asked for each, unless it can wait and a learner is told. See the package
// doc, "Votes that wait".
func (a *Acceptor) tellVotes() {
	for k := range a.acks {
		k := &a.acks[k]
		told := &paxos.Accepted{Runs: k.runs, Held: a.held, Mark: a.mark}
		if len(k.runs) > 0 {
			for i := range a.subs { // first, for learners answer the clients
				a.After(a.subs[i].id, told)
				a.subs[i].hears(a, told)
			}
		}
		switch {
		case k.asked:
			if all := a.withheld(k); !slices.Equal(all, k.runs) {
				told = &paxos.Accepted{Runs: all, Held: a.held, Mark: a.mark}
			}
			if len(told.Runs) > 0 {
				a.After(k.to, told)
			}
		case len(a.subs) == 0:
			a.After(k.to, told)
		}
	}
	a.acks = nil
}

// withheld is what a proposer that waits is told: its votes of this flush, and those of
// earlier ones, whether it was told them or not.
func (a *Acceptor) withheld(k *ack) []paxos.VoteRun {
	runs := a.votesUnder(&k.ballot, k.above, a.syncs)
	for _, r := range k.runs {
		if !covered(runs, r) { // a repaired instance, or one that was voted for under an older ballot
			runs = append(runs, r)
		}
	}
	return runs
}

func covered(runs []paxos.VoteRun, r paxos.VoteRun) bool {
	for _, o := range runs {
		if o.Ballot == r.Ballot && o.First <= r.First && r.Last <= o.Last {
			return true
		}
	}
	return false
}

// votesUnder lists the votes under b, above an instance, that the first so many syncs
// make durable. It looks at maxTold instances at most: of what lies beyond, a leader hears
// when more is chosen.
func (a *Acceptor) votesUnder(b *paxos.Ballot, above paxos.Instance, syncs uint64) []paxos.VoteRun {
	var runs []paxos.VoteRun
	first := max(above, a.held) + 1
	for i := first; i <= a.highest && i-first < maxTold; i++ {
		if v := a.votes[i]; v.isUnder(b) && v.sync <= syncs {
			runs = paxos.AppendRun(runs, i, *b)
		}
	}
	return runs
}
