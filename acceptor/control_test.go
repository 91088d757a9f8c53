package acceptor

import (
	"reflect"
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

func genesis(log byte, level uint64) paxos.Value {
	g := control.Genesis{
		Log: paxos.LogID{log}, Level: level, Sessions: 10,
		Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 }),
	}
	return paxos.Value{Origin: ballot(1, "p1"), Batch: control.Batch(g)}
}

// text is a batch that tells values apart: of a kind that is known, and of no form.
func text(s string) []byte { return append([]byte{byte(paxos.RunAppend)}, s...) }

// knowing is ready, of an acceptor that knows this release's level.
func knowing(st State) *Acceptor {
	a := ready(st)
	a.cfg.Knows = control.Level
	return a
}

// TestControlWithHeld: what a control command decides is in the commit that raises held over
// it, and not before.
func TestControlWithHeld(t *testing.T) {
	v, b := genesis(1, 1), ballot(1, "p1")
	want, _ := control.State{}.Apply(1, v.Batch, control.Level)
	a := knowing(State{})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: v})
	if out := a.Flush(); len(wrote[paxos.PutVote](out)) != 1 || len(wrote[paxos.SetControl](out)) != 0 {
		t.Fatalf("a vote: %+v", out)
	}
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 1})
	out := a.Flush()
	if s := wrote[paxos.SetControl](out); len(s) != 1 || s[0].State != want.Encode() || len(wrote[paxos.SetHeld](out)) != 1 {
		t.Fatalf("held: %+v", out)
	}
	if r := a.Report(); !reflect.DeepEqual(r.Control, want) || len(a.control.votes) != 0 || a.control.bytes != 0 {
		t.Fatalf("%+v", r)
	}
	// A candidate is shown it, with the held that it goes with.
	a.now += 10_000
	a.Step("p2", &paxos.Prepare{Ballot: ballot(2, "p2"), Nonce: 1, From: 1})
	load := a.Flush().Loads[0]
	a.Step("a1", &paxos.Loaded{Load: load})
	p := sent[*paxos.Promise](a.Flush())
	if len(p) != 1 || p[0].Held != 1 || p[0].Control != want.Encode() || p[0].Knows != control.Level {
		t.Fatalf("a promise: %+v", p)
	}
}

// TestControlIsCopied: a page of chosen values decides the same.
func TestControlIsCopied(t *testing.T) {
	v := genesis(1, 1)
	a := knowing(State{})
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	a.known = 2
	a.now += 200
	a.tickCopy()
	fetch := sent[*paxos.Fetch](a.Flush())[0]
	a.Step("a2", &paxos.Page{Nonce: fetch.Nonce, Held: 2, Values: []paxos.Vote{
		{Instance: 1, Ballot: ballot(1, "p1"), Value: v}, {Instance: 2, Ballot: ballot(1, "p1")},
	}})
	out := a.Flush()
	want, _ := control.State{}.Apply(1, v.Batch, control.Level)
	if s := wrote[paxos.SetControl](out); a.held != 2 || len(s) != 1 || s[0].State != want.Encode() {
		t.Fatalf("held %d, %+v", a.held, out)
	}
}

// TestControlRecovers: a vote for a control value of an earlier process decides what it says
// once it is known to be chosen.
func TestControlRecovers(t *testing.T) {
	v, b := genesis(1, 1), ballot(1, "p1")
	a := knowing(State{Promised: b, Votes: map[paxos.Instance]paxos.Ballot{1: b}, Controls: map[paxos.Instance]string{1: string(v.Batch)}})
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 1})
	if out := a.Flush(); len(wrote[paxos.SetControl](out)) != 1 || a.control.state.Log != (paxos.LogID{1}) {
		t.Fatalf("%+v", out)
	}
}

