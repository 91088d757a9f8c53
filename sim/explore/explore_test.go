package explore

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func TestMain(m *testing.M) {
	// What an exploration makes mostly stays: to look for garbage often only costs time.
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// TestExplore visits every state of the smallest configuration, and the first
// PAXLOG_STATES (100,000 by default) of each of the others.
func TestExplore(t *testing.T) {
	most := uint64(100_000)
	if s := os.Getenv("PAXLOG_STATES"); s != "" {
		most, _ = strconv.ParseUint(s, 10, 32)
	}
	for _, x := range Configs {
		if strings.HasPrefix(x.Name, "rejoin-") || x.Learners > 0 || x.Alpha > 0 {
			continue // TestExploreRejoin, TestExploreLearner, TestExploreChange
		}
		n := most
		if x.Name == "small" {
			n = 1 << 20 // it has fewer
		}
		r := x.Explore(context.Background(), n, nil)
		t.Logf("%-16s %8d states, depth %2d, complete %v, %d renamings, something chosen in %d", x.Name, r.States, r.Depth, r.Complete, r.Symmetry, r.Chosen)
		if r.Err != nil {
			t.Errorf("%s: %v\nreplay: go run ./cmd/paxlog sim --explore %s --states %d\n%s", x.Name, r.Err, x.Name, n, r.Ladder)
		}
		if x.Name == "small" && (!r.Complete || r.Chosen == 0) {
			t.Errorf("%s: not every state was visited, or nothing was chosen in any", x.Name)
		}
	}
}

// TestExploreRejoin visits so many states around a rejoin that the bugs put back
// there show.
func TestExploreRejoin(t *testing.T) {
	for _, name := range []string{"rejoin-vote", "rejoin-promise", "rejoin-twice"} {
		x, _ := Find(name)
		if r := x.Explore(context.Background(), 400_000, nil); r.Err != nil || r.Chosen == 0 {
			t.Errorf("%s: %v, something chosen in %d\n%s", name, r.Err, r.Chosen, r.Ladder)
		}
	}
}

// TestExploreLearner visits every state of a learner that restarts, and so many of the
// others that the bugs put back there show.
func TestExploreLearner(t *testing.T) {
	for _, x := range Configs {
		if x.Learners == 0 {
			continue
		}
		name, most := x.Name, uint64(100_000)
		if name == "learner-restart" {
			most = 1 << 20
		}
		r := x.Explore(context.Background(), most, nil)
		t.Logf("%-16s %8d states, depth %2d, complete %v, applied in %d, answered in %d", name, r.States, r.Depth, r.Complete, r.Applied, r.Answered)
		if r.Err != nil || r.Applied == 0 {
			t.Errorf("%s: %v, something applied in %d\n%s", name, r.Err, r.Applied, r.Ladder)
		}
		if name == "learner-restart" && (!r.Complete || r.Answered == 0) {
			t.Errorf("%s: not every state was visited, or the client was answered in none", name)
		}
	}
}

// TestExploreChange visits the first states around each change of the acceptors, and so many of
// one that the bug put back there shows. PAXLOG_STATES says how many of each.
func TestExploreChange(t *testing.T) {
	most := uint64(12_000)
	if s := os.Getenv("PAXLOG_STATES"); s != "" {
		most, _ = strconv.ParseUint(s, 10, 32)
	}
	for _, x := range Configs {
		if x.Alpha == 0 {
			continue
		}
		n := most
		if x.Name == "replace-1" {
			n = max(n, 200_000)
		}
		r := x.Explore(context.Background(), n, nil)
		t.Logf("%-16s %8d states, depth %2d, changed in %d, something chosen where that is in force in %d", x.Name, r.States, r.Depth, r.Changed, r.After)
		if r.Err != nil {
			t.Fatalf("%s: %v\nreplay: go run ./cmd/paxlog sim --explore %s --states %d\n%s", x.Name, r.Err, x.Name, n, r.Ladder)
		}
		if r.Changed == 0 || r.After == 0 && n >= 200_000 {
			t.Errorf("%s: in none of %d states a change is chosen, or in none something where it is in force", x.Name, r.States)
		}
	}
}

// TestExploreIsTheSame: the number of states does not depend on how fingerprints fall.
func TestExploreIsTheSame(t *testing.T) {
	x := Config{Acceptors: 3, Proposers: 1, Instances: 1, Ballots: 2}
	a, b := x.Explore(context.Background(), 1<<20, nil), x.Explore(context.Background(), 1<<20, nil)
	if a != b || !a.Complete || a.States < 1000 {
		t.Fatalf("%+v, then %+v", a, b)
	}
}

// TestRenamings: renaming acceptors hides no state and makes up none: without it
// there are more, at most as many times as there are renamings.
func TestRenamings(t *testing.T) {
	x := Config{Acceptors: 3, Proposers: 2, Instances: 1, Ballots: 1}
	with := x.Explore(context.Background(), 1<<20, nil)
	x.plain = true
	without := x.Explore(context.Background(), 1<<20, nil)
	if with.Symmetry != 6 || without.Symmetry != 1 || !with.Complete || !without.Complete {
		t.Fatalf("%+v, %+v", with, without)
	}
	if without.States <= 2*with.States || without.States > 6*with.States || without.Depth != with.Depth {
		t.Fatalf("%d states with renamings, %d without", with.States, without.States)
	}
	t.Logf("%d states, %d without renamings", with.States, without.States)
}

// TestCopies: a copy of a machine shares nothing with it, and equal states have equal
// bytes.
func TestCopies(t *testing.T) {
	x := newExplorer(Configs[0])
	x.start()
	n := x.tables[0].nodes[0].node
	c := clone(n)
	same := x.perms[0]
	before := string(canonical(same, n))
	if string(canonical(same, c)) != before {
		t.Fatal("a copy is not the same")
	}
	r, ok := x.step("p1", x.newProposer("p1", 0), input{kind: campaign, n: 1})
	if !ok {
		t.Fatal("no campaign")
	}
	for _, e := range r.sent {
		if e.To == "a1" {
			c.Machine.Step("p1", e.Msg)
		}
	}
	if string(canonical(same, n)) != before || string(canonical(same, c)) == before {
		t.Fatal("a step on a copy is seen in the original, or not in the copy")
	}
}

// TestCopiesOfLearner: a learner of which everything is under way is copied as well:
// what the copy goes on to do is not seen in the original.
func TestCopiesOfLearner(t *testing.T) {
	x, _ := Find("learner")
	e := newExplorer(x)
	s := e.start()
	proc := slices.Index(e.procs, "l1")
	m := clone(e.tables[proc].nodes[s[proc]].node).Machine
	other := paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{9})
	for _, in := range []struct {
		from paxos.NodeID
		msg  paxos.Message
	}{
		{"a1", &paxos.Relay{Ballot: paxos.Ballot{Round: 1, Proposer: "p1"}, Instance: 1, Value: paxos.Value{Batch: appendOf(1).Batch}}},
		{"a1", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 2, Ballot: paxos.Ballot{Round: 1, Proposer: "p1"}}}}},
		{"@x", &paxos.Attach{Session: other, From: 1}},
		{"@x", &paxos.Read{Nonce: 1, From: 1, Wait: true}},
		{"@x", &paxos.Lookup{Nonce: 2, Session: other, Seq: 1}},
		{"@x", &paxos.Locate{Nonce: 3}},
		{"a1", &paxos.Fetch{Nonce: 4, From: 1, Values: true}},
	} {
		m.Step(in.from, in.msg)
	}
	m.Flush()
	same := e.perms[0]
	before := string(canonical(same, m))
	c := clone(&m)
	if string(canonical(same, *c)) != before {
		t.Fatal("a copy is not the same")
	}
	(*c).Step("a2", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: paxos.Ballot{Round: 1, Proposer: "p1"}}}})
	(*c).Step("@x", &paxos.Withdraw{Nonce: 2})
	(*c).Step("@x", &paxos.Detach{Session: other})
	out := (*c).Flush()
	if len(out.Loads) != 1 { // of the page for the read that waited
		t.Errorf("the copy asks for %+v", out.Loads)
	}
	(*c).Step("l1", &paxos.PeerDown{ID: "@x"})
	if string(canonical(same, m)) != before || string(canonical(same, *c)) == before {
		t.Fatal("what a copy does is seen in the original, or not in the copy")
	}
}
