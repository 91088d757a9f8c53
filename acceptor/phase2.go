package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// onAccept answers Phase 2a. "If an acceptor receives an accept request for a
// proposal numbered n, it accepts the proposal unless it has already responded to
// a prepare request having a number greater than n" (Paxos Made Simple, 2.2).
// Accepting at n also raises promised to n: else a proposal of a lower ballot
// could be accepted afterwards and replace a vote that was counted.
func (a *Acceptor) onAccept(from paxos.NodeID, m *paxos.Accept) {
	switch {
	case m.Instance <= a.held:
		// What is held was chosen and never changes: tell it, whatever the ballot.
		a.learnChosen(m.Ballot, m.ChosenUpTo)
		a.load(m.Instance, m.Instance, pending{kind: pendingHeld, to: from, from: m.Instance})
		return
	case !a.admission.admitted:
		a.reject(from, m.Ballot, 0, paxos.RejectNotAdmitted)
		return
	case m.Ballot.Less(a.promised):
		a.learnChosen(m.Ballot, m.ChosenUpTo)
		a.reject(from, m.Ballot, 0, paxos.RejectPromised)
		return
	}
	a.promise(m.Ballot)
	a.hear(m.Ballot)
	if a.votes[m.Instance] != m.Ballot {
		a.votes[m.Instance] = m.Ballot
		a.highest = max(a.highest, m.Instance)
		a.Write(paxos.PutVote{Vote: paxos.Vote{Instance: m.Instance, Ballot: m.Ballot, Value: m.Value}})
		a.Out.Sync = true
		for _, s := range a.subs {
			if s.values {
				a.Now(s.id, &paxos.Relay{Ballot: m.Ballot, Instance: m.Instance, Value: m.Value})
			}
		}
	}
	// Else it is a repetition (the leader proposes one value at one instance):
	// the vote is written, so only the answer is repeated.
	a.acknowledge(from, m.Instance, m.Ballot)
	a.learnChosen(m.Ballot, m.ChosenUpTo)
}

func (a *Acceptor) acknowledge(to paxos.NodeID, i paxos.Instance, b paxos.Ballot) {
	for k := range a.acks {
		if a.acks[k].to == to {
			a.acks[k].runs = paxos.AppendRun(a.acks[k].runs, i, b)
			return
		}
	}
	a.acks = append(a.acks, ack{to: to, runs: paxos.AppendRun(nil, i, b)})
}

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
	for a.held < a.announcedUpTo && a.votes[a.held+1] == a.announced {
		a.held++
		delete(a.votes, a.held)
	}
	if a.held != before {
		a.known = max(a.known, a.held)
		a.Write(paxos.SetHeld{Held: a.held}) // costs no sync of its own
		a.copy.holeSince = a.now
	}
}

// onPoll subscribes a learner and tells the read point. The answer is sent after
// the votes that it counts are durable.
func (a *Acceptor) onPoll(from paxos.NodeID, m *paxos.Poll) {
	s := subscriber{id: from, until: a.now + a.cfg.IdleTicks, values: m.Values}
	i, found := slices.BinarySearchFunc(a.subs, from, func(s subscriber, id paxos.NodeID) int {
		switch {
		case s.id < id:
			return -1
		case s.id > id:
			return 1
		}
		return 0
	})
	if found {
		a.subs[i] = s
	} else {
		a.subs = slices.Insert(a.subs, i, s)
	}
	if a.admission.admitted { // else it may have forgotten votes, which a read would miss
		a.After(from, &paxos.PollReply{Nonce: m.Nonce, Held: a.held, Highest: a.highest})
	}
	if m.Stuck > 0 {
		a.relayRepair(m.Stuck)
	}
}

// relayRepair passes a request on to the leader that this acceptor hears.
func (a *Acceptor) relayRepair(i paxos.Instance) {
	if i > 0 && a.now-a.heardAt < a.cfg.ElectionTicks && !a.heard.IsZero() {
		a.Now(a.heard.Proposer, &paxos.Repair{Instance: i})
	}
}
