package paxos

import (
	"strings"
	"testing"
)

// TestViolated: the first violation stops the process, and says which invariant is
// broken, by what, and what to do.
func TestViolated(t *testing.T) {
	var o Outbox
	o.Violated("promised is never lowered", "promised", Ballot{Round: 5, Proposer: "p1"}, "to", Ballot{Round: 4, Proposer: "p2"})
	o.Violated("something that follows from it")
	halt := o.Take().Halt
	for _, want := range []string{"invariant broken: promised is never lowered, promised=5.p1, to=4.p2.", "report"} {
		if !strings.Contains(halt, want) {
			t.Errorf("%q is not in: %s", want, halt)
		}
	}
	if strings.Contains(halt, "follows from it,") || o.Take().Halt != "" {
		t.Errorf("not the first one only: %s", halt)
	}
}
