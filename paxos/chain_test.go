package paxos

import (
	"slices"
	"testing"
)

// TestChain: a chain tells apart all that two logs may differ in, and nothing else.
func TestChain(t *testing.T) {
	v := Value{Origin: Ballot{Round: 1, Proposer: "p1", Process: 7}, Time: 5, Batch: []byte("batch")}
	base := Chain{1}.Next(3, &v)
	same := v
	same.Batch = slices.Clone(v.Batch)
	if got := (Chain{1}).Next(3, &same); got != base || got.IsZero() {
		t.Fatalf("%v of the same value, and %v", got, base)
	}
	change := func(f func(v *Value)) Chain {
		other := v
		f(&other)
		return Chain{1}.Next(3, &other)
	}
	seen := map[Chain]string{base: "the value"}
	for name, c := range map[string]Chain{
		"what came before": Chain{2}.Next(3, &v),
		"the instance":     Chain{1}.Next(4, &v),
		"the batch":        change(func(v *Value) { v.Batch = []byte("Batch") }),
		"no batch":         change(func(v *Value) { v.Batch = nil }),
		"the time":         change(func(v *Value) { v.Time++ }),
		"the round":        change(func(v *Value) { v.Origin.Round++ }),
		"the process":      change(func(v *Value) { v.Origin.Process++ }),
		"the proposer":     change(func(v *Value) { v.Origin.Proposer = "p" }),
	} {
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s give the same chain", name, other)
		}
		seen[c] = name
	}
}

// TestChainForm pins the form: what is stored and told must mean the same in each release.
func TestChainForm(t *testing.T) {
	v := Value{Origin: Ballot{Round: 1, Proposer: "p1", Process: 7}, Time: 5, Batch: []byte("batch")}
	if got := (Chain{}).Next(1, &v).String(); got != chainOfOne {
		t.Errorf("%s, and it was %s", got, chainOfOne)
	}
}

const chainOfOne = "a3521be23cb7c6d87899fba27542c4325a6afbe5402940c456684a41a4673ef5"
