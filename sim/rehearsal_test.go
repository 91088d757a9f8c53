package sim

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestRehearsal plays changes that a log survives, with the losses that are told of each, and some
// that it does not survive, of which a rehearsal says so in the names of that log.
func TestRehearsal(t *testing.T) {
	three, four := []paxos.NodeID{"a1", "a3", "b7"}, []paxos.NodeID{"a1", "a2", "a3", "a4"}
	for name, x := range map[string]struct {
		Rehearsal
		fails string
	}{
		"an addition":            {Rehearsal{Acceptors: three, Order: paxos.Member{Order: paxos.MemberAdd, With: "a9"}, LostMeanwhile: 1, After: 1}, ""},
		"a removal":              {Rehearsal{Acceptors: four, Order: paxos.Member{Order: paxos.MemberRemove, ID: "a1"}, LostMeanwhile: 1, After: 1}, ""},
		"a replacement":          {Rehearsal{Acceptors: three, Down: []paxos.NodeID{"a3"}, Order: paxos.Member{Order: paxos.MemberReplace, ID: "a3", With: "a9"}, After: 1}, ""},
		"of five":                {Rehearsal{Acceptors: append(four, "a5"), Down: []paxos.NodeID{"a2"}, Order: paxos.Member{Order: paxos.MemberReplace, ID: "a2", With: "a9"}, LostMeanwhile: 1, After: 2, Window: 200}, ""},
		"other quorums":          {Rehearsal{Acceptors: four, Phase1: 3, Phase2: 2, Order: paxos.Member{Order: paxos.MemberAdd, With: "a9", Phase1: 4, Phase2: 2}, LostMeanwhile: 1, After: 1}, ""},
		"a log that does not go": {Rehearsal{Acceptors: three, Down: []paxos.NodeID{"a3", "b7"}, Order: paxos.Member{Order: paxos.MemberAdd, With: "a9"}}, "before the change no appends"},
		"more losses than that":  {Rehearsal{Acceptors: three, Order: paxos.Member{Order: paxos.MemberAdd, With: "a9"}, LostMeanwhile: 1, After: 2}, "after the change no appends"},
	} {
		failed := 0
		for seed := range uint64(6) {
			r := x.Run(seed)
			switch {
			case x.fails == "" && r.Err != nil:
				t.Errorf("%s: seed %d: %v", name, seed, r.Err)
			case x.fails == "" && (r.Longest == 0 || r.Kind == Calm && r.Longest > Second):
				t.Errorf("%s: seed %d: for %d ms no append was answered", name, seed, r.Longest/Millisecond)
			case r.Err != nil:
				if failed++; !strings.Contains(r.Err.Error(), x.fails) {
					t.Errorf("%s: seed %d: %v", name, seed, r.Err)
				}
			}
			if seed > 2 {
				continue
			}
			if again := x.Run(seed); again.Longest != r.Longest || (again.Err == nil) != (r.Err == nil) {
				t.Errorf("%s: seed %d: %+v, and then %+v", name, seed, r, again)
			}
		}
		if x.fails != "" && failed == 0 {
			t.Errorf("%s: no run fails", name)
		}
	}
	c := &rehearsal{names: map[paxos.NodeID]paxos.NodeID{"b7": "a3", "a3": "a2", "x": "b1", "y": "b12"}}
	if got := c.real("a3 and a2, b12 and b1"); got != "b7 and a3, y and x" {
		t.Error(got)
	}
}
