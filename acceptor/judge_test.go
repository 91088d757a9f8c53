package acceptor

import (
	"reflect"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// hostile is what a proposer can send under a ballot, apart from its Resign.
func hostile(b paxos.Ballot, i paxos.Instance) map[string]paxos.Message {
	marks := []paxos.Mark{{}, {Life: b}, {}}
	return map[string]paxos.Message{
		"Prepare":   &paxos.Prepare{Ballot: b, Nonce: 1, From: 1, Rejoin: "a2"},
		"Accept":    &paxos.Accept{Ballot: b, Instance: i, ChosenUpTo: i - 1},
		"held":      &paxos.Accept{Ballot: b, Instance: 1, ChosenUpTo: i - 1},
		"Heartbeat": &paxos.Heartbeat{Ballot: b, ChosenUpTo: i, Marks: marks},
		"Rejoined":  &paxos.Rejoined{Ballot: b, UpTo: i, Marks: marks},
	}
}

// unmoved fails if anything was taken from what was just stepped.
func unmoved(t *testing.T, name string, a *Acceptor, before Report) {
	t.Helper()
	out := a.Flush()
	after := a.Report()
	if after.Refused == before.Refused {
		t.Errorf("%s: it is not counted", name)
	}
	after.Refused = before.Refused
	if !reflect.DeepEqual(after, before) || len(out.Writes)+len(out.Loads) != 0 || out.Sync || out.Halt != "" || !a.announced.IsZero() {
		t.Errorf("%s: it was believed: %+v\nwas %+v\nis  %+v", name, out, before, after)
	}
	for _, m := range sent[*paxos.Reject](out) {
		if m.Reason != paxos.RejectClaim {
			t.Errorf("%s: refused for the reason %d", name, m.Reason)
		}
	}
}

// TestClaims: nothing is taken from a message under another proposer's ballot, from one of
// a proposer that the cluster file does not name, or under a round that cannot be. An
// acceptor that only joins the log has nothing to judge rounds by.
func TestClaims(t *testing.T) {
	begin := func(promised paxos.Ballot) *Acceptor {
		cfg := config()
		cfg.Proposers = []paxos.NodeID{"p1", "p2"}
		a := New(cfg, State{Promised: promised, Held: 3})
		a.Tick(1, 0)
		a.admission.admitted, a.now = true, 10_000
		a.Flush()
		return a
	}
	five := ballot(5, "p1")
	for name, c := range map[string]struct {
		from paxos.NodeID
		b    paxos.Ballot
	}{
		"of another proposer": {"p2", ballot(6, "p1")},
		"of nobody":           {"p1", paxos.Ballot{}},
		"of a stranger":       {"p9", ballot(6, "p9")},
		"of a client":         {"@1", ballot(6, "@1")},
		"far":                 {"p1", ballot(6+paxos.MaxJump, "p1")},
		"the farthest":        {"p1", ballot(paxos.Bound-1, "p1")},
	} {
		for kind, m := range hostile(c.b, 4) {
			a := begin(five)
			before := a.Report()
			a.Step(c.from, m)
			unmoved(t, kind+" "+name, a, before)
		}
	}
	for _, round := range []uint64{6, 5 + paxos.MaxJump} {
		a := begin(five)
		a.Step("p1", &paxos.Accept{Ballot: ballot(round, "p1"), Instance: 4})
		if len(sent[*paxos.Accepted](a.Flush())) != 1 {
			t.Errorf("round %d was refused", round)
		}
	}
	a := begin(paxos.Ballot{})
	a.Step("p1", &paxos.Accept{Ballot: ballot(1<<50, "p1"), Instance: 4})
	if len(sent[*paxos.Accepted](a.Flush())) != 1 {
		t.Error("a new acceptor refuses to vote in an old log")
	}
	a = begin(five)
	a.Step("a2", &paxos.Vouched{Asked: a.admission.start, Mark: paxos.Mark{Commits: 1, Life: ballot(1<<50, "p1")}})
	if a.Flush(); a.admission.rejoin != nil || a.Report().Refused != 1 {
		t.Error("a life that cannot be keeps an acceptor from voting")
	}
}

// TestFarInstances: an instance far above the log is not voted for, whoever leads. An
// acceptor that is new, or was away for long, asks the others, and votes once a quorum has
// shown where the log is.
func TestFarInstances(t *testing.T) {
	const far = paxos.Instance(1) << 40
	b := ballot(5, "p1")
	for kind, m := range hostile(b, far) {
		if kind == "Prepare" {
			continue // it says nothing of instances
		}
		a := ready(State{Promised: b, Held: 3})
		before := a.Report()
		a.Step("p1", m)
		asked := sent[*paxos.Fetch](a.Flush())
		if len(asked) != 2 || asked[0].From >= paxos.Bound {
			t.Fatalf("%s: the others were asked %+v", kind, asked)
		}
		a.Step("a2", &paxos.Page{Nonce: asked[0].Nonce, Held: 4})
		a.Step("p1", m)
		unmoved(t, kind, a, before)
		// Later the others are there.
		a.now += 1000
		a.Step("p1", m)
		asked = sent[*paxos.Fetch](a.Flush())
		a.Step("l1", &paxos.Page{Nonce: asked[0].Nonce, Held: far})
		a.Step("a3", &paxos.Page{Nonce: asked[0].Nonce - 1, Held: far})
		if a.survey.shown >= far {
			t.Errorf("%s: a learner, or an older answer, shows where a quorum is", kind)
		}
		a.Step("a3", &paxos.Page{Nonce: asked[0].Nonce, Held: far - 7})
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: far, ChosenUpTo: far - 1})
		if out := a.Flush(); len(sent[*paxos.Accepted](out)) != 1 || a.known != far-1 {
			t.Errorf("%s: an acceptor that was away does not vote: %+v", kind, out)
		}
	}
	a := ready(State{Promised: b, Held: 3})
	a.asks("l1", 9)
	a.Step("l1", &paxos.Page{Nonce: 9, From: 4, Held: far, Values: []paxos.Vote{{Instance: 4, Ballot: b}}})
	if a.held != 3 || a.known != 3 {
		t.Errorf("a source that holds more than there is was believed: held %d, known %d", a.held, a.known)
	}
}

