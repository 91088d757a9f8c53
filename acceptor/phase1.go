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
	repair bool
	// Fetch pages:
	from paxos.Instance
	runs []paxos.VoteRun
	// held is the mark when the load was asked for. A value that is read at or
	// below it is the chosen one. Above it, it may be a vote that was replaced by
	// the chosen value, or marked held, after it was read: only the mark of then
	// tells what a value read then is.
	held paxos.Instance
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
	case !a.admission.admitted:
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
	if a.voidLife(m) {
		return // its own: what it promises now is void
	}
	first, last := max(m.From, a.held+1), forever
	if m.To != 0 {
		first, last = m.From, m.To
	}
	a.load(first, last, pending{kind: pendingPromise, to: from, ballot: m.Ballot, nonce: m.Nonce, page: m.Page, repair: m.To != 0})
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
	if len(a.loads) == 0 {
		a.tag = 0 // each load is answered once: no answer to an earlier one can come
	}
	a.tag++
	p.held = a.held
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
		a.sendPage(p, m)
	case pendingHeld:
		a.After(p.to, &paxos.Page{From: p.from, Held: p.held, Values: m.Votes})
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

// sendPage answers Fetch with the values of which it is known what they are.
func (a *Acceptor) sendPage(p pending, m *paxos.Loaded) {
	n := a.passed(p, m.Votes)
	if n == 0 && len(m.Votes) > 0 {
		a.load(p.from, forever, p) // by now they are held
		return
	}
	a.After(p.to, &paxos.Page{Nonce: p.nonce, From: p.from, Held: p.held, Runs: p.runs, Values: m.Votes[:n]})
}

// sendPromise sends one page of a promise; the proposer asks for the next, so that
// no queue has to hold them all. A page leaves only while promised is still the candidate's ballot: later votes may belong to
// a higher one, and the candidate must not lead by them.
func (a *Acceptor) sendPromise(p pending, m *paxos.Loaded) {
	switch {
	case !a.admission.admitted: // it has found out meanwhile that it has forgotten votes
		a.reject(p.to, p.ballot, p.nonce, paxos.RejectNotAdmitted)
		return
	case a.promised != p.ballot:
		a.reject(p.to, p.ballot, p.nonce, paxos.RejectPromised)
		return
	}
	if a.passed(p, m.Votes) < len(m.Votes) {
		a.load(max(m.Load.From, p.above(a.held)), m.Load.To, p)
		return
	}
	a.After(p.to, &paxos.Promise{
		Ballot: p.ballot, Nonce: p.nonce, Page: p.page, Last: !m.More, Held: p.held, Marks: a.marks(), Votes: m.Votes,
	})
}

// above is the first instance that a campaign needs to know: the one after held.
// A repair read needs all of its range.
func (p pending) above(held paxos.Instance) paxos.Instance {
	if p.repair {
		return 0
	}
	return held + 1
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
	a.takeMarks(m.Marks)
	if !a.admission.admitted {
		a.askToRejoin(from, m.Ballot)
		return // it cannot vote, so it must not keep a leader in office
	}
	a.hear(m.Ballot)
	if !a.hung() {
		a.Now(from, &paxos.HeartbeatAck{Ballot: m.Ballot, Nonce: m.Nonce, Held: a.held, Highest: a.highest})
	}
}

func (a *Acceptor) onQuery(from paxos.NodeID, m *paxos.Query) {
	if !a.admission.admitted {
		return
	}
	// SendAfter: it shows promised, and an acceptor whose disk hangs should not
	// invite candidates to a promise that it cannot make.
	a.After(from, &paxos.QueryReply{Nonce: m.Nonce, Promised: a.promised, Heard: a.heard, Silent: a.now - a.heardAt})
}
