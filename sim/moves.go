package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

// drawMoves draws when proposers and learners are moved: another one comes, and then the old one
// goes. It has a source of its own, as drawOld has.
func drawMoves(seed uint64, end Micros) []Fault {
	r := paxos.Rand{State: seed ^ 0x6d6f766573}
	if r.Uint64()%4 != 0 {
		return nil
	}
	return moreMoves(&r, end)
}

func moreMoves(r *paxos.Rand, end Micros) (faults []Fault) {
	for at := between(r, 300*Millisecond, 1500*Millisecond); at < end; at += between(r, 300*Millisecond, 3*Second) {
		faults = append(faults, Fault{At: at, Kind: MoveProcess, Arg: r.Uint64(), For: between(r, Millisecond, Second)})
	}
	return faults
}

// roster is who the proposers and learners are.
func (c *Cluster) roster() configuration.Roster {
	if r := c.Check.Roster(); r.Version > 0 {
		return r
	}
	return configuration.Enrol(c.first)
}

// move begins to move a proposer or learner, as an operator does, who asks again until it is done.
func (c *Cluster) move(f Fault, r *paxos.Rand) {
	role := []paxos.Role{paxos.RoleProposer, paxos.RoleLearner}[r.Uint64()%2]
	now := c.roster()
	of := now.Of(role)
	if c.newcomers > 20 {
		return
	}
	c.newcomers++
	gone, comes := of[r.Uint64()%uint64(len(of))], paxos.NodeID(fmt.Sprintf("%s%d", map[paxos.Role]string{paxos.RoleProposer: "q", paxos.RoleLearner: "m"}[role], c.newcomers))
	add := c.addLearner
	if role == paxos.RoleProposer {
		add = c.addProposer
		c.Proposers = append(slices.Clip(c.Proposers), comes)
	} else {
		c.Learners = append(slices.Clip(c.Learners), comes)
	}
	n := add(comes)
	n.refusal, n.lag = c.refusal, c.nodes[gone].lag
	c.trace("%s comes, in the place of %s", comes, gone)
	n.Start()
	c.after(f.For, func() { c.moveOn(f, role, gone, comes) })
}

// moveOn goes on with a move. Orders are lost, repeated and reach proposers that lead no more.
func (c *Cluster) moveOn(f Fault, role paxos.Role, gone, comes paxos.NodeID) {
	now := c.roster()
	_, came := now.Find(comes)
	_, stays := now.Find(gone)
	if !stays && !came {
		return // it was to take the place of one that somebody else has removed
	}
	if came && !stays {
		c.Events["move of a proposer or learner done"]++
		c.after(f.For, func() {
			n := c.nodes[gone]
			n.away, c.off[gone] = true, f.Arg%2 == 0 // else it is started again by mistake, in the end
			c.trace("%s is switched off for good", gone)
			if n.Up {
				n.Crash()
			}
		})
		return
	}
	m := &paxos.Member{Order: paxos.MemberAdd, With: comes, Role: role, Addr: "sim:" + string(comes), Force: true}
	if came {
		m = &paxos.Member{Order: paxos.MemberRemove, ID: gone, Force: true}
		if n := c.nodes[gone]; n.Up && role == paxos.RoleProposer {
			n.receive(operator, &paxos.Transfer{})
		}
	}
	for _, id := range c.Proposers {
		if n := c.nodes[id]; n.Up {
			n.receive(operator, m)
		}
	}
	c.after(300*Millisecond, func() { c.moveOn(f, role, gone, comes) })
}
