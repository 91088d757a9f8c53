package check

import "github.com/paxlog/paxlog/paxos"

// leaders is what proposers were promised.
type leaders struct {
	reads map[readKey]*phase1Read
	byOf  map[paxos.Ballot][]*phase1Read // complete or not, in the order of their Prepare
	over  map[paxos.Ballot]bool          // its last heartbeat was sent
	led   map[paxos.Ballot]bool          // a heartbeat was sent
}

// readKey names one read of one acceptor in Phase 1.
type readKey struct {
	ballot   paxos.Ballot
	acceptor paxos.NodeID
	nonce    uint64
}

// phase1Read is what an acceptor reported for a campaign, as far as it arrived.
type phase1Read struct {
	acceptor paxos.NodeID
	from     map[uint64]paxos.Instance // by page: where it was asked to begin
	next     uint64                    // page
	done     bool
	held     paxos.Instance
	votes    map[paxos.Instance]paxos.Vote
}

func newLeaders() leaders {
	return leaders{reads: map[readKey]*phase1Read{}, byOf: map[paxos.Ballot][]*phase1Read{}, over: map[paxos.Ballot]bool{}, led: map[paxos.Ballot]bool{}}
}

// onPrepare notes that a campaign asks an acceptor. Repair reads are not noted:
// what comes of them must be the chosen value, which is checked as such.
func (c *Checker) onPrepare(to paxos.NodeID, m *paxos.Prepare) {
	key := readKey{m.Ballot, to, m.Nonce}
	if m.To != 0 {
		return
	}
	r := c.reads[key]
	if r == nil {
		r = &phase1Read{acceptor: to, from: map[uint64]paxos.Instance{}, votes: map[paxos.Instance]paxos.Vote{}}
		c.reads[key] = r
		c.byOf[m.Ballot] = append(c.byOf[m.Ballot], r)
	}
	r.from[m.Page] = m.From
}

// omits checks that a page of a promise has every vote that the acceptor has on
// disk within the page, above held and below the ballot promised: what is accepted
// after the promise is not below it. What was copied in meanwhile is no vote.
func (c *Checker) omits(n *Process, m *paxos.Promise) {
	r := c.reads[readKey{m.Ballot, n.ID, m.Nonce}]
	if r == nil {
		return
	}
	disk := n.Disk.Durable()
	last := disk.Top
	if k := len(m.Votes); !m.Last && k > 0 {
		last = m.Votes[k-1].Instance
	}
	told := m.Votes
	for i := max(r.from[m.Page], m.Held+1); i <= last; i++ {
		for len(told) > 0 && told[0].Instance < i {
			told = told[1:]
		}
		v := disk.Votes.At(i)
		if v.Instance == 0 || !v.Ballot.Less(m.Ballot) || c.toldBy(n).copied[i] {
			continue
		}
		if len(told) == 0 || told[0].Instance != i || told[0].Ballot.Less(v.Ballot) {
			c.Fail("P1", "%s promises %v and does not report its vote at instance %d under %v", n.ID, m.Ballot, i, v.Ballot)
		}
	}
}

// onPromise takes a page that reaches the candidate, once each and in order.
func (c *Checker) onPromise(from *Process, m *paxos.Promise) {
	r := c.reads[readKey{m.Ballot, from.ID, m.Nonce}]
	if r == nil || r.done || m.Page != r.next {
		return
	}
	r.next++
	r.done = m.Last
	r.held = max(r.held, m.Held)
	for _, v := range m.Votes {
		r.votes[v.Instance] = v
	}
}

// proposerSays checks P2 and P3 on what a leader proposes, and what it announces, and that
// nothing comes after its last heartbeat.
func (c *Checker) proposerSays(n *Process, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Query:
		c.asked[asking{n.ID, m.Nonce}] = c.now()
	case *paxos.Prepare:
		c.onCampaign(n, m)
	case *paxos.Accept:
		c.claims(n, m.ChosenUpTo)
		if c.over[m.Ballot] {
			c.Fail("last heartbeat", "%s proposes at instance %d under %v, whose last heartbeat it has sent", n.ID, m.Instance, m.Ballot)
		}
		c.onAccept(n, m)
	case *paxos.Heartbeat:
		c.claims(n, m.ChosenUpTo)
		if c.over[m.Ballot] {
			c.Fail("last heartbeat", "%s sends a heartbeat under %v after its last one", n.ID, m.Ballot)
		}
		c.over[m.Ballot], c.led[m.Ballot] = m.Resign, true
		if !m.Resign || m.Next != "" {
			c.excuse(n.ID)
		}
	}
}

func (c *Checker) onAccept(n *Process, m *paxos.Accept) {
	s := c.at(m.Instance)
	p := s.under(m.Ballot)
	if p != nil && !p.value.Equal(m.Value) {
		c.Fail("P2", "%s proposes two values at instance %d under %v", n.ID, m.Instance, m.Ballot)
	}
	if p != nil {
		return
	}
	if m.Ballot.Proposer != n.ID {
		c.Fail("P2", "%s proposes under %v, which is another's ballot", n.ID, m.Ballot)
	}
	c.proposesControl(n, m)
	c.proposesMembers(n, m)
	s.proposals = append(s.proposals, proposed{ballot: m.Ballot, value: m.Value})
	if s.chosen {
		if s.at.Less(m.Ballot) && !s.value.Equal(m.Value) {
			c.Fail("P3", "%s proposes at instance %d under %v another value than was chosen at %v", n.ID, m.Instance, m.Ballot, s.at)
		}
		return
	}
	c.forced(n, m)
}

// forced checks P3: among the acceptors whose promises reached the leader in full
// there is a Phase 1 quorum that leaves it this value. "v is the value of the
// highest-numbered proposal among all proposals numbered less than n accepted by
// the acceptors in S", or its own if there is none (Paxos Made Simple, P2c).
func (c *Checker) forced(n *Process, m *paxos.Accept) {
	best := 0 // members of the largest such quorum
	if m.Value.Origin == m.Ballot {
		best = c.allowing(m, paxos.Ballot{}) // its own
	} else {
		for _, r := range c.byOf[m.Ballot] {
			if v, voted := r.votes[m.Instance]; r.done && voted && v.Value.Equal(m.Value) {
				best = max(best, c.allowing(m, v.Ballot))
			}
		}
	}
	if need := int(c.configAt(m.Instance).Phase1); best < need {
		c.Fail("P3", "%s proposes at instance %d under %v a value that Phase 1 does not allow: %d acceptors are for it, a quorum is %d",
			n.ID, m.Instance, m.Ballot, best, need)
	}
}

// allowing is how many acceptors reported in full, and no vote at the instance
// above ballot most.
func (c *Checker) allowing(m *paxos.Accept, most paxos.Ballot) int {
	var quorum paxos.Set
	for _, r := range c.byOf[m.Ballot] {
		if !r.done {
			continue
		}
		if v, voted := r.votes[m.Instance]; !voted || !most.Less(v.Ballot) {
			quorum = quorum.With(c.place(r.acceptor))
		}
	}
	return c.among(quorum, c.configAt(m.Instance))
}
