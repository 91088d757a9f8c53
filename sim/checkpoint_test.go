package sim

import (
	"testing"

	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/sim/check"
)

// checkpointCluster runs a cluster under a load.
func checkpointCluster(t *testing.T, learners int) *Cluster {
	t.Helper()
	c := NewCluster(4, Topology{Acceptors: 3, Proposers: 2, Learners: learners, Clients: 2, Sessions: 100, Entries: 1 << 20, PageBytes: 1000, Scrubs: true})
	for _, k := range c.Clients {
		k.Think = 20
	}
	c.StartAll()
	return c
}

// await runs c until done.
func await(t *testing.T, c *Cluster, what string, done func() bool) {
	t.Helper()
	if !c.RunUntil(60*Second, done) {
		t.Fatalf("within a minute it did not happen: %s; %v", what, c.Events)
	}
}

func wrong(c *Cluster, id paxos.NodeID) string {
	return c.nodes[id].m.(*learner.Learner).Report().Wrong
}

// TestFlippedSession: one learner's disk has changed a session. It is the first to send and
// close a checkpoint. That is not complete by its word; both compute the state again, and
// the one that is wrong serves nobody any more.
func TestFlippedSession(t *testing.T) {
	c := checkpointCluster(t, 2)
	await(t, c, "a checkpoint", func() bool { return c.Check.Complete() > 2 })
	c.flipSession(c.nodes["l1"])
	complete := c.Check.Complete()
	await(t, c, "l1 finds out that it is wrong", func() bool { return wrong(c, "l1") != "" })
	if why := wrong(c, "l2"); why != "" {
		t.Fatalf("l2: %s", why)
	}
	answers := c.Check.Answers
	await(t, c, "the others go on", func() bool { return c.Check.Answers > answers+50 })
	if n := c.Check.Complete(); n != complete {
		t.Fatalf("%d checkpoints were completed by one learner", n-complete)
	}
}

// flipSession changes a session on the disk of a learner, which is started again, and has lost
// nothing: else it might apply once more what uses that session.
func (c *Cluster) flipSession(n *Node) {
	n.store.sync(n.store.commits(), n.durable)
	n.Crash()
	sessions := n.store.visible.LearnerState().Sessions
	flipped := sessions[0]
	for _, s := range sessions {
		if s.Used < flipped.Used {
			flipped = s // the one that was used longest ago: few, if any, were used just before it
		}
	}
	flipped.Used--
	n.store.apply([]paxos.Record{paxos.PutSessions{States: []paxos.SessionState{flipped}}})
	n.store.sync(n.store.commits(), n.durable)
	n.Start()
}

// TestFlippedAlone: a learner that is alone finds out by itself.
func TestFlippedAlone(t *testing.T) {
	c := checkpointCluster(t, 1)
	await(t, c, "a checkpoint", func() bool { return c.Check.Complete() > 2 })
	c.flipSession(c.nodes["l1"])
	complete := c.Check.Complete()
	await(t, c, "l1 finds out that it is wrong", func() bool { return wrong(c, "l1") != "" })
	if n := c.Check.Complete(); n != complete {
		t.Fatalf("%d checkpoints were completed by it", n-complete)
	}
}

// TestOneLearner: where there is one learner, it computes its state again before it confirms.
func TestOneLearner(t *testing.T) {
	c := checkpointCluster(t, 1)
	await(t, c, "checkpoints", func() bool { return c.Check.Complete() > 3 })
}

// TestSendersCrash: a learner that crashes while it sends a checkpoint has forgotten that
// state. Another one goes on where it ended, and if none can, a new checkpoint is begun.
func TestSendersCrash(t *testing.T) {
	c := checkpointCluster(t, 3)
	sent := 0
	c.Net.Observe = func(from, to paxos.NodeID, m paxos.Message) {
		if _, ok := m.(*paxos.Decide); ok && c.nodes[from].Role == paxos.RoleLearner {
			if sent++; sent%15 == 0 && c.nodes[from].Up {
				c.after(0, func() {
					if n := c.nodes[from]; n.Up {
						n.Crash()
						c.restartAfter(300*Millisecond, n)
					}
				})
			}
		}
	}
	await(t, c, "checkpoints", func() bool { return c.Check.Complete() > 12 })
	if c.Events["crash"] < 3 {
		t.Fatalf("%d crashes", c.Events["crash"])
	}
}

// TestLearnersOfTwoReleases: in a log of each level two learners complete checkpoints of which one
// is of a release that knows no more than that, and the other of the newest one: what that knows
// beside leaves no trace in the state (package control, "Adding something under a new level").
// Then everybody is of the newest release, but that learner.
func TestLearnersOfTwoReleases(t *testing.T) {
	for level := uint64(1); level < control.Level; level++ {
		c := NewCluster(level, Topology{Acceptors: 3, Proposers: 2, Learners: 2, Clients: 2, Sessions: 100, Entries: 1 << 20, PageBytes: 1000})
		for _, k := range c.Clients {
			k.Think = 20
		}
		for _, id := range c.servers() {
			c.programs[id] = level
		}
		c.programs["l2"] = check.Newest
		c.StartAll()
		await(t, c, "checkpoints of an old learner and a new one", func() bool { return c.Check.Complete() > 2 })
		for _, id := range c.servers() {
			if id != "l1" && id != "l2" {
				c.replaceProgram(c.nodes[id], check.Newest, 10*Millisecond)
			}
		}
		complete := c.Check.Complete()
		await(t, c, "checkpoints under leaders of the newest release", func() bool { return c.Check.Complete() > complete+2 })
		if got := c.Check.Level(); got != level || wrong(c, "l1")+wrong(c, "l2") != "" {
			t.Errorf("the log has level %d, want %d; l1: %q, l2: %q", got, level, wrong(c, "l1"), wrong(c, "l2"))
		}
	}
}
