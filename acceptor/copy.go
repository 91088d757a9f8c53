package acceptor

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/paging"
)

// copying is the background copy of instances that this acceptor missed, from one source after the
// other.
type copying struct {
	start  paxos.Timer  // when a hole has been there for so long that it will not close by itself
	source paxos.NodeID // of the pages under way, "" if none is
	late   paxos.Timer  // when the next one will not come any more
	pages  paging.Pages
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
		c.pages.Drop()
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
	c.pages.Drop()
	if !a.copies() {
		c.nonce++
		c.source = source
		c.late.Set(a.now + patience*a.cfg.RetryTicks)
		c.pages.Asks(a.control.first, c.nonce)
		a.Send(source, &paxos.Fetch{Nonce: c.nonce, From: a.control.first})
		return
	}
	a.fetchMore(source, a.held+1) // one page, which says how far the source is
}

// fetchMore asks for what follows held, in as many pages as may be under way: the source holds all up to an
// instance. It asks when what came before is with the store: where that is slower than the source, pages
// would be dropped here, and waited for.
func (a *Acceptor) fetchMore(source paxos.NodeID, upTo paxos.Instance) {
	c := &a.copy
	c.source = source
	c.late.Set(a.now + patience*a.cfg.RetryTicks)
	for {
		from, more := c.pages.More(a.held+1, upTo)
		if !more {
			return
		}
		c.nonce++
		c.pages.Asks(from, c.nonce)
		a.After(source, &paxos.Fetch{Nonce: c.nonce, From: from, Values: true})
	}
}

// onPage takes chosen values that a source holds. They are written without a
// sync: losing them again reveals the vote that stood there before.
func (a *Acceptor) onPage(from paxos.NodeID, m *paxos.Page) {
	c := &a.copy
	if a.onSurvey(from, m) || c.source != from || !a.near(from, m.Held) || !c.pages.Came(m) {
		return
	}
	a.known = max(a.known, m.Held)
	before := a.held
	if m.From <= a.held {
		a.takeTrim(from, m)
	}
	a.takeTrimmed(from, m)
	taken, useful := 0, a.held > before
	for next := c.pages.Next(a.held + 1); next != nil; next = c.pages.Next(a.held + 1) {
		taken++
		if !a.takePage(from, next) {
			break
		}
		useful = useful || paging.Last(next) <= a.held
	}
	switch {
	case taken == 0 && !useful: // it waits for those in front of it
		return
	case a.held == before && !useful:
		c.pages.Drop()
		c.source = ""
		c.failed++
		return
	}
	c.failed = 0
	c.pause(a)
	c.pages.Look(a.held, a.known)
	a.highest = max(a.highest, a.held)
	a.Write(paxos.SetHeld{Held: a.held})
	a.leave()
	a.advance()
	if a.held >= m.Held {
		c.pages.Drop()
		c.source = ""
		return
	}
	switch {
	case !a.copies():
		a.fetch(from) // which asks only whether others have trimmed
	case a.room.values.IsShort():
		a.fetchMore(from, a.held+1)
	default:
		a.fetchMore(from, m.Held)
	}
}

// takePage takes the values of a page that go on behind held, and reports whether none was in doubt.
func (a *Acceptor) takePage(from paxos.NodeID, m *paxos.Page) bool {
	for _, v := range m.Values {
		if v.Instance == a.held+1 && v.Instance <= m.Held && !a.takeChosen(from, v) {
			return false
		}
	}
	return true
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
