package acceptor

import "github.com/paxlog/paxlog/paxos"

// learnChosen takes the announcement of the leader of ballot b that everything
// up to upTo is chosen. It says nothing of a value accepted under another ballot:
// at such an instance held stops, and the chosen value has to be copied.
func (a *Acceptor) learnChosen(b paxos.Ballot, upTo paxos.Instance) {
	if a.announced.Less(b) || (a.announced == b && a.announcedUpTo < upTo) {
		a.announced, a.announcedUpTo = b, upTo
	}
	a.known = max(a.known, upTo)
	a.advance()
}

// advance raises held over all that the last announcement covers.
func (a *Acceptor) advance() {
	before := a.held
	for a.held < a.announcedUpTo && a.votes[a.held+1].isUnder(&a.announced) {
		if len(a.control.votes) > 0 && !a.pass(a.held+1, []byte(a.control.votes[a.held+1])) {
			break
		}
		a.held++
		delete(a.votes, a.held)
	}
	if a.held != before {
		a.leave()
		a.known = max(a.known, a.held)
		a.Write(paxos.SetHeld{Held: a.held}) // costs no sync of its own
		a.copy.pause(a)
	}
}

// missing is how many instances that are known to be chosen this acceptor has not got.
func (a *Acceptor) missing() uint64 {
	if a.known <= a.held {
		return 0
	}
	n := uint64(a.known - a.held)
	for i, v := range a.votes {
		// Announced and voted for at the announcing ballot, but above a hole.
		if i <= a.announcedUpTo && v.isUnder(&a.announced) {
			n--
		}
	}
	return n
}