// TestValuesFit: a value that no page could carry is not voted for, and neither are more
// instances than there is room for.
func TestValuesFit(t *testing.T) {
	a := ready(State{Held: 3})
	a.cfg.ValueBytes = 100
	b := ballot(1, "p1")
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 4, Value: paxos.Value{Batch: make([]byte, 101)}})
	if out := a.Flush(); len(out.SendAfter) != 0 || a.Report().Refused != 1 || !a.promised.IsZero() {
		t.Errorf("a value that is too large was taken: %+v", out)
	}
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 4, Value: paxos.Value{Batch: make([]byte, 100)}})
	if out := a.Flush(); len(sent[*paxos.Accepted](out)) != 1 {
		t.Errorf("a value that fits was refused: %+v", out)
	}
	v := vote{ballot: &b, sum: 1}
	for i := range paxos.Instance(maxVotes) {
		a.votes[5+i] = v
	}
	a.highest = 4 + maxVotes
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 9 + maxVotes})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 4, Value: paxos.Value{Batch: make([]byte, 100)}})
	if out := a.Flush(); len(sent[*paxos.Accepted](out)) != 1 || a.Report().Refused != 2 {
		t.Errorf("one vote too many: %+v", out)
	}
	a.Step("p1", &paxos.Prepare{Ballot: b, From: 9, To: 8})
	if out := a.Flush(); len(out.Loads) != 0 {
		t.Errorf("a range that ends before it begins was read: %+v", out)
	}
}
