package acceptor

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// pending is what to do with the result of a load.
type pending struct {
	to   paxos.NodeID
	kind pendingKind
	// Promise pages:
	ballot paxos.Ballot
	nonce  uint64
	page   uint64
	repair bool
	// Fetch pages:
	from paxos.Instance
	runs []paxos.VoteRun
	// held is what it was when the load was asked for. A value that is read at or
	// below it is the chosen one. A value above it may be a vote that the chosen value
	// replaced after it was read, though held has passed it since. So what a value is
	// depends on held at that time, and not on held when the value is sent.
	held paxos.Instance
	// control is what the log had decided about itself up to held.
	control paxos.Encoded
	// first is the first instance that was kept then.
	first paxos.Instance
}

type pendingKind byte

const (
	pendingPromise pendingKind = iota + 1
	pendingFetch
	pendingHeld
)

// load reads votes in [first, last] from the store, beside whatever is stepped
// meanwhile; it sees every vote stepped before this call. Beyond maxLoads it drops what
// was asked, as a connection may.
func (a *Acceptor) load(first, last paxos.Instance, p pending) {
	if len(a.loads) >= maxLoads {
		return
	}
	if len(a.loads) == 0 {
		a.tag = 0 // each load is answered once: no answer to an earlier one can come
	}
	a.tag++
	p.held, p.control, p.first = a.held, a.control.encoded, a.control.first
	a.loads[a.tag] = p
	a.Load(paxos.Load{Kind: paxos.LoadVotes, Tag: a.tag, From: first, To: last, MaxBytes: a.cfg.PageBytes})
}

func (a *Acceptor) onLoaded(m *paxos.Loaded) {
	p, ok := a.loads[m.Load.Tag]
	if !ok {
		a.Violated("a load is answered once", "tag", m.Load.Tag)
		return
	}
	delete(a.loads, m.Load.Tag)
	a.assertStored(m)
	switch p.kind {
	case pendingPromise:
		a.sendPromise(p, m)
	case pendingFetch:
		a.sendPage(p, m)
	case pendingHeld:
		a.After(p.to, a.trimmedPage(&paxos.Page{From: p.from, Held: p.held, Values: m.Votes}))
	}
}

// passed returns how many of the votes come before the first one that held has
// passed since they were read: of that one it is not known what it is.
func (a *Acceptor) passed(p pending, votes []paxos.Vote) int {
	for k, v := range votes {
		if v.Instance > p.held && v.Instance <= a.held {
			return k
		}
	}
	return len(votes)
}

// onFetch serves votes and, if asked, values from m.From on.
func (a *Acceptor) onFetch(from paxos.NodeID, m *paxos.Fetch) {
	runs := a.runs(max(m.From, a.held+1))
	if m.From < a.control.first {
		a.After(from, a.trimmedPage(&paxos.Page{Nonce: m.Nonce, From: m.From, Held: a.held, Runs: runs}))
		return
	}
	if !m.Values || m.From > a.highest {
		a.After(from, &paxos.Page{Nonce: m.Nonce, From: m.From, Held: a.held, Runs: runs})
		return
	}
	a.load(m.From, forever, pending{kind: pendingFetch, to: from, nonce: m.Nonce, from: m.From, runs: runs})
}

// trimmedPage says in a page where the log begins here, and, if what was asked for lies below,
// what stands in its place.
func (a *Acceptor) trimmedPage(p *paxos.Page) *paxos.Page {
	if a.control.first > 1 {
		p.First = a.control.first
	}
	if p.From < p.First {
		p.Control, p.Held, p.Values = a.control.encoded, a.held, nil
	}
	return p
}

// sendPage answers Fetch with the values of which it is known what they are.
func (a *Acceptor) sendPage(p pending, m *paxos.Loaded) {
	n := a.passed(p, m.Votes)
	if n == 0 && len(m.Votes) > 0 && p.from >= a.control.first {
		a.load(p.from, forever, p) // by now they are held
		return
	}
	a.After(p.to, a.trimmedPage(&paxos.Page{Nonce: p.nonce, From: p.from, Held: p.held, Runs: p.runs, Values: m.Votes[:n]}))
}

// runs lists this acceptor's votes from instance first on.
func (a *Acceptor) runs(first paxos.Instance) []paxos.VoteRun {
	var runs []paxos.VoteRun
	for _, i := range slices.Sorted(maps.Keys(a.votes)) {
		if i >= first {
			if runs = paxos.AppendRun(runs, i, a.votes[i].under()); len(runs) >= maxRuns {
				break
			}
		}
	}
	return runs
}
