package proposer

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// quorumRead collects what acceptors accepted in a range of instances, from each
// as numbered pages, after each promised the ballot.
type quorumRead struct {
	ballot   paxos.Ballot
	from, to paxos.Instance // to == 0: all above held
	rejoin   paxos.NodeID   // whose earlier promises are void
	promises paxos.ByPlace[promise]
	lives    paxos.ByPlace[paxos.Ballot] // the highest life that any promise shows
	done     paxos.Set                   // acceptors whose last page has come
}

// promise is the pages of one acceptor so far. A page is taken only if it is the
// next of the nonce asked for last, so none can be lost, shifted or mixed.
type promise struct {
	nonce uint64
	life  paxos.Ballot   // in which the acceptor promised
	next  uint64         // the page asked for
	from  paxos.Instance // where it begins
	held  paxos.Instance
	votes []reported
	// Of the page with the highest held, and of the latest page:
	control paxos.Encoded
	knows   uint64
	again   paxos.Timer // when it is asked for again
	wait    paxos.Ticks // and how long after that once more
}

// reported is a vote, or, if held, the value chosen at its instance.
type reported struct {
	paxos.Vote
	held bool
}

func newQuorumRead(p *Proposer, b paxos.Ballot, from, to paxos.Instance, rejoin paxos.NodeID) *quorumRead {
	n := len(p.members.Acceptors)
	q := &quorumRead{ballot: b, from: from, to: to, rejoin: rejoin, promises: make([]promise, n), lives: make([]paxos.Ballot, n)}
	nonce := p.rand.Uint64() % paxos.Bound
	if place := p.place(rejoin); place >= 0 {
		q.lives[place] = b
	}
	for i := range q.promises {
		q.begin(p, i, nonce)
	}
	return q
}

// begin asks the acceptor at place for its first page.
func (q *quorumRead) begin(p *Proposer, place int, nonce uint64) {
	q.done = q.done.Without(place)
	q.promises[place] = promise{nonce: nonce, from: q.from, wait: p.cfg.RetryTicks}
	q.ask(p, place)
}

// onMarks drops promises of acceptors that have rejoined since, as far as other
// promises show it: they have forgotten what they reported and what they promised.
// It reports whether the promise of the acceptor at place itself is good.
func (q *quorumRead) onMarks(p *Proposer, place int, marks []paxos.Mark) bool {
	for i, m := range marks {
		if q.lives[i].Less(m.Life) {
			q.lives[i] = m.Life
			if c := &q.promises[i]; c.next > 0 && c.life.Less(m.Life) {
				q.begin(p, i, p.rand.Uint64()%paxos.Bound)
			}
		}
	}
	return marks[place].Life == q.lives[place]
}

// ask sends Prepare for the next page of the acceptor at place.
func (q *quorumRead) ask(p *Proposer, place int) {
	if place < 0 || q.done.Has(place) {
		return
	}
	c := &q.promises[place]
	c.again.Set(p.now + c.wait)
	p.Send(p.members.Acceptors[place], &paxos.Prepare{
		Ballot: q.ballot, Nonce: c.nonce, Page: c.next, From: c.from, To: q.to, Rejoin: q.rejoin,
	})
}

// retry asks those again that have been quiet, for longer each time: the answer
// may only be slow.
func (q *quorumRead) retry(p *Proposer) {
	for i := range q.promises {
		if c := &q.promises[i]; !q.done.Has(i) && c.again.Due(p.now) {
			c.wait *= 2
			q.ask(p, i)
		}
	}
}

// nextRetry is when retry has somebody to ask.
func (q *quorumRead) nextRetry() paxos.Ticks {
	at := paxos.Never
	for i := range q.promises {
		if !q.done.Has(i) {
			at = min(at, q.promises[i].again.At())
		}
	}
	return at
}

// onPromise takes a page and reports whether it was the one expected.
func (q *quorumRead) onPromise(p *Proposer, from paxos.NodeID, m *paxos.Promise) bool {
	place := p.place(from)
	marks, ok := p.byPlace(m.Marks, m.Of)
	if place < 0 || m.Ballot != q.ballot || !ok || !q.onMarks(p, place, marks) || q.done.Has(place) {
		return false
	}
	c := &q.promises[place]
	if m.Nonce != c.nonce || m.Page != c.next {
		return false
	}
	if !q.fits(c, m) {
		p.disbelieve(place, "its promise reports votes that cannot be: out of order, far above what is held, or more than an acceptor keeps", "held", uint64(m.Held))
		return false
	}
	for i, mark := range marks {
		p.see(i, mark)
	}
	p.hearClock(place, m.Clock)
	c.life = marks[place].Life
	c.next++
	if c.knows = m.Knows; m.Held >= c.held {
		c.held, c.control = m.Held, m.Control
	}
	for _, v := range m.Votes {
		// Whether the vote is what was chosen depends on held in its own page: later
		// pages may show a higher one.
		c.votes = append(c.votes, reported{v, v.Instance <= m.Held})
	}
	switch n := len(m.Votes); {
	case m.Last:
		q.done = q.done.With(place)
	case n > 0:
		c.from, c.wait = m.Votes[n-1].Instance+1, p.cfg.RetryTicks
		q.ask(p, place)
	}
	return true
}

// isQuorum reports whether those that have answered are a Phase 1 quorum for all instances
// that a leader by this read would propose at (R3).
func (q *quorumRead) isQuorum(p *Proposer) bool { return p.members.IsPhase1(q.done, q.held()+1) }

// isQuorumBelow reports whether they are one for the instances below the next configuration.
func (q *quorumRead) isQuorumBelow(p *Proposer) bool {
	return p.members.IsPhase1Below(q.done, q.held()+1)
}

// isRejoin reports whether they are enough for an acceptor to rejoin.
func (q *quorumRead) isRejoin(p *Proposer) bool { return p.members.IsRejoin(q.done, q.held()+1) }

// held is the highest that the quorum shows: everything at or below it is chosen.
func (q *quorumRead) held() paxos.Instance {
	var h paxos.Instance
	for i, c := range q.promises {
		if q.done.Has(i) {
			h = max(h, c.held)
		}
	}
	return h
}

// forced returns, for each instance that the quorum reported, the value that a
// leader must propose there: "the value of the highest-numbered proposal among
// the responses" (Paxos Made Simple, 2.2, Phase 2a), and over every ballot a
// value that is held. The second result is the instances, ascending.
func (q *quorumRead) forced() (map[paxos.Instance]paxos.Value, []paxos.Instance) {
	found := map[paxos.Instance]reported{}
	for i, c := range q.promises {
		if !q.done.Has(i) {
			continue
		}
		for _, v := range c.votes {
			old, ok := found[v.Instance]
			if !ok || (v.held && !old.held) || (v.held == old.held && old.Ballot.Less(v.Ballot)) {
				found[v.Instance] = v
			}
		}
	}
	values := make(map[paxos.Instance]paxos.Value, len(found))
	for i, b := range found {
		values[i] = b.Value
	}
	return values, slices.Sorted(maps.Keys(values))
}
