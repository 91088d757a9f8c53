package acceptor

import "github.com/paxlog/paxlog/paxos"

// onPrepare answers Phase 1a. "If an acceptor receives a prepare request with
// number n greater than that of any prepare request to which it has already
// responded, then it responds to the request with a promise not to accept any
// more proposals numbered less than n and with the highest-numbered proposal (if
// any) that it has accepted" (Paxos Made Simple, 2.2).
//
// It does so for all instances above held at once. It answers n equal to the promised
// ballot as well: the candidate asks again for a page that was lost.
func (a *Acceptor) onPrepare(from paxos.NodeID, m *paxos.Prepare) {
	switch {
	case !a.owns(from, m.Ballot, m.Nonce):
		return
	case m.To != 0 && m.To < m.From:
		a.refuse(from, "it reads instances from the end to the beginning", "from_instance", uint64(m.From), "to_instance", uint64(m.To))
		return
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

// sendPromise sends one page of a promise. The candidate asks for the next one, so that
// no queue has to hold them all. A page leaves only while promised is still the
// candidate's ballot. Example: a1 promises 5.p1, and 6.p2 before the page was read, and
// votes at 6. The page would show that vote to p1, which must not lead by it.
func (a *Acceptor) sendPromise(p pending, m *paxos.Loaded) {
	switch {
	case !a.admission.admitted: // it has found out meanwhile that it has forgotten votes
		a.reject(p.to, p.ballot, p.nonce, paxos.RejectNotAdmitted)
		return
	case a.promised != p.ballot:
		a.reject(p.to, p.ballot, p.nonce, paxos.RejectPromised)
		return
	}
	if a.passed(p, m.Votes) < len(m.Votes) || p.first != a.control.first {
		// What was read may lack what was trimmed meanwhile: by now that is held.
		a.load(max(m.Load.From, p.above(a.held)), m.Load.To, p)
		return
	}
	a.After(p.to, &paxos.Promise{
		Ballot: p.ballot, Nonce: p.nonce, Page: p.page, Last: !m.More, Held: p.held, Marks: a.marks(), Of: a.of(), Votes: m.Votes,
		Control: p.control, Knows: a.cfg.Knows, Clock: a.wall,
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
