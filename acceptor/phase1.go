package acceptor

import "github.com/paxlog/paxlog/paxos"

// pending is what to do with the result of a load.
type pending struct {
	to   paxos.NodeID
	kind pendingKind
	// Promise pages:
	ballot paxos.Ballot
	nonce  uint64
	page   uint64
	// Fetch pages:
	from paxos.Instance
	runs []paxos.VoteRun
}

type pendingKind byte

const (
	pendingPromise pendingKind = iota + 1
	pendingFetch
	pendingHeld
)

// forever is above every instance.
const forever = paxos.Instance(1<<63 - 1)

// hearsOther reports whether a live leader or candidate other than the one that
// made ballot b was heard within ElectionTicks. An acceptor that was just started
// or paused counts as having heard somebody.
func (a *Acceptor) hearsOther(b paxos.Ballot) bool {
	return a.now-a.heardAt < a.cfg.ElectionTicks && !a.heard.SameRun(b)
}

func (a *Acceptor) hear(b paxos.Ballot) { a.heard, a.heardAt = b, a.now }

// onPrepare answers Phase 1a. "If an acceptor receives a prepare request with
// number n greater than that of any prepare request to which it has already
// responded, then it responds to the request with a promise not to accept any
// more proposals numbered less than n and with the highest-numbered proposal (if
// any) that it has accepted" (Paxos Made Simple, 2.2): for all instances above
// held at once, and, being a retry, also for n equal to the promised ballot.
func (a *Acceptor) onPrepare(from paxos.NodeID, m *paxos.Prepare) {
	switch {
	case !a.admitted:
		a.reject(from, m.Ballot, m.Nonce, paxos.RejectNotAdmitted)
		return
	case m.Ballot.Less(a.promised):
		a.reject(from, m.Ballot, m.Nonce, paxos.RejectPromised)
		return
	case a.promised.Less(m.Ballot) && a.hearsOther(m.Ballot):
		// A proposer that was cut off does not depose a leader when it returns.
		a.reject(from, m.Ballot, m.Nonce, paxos.RejectLeaderAlive)
		return
	}
	a.promise(m.Ballot)
	a.hear(m.Ballot)
	first, last := max(m.From, a.held+1), forever
	if m.To != 0 {
		first, last = m.From, m.To
	}
	a.load(first, last, pending{kind: pendingPromise, to: from, ballot: m.Ballot, nonce: m.Nonce})
}

// promise raises promised to b; nothing that shows it leaves before it is durable.
func (a *Acceptor) promise(b paxos.Ballot) {
	if a.promised.Less(b) {
		a.promised = b
		a.Write(paxos.SetPromised{Ballot: b})
		a.Out.Sync = true
	}
}

func (a *Acceptor) reject(to paxos.NodeID, b paxos.Ballot, nonce uint64, why paxos.RejectReason) {
	// SendAfter: the ballot shown may have been promised in this very flush.
	a.After(to, &paxos.Reject{Ballot: b, Nonce: nonce, Promised: a.promised, Reason: why})
}

// load reads votes in [first, last] from the store, beside whatever is stepped
// meanwhile; it sees every vote stepped before this call.
func (a *Acceptor) load(first, last paxos.Instance, p pending) {
	a.tag++
	a.loads[a.tag] = p
	a.Load(paxos.Load{Kind: paxos.LoadVotes, Tag: a.tag, From: first, To: last, MaxBytes: a.cfg.PageBytes})
}

func (a *Acceptor) onLoaded(m *paxos.Loaded) {
	p, ok := a.loads[m.Load.Tag]
	if !ok {
		return
	}
	delete(a.loads, m.Load.Tag)
	switch p.kind {
	case pendingPromise:
		a.sendPromise(p, m)
	case pendingFetch:
		a.After(p.to, &paxos.Page{Nonce: p.nonce, From: p.from, Held: a.held, Runs: p.runs, Values: m.Votes})
	case pendingHeld:
		a.After(p.to, &paxos.Page{From: p.from, Held: a.held, Values: m.Votes})
	}
}

// sendPromise sends one page of a promise and asks for the next. A page leaves
// only while promised is still the candidate's ballot: later votes may belong to
// a higher one, and the candidate must not lead by them.
func (a *Acceptor) sendPromise(p pending, m *paxos.Loaded) {
	if a.promised != p.ballot {
		a.reject(p.to, p.ballot, p.nonce, paxos.RejectPromised)
		return
	}
	a.After(p.to, &paxos.Promise{
		Ballot: p.ballot, Nonce: p.nonce, Page: p.page, Last: !m.More, Held: a.held, Votes: m.Votes,
	})
	if m.More {
		p.page++
		a.load(m.Votes[len(m.Votes)-1].Instance+1, m.Load.To, p)
	}
}

// onHeartbeat answers a leader that it could vote for. One below promised is
// refused and refreshes nothing, so a deposed leader cannot keep others out.
func (a *Acceptor) onHeartbeat(from paxos.NodeID, m *paxos.Heartbeat) {
	a.learnChosen(m.Ballot, m.ChosenUpTo)
	if m.Ballot.Less(a.promised) {
		a.reject(from, m.Ballot, m.Nonce, paxos.RejectPromised)
		return
	}
	if m.Resign {
		if a.heard == m.Ballot {
			a.heardAt = a.now - a.cfg.ElectionTicks*1000
		}
		return
	}
	if !a.admitted {
		return // it cannot vote, so it must not keep a leader in office
	}
	a.hear(m.Ballot)
	if !a.hung() {
		a.Now(from, &paxos.HeartbeatAck{Ballot: m.Ballot, Nonce: m.Nonce, Held: a.held})
	}
}

func (a *Acceptor) onQuery(from paxos.NodeID, m *paxos.Query) {
	if !a.admitted {
		return
	}
	// SendAfter: it shows promised, and an acceptor whose disk hangs should not
	// invite candidates to a promise that it cannot make.
	a.After(from, &paxos.QueryReply{Nonce: m.Nonce, Promised: a.promised, Heard: a.heard, Silent: a.now - a.heardAt})
}