// TestUnknownCommand: who does not know a command neither votes for it nor holds it, and
// copies nothing from there on (R10).
func TestUnknownCommand(t *testing.T) {
	v, b := genesis(1, control.Level+1), ballot(1, "p1")
	a := knowing(State{})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: v})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 2, Value: paxos.Value{Origin: b}})
	out := a.Flush()
	if votes := wrote[paxos.PutVote](out); len(votes) != 1 || votes[0].Vote.Instance != 2 || len(out.Notes) != 1 {
		t.Fatalf("%+v", out)
	}
	a.Step("a1", &paxos.PeerUp{ID: "a2", Role: paxos.RoleAcceptor})
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 2})
	a.now += 200
	a.tickCopy()
	fetch := sent[*paxos.Fetch](a.Flush())[0]
	a.Step("a2", &paxos.Page{Nonce: fetch.Nonce, Held: 2, Values: []paxos.Vote{{Instance: 1, Ballot: b, Value: v}, {Instance: 2, Ballot: b}}})
	if out := a.Flush(); a.held != 0 || len(out.Writes) != 0 || len(out.Notes) != 1 || a.Report().Stuck != 1 {
		t.Fatalf("held %d: %+v", a.held, out)
	}
	a.now += 10_000
	a.tickCopy()
	if again := sent[*paxos.Fetch](a.Flush()); len(again) != 0 {
		t.Errorf("it asks again for what is of no use to it: %+v", again)
	}
}

// TestUnknownRun: nobody votes for a kind of commands of sessions that it does not know,
// wherever it stands in a value: if that was chosen, every learner would stop before it.
func TestUnknownRun(t *testing.T) {
	b := ballot(1, "p1")
	known := paxos.Fence(paxos.SessionID{1})
	unknown := []byte{byte(paxos.RunsOwned) + 1, 1, 2, 3}
	for name, batch := range map[string][]byte{"alone": unknown, "behind": append(paxos.Fence(paxos.SessionID{1}), unknown...)} {
		a := knowing(State{})
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: paxos.Value{Origin: b, Batch: batch}})
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: 2, Value: paxos.Value{Origin: b, Batch: known}})
		out := a.Flush()
		if votes := wrote[paxos.PutVote](out); len(votes) != 1 || votes[0].Vote.Instance != 2 || len(out.Notes) != 1 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// TestControlBytesAreBounded: what is kept in memory of control values is bounded, and they
// are let go when another value takes their place.
func TestControlBytesAreBounded(t *testing.T) {
	a := knowing(State{})
	a.control.bytes = maxControlBytes
	a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: 1, Value: genesis(1, 1)})
	if out := a.Flush(); len(wrote[paxos.PutVote](out)) != 0 {
		t.Fatalf("a vote beyond the bound: %+v", out)
	}
	a.control.bytes = 0
	a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: 1, Value: genesis(1, 1)})
	a.Step("p2", &paxos.Accept{Ballot: ballot(2, "p2"), Instance: 1, Value: paxos.Value{Origin: ballot(2, "p2")}})
	if a.Flush(); a.control.bytes != 0 || len(a.control.votes) != 0 {
		t.Errorf("%d bytes are kept of a vote that was replaced", a.control.bytes)
	}
}

// TestTrimmedStateThatNobodyKnows: a source that shows a state which cannot be read is passed
// over, and another one is asked: one peer's word ends no copying.
func TestTrimmedStateThatNobodyKnows(t *testing.T) {
	a := knowing(State{})
	for _, id := range []paxos.NodeID{"a2", "a3"} {
		a.Step("a1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
	}
	a.known = 20
	a.now += 200
	a.tickCopy()
	first := sentTo(a.Flush())
	a.Step(first.to, &paxos.Page{Nonce: first.fetch.Nonce, Held: 20, First: 10, Control: "no state"})
	if a.Flush(); a.control.stuck != 0 || a.refused.count != 1 {
		t.Fatalf("stuck at %d, %d refused", a.control.stuck, a.refused.count)
	}
	for k := 0; k < 50; k++ {
		a.now += 200
		a.tickCopy()
		if next := sentTo(a.Flush()); next.fetch != nil && next.to != first.to {
			return
		}
	}
	t.Error("no other source is asked")
}

// asked is a Fetch, and whom it goes to.
type asked struct {
	to    paxos.NodeID
	fetch *paxos.Fetch
}

func sentTo(out paxos.Output) asked {
	for _, e := range slices.Concat(out.SendNow, out.SendAfter) {
		if f, ok := e.Msg.(*paxos.Fetch); ok {
			return asked{e.To, f}
		}
	}
	return asked{}
}
