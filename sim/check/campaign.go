package check

import "github.com/paxlog/paxlog/paxos"

// ElectionMin is the shortest election timeout in milliseconds.
const ElectionMin = 150

// confirmed is within which time, in microseconds, a standby must have asked before it
// campaigns: an election timeout by a clock that may be late, and the way.
const confirmed = 2 * ElectionMin * 1000

// campaigns is what standbys were told before they campaigned.
type campaigns struct {
	asked   map[asking]int64              // when each query was sent
	silent  map[hearing]int64             // when the latest query was sent after which silence was told
	latest  map[paxos.NodeID]paxos.Ballot // campaign of each proposer
	excused map[paxos.NodeID]bool         // it leads, or was named: it needs no silence
}

type asking struct {
	proposer paxos.NodeID
	nonce    uint64
}

type hearing struct{ proposer, acceptor paxos.NodeID }

func newCampaigns() campaigns {
	return campaigns{map[asking]int64{}, map[hearing]int64{}, map[paxos.NodeID]paxos.Ballot{}, map[paxos.NodeID]bool{}}
}

// onQueryReply notes that an acceptor tells a proposer of silence.
func (c *Checker) onQueryReply(from, to *Process, m *paxos.QueryReply) {
	if at, ok := c.asked[asking{to.ID, m.Nonce}]; ok && m.Silent >= ElectionMin {
		key := hearing{to.ID, from.ID}
		c.silent[key] = max(c.silent[key], at)
	}
}

// excuse notes that a proposer may campaign although acceptors hear somebody: it is that
// one, or that one has named it.
func (c *Checker) excuse(proposer paxos.NodeID) { c.excused[proposer] = true }

// beginsAnew reports whether who used a ballot had the promises to lead by it, and did not: it has
// found in them that it asked the wrong acceptors.
func (c *Checker) beginsAnew(b paxos.Ballot) bool {
	var done paxos.Set
	for _, r := range c.byOf[b] {
		if r.done {
			done = done.With(c.place(r.acceptor))
		}
	}
	return !b.IsZero() && !c.led[b] && c.anyPhase1(done)
}

// onCampaign checks that a standby campaigns only after a Phase 1 quorum has told it of
// silence, each when it was asked just now: what acceptors told by themselves may have been
// taken back since, and that was lost.
func (c *Checker) onCampaign(n *Process, m *paxos.Prepare) {
	if m.To != 0 || c.latest[n.ID] == m.Ballot {
		return
	}
	excused := c.excused[n.ID] || c.beginsAnew(c.latest[n.ID])
	c.latest[n.ID] = m.Ballot
	delete(c.excused, n.ID)
	if excused || m.Rejoin != "" {
		return
	}
	var silent paxos.Set
	for place, id := range c.acceptors {
		if at, ok := c.silent[hearing{n.ID, id}]; ok && c.now()-at <= confirmed {
			silent = silent.With(place)
		}
	}
	if !c.anyPhase1(silent) {
		c.Fail("silence", "%s campaigns with %v, and only %d acceptors have confirmed lately that they hear nobody", n.ID, m.Ballot, silent.Len())
	}
}
