package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Violation is a broken invariant. Checker panics with it; Run catches it.
type Violation struct {
	Invariant string
	Detail    string
	At        Micros
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at %.3f ms: %s", v.Invariant, float64(v.At)/float64(Millisecond), v.Detail)
}

// Checker watches everything that is written, sent, delivered, recovered and
// answered. It knows what all nodes have on disk, which no node does, and judges
// by that: what is chosen is what a Phase 2 quorum has on disk at one ballot.
//
//	check_votes.go    acceptors: P1, P5, P6
//	check_leader.go   leaders: P2, P3, and what is claimed to be chosen (P4)
//	check_log.go      learners: L1, L4, L5, sessions, what clients are told
//	check_history.go  at the end, the history of operations: L2, L3, L6
type Checker struct {
	w       *World
	members paxos.Membership

	votes
	leaders
	log
	history *history
	Answers int
}

func newChecker(w *World, m paxos.Membership) *Checker {
	return &Checker{w: w, members: m, leaders: newLeaders(), log: newLog(), history: newHistory()}
}

func (c *Checker) fail(invariant, format string, args ...any) {
	panic(&Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: c.w.now})
}

// onOutput checks what a machine is about to write; its store is as it was before.
func (c *Checker) onOutput(n *Node, out *paxos.Output) {
	switch n.Role {
	case paxos.RoleAcceptor:
		c.acceptorWrites(n, out)
		for _, e := range out.SendNow {
			if what := paxos.Messages.Row(e.Msg).Durable; what != "" {
				c.fail("durable", "%s sends a %s before it is durable: %s", n.ID, paxos.Messages.Row(e.Msg).Name, what)
			}
		}
	case paxos.RoleLearner:
		for _, r := range out.Writes {
			if p, ok := r.(paxos.PutApplied); ok {
				c.onApplied(n, p)
			}
		}
	}
}

// onSend checks what a machine says. A message for several receivers is checked
// once.
func (c *Checker) onSend(n *Node, e paxos.Envelope) {
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

// onDeliver sees what arrives.
func (c *Checker) onDeliver(from, to *Node, m paxos.Message) {
	if p, ok := m.(*paxos.Promise); ok && to.Role == paxos.RoleProposer {
		c.onPromise(from, p)
	}
}

// onStart checks what a node recovered.
func (c *Checker) onStart(n *Node) {
	n.said = nil
	switch n.Role {
	case paxos.RoleAcceptor:
		c.acceptorRecovered(n)
		c.w.digest.acceptor(n.store.visible.AcceptorState())
	case paxos.RoleLearner:
		c.learnerRecovered(n)
		c.w.digest.learner(n.store.visible.LearnerState())
	}
}

// onEnd judges the run as a whole.
func (c *Checker) onEnd() {
	for _, n := range c.w.all {
		if n.Role == paxos.RoleLearner {
			c.learnerRecovered(n)
		}
	}
	c.history.check(c)
}
