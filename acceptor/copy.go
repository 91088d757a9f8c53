package acceptor

import "github.com/paxlog/paxlog/paxos"

// copying is the background copy of instances that this acceptor missed, one
// page at a time, from one source after the other.
type copying struct {
	start  paxos.Timer  // when a hole has been there for so long that it will not close by itself
	source paxos.NodeID // of the page under way, "" if none is
	late   paxos.Timer  // when that page will not come any more
	nonce  uint64
	next   int // place in Sources of the next one to ask
	failed int // sources in a row that could not help
}

// pause lets some time pass before anything is fetched: held has just risen, and may go
// on by itself.
func (c *copying) pause(a *Acceptor) { c.start.Set(a.now + a.cfg.RetryTicks) }

// tickCopy fetches what lies above held and is known to be chosen, once it is
// plain that it will not come by itself. When no source has it, the leader is
// asked to repair it.
func (a *Acceptor) tickCopy() {
	c := &a.copy
	switch {
	case a.known <= a.held && !a.isNewcomer():
		c.failed = 0
		c.pause(a)
		return
	case a.control.stuck == a.held+1:
		return // whoever has it, it is of no use here
	case !c.start.Due(a.now), c.source != "" && !c.late.Due(a.now):
		return
	case c.source != "":
		c.source = ""
		c.failed++
	}
	if c.failed >= len(a.sources) {
		c.failed = 0
		c.pause(a) // and then ask all of them again
		if a.copies() {
			a.tellLeader(a.held + 1)
		}
		return
	}
	a.fetchFromNext()
}

// nextAt is when tickCopy has something to do.
func (c *copying) nextAt(a *Acceptor) paxos.Ticks {
	switch {
	case a.known <= a.held && !a.isNewcomer(), a.control.stuck == a.held+1:
		return paxos.Never
	case c.source != "":
		return max(c.start.At(), c.late.At())
	}
	return c.start.At()
}

// fetchFromNext asks the next source that is connected.
func (a *Acceptor) fetchFromNext() {
	c := &a.copy
	for range a.sources {
		source := a.sources[c.next%len(a.sources)]
		c.next++
		if a.up[source] {
			a.fetch(source)
			return
		}
		c.failed++
	}
}

func (a *Acceptor) fetch(source paxos.NodeID) {
	c := &a.copy
	c.nonce++
	c.source = source
	c.late.Set(a.now + patience*a.cfg.RetryTicks)
	if !a.copies() {
		a.Send(source, &paxos.Fetch{Nonce: c.nonce, From: a.control.first})
		return
	}
	a.Send(source, &paxos.Fetch{Nonce: c.nonce, From: a.held + 1, Values: true})
}

// onPage takes chosen values that a source holds. They are written without a
// sync: losing them again reveals the vote that stood there before.
func (a *Acceptor) onPage(from paxos.NodeID, m *paxos.Page) {
	c := &a.copy
	if a.onSurvey(from, m) || c.source != from || m.Nonce != c.nonce || !a.near(from, m.Held) {
		return
	}
	c.source = ""
	a.known = max(a.known, m.Held)
	before := a.held
	if m.From <= a.held {
		a.takeTrim(from, m)
	}
	a.takeTrimmed(from, m)
	for _, v := range m.Values {
		if v.Instance == a.held+1 && v.Instance <= m.Held && !a.takeChosen(from, v) {
			break
		}
	}
	if a.held == before {
		c.failed++
		return
	}
	c.failed = 0
	c.pause(a)
	a.highest = max(a.highest, a.held)
	a.Write(paxos.SetHeld{Held: a.held})
	a.leave()
	a.advance()
	if a.held < m.Held {
		a.fetch(from)
	}
}

// takeChosen replaces the vote after held by the value chosen there, unless this
// acceptor voted for another value under that very ballot: one of the two has been
// changed since it was proposed.
func (a *Acceptor) takeChosen(from paxos.NodeID, v paxos.Vote) bool {
	if (vote{ballot: &v.Ballot, sum: sumOf(&v.Value)}).contradicts(a.votes[v.Instance]) {
		a.contradicted(from, v.Instance, v.Ballot)
		return false
	}
	if !a.pass(v.Instance, v.Value.Batch) {
		return false
	}
	a.Write(paxos.PutVote{Vote: v})
	a.held++
	delete(a.votes, a.held)
	return true
}
