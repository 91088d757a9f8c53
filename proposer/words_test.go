package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestListsForPeople: what is told to people is written as they write it.
func TestListsForPeople(t *testing.T) {
	p := &Proposer{joiners: map[paxos.NodeID]joiner{}}
	if got := p.joinerIDs(); got != "none" {
		t.Errorf("nobody has joined: %q", got)
	}
	p.joiners["a5"], p.joiners["a4"] = joiner{}, joiner{}
	if got := p.joinerIDs(); got != "a4, a5" {
		t.Errorf("two have joined: %q", got)
	}
	if one, two := proposers(1), proposers(2); one != "one proposer" || two != "2 proposers" {
		t.Errorf("%q, %q", one, two)
	}
}
