package paxos

import (
	"cmp"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"
)

// fewBallots draws its ballots from a small set, so that they often share a part.
type fewBallots []Ballot

func (fewBallots) Generate(r *rand.Rand, _ int) reflect.Value {
	ids := []NodeID{"", "p1", "p10", "p2"}
	out := make(fewBallots, 3)
	for i := range out {
		out[i] = Ballot{Round: uint64(r.Intn(3)), Proposer: ids[r.Intn(len(ids))], Process: uint64(r.Intn(3))}
	}
	return reflect.ValueOf(out)
}

// dumbCompare is the order as its sentence says it: the first part that differs decides.
func dumbCompare(a, b Ballot) int {
	for _, c := range []int{cmp.Compare(a.Round, b.Round), cmp.Compare(a.Proposer, b.Proposer), cmp.Compare(a.Process, b.Process)} {
		if c != 0 {
			return c
		}
	}
	return 0
}

func TestBallotsAreTotallyOrdered(t *testing.T) {
	law := func(s fewBallots) bool {
		a, b, c := s[0], s[1], s[2]
		total := a.Compare(b) == dumbCompare(a, b) && (a.Compare(b) == 0) == (a == b)
		antisymmetric := a.Compare(b) == -b.Compare(a)
		transitive := !a.Less(b) || !b.Less(c) || a.Less(c)
		zeroIsLeast := a.IsZero() == (a == Ballot{}) && (a.IsZero() || (Ballot{}).Less(a))
		return total && antisymmetric && transitive && zeroIsLeast && !a.Less(a)
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Fatal(err)
	}
}

func TestSameRun(t *testing.T) {
	b := Ballot{Round: 3, Proposer: "p1", Process: 9}
	for _, o := range []struct {
		b    Ballot
		want bool
	}{
		{Ballot{Round: 4, Proposer: "p1", Process: 9}, true},
		{Ballot{Round: 3, Proposer: "p1", Process: 8}, false},
		{Ballot{Round: 3, Proposer: "p2", Process: 9}, false},
	} {
		if got := b.SameProcess(o.b); got != o.want {
			t.Errorf("%v and %v: same run %v", b, o.b, got)
		}
	}
}

func TestBallotString(t *testing.T) {
	for want, b := range map[string]Ballot{"-": {}, "7.p1": {Round: 7, Proposer: "p1", Process: 5}, "0.": {Process: 1}} {
		if got := b.String(); got != want {
			t.Errorf("%#v is shown as %q, not %q", b, got, want)
		}
	}
}

func TestClientIDs(t *testing.T) {
	for id, want := range map[NodeID]bool{"": false, "@1": true, "a1": false, "a@1": false} {
		if id.IsClient() != want {
			t.Errorf("%q is a client: %v", id, !want)
		}
	}
}

// TestStem: the id with which an acceptor comes back is told from the one before, and says whose it is.
func TestStem(t *testing.T) {
	for id, want := range map[NodeID]NodeID{
		"a2": "a2", "a2-1f3c9a02": "a2", "a2-1f3c9a0": "a2-1f3c9a0", "a2-1F3C9A02": "a2-1F3C9A02", "-1f3c9a02": "-1f3c9a02", "a2-11111111-22222222": "a2-11111111", "": "",
	} {
		if got := id.Stem(); got != want {
			t.Errorf("%q comes of %q, want %q", id, got, want)
		}
	}
	if got := NodeID("a2").Anew(0x1f3c9a02 << 32); got != "a2-1f3c9a02" || got.Anew(1) != "a2-00000000" {
		t.Errorf("%q, and then %q", got, got.Anew(1))
	}
}
