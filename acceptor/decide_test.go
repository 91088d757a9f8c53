package acceptor

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestDecideInOwnName: what learners want decided goes to the leader that is heard, but not
// what one says in the name of another.
func TestDecideInOwnName(t *testing.T) {
	a := New(Config{ID: "a1", Membership: paxos.Membership{Cluster: "c", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 1}, ElectionTicks: 100, Knows: control.Level}, State{})
	a.Tick(1, 0)
	a.hear(paxos.Ballot{Round: 1, Proposer: "p1", Process: 1})
	a.Flush()
	for name, test := range map[string]struct {
		c  control.Command
		to int
	}{
		"a chunk":             {control.Chunk{T: 1, Bytes: "x"}, 1},
		"a confirm":           {control.Confirm{T: 1, By: "l1"}, 1},
		"a confirm of others": {control.Confirm{T: 1, By: "l2"}, 0},
		"a close of others":   {control.Close{T: 1, Size: 1, Next: 1, By: "l2"}, 0},
		"a mark":              {control.Mark{Learners: []paxos.NodeID{"l1"}}, 0},
	} {
		a.Step("l1", &paxos.Decide{Batch: control.Batch(test.c)})
		sent := a.Flush().SendNow
		if len(sent) != test.to || test.to > 0 && sent[0].To != "p1" {
			t.Errorf("%s: %+v", name, sent)
		}
	}
}
