package client

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// What proposers say of who leads is what they have heard. On either side of a cut
// they differ, for as long as it lasts, and a ballot that one of them heard of may be
// of a candidate that never led, above that of the leader. So what each says is kept,
// and the highest ballot is believed until its own proposer denies it.

// onLeader notes what a proposer says.
func (c *Client) onLeader(from paxos.NodeID, b paxos.Ballot) {
	if from == b.Proposer {
		delete(c.denied, from)
	} else if !c.denied[b.Proposer].Less(b) {
		b = paxos.Ballot{} // its own proposer has denied it
	}
	if b.IsZero() {
		delete(c.said, from)
	} else {
		c.said[from] = b
	}
	c.follow()
}

// onNoLeader: a proposer has refused, since it neither leads nor can pass on, or has
// passed on a refusal. What others said of it is no longer believed; what it said of
// itself it takes back itself. Another one is asked next, if no leader is known.
func (c *Client) onNoLeader(from paxos.NodeID) {
	for by, b := range c.said {
		if b.Proposer == from && by != from {
			delete(c.said, by)
			if c.denied[from].Less(b) {
				c.denied[from] = b
			}
		}
	}
	if c.anyProposer() == from { // else others were refused with this one, and it is past
		c.target = 1 + slices.IndexFunc(c.opts.proposers, func(p Peer) bool { return p.ID == string(from) })
	}
	c.follow()
}

// follow takes the highest ballot that somebody knows of for the leader's. What went
// to an earlier leader is sent again.
func (c *Client) follow() {
	c.leader = paxos.Ballot{}
	for _, b := range c.said {
		if c.leader.Less(b) {
			c.leader = b
		}
	}
	if c.leader.IsZero() || c.leader == c.followed {
		return
	}
	first := c.followed.IsZero()
	c.followed = c.leader
	for _, s := range c.sessions {
		// What went to this very proposer before it was known to lead has reached the
		// leader, or is refused.
		if !first || !s.core.sentOnlyTo(c.leader.Proposer) {
			s.core.resend(c.now())
		}
		s.act()
	}
}

// proposerID is where appends go now: the leader if it is connected, else any
// connected proposer, which passes them on.
func (c *Client) proposerID() paxos.NodeID {
	if _, ok := c.up[c.leader.Proposer]; ok {
		return c.leader.Proposer
	}
	return c.anyProposer()
}

func (c *Client) anyProposer() paxos.NodeID {
	for i := range c.opts.proposers {
		id := paxos.NodeID(c.opts.proposers[(c.target+i)%len(c.opts.proposers)].ID)
		if _, ok := c.up[id]; ok {
			return id
		}
	}
	return ""
}

// tryOthers leaves the learner in use, and the proposer if it is not known to lead:
// they are connected, and may hang or be cut off from the rest. All who wait find that
// out at about the same time, and it is done once for all of them.
func (c *Client) tryOthers() {
	now := c.now()
	if c.triedAt != 0 && now-c.triedAt < resendMin/2 {
		return
	}
	c.triedAt = now
	c.target++
	if id := c.learnerID(); id != "" && len(c.opts.learners) > 1 {
		c.learner = (c.learner + 1) % len(c.opts.learners)
		c.attachAll()
	}
}
