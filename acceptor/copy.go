package acceptor

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// copying is the background copy of instances that this acceptor missed, one
// page at a time, from one source after the other.
type copying struct {
	holeSince paxos.Ticks  // when held last rose, or the hole was seen
	asked     paxos.NodeID // the source of the outstanding fetch, "" if none
	askedAt   paxos.Ticks
	nonce     uint64
	next      int // place in Sources of the next one to ask
	failed    int // sources in a row that could not help
}

// tickCopy fetches what lies above held and is known to be chosen, once it is
// plain that it will not come by itself. When no source has it, the leader is
// asked to repair it.
func (a *Acceptor) tickCopy() {
	c := &a.copy
	if a.known <= a.held {
		c.holeSince, c.failed = a.now, 0
		return
	}
	if a.now-c.holeSince < a.cfg.RetryTicks {
		return
	}
	if c.asked != "" {
		if a.now-c.askedAt < 10*a.cfg.RetryTicks {
			return
		}
		c.asked = ""
		c.failed++
	}
	if c.failed >= len(a.cfg.Sources) {
		c.failed = 0
		c.holeSince = a.now // ask again after a pause
		a.relayRepair(a.held + 1)
		return
	}
	for range a.cfg.Sources {
		source := a.cfg.Sources[c.next%len(a.cfg.Sources)]
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
	c.asked, c.askedAt = source, a.now
	a.Now(source, &paxos.Fetch{Nonce: c.nonce, From: a.held + 1, Values: true})
}

// onPage takes chosen values that a source holds. They are written without a
// sync: losing them again reveals the vote that stood there before.
func (a *Acceptor) onPage(from paxos.NodeID, m *paxos.Page) {
	c := &a.copy
	if c.asked != from || m.Nonce != c.nonce {
		return
	}
	c.asked = ""
	a.known = max(a.known, m.Held)
	before := a.held
	for _, v := range m.Values {
		if v.Instance != a.held+1 || v.Instance > m.Held {
			continue
		}
		a.Write(paxos.PutVote{Vote: v})
		a.held++
		delete(a.votes, a.held)
	}
	if a.held == before {
		c.failed++
		return
	}
	c.failed = 0
	c.holeSince = a.now
	a.highest = max(a.highest, a.held)
	a.Write(paxos.SetHeld{Held: a.held})
	a.advance()
	if a.held < m.Held {
		a.fetch(from)
	}
}

// onFetch serves votes and, if asked, values from m.From on.
func (a *Acceptor) onFetch(from paxos.NodeID, m *paxos.Fetch) {
	runs := a.runs(max(m.From, a.held+1))
	if !m.Values || m.From > a.highest {
		a.After(from, &paxos.Page{Nonce: m.Nonce, From: m.From, Held: a.held, Runs: runs})
		return
	}
	a.load(m.From, forever, pending{kind: pendingFetch, to: from, nonce: m.Nonce, from: m.From, runs: runs})
}

// maxRuns bounds the runs of one page; the asker comes back for the rest.
const maxRuns = 4096

// runs lists this acceptor's votes from instance first on.
func (a *Acceptor) runs(first paxos.Instance) []paxos.VoteRun {
	var runs []paxos.VoteRun
	for _, i := range slices.Sorted(maps.Keys(a.votes)) {
		if i >= first {
			if runs = paxos.AppendRun(runs, i, a.votes[i]); len(runs) >= maxRuns {
				break
			}
		}
	}
	return runs
}
