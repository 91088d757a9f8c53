package acceptor

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestNamedSuccessor: the proposer that a leader names in its last heartbeat is told so and
// let through at once; others wait as if the leader had been heard just now.
func TestNamedSuccessor(t *testing.T) {
	leader := ballot(5, "p1")
	handedOver := func() *Acceptor {
		a := ready(State{Promised: leader})
		a.Step("p1", &paxos.Heartbeat{Ballot: leader, Nonce: 1})
		a.Flush()
		a.now += 100
		a.Step("p1", &paxos.Heartbeat{Ballot: leader, Nonce: 2, Resign: true, Next: "p2"})
		return a
	}
	a := handedOver()
	out := a.Flush()
	if told := sent[*paxos.Named](out); len(told) != 1 || told[0].Ballot != leader || out.SendNow[0].To != "p2" {
		t.Fatalf("p2 is to be told: %+v", out)
	}
	for from, refused := range map[paxos.NodeID]int{"p2": 0, "p3": 1} {
		a := handedOver()
		a.Step(from, &paxos.Prepare{Ballot: ballot(6, from)})
		if out := a.Flush(); len(sent[*paxos.Reject](out)) != refused || len(out.Loads) != 1-refused {
			t.Errorf("%s: %+v", from, out)
		}
	}
	a.now += 149
	a.Step("p3", &paxos.Query{Nonce: 3})
	if r := sent[*paxos.QueryReply](a.Flush()); len(r) != 1 || r[0].Silent != 149 {
		t.Errorf("others count from the last heartbeat: %+v", r)
	}
	a.now++
	a.Step("p3", &paxos.Prepare{Ballot: ballot(6, "p3")})
	if out := a.Flush(); len(out.Loads) != 1 {
		t.Errorf("nothing came of it, so others may campaign: %+v", out)
	}
	// Nobody is named to a candidate that was promised meanwhile.
	a = ready(State{Promised: ballot(7, "p3")})
	a.Step("p1", &paxos.Heartbeat{Ballot: leader, Nonce: 2, Resign: true, Next: "p2"})
	if out := a.Flush(); len(sent[*paxos.Named](out)) != 0 || len(sent[*paxos.Reject](out)) != 1 {
		t.Errorf("%+v", out)
	}
}

// TestNamedByThoseThatCouldPromise: an acceptor that could promise nothing invites nobody.
func TestNamedByThoseThatCouldPromise(t *testing.T) {
	last := &paxos.Heartbeat{Ballot: ballot(5, "p1"), Nonce: 2, Resign: true, Next: "p2"}
	a := ready(State{})
	a.admission.admitted = false
	a.Step("p1", last)
	if out := a.Flush(); len(sent[*paxos.Named](out)) != 0 {
		t.Errorf("not admitted: %+v", out)
	}
	a = ready(State{})
	a.Step("p1", &paxos.Prepare{Ballot: last.Ballot})
	a.Flush()
	a.now += a.cfg.StallTicks + 1
	a.Step("p1", last)
	if out := a.Flush(); len(sent[*paxos.Named](out)) != 0 {
		t.Errorf("its disk hangs: %+v", out)
	}
}

// TestDrained: a drained acceptor says so, and votes.
func TestDrained(t *testing.T) {
	a := ready(State{})
	a.Step("@op", &paxos.Drain{Nonce: 4})
	a.Step("@op", &paxos.StatusQuery{Nonce: 5})
	a.Step("p1", &paxos.Accept{Ballot: ballot(5, "p1"), Instance: 1})
	out := a.Flush()
	if d := sent[*paxos.Drained](out); len(d) != 1 || *d[0] != (paxos.Drained{Nonce: 4, Drained: true}) {
		t.Errorf("answered %+v", d)
	}
	if s := sent[*paxos.StatusReply](out); len(s) != 1 || !s[0].Drained || len(sent[*paxos.Accepted](out)) != 1 {
		t.Errorf("%+v", out)
	}
	a.Step("@op", &paxos.Drain{Nonce: 6, Undo: true})
	if a.Flush(); a.Report().Drained {
		t.Error("it is drained still")
	}
}
