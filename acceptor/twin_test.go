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
