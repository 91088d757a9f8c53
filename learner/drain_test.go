package learner

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestDrain: clients that are there and that come are told, once each, and when it is
// undone.
func TestDrain(t *testing.T) {
	l := newLearner()
	told := func() (out []string) {
		for _, e := range l.Flush().SendNow {
			switch m := e.Msg.(type) {
			case *paxos.Elsewhere:
				out = append(out, fmt.Sprintf("%s %v", e.To, m.Drained))
			case *paxos.Drained:
				out = append(out, fmt.Sprintf("%s: %v", e.To, *m))
			}
		}
		return out
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if got := told(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: told %q, not %q", when, got, want)
		}
	}
	l.Step("l1", &paxos.PeerUp{ID: "@c1", Role: paxos.RoleClient})
	l.Step("@c1", &paxos.Attach{Nonce: 1, Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1})})
	expect("nobody has drained it")
	l.Step("@op", &paxos.Drain{Nonce: 7})
	expect("drained", "@c1 true", "@op: {7 true }")
	l.Step("@op", &paxos.Drain{Nonce: 8})
	expect("again", "@op: {8 true }")
	l.Step("l1", &paxos.PeerUp{ID: "@c2", Role: paxos.RoleClient})
	expect("another client", "@c2 true")
	if !l.Report().Drained {
		t.Error("it does not say so")
	}
	l.Step("@op", &paxos.Drain{Nonce: 9, Undo: true})
	expect("undone", "@c1 false", "@c2 false", "@op: {9 false }")
}
