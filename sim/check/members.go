package check

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// place is an acceptor's place among all that there ever were.
func (c *Checker) place(id paxos.NodeID) int { return slices.Index(c.acceptors, id) }

// Members is what the log has decided about its acceptors.
func (c *Checker) Members() configuration.History {
	c.catchUp()
	return c.decided.state.Members
}

// Roster is what it has decided about who the proposers and learners are.
func (c *Checker) Roster() configuration.Roster {
	c.catchUp()
	return c.decided.state.Roster
}

// configAt is the configuration in force at instance i. While nobody can know it, it is the one
// of which all are that vote there: R3 lets nobody propose there.
func (c *Checker) configAt(i paxos.Instance) configuration.Configuration {
	h := c.Members()
	switch {
	case h.IsZero():
		return configuration.Of(c.members, func(paxos.NodeID) uint64 { return 0 })
	case i < h.From:
		if i >= h.Since {
			return h.Before
		}
		return c.earlier(i)
	}
	return h.Now
}

// earlier is the configuration that was in force at an instance of long ago.
func (c *Checker) earlier(i paxos.Instance) configuration.Configuration {
	for _, x := range c.decided.changes {
		s, err := control.Decode(x.state, Newest)
		if h := s.Members; err == nil && h.Changed() && i < h.From && i >= h.Since {
			return h.Before
		}
	}
	return c.decided.state.Config
}

// among is how many of a set of acceptors are members.
func (c *Checker) among(s paxos.Set, config configuration.Configuration) (n int) {
	for _, a := range config.Acceptors {
		if s.Has(c.place(a.ID)) {
			n++
		}
	}
	return n
}

// anyPhase1 reports whether a set has a Phase 1 quorum of a configuration that a proposer may
// know of.
func (c *Checker) anyPhase1(s paxos.Set) bool {
	h := c.Members()
	first := configuration.Of(c.members, func(paxos.NodeID) uint64 { return 0 })
	for _, config := range []configuration.Configuration{first, h.Before, h.Now} {
		if !config.IsZero() && c.among(s, config) >= int(config.Phase1) {
			return true
		}
	}
	return false
}

// proposesMembers checks R3, R7 and R8 on what a leader proposes.
func (c *Checker) proposesMembers(n *Process, m *paxos.Accept) {
	h := c.Members()
	if h.Alpha != 0 && m.Instance > c.chosenUpTo+h.Alpha {
		c.Fail("R3", "%s proposes at instance %d, all is chosen up to %d only, and alpha is %d", n.ID, m.Instance, c.chosenUpTo, h.Alpha)
	}
	if !paxos.IsControl(m.Value.Batch) {
		return
	}
	cmd, _ := control.Parse(m.Value.Batch)
	x, is := cmd.(control.Change)
	if _, err := h.Apply(m.Instance, x.Change); !is || err != nil {
		return
	}
	if held := c.holding(m.Instance-1, h.Now, x.Replaces); held < int(h.Now.Phase2) {
		c.Fail("R7b", "%s proposes at instance %d to replace %q, and %d of the others have said that they hold everything below", n.ID, m.Instance, x.Replaces, held)
	}
	if h.Changed() && c.holding(h.From-1, h.Now, "") < int(h.Now.Phase2) {
		c.Fail("R8", "%s proposes at instance %d a change, and the one before is not complete", n.ID, m.Instance)
	}
	for _, r := range c.byOf[m.Ballot] {
		if x.Replaces != "" && r.acceptor == x.Replaces {
			c.Fail("R7a", "%s proposes under %v to replace %s, which its Phase 1 has asked", n.ID, m.Ballot, x.Replaces)
		}
	}
}

// votesForChange checks R7b where a vote for a change is written: who votes holds everything
// below, and the commit of the vote comes after that.
func (c *Checker) votesForChange(n *Process, v *paxos.Vote, held paxos.Instance) {
	if !paxos.IsControl(v.Value.Batch) {
		return
	}
	if cmd, err := control.Parse(v.Value.Batch); err == nil && held+1 < v.Instance {
		if _, is := cmd.(control.Change); is {
			c.Fail("R7b", "%s votes for a change at instance %d, and holds only %d", n.ID, v.Instance, held)
		}
	}
}

// holding is how many members have said that they hold everything up to an instance. It need
// not be on disk then: what a vote for a change says is.
func (c *Checker) holding(upTo paxos.Instance, config configuration.Configuration, without paxos.NodeID) (n int) {
	for _, p := range c.processes {
		if _, is := config.Find(p.ID); is && p.Role == paxos.RoleAcceptor && p.ID != without && (c.toldBy(p).held >= upTo || c.toldBy(p).forgot) {
			n++
		}
	}
	return n
}

// votesAsMember checks R4 and R8: who votes at an instance is a member there.
func (c *Checker) votesAsMember(n *Process, i paxos.Instance) {
	if _, is := c.configAt(i).Find(n.ID); !is && c.Members().Alpha != 0 && i <= c.chosenUpTo+c.Members().Alpha {
		c.Fail("R4", "%s votes at instance %d, where it is no member", n.ID, i)
	}
}
