package acceptor

import "github.com/paxlog/paxlog/paxos"

// check is what the last flush left durable or told, to compare the next one with.
type check struct {
	promised paxos.Ballot
	held     paxos.Instance
	mark     paxos.Mark
	voted    bool // a vote was recorded in this flush
}

// assert compares the state with that of the flush before. It is on in production and
// costs a few comparisons a flush. What each line rules out:
//
//   - a promise that is taken back: an older ballot could vote again, beside a leader
//     whose Phase 1 counted the promise (P1a);
//   - a vote or promise that is told although it may be lost in a crash;
//   - held going back: an instance that readers were told is immutable could change;
//   - a mark that is lowered: peers would no longer notice what this directory forgets;
//   - a vote of an acceptor whose earlier votes are not accounted for.
func (a *Acceptor) assert() {
	c := &a.check
	switch {
	case a.promised != c.promised && a.promised.Less(c.promised):
		a.Violated("promised is never lowered", "was", c.promised, "is", a.promised)
	case a.promised != c.promised && !a.Out.Sync:
		a.Violated("a promise is durable before it is told", "promised", a.promised)
	case c.voted && !a.Out.Sync:
		a.Violated("a vote is durable before it is told", "highest", a.highest)
	case a.held < c.held:
		a.Violated("held is never lowered", "was", c.held, "is", a.held)
	case (a.mark.Commits < c.mark.Commits || a.mark.Life != c.mark.Life) && a.mark.Forgets(c.mark):
		a.Violated("an acceptor's mark is never lowered", "was", c.mark, "is", a.mark)
	case a.known < a.held:
		a.Violated("what is held is known to be chosen", "held", a.held, "known", a.known)
	case a.highest < a.held:
		a.Violated("highest is at least held", "held", a.held, "highest", a.highest)
	case len(a.acks) > 0 && !a.admission.admitted:
		a.Violated("no vote is told while an acceptor may not vote", "acks", len(a.acks))
	case a.admission.admitted && a.admission.rejoin != nil:
		a.Violated("an acceptor that has forgotten votes does not vote before it has rejoined", "void", a.admission.rejoin.void)
	case len(a.loads) > maxLoads:
		a.Violated("reads under way are bounded", "under way", len(a.loads), "limit", maxLoads)
	}
	c.held, c.voted, c.mark.Commits = a.held, false, a.mark.Commits
	if a.promised != c.promised {
		c.promised = a.promised
	}
	if a.mark.Life != c.mark.Life {
		c.mark.Life = a.mark.Life
	}
}

// recover takes a vote of an earlier process. Its value is in the store, and not known here.
func (a *Acceptor) recover(i paxos.Instance, b paxos.Ballot) {
	switch {
	case a.promised.Less(b):
		a.Violated("promised is at least the ballot of every vote", "instance", i, "vote", b, "promised", a.promised)
	case i <= a.held:
		a.Violated("votes are kept above held only", "instance", i, "held", a.held)
	}
	a.votes[i] = vote{ballot: a.shared(&b)}
	a.highest = max(a.highest, i)
}

// assertVote is asked before v is recorded at i, where old was the vote.
func (a *Acceptor) assertVote(i paxos.Instance, v, old vote) {
	switch {
	case *v.ballot != a.promised && a.promised.Less(*v.ballot):
		a.Violated("promised is at least the ballot of every vote", "instance", i, "vote", v.under(), "promised", a.promised)
	case i <= a.held:
		a.Violated("votes are kept above held only", "instance", i, "held", a.held)
	case old.ballot == nil:
	case v.ballot.Less(*old.ballot):
		a.Violated("a vote is replaced by one of a higher ballot only", "instance", i, "was", old.under(), "is", v.under())
	case v.contradicts(old):
		a.Violated("one value for ballot and instance", "instance", i, "ballot", v.under())
	}
}

// assertStored is asked what the store returned for a load: in order, within the range
// asked for, and, at an instance where this process voted, the value voted for.
func (a *Acceptor) assertStored(m *paxos.Loaded) {
	last := paxos.Instance(0)
	for k := range m.Votes {
		v := &m.Votes[k]
		if v.Instance <= last || v.Instance < m.Load.From || v.Instance > m.Load.To {
			a.Violated("the store returns votes in order, within what was asked", "instance", v.Instance, "after", last, "from", m.Load.From, "to", m.Load.To)
			return
		}
		last = v.Instance
		if mine := a.votes[v.Instance]; mine.sum != 0 && mine.isUnder(&v.Ballot) && mine.sum != sumOf(&v.Value) {
			a.Violated("the store returns the value that was voted for", "instance", v.Instance, "ballot", v.Ballot)
			return
		}
	}
}
