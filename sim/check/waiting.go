package check

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// waiting is what acceptors owe their leader: votes that they did not tell it at once.
type waiting struct {
	beats map[paxos.NodeID][]beat // heartbeats that an acceptor has not answered, oldest first
	seen  map[paxos.NodeID]beat   // and the latest that reached it
}

// beat is a heartbeat that has reached an acceptor.
type beat struct {
	ballot paxos.Ballot
	nonce  uint64
	upTo   paxos.Instance
	votes  []paxos.Instance // under ballot, that were on disk when it came
	due    []paxos.Instance // and when the one before it came
}

func newWaiting() waiting {
	return waiting{beats: map[paxos.NodeID][]beat{}, seen: map[paxos.NodeID]beat{}}
}

// forgetBeats: an acceptor starts, and what had reached it is void.
func (w *waiting) forgetBeats(id paxos.NodeID) {
	delete(w.beats, id)
	delete(w.seen, id)
}

// toldTo checks that a vote at i leaves at once, as soon as it is durable, and with the mark
// of its commit: to a learner, or else to the leader. If nobody were told, nobody would
// remember the vote when the acceptor's directory loses its tail. An acceptor that finds out in the
// same flush that its directory has forgotten others tells nobody, and votes no more until it has rejoined.
// Nor does one that is told in the same flush that it must not vote: it tells when it may again.
func (c *Checker) toldTo(n *Process, out *paxos.Output, i paxos.Instance) {
	var mark uint64
	for _, r := range out.Writes {
		if s, ok := r.(paxos.SetMark); ok {
			if s.Forgot {
				return
			}
			mark = s.Commits
		}
	}
	for _, e := range out.SendAfter {
		if m, ok := e.Msg.(*paxos.Accepted); ok && m.Mark.Commits >= mark && contains(m.Runs, i) {
			return
		}
	}
	if n.Denied != nil && n.Denied() {
		return
	}
	c.Fail("waiting", "%s votes at instance %d, and tells neither a learner nor its leader when that is durable", n.ID, i)
}

// keepsBack checks that an acceptor keeps no value back for a sync of which nobody knows how
// long it takes: for one that is under way, and its own that comes after it.
func (c *Checker) keepsBack(n *Process, out *paxos.Output) {
	if n.Disk.Visible().Mark.Commits == n.Disk.Durable().Mark.Commits {
		return
	}
	for _, e := range out.SendAfter {
		if m, ok := e.Msg.(*paxos.Relay); ok {
			c.Fail("waiting", "%s keeps back the value at instance %d while a sync is under way", n.ID, m.Instance)
		}
	}
}

func contains(runs []paxos.VoteRun, i paxos.Instance) bool {
	return slices.ContainsFunc(runs, func(r paxos.VoteRun) bool { return r.First <= i && i <= r.Last })
}

// onHeartbeat notes what an acceptor owes a leader when a heartbeat comes.
func (c *Checker) onHeartbeat(to *Process, m *paxos.Heartbeat) {
	if m.Resign {
		return
	}
	b := beat{ballot: m.Ballot, nonce: m.Nonce, upTo: m.ChosenUpTo}
	disk := to.Disk.Durable()
	for i := max(m.ChosenUpTo, disk.Held) + 1; i <= disk.Top; i++ {
		if disk.Votes.At(i).Ballot == m.Ballot && !c.toldBy(to).copied[i] {
			b.votes = append(b.votes, i)
		}
	}
	if last := c.seen[to.ID]; last.ballot == m.Ballot {
		b.due = last.votes
	}
	c.seen[to.ID] = b
	c.beats[to.ID] = append(c.beats[to.ID], b)
}

// answersBeat checks that the answer to a heartbeat tells all votes that were durable when
// the heartbeat before it came: a vote reaches the leader within a heartbeat.
func (c *Checker) answersBeat(n *Process, m *paxos.HeartbeatAck) {
	for _, r := range m.Runs {
		c.tells(n, r)
	}
	if disk := n.Disk.Durable(); len(m.Runs) > 0 && disk.Mark.Life == m.Mark.Life && disk.Mark.Commits < m.Mark.Commits {
		c.Fail("waiting", "%s shows commit %d in an answer to a heartbeat, and only %d are durable", n.ID, m.Mark.Commits, disk.Mark.Commits)
	}
	beats := c.beats[n.ID]
	at := slices.IndexFunc(beats, func(b beat) bool { return b.ballot == m.Ballot && b.nonce == m.Nonce })
	if at < 0 {
		return
	}
	b, seen := beats[at], n.Disk.Visible()
	c.beats[n.ID] = beats[at+1:]
	for _, i := range b.due {
		if i > max(b.upTo, seen.Held, m.Held) && seen.Votes.At(i).Ballot == m.Ballot && !contains(m.Runs, i) {
			c.Fail("waiting", "%s answers a heartbeat of %v without its vote at instance %d, which was durable one heartbeat ago", n.ID, m.Ballot, i)
		}
	}
}
