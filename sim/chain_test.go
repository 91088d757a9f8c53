package sim

import (
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// chainCluster runs a cluster until both learners have applied some entries.
func chainCluster(t *testing.T) *Cluster {
	t.Helper()
	c := checkpointCluster(t, 2)
	await(t, c, "a log", func() bool {
		return c.nodes["l1"].store.visible.Learner.Applied > 60 && c.nodes["l2"].store.visible.Learner.Applied > 60
	})
	return c
}

// harmDisk stops a learner, has its disk changed, and starts it.
func (c *Cluster) harmDisk(n *Node, change func(instance paxos.Instance, p *paxos.PutApplied), then func(*paxos.LearnerState)) {
	n.store.sync(n.store.commits(), n.durable)
	n.Crash()
	c.Check.Harm(n.ID)
	for i := paxos.Instance(1); i <= n.store.visible.Learner.Applied; i++ {
		if p := n.store.visible.Applied.At(i); p.Record.Instance == i {
			changed := *p
			change(i, &changed)
			*n.store.visible.Applied.At(i), *n.store.durable.Applied.At(i) = changed, changed
		}
	}
	then(&n.store.visible.Learner)
	then(&n.store.visible.Learner)
	n.Start()
}

// staysWrong checks that l1 is wrong and stays so, that l2 is not, and that the log goes on.
func staysWrong(t *testing.T, c *Cluster) {
	t.Helper()
	await(t, c, "l1 finds out that it is wrong", func() bool { return wrong(c, "l1") != "" })
	c.RunUntil(Second, func() bool { return c.nodes["l1"].store.durable.Wrong != "" }) // its sync ends
	c.nodes["l1"].Crash()
	c.nodes["l1"].Start()
	answers := c.Check.Answers
	await(t, c, "the others go on", func() bool { return c.Check.Answers > answers+50 })
	if wrong(c, "l1") == "" || wrong(c, "l2") != "" {
		t.Fatalf("after a restart: %q, %q", wrong(c, "l1"), wrong(c, "l2"))
	}
}

// changedAt is an instance that has an entry, and is kept.
func changedAt(c *Cluster) paxos.Instance {
	st := c.nodes["l1"].store.visible
	for i := st.Learner.Applied - 20; i > st.First; i-- {
		if st.Applied.At(i).Record.Count > 0 {
			return i
		}
	}
	return 0
}

// TestChangedValue: a learner whose disk has another value than it applied finds out when it
// reads its log again, and serves nobody any more, after a restart too.
func TestChangedValue(t *testing.T) {
	c := chainCluster(t)
	at := changedAt(c)
	c.harmDisk(c.nodes["l1"], func(i paxos.Instance, p *paxos.PutApplied) {
		if i == at {
			p.Value.Batch = slices.Clone(p.Value.Batch)
			p.Value.Batch[len(p.Value.Batch)-1]++
		}
	}, func(*paxos.LearnerState) {})
	staysWrong(t, c)
}

// TestOtherValue: a learner has another value and the chain that goes with it, as if it had
// applied that by a bug: nothing on its disk contradicts anything. It finds out when it
// hears the other learner's chain, by what acceptors hold.
func TestOtherValue(t *testing.T) {
	c := chainCluster(t)
	at := changedAt(c)
	var chain paxos.Chain
	c.harmDisk(c.nodes["l1"], func(i paxos.Instance, p *paxos.PutApplied) {
		if i >= at {
			if i == at {
				chain = c.nodes["l1"].store.visible.Applied.At(i - 1).Chain
				p.Value.Time++
			}
			chain = chain.Next(i, &p.Value)
			p.Chain = chain
		}
	}, func(st *paxos.LearnerState) { st.Chain = chain })
	staysWrong(t, c)
	if why := wrong(c, "l1"); !strings.Contains(why, "its log is not what was chosen") {
		t.Fatal(why)
	}
}

// TestLyingLearner: one learner tells chains that nobody has. The other one looks, seldom, and
// serves.
func TestLyingLearner(t *testing.T) {
	c := chainCluster(t)
	for k := range 100 {
		c.after(Micros(k)*100*Millisecond, func() {
			if n := c.nodes["l2"]; n.Up {
				n.receive("l1", &paxos.Chained{Instance: n.store.visible.Learner.Applied, Chain: paxos.Chain{byte(k), 1}})
			}
		})
	}
	answers := c.Check.Answers
	until := c.now + 12*Second
	c.RunUntil(60*Second, func() bool { return c.now > until })
	if n := c.Events["another learner has another chain than this one: what was chosen is fetched again, to find out who is wrong"]; n != 1 {
		t.Errorf("it looked %d times within ten seconds", n)
	}
	if n := c.Events["this learner has what acceptors hold: the other one is wrong, or says something else than it has"]; n != 1 {
		t.Errorf("it found out %d times that it is right: %v", n, c.Events)
	}
	if wrong(c, "l1") != "" || wrong(c, "l2") != "" || c.Check.Answers < answers+50 {
		t.Fatalf("%q, %q, %d answers", wrong(c, "l1"), wrong(c, "l2"), c.Check.Answers-answers)
	}
}
