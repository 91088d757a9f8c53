package acceptor

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestInvariants breaks each invariant by hand, one at a time, and expects the acceptor
// to stop with its name, having said nothing that follows.
func TestInvariants(t *testing.T) {
	b, high := ballot(5, "p1"), ballot(6, "p1")
	accept := &paxos.Accept{Ballot: b, Instance: 4, Value: paxos.Value{Batch: text("x")}}
	for name, breaks := range map[string]func(*Acceptor){
		"promised is never lowered":                      func(a *Acceptor) { a.promised = ballot(4, "p1") },
		"a promise is durable before it is told":         func(a *Acceptor) { a.promised = ballot(6, "p1") },
		"a vote is durable before it is told":            func(a *Acceptor) { a.Step("p1", accept); a.Out.Sync = false },
		"held is never lowered":                          func(a *Acceptor) { a.held-- },
		"an acceptor's mark is never lowered":            func(a *Acceptor) { a.mark.Commits-- },
		"what is held is known to be chosen":             func(a *Acceptor) { a.known-- },
		"highest is at least held":                       func(a *Acceptor) { a.highest = 2 },
		"no vote is told while an acceptor may not vote": func(a *Acceptor) { a.Step("p1", accept); a.admission.admitted = false },
		"does not vote before it has rejoined":           func(a *Acceptor) { a.admission.rejoin = &rejoining{} },
		"promised is at least the ballot of every vote":  func(a *Acceptor) { a.vote(accept, vote{ballot: &high}, a.votes[4]) },
		"a vote is replaced by one of a higher ballot only": func(a *Acceptor) {
			a.votes[4] = vote{ballot: &high}
			a.vote(accept, vote{ballot: &b}, a.votes[4])
		},
		"one value for ballot and instance":                     func(a *Acceptor) { a.Step("p1", accept); a.vote(accept, vote{ballot: &b, sum: 1}, a.votes[4]) },
		"no sync is done that was not asked for":                func(a *Acceptor) { a.Step("a1", &paxos.Synced{Count: 99}) },
		"a load is answered once":                               func(a *Acceptor) { a.Step("a1", &paxos.Loaded{Load: paxos.Load{Tag: 3}}) },
		"the store returns votes in order, within what was ask": func(a *Acceptor) { a.Step("a1", loaded(a, vote{}, 9, 8)) },
		"the store returns the value that was voted for":        func(a *Acceptor) { a.Step("p1", accept); a.Step("a1", loaded(a, vote{ballot: &b}, 4)) },
		"votes are kept above held only": func(a *Acceptor) {
			late := *accept
			late.Instance = 3
			a.vote(&late, vote{ballot: &b}, a.votes[4])
		},
		"reads under way are bounded": func(a *Acceptor) {
			for i := range uint64(maxLoads + 1) {
				a.loads[i] = pending{}
			}
		},
	} {
		a := New(config(), State{Promised: b, Held: 3, Commits: 10})
		a.Tick(1, 0)
		a.admission.admitted = true
		a.Flush()
		breaks(a)
		if halt := a.Flush().Halt; !strings.Contains(halt, "invariant broken: "+name) && !strings.Contains(halt, name+",") {
			t.Errorf("%s: %q", name, halt)
		}
	}
	for name, st := range map[string]State{
		"promised is at least the ballot of every vote": {Promised: ballot(4, "p1"), Votes: map[paxos.Instance]paxos.Ballot{4: b}},
		"votes are kept above held only":                {Promised: b, Held: 4, Votes: map[paxos.Instance]paxos.Ballot{4: b}},
	} {
		if halt := New(config(), st).Flush().Halt; !strings.Contains(halt, name) {
			t.Errorf("%s, in a directory: %q", name, halt)
		}
	}
}

// loaded is the result of a load of a's, with votes at the given instances.
func loaded(a *Acceptor, v vote, instances ...paxos.Instance) *paxos.Loaded {
	a.load(1, forever, pending{kind: pendingFetch, to: "a2"})
	m := &paxos.Loaded{Load: paxos.Load{Tag: a.tag, From: 1, To: forever}}
	for _, i := range instances {
		m.Votes = append(m.Votes, paxos.Vote{Instance: i, Ballot: v.under(), Value: paxos.Value{Batch: []byte("another")}})
	}
	return m
}

