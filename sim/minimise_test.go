package sim

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// forgetful is a proposer into which a bug is put back: where promises report
// votes it proposes no-ops (row 7 of the list of bugs).
type forgetful struct{ paxos.Machine }

func (f forgetful) Step(from paxos.NodeID, m paxos.Message) {
	if p, ok := m.(*paxos.Promise); ok {
		q := *p
		q.Votes = slices.Clone(p.Votes)
		for i := range q.Votes {
			q.Votes[i].Value = paxos.Value{Origin: p.Ballot}
		}
		m = &q
	}
	f.Machine.Step(from, m)
}

func forgetVotes(c *Cluster) {
	for _, id := range c.Proposers {
		n := c.nodes[id]
		build := n.build
		n.build = func(s *Store) paxos.Machine { return forgetful{build(s)} }
	}
}

// TestMinimise: a run that fails is made short enough to read, and fails in the
// same way.
func TestMinimise(t *testing.T) {
	found := 0
	share := 0.0 // of its messages that a run keeps: each run counts alike, however long it is
	for seed := uint64(1); seed <= 200 && found < 3; seed++ {
		p := DrawPlan(seed)
		p.Store = ModelStore
		failed := runPlan(p, watch{setUp: forgetVotes})
		if reason(failed.Err) != "P3" {
			continue
		}
		found++
		short, r := minimise(p, failed, forgetVotes)
		if reason(r.Err) != reason(failed.Err) {
			t.Errorf("seed %d failed with %v, and %v when shortened", seed, failed.Err, r.Err)
		}
		if again := runPlan(short, watch{setUp: forgetVotes}); again.Hash != r.Hash {
			t.Errorf("seed %d: the shortened plan is not the same run again", seed)
		}
		share += float64(r.Messages) / float64(failed.Messages) / 3
		if len(short.Faults) > 3 || short.Topology.Acceptors > p.Topology.Acceptors || r.Messages > failed.Messages {
			t.Errorf("seed %d: from %d messages, %d faults and %+v to %d, %d and %+v", seed, failed.Messages, len(p.Faults), p.Topology, r.Messages, len(short.Faults), short.Topology)
		}
	}
	if found < 3 {
		t.Fatalf("the bug was noticed by %d seeds", found)
	}
	if t.Logf("runs keep %.2f of their messages", share); share > 2./3 {
		t.Error("the runs did not become short")
	}
}

// TestPicture: what is printed for a failure has the columns, the faults, the
// arrows, and the violation at its end.
func TestPicture(t *testing.T) {
	for seed := uint64(1); ; seed++ {
		p := DrawPlan(seed)
		p.Store = ModelStore
		failed := runPlan(p, watch{setUp: forgetVotes})
		if reason(failed.Err) != "P3" || p.Topology.Acceptors > 3 || p.Topology.PageBytes < 1000 { // whose promises fill the picture
			continue
		}
		text := explain(p, failed, forgetVotes)
		if strings.Count(text, "Refused(") > ladderLines/4 {
			continue // nobody led for so long that nothing else is in the picture
		}
		if os.Getenv("PAXLOG_TRACE") != "" {
			t.Logf("seed %d\n%s", seed, text)
		}
		for _, want := range []string{
			`Client +Proposers +Acceptors +Learners`, `\n *[0-9.]+ +\| +p[1-5]-+>a[1-7]`, `<-+a[1-7].* Promise\(`, `Accept!\(`, reason(failed.Err) + " violated at .*\n$",
		} {
			if !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("seed %d: no %q in\n%s", seed, want, text)
			}
		}
		if n := strings.Count(text, "\n"); n > ladderLines+20 {
			t.Errorf("seed %d: %d lines", seed, n)
		}
		return
	}
}
