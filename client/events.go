package client

import (
	"errors"
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/transport"
	"github.com/paxlog/paxlog/wire"
)

// Receive implements transport.Handler.
func (c *Client) Receive(from paxos.NodeID, m paxos.Message, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := m.(type) {
	case *paxos.Leader:
		if m.Ballot.IsZero() {
			c.lost(from)
		}
		c.onLeader(from, m.Ballot)
	case *paxos.Refused:
		s := c.sessions[m.Session]
		if s != nil {
			s.core.onRefused(c.now(), m)
		}
		if m.Reason == paxos.RefuseNoLeader {
			c.onNoLeader(from)
		}
		if s != nil {
			s.act()
		}
	case *paxos.Result:
		c.finished = 0
		if s := c.sessions[m.Session]; s != nil {
			s.core.onResult(c.now(), m)
			s.act()
		}
	case *paxos.Results:
		c.finished = 0
		for i := range m.Applied {
			if s := c.sessions[m.Applied[i].Session]; s != nil {
				r := m.Result(i)
				s.core.onResult(c.now(), &r)
				s.actSoon()
			}
		}
	case *paxos.Attached:
		c.reply(m.Nonce, m)
	case *paxos.Located:
		c.reply(m.Nonce, m)
	case *paxos.LogPage:
		c.reply(m.Nonce, m)
	case *paxos.Found:
		c.reply(m.Nonce, m)
	case *paxos.StatusReply:
		c.reply(m.Nonce, m)
	}
}

func (c *Client) reply(nonce uint64, m paxos.Message) {
	if k, ok := c.calls[nonce]; ok {
		delete(c.calls, nonce)
		k.reply <- m
	}
}

// Rest implements transport.Handler.
func (c *Client) Rest() {}

// PeerUp implements transport.Handler.
func (c *Client) PeerUp(id paxos.NodeID, role paxos.Role, _ uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up[id] = role
	delete(c.troubles, id)
	c.broadcast()
	if role == paxos.RoleLearner {
		c.open()
		if id == c.learnerID() {
			c.attachAll()
		}
		return
	}
	for _, s := range c.sessions {
		s.act()
	}
}

// PeerDown implements transport.Handler.
func (c *Client) PeerDown(id paxos.NodeID, role paxos.Role, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.up, id)
	if why != nil {
		c.troubles[id] = why
	}
	for nonce, k := range c.calls {
		if k.to == id {
			c.cancel(nonce)
		}
	}
	if role == paxos.RoleLearner {
		c.attachAll() // at another learner, if one is connected
	}
	if role == paxos.RoleProposer {
		c.lost(id)
		c.onLeader(id, paxos.Ballot{})
	}
	for _, s := range c.sessions {
		s.act()
	}
	c.broadcast()
}

// lost sends again what went to a proposer: it is gone, or knows of no leader, or what it
// passed on to one is lost.
func (c *Client) lost(id paxos.NodeID) {
	for _, s := range c.sessions {
		s.core.onLost(c.now(), id)
		s.act()
	}
}

// Refused implements transport.Handler.
func (c *Client) Refused(id paxos.NodeID, _ string, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.troubles[id] = why
	var refused *transport.RefusedError
	if errors.As(why, &refused) && refused.Code != wire.RefusedFull {
		if err := c.refusedByAll(); err != nil {
			for _, s := range c.sessions {
				s.core.fail(err)
				s.act()
			}
			for _, s := range c.opening {
				s.core.fail(err)
				s.act()
			}
			c.opening = nil
		}
	}
	c.broadcast()
}

// refusedByAll returns an error if every proposer, or every learner, refuses this
// client: it talks to the wrong cluster, and waiting does not help.
func (c *Client) refusedByAll() error {
	for _, peers := range [][]Peer{c.opts.proposers, c.opts.learners} {
		var err error
		for _, p := range peers {
			var refused *transport.RefusedError
			if !errors.As(c.troubles[paxos.NodeID(p.ID)], &refused) || refused.Code == wire.RefusedFull {
				err = nil
				break
			}
			err = refused
		}
		if err != nil {
			return fmt.Errorf("%w: %w; check the cluster file and the addresses in it", ErrRefused, err)
		}
	}
	return nil
}

// unreachable says which role cannot be reached at all, and why; "" if both can.
func (c *Client) unreachable() string {
	for _, r := range []struct {
		name  string
		peers []Peer
	}{{"proposer", c.opts.proposers}, {"learner", c.opts.learners}} {
		up, trouble := false, ""
		for _, p := range r.peers {
			id := paxos.NodeID(p.ID)
			_, connected := c.up[id]
			up = up || connected
			if t := c.troubles[id]; t != nil && trouble == "" {
				trouble = fmt.Sprintf("; %s: %v", p.ID, t)
			}
		}
		if !up {
			return fmt.Sprintf("no %s can be reached%s", r.name, trouble)
		}
	}
	return ""
}
