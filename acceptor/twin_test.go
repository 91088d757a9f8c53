package acceptor

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestTwin: an acceptor of whose directory a peer has heard another process does not vote, whoever else
// vouches for it, until that peer does; it asks at once, says what to do, and votes by itself then.
func TestTwin(t *testing.T) {
	for _, by := range []paxos.NodeID{"a2", "l1", "p1"} {
		cfg := config()
		cfg.Proposers = []paxos.NodeID{"p1"}
		a := New(cfg, State{})
		a.Tick(1, 0)
		for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
			a.Step("a1", &paxos.PeerUp{ID: id})
			a.Step(id, &paxos.Vouched{Known: 7})
		}
		a.Tick(10_000, 0)
		b := ballot(9, "p1")
		a.Step("p1", &paxos.Prepare{Ballot: b, Nonce: 1, From: 1})
		if out := a.Flush(); len(wrote[paxos.SetPromised](out)) != 1 {
			t.Fatalf("it does not promise: %+v", out)
		}
		a.Step("a1", &paxos.Twin{ID: by})
		a.Tick(10_001, 0)
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1})
		out := a.Flush()
		if len(wrote[paxos.PutVote](out)) != 0 || len(sent[*paxos.Vouch](out)) != 1 || out.Halt != "" {
			t.Errorf("told by %s: %+v", by, out)
		}
		if why := a.Report().WhyNotVoting; !strings.HasPrefix(why, string(by)+" has heard another process under the id a1") || !strings.Contains(why, "Stop the one that is not wanted") {
			t.Errorf("it says %q", why)
		}
		for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
			if id != by {
				a.Step(id, &paxos.Vouched{Known: 7})
			}
		}
		if a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1}); len(wrote[paxos.PutVote](a.Flush())) != 0 {
			t.Errorf("told by %s, it votes since others vouch", by)
		}
		a.Step(by, &paxos.Vouched{Known: 7})
		if a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1}); len(wrote[paxos.PutVote](a.Flush())) != 1 {
			t.Errorf("told by %s, it does not vote although that one vouches", by)
		}
	}
}

// TestTwinOfAStranger: who never vouches for this acceptor cannot keep it from voting, either.
func TestTwinOfAStranger(t *testing.T) {
	a := ready(State{})
	a.Step("a1", &paxos.Twin{ID: "x"})
	if a.Flush(); !a.admission.admitted {
		t.Error("nobody whom it asks has said so, and it does not vote")
	}
}

// TestTwinMark: a vote that is on disk with the flush in which a twin was heard is told later by a mark of its
// commit, or of a later one: else a directory that lost it would be taken for one that has forgotten nothing.
func TestTwinMark(t *testing.T) {
	a := ready(State{})
	a.Step("p1", &paxos.Accept{Ballot: ballot(9, "p1"), Instance: 1})
	one := wrote[paxos.SetMark](a.Flush())
	a.Step("p1", &paxos.Accept{Ballot: ballot(9, "p1"), Instance: 2})
	a.Step("a1", &paxos.Twin{ID: "a2"})
	out := a.Flush()
	two := wrote[paxos.SetMark](out)
	if len(one) != 1 || len(two) != 1 || two[0].Commits != one[0].Commits+1 {
		t.Fatalf("its commits are %+v and %+v", one, two)
	}
	if told := sent[*paxos.Accepted](out); len(told) != 0 {
		t.Fatalf("it tells %+v", told)
	}
	a.Step("a2", &paxos.Vouched{Asked: a.admission.start, Known: 7})
	a.admission.admitted = true // the others have vouched before
	a.Step("p1", &paxos.Accept{Ballot: ballot(9, "p1"), Instance: 2})
	told := sent[*paxos.Accepted](a.Flush())
	if len(told) == 0 || told[0].Mark.Commits < two[0].Commits {
		t.Fatalf("it tells %+v", told)
	}
}

// TestTwinOfOneThatLeaves: who has left the log can take nothing back, and is not waited for; another one is
// asked although some that have answered have left.
func TestTwinOfOneThatLeaves(t *testing.T) {
	cfg := config()
	cfg.Proposers = []paxos.NodeID{"p1", "p2"}
	a := New(cfg, State{})
	a.Tick(1, 0)
	all := []paxos.NodeID{"a2", "a3", "l1", "p1", "p2"}
	for _, id := range all {
		a.Step("a1", &paxos.PeerUp{ID: id})
		a.Step(id, &paxos.Vouched{Known: 7})
	}
	a.Step("a1", &paxos.Twin{ID: "p2"})
	a.Flush()
	if a.admission.admitted {
		t.Fatal("it votes although p2 has heard another one")
	}
	a.cfg.Proposers = []paxos.NodeID{"p1"} // as the log says
	a.configure()
	a.Tick(10_000, 0)
	if a.Flush(); !a.admission.admitted {
		t.Error("it waits for p2, which is gone")
	}
	a.Step("a1", &paxos.Twin{ID: "a2"})
	a.Tick(10_001, 0)
	if v := sent[*paxos.Vouch](a.Flush()); len(v) != 1 {
		t.Errorf("a2 is asked %d times", len(v))
	}
}
