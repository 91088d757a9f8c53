package client

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// What proposers say of who leads is what they have heard. On either side of a cut
// they differ, for as long as it lasts, and a ballot that one of them heard of may be
// of a candidate that never led, above that of the leader. So what each says is kept,
// and the highest ballot is believed until its own proposer denies it.

// onLeader notes what a proposer says.
func (c *Client) onLeader(from paxos.NodeID, b paxos.Ballot) {
	if b.IsZero() {
		delete(c.said, from)
	} else {
		c.said[from] = b
	}
	c.follow()
}

// onNoLeader: a proposer has refused, since it neither leads nor can pass on. Of
// itself it knows best. Another one is asked next, if no leader is known. (If it only
// passed on a refusal, and leads by now, this costs a hop at most: the others pass on.)
func (c *Client) onNoLeader(from paxos.NodeID) {
	maps.DeleteFunc(c.said, func(_ paxos.NodeID, b paxos.Ballot) bool { return b.Proposer == from })
	c.follow()
	if c.proposerID() == from { // else others were refused with this one, and it is past
		c.target = 1 + slices.IndexFunc(c.opts.proposers, func(p Peer) bool { return p.ID == string(from) })
	}
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
	for i := range c.opts.proposers {
		id := paxos.NodeID(c.opts.proposers[(c.target+i)%len(c.opts.proposers)].ID)
		if _, ok := c.up[id]; ok {
			return id
		}
	}
	return ""
}
