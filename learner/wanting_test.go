package learner

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// fetches says whom an output asks for values.
func fetches(out paxos.Output) (asked []paxos.NodeID) {
	for _, e := range out.SendNow {
		if m, ok := e.Msg.(*paxos.Fetch); ok && m.Values {
			asked = append(asked, e.To)
		}
	}
	return asked
}

// TestValueThatDoesNotCome: a1 is to send the values, and a2 and a3 decide without it. One of
// them is asked, once, a moment later; a1 is asked only where it alone is there of those that
// voted. It is no fetch of copying.
func TestValueThatDoesNotCome(t *testing.T) {
	l := newLearner()
	now := paxos.Ticks(1)
	tick := func(want string, asked ...paxos.NodeID) {
		t.Helper()
		now += valueTicks
		l.Tick(now, 0)
		if got := fetches(l.Flush()); !slices.Equal(got, asked) {
			t.Errorf("%s: %v is asked, want %v", want, got, asked)
		}
	}
	decide := func(voters ...paxos.NodeID) {
		t.Helper()
		for _, id := range voters {
			l.votes(id, ballot(1), l.state.Applied+1, l.state.Applied+1)
		}
		if out := l.Flush(); len(fetches(out)) != 0 || l.Next() > now+valueTicks {
			t.Errorf("asked %v at once; the time is wanted at %d", fetches(out), l.Next())
		}
	}
	value := func() { l.choose(l.state.Applied+1, nil) }

	decide("a2", "a3")
	tick("a quorum and no value", "a2")
	tick("it has been asked")
	if l.copying.asked != "" || l.copying.failed || l.copying.wait != 0 {
		t.Errorf("it counts as a fetch: %+v", l.copying)
	}
	l.Step("a2", &paxos.Page{From: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1), Value: paxos.Value{Origin: ballot(1)}}}})
	if l.Flush(); l.state.Applied != 1 || l.copying.failed {
		t.Fatalf("applied up to %d, failed %v", l.state.Applied, l.copying.failed)
	}
	decide("a3", "a1")
	tick("what the relay sent was dropped", "a3")
	value()
	decide("a2", "a3")
	l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: 3, Value: paxos.Value{Origin: ballot(1)}})
	if tick("it has come in the meantime"); l.state.Applied != 3 {
		t.Errorf("applied up to %d", l.state.Applied)
	}
}

// TestSlowRelay: an acceptor that sends the values too late, again and again, is replaced by
// one that votes in time.
func TestSlowRelay(t *testing.T) {
	l := newLearner()
	now := paxos.Ticks(1)
	missed := func() {
		i := l.state.Applied + 1
		l.votes("a3", ballot(1), i, i)
		l.votes("a2", ballot(1), i, i)
		l.Flush()
		now += valueTicks
		l.Tick(now, 0)
		l.Flush()
		l.choose(i, nil)
	}
	for range asksInRow - 1 {
		missed()
	}
	l.choose(l.state.Applied+1, nil) // in time
	for range asksInRow - 1 {
		missed()
	}
	if l.relay != "a1" {
		t.Fatalf("%s is the relay, although a1 was in time once", l.relay)
	}
	if missed(); l.relay != "a2" {
		t.Fatalf("%s is the relay after %d values in a row that did not come", l.relay, asksInRow)
	}
}
