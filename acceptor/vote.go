package acceptor

import (
	"hash/crc32"

	"github.com/paxlog/paxlog/paxos"
)

// vote is what is remembered of a proposal that this acceptor accepted; the zero vote is
// none.
type vote struct {
	ballot *paxos.Ballot // shared by the votes under it: ballots are long, and change seldom
	sum    uint32        // of the value, never 0; 0 for a vote of an earlier process
	sync   uint64        // the sync that makes it durable; 0 for a vote of an earlier process
}

// under is the ballot of v, the zero ballot if there is no vote.
func (v vote) under() paxos.Ballot {
	if v.ballot == nil {
		return paxos.Ballot{}
	}
	return *v.ballot
}

// isUnder reports whether v is a vote under b.
func (v vote) isUnder(b *paxos.Ballot) bool {
	return v.ballot == b || v.ballot != nil && *v.ballot == *b
}

// shared returns b where votes under it may point to.
func (a *Acceptor) shared(b *paxos.Ballot) *paxos.Ballot {
	if a.voting == nil || *a.voting != *b {
		c := *b
		a.voting = &c
	}
	return a.voting
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // processors have an instruction for it

// sumOf tells values apart that a fault has mixed up, not values that somebody made to
// collide.
func sumOf(v *paxos.Value) uint32 {
	sum := crc32.Checksum(v.Batch, castagnoli)
	sum ^= uint32(v.Time) ^ uint32(v.Time>>32) ^ uint32(v.Origin.Round) ^ uint32(v.Origin.Process)
	return max(sum, 1)
}

// contradicts reports whether v and o are for different values under one ballot.
func (v vote) contradicts(o vote) bool {
	return v.sum != o.sum && v.sum != 0 && o.sum != 0 && v.isUnder(o.ballot)
}

// onAccept answers Phase 2a. "If an acceptor receives an accept request for a
// proposal numbered n, it accepts the proposal unless it has already responded to
// a prepare request having a number greater than n" (Paxos Made Simple, 2.2).
// Accepting at n also raises promised to n: else a proposal of a lower ballot
// could be accepted afterwards and replace a vote that was counted.
func (a *Acceptor) onAccept(from paxos.NodeID, m *paxos.Accept) {
	if !a.owns(from, m.Ballot, 0) || !a.near(from, max(m.Instance, m.ChosenUpTo)) || !a.fits(from, m) {
		return
	}
	switch {
	case m.Instance <= a.held:
		// What is held was chosen and never changes: tell it, whatever the ballot. What a
		// leader announced as chosen was chosen, also if it was deposed since: its ballot is
		// its own, and takes no promise.
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
	if !a.takes(from, m) {
		return
	}
	v, old := vote{a.shared(&m.Ballot), sumOf(&m.Value), a.syncs + 1}, a.votes[m.Instance]
	if v.contradicts(old) {
		a.contradicted(from, m.Instance, m.Ballot)
		return
	}
	a.promise(m.Ballot)
	a.hear(m.Ballot)
	if !old.isUnder(v.ballot) {
		a.vote(m, v, old)
	}
	// Else it is a repetition (the leader proposes one value at one instance):
	// the vote is written, so only the answer is repeated.
	a.acknowledge(from, m)
	a.learnChosen(m.Ballot, m.ChosenUpTo)
}

// fits reports whether the value of m is one that other processes can copy from here, and
// whether there is room for one more vote above held.
func (a *Acceptor) fits(from paxos.NodeID, m *paxos.Accept) bool {
	if n := len(m.Value.Batch); a.cfg.ValueBytes > 0 && n > a.cfg.ValueBytes {
		a.refuse(from, "its value is larger than a page can carry; compare limits.batch_bytes and limits.entry_bytes of both cluster files", "instance", uint64(m.Instance), "bytes", n, "most", a.cfg.ValueBytes)
		return false
	}
	if len(a.votes) >= maxVotes && a.votes[m.Instance].ballot == nil && m.Instance > a.held {
		a.refuse(from, "more votes than are kept above what is known to be chosen", "instance", uint64(m.Instance), "most", maxVotes)
		return false
	}
	return true
}

// vote records v in place of old, and shows the value to learners that want it ahead.
func (a *Acceptor) vote(m *paxos.Accept, v, old vote) {
	a.assertVote(m.Instance, v, old)
	a.votes[m.Instance] = v
	a.control.noteVote(m.Instance, m.Value.Batch)
	a.check.voted = true
	a.highest = max(a.highest, m.Instance)
	a.Write(paxos.PutVote{Vote: paxos.Vote{Instance: m.Instance, Ballot: m.Ballot, Value: m.Value}})
	a.room.take(&m.Value)
	a.Out.Sync = true
	relay := a.After // together with the vote
	if len(a.underWay) > 0 {
		relay = a.Send
	}
	for _, s := range a.subs {
		if s.values {
			relay(s.id, &paxos.Relay{Ballot: m.Ballot, Instance: m.Instance, Value: m.Value})
		}
	}
}

// contradictions counts the messages of peers that show another value than this
// acceptor voted for, at the same instance under the same ballot. Whoever sent one has
// broken P2c or was changed on the way. It is the sender's fault: it stops nobody here.
type contradictions struct {
	count uint64
	warn  paxos.Timer
}

// contradicted refuses what from shows at i under b.
func (a *Acceptor) contradicted(from paxos.NodeID, i paxos.Instance, b paxos.Ballot) {
	c := &a.contradictions
	c.count++
	if c.warn.Due(a.now) {
		c.warn.Set(a.now + warnTicks)
		a.Warn("refused another value than this acceptor voted for under the same ballot: a bug, or faulty memory, of the sender; look at its log",
			"peer", string(from), "instance", uint64(i), "ballot", b.String(), "refused_so_far", c.count)
	}
}
