package check

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// chainAt is the chain of instance i of the values that were chosen, computed apart from
// package paxos: zero below the level that has one.
func (c *Checker) chainAt(i paxos.Instance) paxos.Chain {
	for k := paxos.Instance(len(c.chains)); k < i; k++ {
		var chain paxos.Chain
		if k > 0 {
			chain = c.chains[k-1]
		}
		if at, ok := c.stateAt(k + 1); !ok {
			c.Fail("R2", "the chain of instance %d is asked for, and %d is not chosen", i, k+1)
		} else if at.level >= control.ChainLevel {
			v, _ := c.known(k + 1)
			h := sha256.New()
			h.Write(chain[:])
			for _, n := range []uint64{uint64(k + 1), uint64(v.Time), v.Origin.Round, v.Origin.Process} {
				h.Write(binary.BigEndian.AppendUint64(nil, n))
			}
			batch := sha256.Sum256(v.Batch)
			h.Write(batch[:])
			h.Write([]byte(v.Origin.Proposer))
			h.Sum(chain[:0])
		}
		c.chains = append(c.chains, chain)
	}
	if i == 0 {
		return paxos.Chain{}
	}
	return c.chains[i-1]
}

// hasChain checks that a learner has, or tells, the chain of what was chosen: so learners that
// have applied as much have the same.
func (c *Checker) hasChain(n *Process, i paxos.Instance, has paxos.Chain) {
	if c.harmed[n.ID] {
		return
	}
	if want := c.chainAt(i); has != want {
		c.Fail("R2", "%s has at instance %d the chain %v, and that of what was chosen is %v", n.ID, i, has, want)
	}
}

// Harm says that a learner's disk is changed by hand: what it has from now on is not checked,
// but that it serves nobody once it says that it is wrong.
func (c *Checker) Harm(id paxos.NodeID) { c.harmed[id] = true }

// servesRightly checks that a learner which is wrong, as its disk says, tells operators so, goes
// on learning, and does nothing else.
func (c *Checker) servesRightly(n *Process, m paxos.Message) {
	if n.Disk.Visible().Wrong == "" {
		return
	}
	switch m.(type) {
	case *paxos.StatusReply, *paxos.Drained, *paxos.Poll, *paxos.Fetch, *paxos.Vouched:
	default:
		c.Fail("R2", "%s is wrong, and sends a %s", n.ID, paxos.Messages.Row(m).Name)
	}
}
