package sim

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/paxos"
)

func (c *Cluster) votes(id paxos.NodeID) bool {
	return c.nodes[id].m.(*acceptor.Acceptor).Report().Voting
}

// TestReplace: a machine dies for good, a newcomer takes its place under load, and then the log
// survives the loss of another one, and that the old directory is started.
func TestReplace(t *testing.T) {
	c := checkpointCluster(t, 2)
	if testing.Verbose() {
		c.Fault = func(line string) { t.Log(c.stamp(), line) }
	}
	await(t, c, "some answers", func() bool { return c.Check.Answers > 50 })
	r := &paxos.Rand{State: 2}
	c.changeMembers(Fault{Kind: ReplaceAcceptor}, r)
	await(t, c, "the change", func() bool { return c.Check.Members().At != 0 })
	h := c.Check.Members()
	await(t, c, "the newcomer votes", func() bool { return c.votes("b1") })
	answers := c.Check.Answers
	dead := h.Replaced
	for _, id := range c.Acceptors {
		if id != dead {
			c.nodes[id].Crash()
			break
		}
	}
	await(t, c, "the log goes on with the newcomer", func() bool { return c.Check.Answers > answers+50 })
	c.resurrect(dead, r)
	answers = c.Check.Answers
	await(t, c, "the log goes on beside the old directory", func() bool { return c.Check.Answers > answers+50 })
	if c.votes(dead) {
		t.Fatalf("%s votes, and was replaced", dead)
	}
}

// TestAddedAndLeaderLost: the leader is lost in the moment after it got chosen that an acceptor is
// added, and so is the machine of another acceptor. The newcomer cannot arrive, as nobody has
// filled the instances below the one from which it is a member; without it there is no quorum of
// those who are members then. The next leader proposes below that by the configuration before, and
// goes on with the newcomer.
func TestAddedAndLeaderLost(t *testing.T) {
	c := checkpointCluster(t, 2)
	if testing.Verbose() {
		c.Fault = func(line string) { t.Log(c.stamp(), line) }
	}
	await(t, c, "some answers", func() bool { return c.Check.Answers > 50 })
	c.changeMembers(Fault{Kind: AddAcceptor}, &paxos.Rand{State: 2})
	await(t, c, "the change", func() bool { return c.Check.Members().At != 0 })
	for _, id := range append(c.Proposers, "a2") {
		c.nodes[id].Crash()
	}
	if h := c.Check.Members(); paxos.Instance(c.Check.Chosen()) >= h.From {
		t.Fatalf("%d instances are chosen, and the change is in force from %d on", c.Check.Chosen(), h.From)
	}
	for _, id := range c.Proposers {
		c.restartAfter(100*Millisecond, c.nodes[id])
	}
	answers := c.Check.Answers
	await(t, c, "the newcomer votes", func() bool { return c.votes("b1") })
	await(t, c, "the log goes on with the newcomer", func() bool { return c.Check.Answers > answers+50 })
}

// TestCancel: an acceptor has died for good and was replaced, and the newcomer dies, too, before it
// has arrived. The change is cancelled, another one is added, and then the log survives the loss of
// one more, and that the newcomer's directory is started after all.
func TestCancel(t *testing.T) {
	c := checkpointCluster(t, 2)
	if testing.Verbose() {
		c.Fault = func(line string) { t.Log(c.stamp(), line) }
	}
	await(t, c, "some answers", func() bool { return c.Check.Answers > 50 })
	c.dies("a3")
	lost := c.joins(0)
	replaced := func() bool { h := c.Check.Members(); return isMember(h.Now.Acceptors, lost) }
	c.Run(300 * Millisecond)
	for _, id := range append(c.voters(), c.Learners...) {
		c.Net.CutBoth(lost, id) // it does not get what it would take
	}
	c.askAll(&paxos.Member{Order: paxos.MemberReplace, ID: "a3", With: lost, Force: true})
	await(t, c, "the change", replaced)
	answers := c.Check.Answers
	await(t, c, "the log goes on without the newcomer", func() bool { return c.Check.Answers > answers+50 })
	c.nodes[lost].Crash()
	ask := func(m *paxos.Member, done func() bool) {
		await(t, c, "the next change", func() bool {
			c.askAll(m)
			c.Run(100 * Millisecond)
			return done()
		})
	}
	ask(&paxos.Member{Order: paxos.MemberCancel}, func() bool { return !replaced() })
	if h := c.Check.Members(); len(h.Now.Acceptors) != 2 || h.Now.Phase1 != 2 || h.Now.Phase2 != 2 || !h.WasReplaced("a3") {
		t.Fatalf("%+v", h.Now)
	}
	another := c.joins(0)
	ask(&paxos.Member{Order: paxos.MemberAdd, With: another}, func() bool { return c.votes(another) })
	c.Net.Heal()
	c.nodes[lost].Start()
	c.nodes["a1"].Crash()
	answers = c.Check.Answers
	await(t, c, "the log goes on with the newcomer that came", func() bool { return c.Check.Answers > answers+50 })
	if c.votes(lost) {
		t.Fatalf("%s votes, and the change that it came by was cancelled", lost)
	}
}

// TestMembers runs seeds in which acceptors die for good and are replaced, are added and removed,
// all the time, beside all other faults: PAXLOG_SEEDS of them (100 by default) from PAXLOG_SEED on.
func TestMembers(t *testing.T) {
	first, n := uint64(1), uint64(100)
	if s, err := strconv.ParseUint(os.Getenv("PAXLOG_SEED"), 10, 64); err == nil {
		first = s
	}
	if s, err := strconv.ParseUint(os.Getenv("PAXLOG_SEEDS"), 10, 64); err == nil {
		n = s
	}
	total := map[string]int{}
	o := watch{}
	if n == 1 { // somebody looks for what went wrong
		o.setUp = func(c *Cluster) { c.Fault = func(line string) { t.Log(c.stamp(), line) } }
	}
	for r := range InOrder(first, n, func(seed uint64) Report { return runPlan(memberPlan(seed), o) }) {
		for k, v := range r.Events {
			total[k] += v
		}
		if r.Err != nil {
			t.Fatalf("seed %d (%+v): %v\nreplay: PAXLOG_SEED=%d PAXLOG_SEEDS=1 go test ./sim -run Members", r.Seed, r.Topology, r.Err, r.Seed)
		}
	}
	for _, k := range []string{"acceptor dead for good, and replaced", "acceptor added", "acceptor removed", "acceptors changed", "newcomer dead for good before it has arrived", "change cancelled", "directory of a replaced acceptor started", "old directory of a replaced acceptor started", "directory rolled back", "rejoined: it votes again", "proposer or learner moved", "move of a proposer or learner done", "leader change"} {
		t.Logf("%6d times: %s", total[k], k)
		if total[k] == 0 && n >= 100 {
			t.Errorf("there was no %s", k)
		}
	}
}

// memberPlan is the plan of a seed in which the acceptors change again and again.
func memberPlan(seed uint64) Plan {
	r := paxos.Rand{State: seed}
	p := DrawPlan(seed)
	p.Topology.Acceptors, p.Topology.Phase1, p.Topology.Phase2 = 3+int(r.Uint64()%3), 0, 0
	p.Topology.Entries, p.Old, p.Gone, p.Store = 300, nil, nil, ModelStore
	p.changes(moreChanges(&r, p.End, p.Topology))
	p.Faults = append(p.Faults, moreMoves(&r, p.End)...)
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return p
}
