package acceptor

import "github.com/paxlog/paxlog/paxos"

// hearing is whom this acceptor heard last: a leader, or a candidate that it promised.
type hearing struct {
	ballot   paxos.Ballot
	at       paxos.Ticks
	resigned bool         // that leader has said that it leads no more
	next     paxos.NodeID // the successor that it has named in its last heartbeat, or ""
}

// begin is called at a start and after a pause. Nothing is known of who was alive
// meanwhile. It counts as having heard somebody just now, lest a paused acceptor help to
// depose a leader that it merely did not listen to.
func (h *hearing) begin(now paxos.Ticks) { h.at, h.resigned = now, false }

// nextLook is when a stretch of silence ends that is a multiple of the election timeout. A
// process that is stopped misses the next such time by more than half a timeout, or has
// not been stopped for long: so a driver sees that it was paused.
func (h hearing) nextLook(now, election paxos.Ticks) paxos.Ticks {
	if election == 0 {
		return paxos.Never
	}
	return h.at + ((now-h.at)/election+1)*election
}

// silent is for how long nobody has been heard.
func (h hearing) silent(now paxos.Ticks) paxos.Ticks {
	if h.resigned {
		return resignedTicks
	}
	return now - h.at
}

// hear notes that whoever made ballot b is alive.
func (a *Acceptor) hear(b paxos.Ballot) { a.hearing = hearing{ballot: b, at: a.now} }

// hearsOther reports whether a live leader or candidate other than the one that
// made ballot b was heard within ElectionTicks. An acceptor that was just started
// or paused counts as having heard somebody. The successor that the leader has named is
// no other: it is let through at once.
func (a *Acceptor) hearsOther(b paxos.Ballot) bool {
	h := &a.hearing
	return h.silent(a.now) < a.cfg.ElectionTicks && !h.ballot.SameProcess(b) && (h.next == "" || h.next != b.Proposer)
}

// onHeartbeat answers a leader that it could vote for. One below promised is
// refused and refreshes nothing, so a deposed leader cannot keep others out.
func (a *Acceptor) onHeartbeat(from paxos.NodeID, m *paxos.Heartbeat) {
	if !a.owns(from, m.Ballot, m.Nonce) || !a.near(from, m.ChosenUpTo) {
		return
	}
	a.learnChosen(m.Ballot, m.ChosenUpTo)
	if m.Ballot.Less(a.promised) {
		a.reject(from, m.Ballot, m.Nonce, paxos.RejectPromised)
		return
	}
	if m.Resign {
		a.onLastHeartbeat(m)
		return
	}
	a.takeMarks(from, m.Marks, m.Of)
	if !a.admission.admitted {
		a.askToRejoin(from, m.Ballot)
		return // it cannot vote, so it must not keep a leader in office
	}
	a.hear(m.Ballot)
	if a.asking = (paxos.Ballot{}); m.Ask {
		a.asking, a.askedAt = m.Ballot, a.now
	}
	if a.hung() {
		return
	}
	ack := &paxos.HeartbeatAck{
		Ballot: m.Ballot, Nonce: m.Nonce, Held: a.held, Highest: a.highest, Knows: a.cfg.Knows,
		Room: a.room.values, DiskFree: a.room.free, Learners: a.roomOfLearners(), Clock: a.wall,
	}
	if ack.Runs = a.votesUnder(&m.Ballot, m.ChosenUpTo, a.synced); len(ack.Runs) > 0 {
		ack.Mark = a.durableMark
	}
	a.Send(from, ack)
	if m.Ask && (a.Out.Sync || a.synced < a.syncs) { // Out.Sync: by an Accept of this turn
		a.ackFor(from).ask(m.Ballot, m.ChosenUpTo)
	}
}

// onLastHeartbeat takes the end of a leader's office. Who has named a successor is heard
// once more: the others leave the successor an election timeout, and campaign by
// themselves if nothing comes of it.
func (a *Acceptor) onLastHeartbeat(m *paxos.Heartbeat) {
	if m.Next == "" {
		a.hearing.resigned = a.hearing.resigned || a.hearing.ballot == m.Ballot
		return
	}
	if !a.admission.admitted || !a.mayPropose(m.Next) {
		return
	}
	a.hear(m.Ballot)
	a.hearing.next = m.Next
	if !a.hung() { // else it could not promise anything
		a.Send(m.Next, &paxos.Named{Ballot: m.Ballot})
	}
}

// tellLeader passes on to the leader that this acceptor hears that instance i, which is
// chosen, cannot be had from anybody.
func (a *Acceptor) tellLeader(i paxos.Instance) {
	if i > 0 && a.hearing.silent(a.now) < a.cfg.ElectionTicks && !a.hearing.ballot.IsZero() {
		a.Send(a.hearing.ballot.Proposer, &paxos.Repair{Instance: i})
	}
}
