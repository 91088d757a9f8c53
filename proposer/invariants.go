package proposer

import "github.com/paxlog/paxlog/paxos"

// assert checks a leader at each flush. It is on in production and costs a few
// comparisons. What each line rules out:
//
//   - two leaders that both own a ballot, and the votes for it;
//   - an instance announced as chosen that is not: acceptors would hold it for good;
//   - bounds that leak until memory is full, or stop a leader that has nothing in flight.
func (l *leading) assert(p *Proposer) {
	inFlight := l.next - 1 - l.chosenUpTo
	switch {
	case l.ballot != p.latest || l.ballot.Process != p.cfg.Process:
		p.Violated("a leader leads under the ballot of its latest campaign", "ballot", l.ballot, "campaign", p.latest)
	case l.chosenUpTo < l.announced:
		p.Violated("chosenUpTo is never lowered", "announced", l.announced, "chosenUpTo", l.chosenUpTo)
	case l.next <= l.chosenUpTo:
		p.Violated("nothing is chosen that was not proposed", "next", l.next, "chosenUpTo", l.chosenUpTo)
	case inFlight > paxos.Instance(p.cfg.Window):
		p.Violated("instances in flight are within the window", "in flight", inFlight, "window", p.cfg.Window)
	case l.openBytes < 0 || len(l.open) == 0 && l.openBytes != 0:
		p.Violated("bytes in flight are those of open proposals", "proposals", len(l.open), "bytes", l.openBytes)
	case l.queue.bytes < 0 || (l.queue.bytes == 0) != (l.queue.n == 0):
		p.Violated("bytes that wait are those of the queue", "appends", l.queue.n, "bytes", l.queue.bytes)
	case l.queue.bytes > max(p.cfg.QueueBytes, MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes)):
		p.Violated("the queue is within its bound", "bytes", l.queue.bytes, "limit", p.cfg.QueueBytes)
	}
}

// assertElected is asked when c has won: Phase 1 is complete before anything is
// proposed, and an acceptor that is to rejoin under this ballot was not counted in it.
func (c *preparing) assertElected(p *Proposer) {
	m, done := p.members.Newest(), c.read.done
	switch {
	case !c.read.isQuorum(p) && !c.read.isQuorumBelow(p):
		p.Violated("nothing is proposed before Phase 1 is complete", "ballot", c.ballot, "promises", done.Len(), "needed", m.Phase1)
	case c.rejoin.id != "" && (!c.read.isRejoin(p) || done.Has(p.place(c.rejoin.id))):
		p.Violated("an acceptor rejoins by the promises of enough others", "acceptor", c.rejoin.id, "promises", done.Len())
	}
}

// assertAgain is asked before v is proposed at i: P2c allows no exception.
func (l *leading) assertAgain(p *Proposer, i paxos.Instance, v paxos.Value) {
	if forced, ok := l.forced[i]; ok && !forced.Equal(v) {
		p.Violated("a new leader proposes what Phase 1 reported, at every instance", "ballot", l.ballot, "instance", i)
	}
}
