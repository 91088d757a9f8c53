package check

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/model"
)

// Violation is a broken invariant. Checker panics with it; who plays a run catches it.
type Violation struct {
	Invariant string
	Detail    string
	At        int64 // microseconds of simulated time
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at %.3f ms: %s", v.Invariant, float64(v.At)/1000, v.Detail)
}

// Checker watches everything that is written, sent, delivered, recovered and
// answered. It knows what all nodes have on disk, which no node does, and judges
// by that: what is chosen is what a Phase 2 quorum has on disk at one ballot.
type Checker struct {
	members   paxos.Membership
	now       func() int64
	processes []*Process

	votes
	waiting
	leaders
	campaigns
	log
	decided decided
	checkpoints
	History *History
	Answers int
	harmed  map[paxos.NodeID]bool

	acceptors []paxos.NodeID // all that there ever were: sets of voters are by the place here
}

// Process is one process as the checker sees it.
type Process struct {
	ID   paxos.NodeID
	Role paxos.Role
	Disk Disk
	// Knows is the highest level that its program knows.
	Knows uint64
	// Denied reports whether it is an acceptor that may not vote by now; nil: that is not known.
	Denied func() bool
	num    int
	said   paxos.Message // latest, so that one for several receivers is checked once
}

// Disk is a process's data directory: what survives a crash, and what the process
// itself reads of it.
type Disk interface {
	Durable() *model.Contents
	Visible() *model.Contents
}

// New returns a checker of a cluster; now is the simulated time in microseconds.
func New(m paxos.Membership, now func() int64) *Checker {
	return &Checker{members: m, now: now, waiting: newWaiting(), leaders: newLeaders(), campaigns: newCampaigns(), log: newLog(), checkpoints: newCheckpoints(), History: newHistory(), harmed: map[paxos.NodeID]bool{}}
}

// Add returns what to name a new process by.
func (c *Checker) Add(id paxos.NodeID, role paxos.Role, disk Disk) *Process {
	n := &Process{ID: id, Role: role, Disk: disk, Knows: Newest, num: len(c.processes)}
	if role == paxos.RoleAcceptor {
		c.acceptors = append(c.acceptors, id)
	}
	c.processes = append(c.processes, n)
	return n
}

// Fail ends a run with a violation.
func (c *Checker) Fail(invariant, format string, args ...any) {
	panic(&Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: c.now()})
}

// OnOutput checks what a machine is about to write; its store is as it was before.
func (c *Checker) OnOutput(n *Process, out *paxos.Output) {
	switch n.Role {
	case paxos.RoleAcceptor:
		c.acceptorWrites(n, out)
		c.keepsBack(n, out)
		for _, e := range out.SendNow {
			if what := paxos.Messages.Row(e.Msg).Durable; what != "" {
				c.Fail("durable", "%s sends a %s before it is durable: %s", n.ID, paxos.Messages.Row(e.Msg).Name, what)
			}
		}
	case paxos.RoleLearner:
		c.trims(n, out.Writes)
		for _, r := range out.Writes {
			if p, ok := r.(paxos.PutApplied); ok {
				c.onApplied(n, p)
			}
			if s, ok := r.(paxos.SetLearner); ok {
				c.writesControl(n, out.Writes, s.State.Applied)
			}
		}
	}
}

// OnSend checks what a machine says. A message for several receivers is checked
// once.
func (c *Checker) OnSend(n *Process, e paxos.Envelope) {
	if p, ok := e.Msg.(*paxos.Prepare); ok {
		c.onPrepare(e.To, p)
	}
	if e.Msg == n.said {
		return
	}
	n.said = e.Msg
	switch n.Role {
	case paxos.RoleProposer:
		c.proposerSays(n, e.Msg)
	case paxos.RoleAcceptor:
		c.acceptorSays(n, e.Msg)
	case paxos.RoleLearner:
		c.learnerSays(n, e.Msg)
	}
}

// OnDeliver sees what arrives.
func (c *Checker) OnDeliver(from, to *Process, m paxos.Message) {
	switch m := m.(type) {
	case *paxos.Promise:
		if to.Role == paxos.RoleProposer {
			c.onPromise(from, m)
		}
	case *paxos.Heartbeat:
		if to.Role == paxos.RoleAcceptor {
			c.onHeartbeat(to, m)
		}
	case *paxos.QueryReply:
		c.onQueryReply(from, to, m)
	case *paxos.Named:
		c.excuse(to.ID)
	}
}

// OnStart checks what a node recovered.
func (c *Checker) OnStart(n *Process) {
	n.said = nil
	c.knowsState(n, n.Disk.Visible().Control)
	switch n.Role {
	case paxos.RoleProposer:
		delete(c.excused, n.ID)
	case paxos.RoleAcceptor:
		c.acceptorRecovered(n)
		c.forgetBeats(n.ID)
	case paxos.RoleLearner:
		c.learnerRecovered(n)
	}
}

// End judges the run as a whole.
func (c *Checker) End() {
	for _, n := range c.processes {
		if n.Role == paxos.RoleLearner {
			c.learnerRecovered(n)
		}
	}
	c.History.check(c)
}