// TestContradiction: another value than this acceptor voted for, at the same instance
// under the same ballot, is refused, counted and told, and ends nobody: an Accept, and
// a page of a source.
func TestContradiction(t *testing.T) {
	a := ready(State{})
	b := ballot(1, "p1")
	value := func(s string) paxos.Value { return paxos.Value{Origin: b, Batch: text(s)} }
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: value("mine")})
	a.Flush()
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: value("other")})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: value("other")})
	out := a.Flush()
	if len(sent[*paxos.Accepted](out)) != 0 || len(out.Writes) != 0 || len(out.Notes) != 1 || out.Halt != "" || a.Report().Contradictions != 2 {
		t.Fatalf("an Accept: %+v", out)
	}
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: value("mine")})
	if out = a.Flush(); len(sent[*paxos.Accepted](out)) != 1 {
		t.Fatalf("a repetition of its vote: %+v", out)
	}
	a.asks("a2", 1)
	a.Step("a2", &paxos.Page{Nonce: 1, From: 1, Held: 2, Values: []paxos.Vote{{Instance: 1, Ballot: b, Value: value("other")}, {Instance: 2, Ballot: b, Value: value("two")}}})
	if out = a.Flush(); a.held != 0 || len(out.Writes) != 0 || out.Halt != "" || a.Report().Contradictions != 3 {
		t.Fatalf("a page: held %d, %+v", a.held, out)
	}
}

// TestLoadsAreBounded: what is asked beyond the bound is dropped, as a connection may.
func TestLoadsAreBounded(t *testing.T) {
	a := ready(State{Held: 9})
	for range maxLoads + 10 {
		a.Step("l1", &paxos.Fetch{From: 1, Values: true})
	}
	if out := a.Flush(); len(out.Loads) != maxLoads || out.Halt != "" {
		t.Fatalf("%d loads, %s", len(out.Loads), out.Halt)
	}
}

// TestRejoinBelowPromised: a grant may be of a lower ballot than this acceptor has
// promised. The promise stays.
func TestRejoinBelowPromised(t *testing.T) {
	high := ballot(9, "p2")
	cfg := config()
	cfg.Seed = 5
	a := New(cfg, State{Promised: high, Forgot: true, Commits: 10})
	a.Tick(1, 0)
	a.Step("p1", &paxos.Rejoined{Process: 5, Ballot: ballot(4, "p1"), Marks: make([]paxos.Mark, 3)})
	if out := a.Flush(); out.Halt != "" || a.promised != high || !a.admission.admitted {
		t.Fatalf("promised %v, admitted %v: %s", a.promised, a.admission.admitted, out.Halt)
	}
}

// TestRejoinWhileDenied: a new life makes up for what was forgotten, not for a peer that
// remembers another directory.
func TestRejoinWhileDenied(t *testing.T) {
	a := starting(config(), 10)
	a.Step("l1", &paxos.Vouched{Asked: paxos.Mark{Commits: 10, Process: 5}, Known: 6})
	a.Step("a3", vouched(15, 4))
	a.Step("p1", &paxos.Rejoined{Process: 5, Ballot: ballot(4, "p1"), Marks: make([]paxos.Mark, 3)})
	if a.Flush(); a.mark.Life != ballot(4, "p1") || a.admission.admitted {
		t.Fatalf("life %v, admitted %v", a.mark.Life, a.admission.admitted)
	}
	now := paxos.Mark{Commits: a.admission.start.Commits, Process: 5, Life: a.mark.Life}
	for _, id := range []paxos.NodeID{"a2", "a3", "p1", "l1"} {
		a.Step(id, &paxos.Vouched{Asked: now, Known: 7})
	}
	if a.Flush(); !a.admission.admitted {
		t.Fatal("it does not vote although everybody vouches for it")
	}
}
