package acceptor

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// starting returns an acceptor of the given commits, in run 5, connected to all.
func starting(cfg Config, commits uint64) *Acceptor {
	cfg.Seed = 5
	cfg.Proposers = []paxos.NodeID{"p1"}
	a := New(cfg, State{Commits: commits})
	for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
		a.Step("a1", &paxos.PeerUp{ID: id})
	}
	a.Tick(1, 0)
	return a
}

func vouched(commits, run uint64) *paxos.Vouched {
	return &paxos.Vouched{Asked: paxos.Mark{Commits: 10, Process: 5}, Known: 7, Mark: paxos.Mark{Commits: commits, Process: run}}
}

// votes reports whether a would promise a new ballot.
func votes(a *Acceptor) bool {
	a.Step("p1", &paxos.Prepare{Ballot: ballot(a.promised.Round+1, "p1"), Nonce: 1, From: 1})
	out := a.Flush()
	return len(out.Loads) > 0
}

// TestAdmission: an acceptor votes once another one has vouched for it, and all
// others have answered or had time to.
func TestAdmission(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []paxos.NodeID
		late    bool
		want    bool
	}{
		{"nobody answered", nil, true, false},
		{"a learner and a proposer are no acceptor", []paxos.NodeID{"l1", "p1"}, true, false},
		{"others may still answer", []paxos.NodeID{"a2"}, false, false},
		{"others had time to", []paxos.NodeID{"a2"}, true, true},
		{"all answered", []paxos.NodeID{"a2", "a3", "l1", "p1"}, false, true},
	} {
		a := starting(config(), 10)
		if v := sent[*paxos.Vouch](a.Flush()); len(v) != 4 || v[0].Mark.Commits != 10 || v[0].Mark.Process != 5 {
			t.Fatalf("%s: asked %+v", c.name, v)
		}
		for _, id := range c.answers {
			a.Step(id, vouched(10, 4))
		}
		if c.late {
			a.Tick(1+10*config().ElectionTicks, 0)
		}
		if a.hearing.at = -1000; votes(a) != c.want {
			t.Errorf("%s: votes %v", c.name, !c.want)
		}
	}
}

// TestAnswersOfAnEarlierRun do not count.
func TestAnswersOfAnEarlierRun(t *testing.T) {
	a := starting(config(), 10)
	for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
		m := vouched(10, 4)
		m.Asked.Process = 4
		a.Step(id, m)
	}
	if a.admission.admitted {
		t.Fatal("admitted by answers to an earlier run")
	}
}

// TestForgotten: an acceptor whose peers know more commits than its directory has,
// whoever says it and whenever, neither promises nor votes, answers no poll and
// keeps no leader in office.
func TestForgotten(t *testing.T) {
	b := ballot(3, "p1")
	for name, evidence := range map[string]func(*Acceptor){
		"an acceptor": func(a *Acceptor) { a.Step("a3", vouched(11, 4)) },
		"a learner":   func(a *Acceptor) { a.Step("l1", vouched(11, 4)) },
		"a proposer":  func(a *Acceptor) { a.Step("p1", vouched(11, 4)) },
		"a later life": func(a *Acceptor) {
			a.Step("a3", &paxos.Vouched{Asked: paxos.Mark{Commits: 10, Process: 5}, Known: 7, Mark: paxos.Mark{Life: b}})
		},
		"the leader": func(a *Acceptor) {
			a.Step("p1", &paxos.Heartbeat{Ballot: b, Marks: []paxos.Mark{{Commits: 11, Process: 4}, {}, {}}})
		},
	} {
		for _, late := range []bool{false, true} {
			a := starting(config(), 10)
			if late {
				a.admission.admitted = true
			}
			a.Flush()
			evidence(a)
			out := a.Flush()
			if out.Halt != "" || len(out.Notes) != 1 || !out.Notes[0].Warn || !strings.Contains(out.Notes[0].Text, "has forgotten") {
				t.Errorf("%s: %+v", name, out)
			}
			a.Step("p1", &paxos.Prepare{Ballot: ballot(9, "p1"), Nonce: 1, From: 1})
			a.Step("p1", &paxos.Accept{Ballot: ballot(9, "p1"), Instance: 1})
			a.Step("p2", &paxos.Query{})
			a.Step("l1", &paxos.Poll{Nonce: 1})
			a.Step("p1", &paxos.Heartbeat{Ballot: ballot(9, "p1")})
			for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
				a.Step(id, vouched(10, 4))
			}
			a.Tick(1+2*config().RetryTicks, 0)
			out = a.Flush()
			if len(out.Writes) != 0 || len(sent[*paxos.Reject](out)) != 2 || len(sent[*paxos.QueryReply](out)) != 0 ||
				len(sent[*paxos.PollReply](out)) != 0 || len(sent[*paxos.HeartbeatAck](out)) != 0 || a.admission.admitted {
				t.Errorf("%s, late %v: it goes on: %+v", name, late, out)
			}
		}
	}
}

// TestOwnRunIsNoEvidence: what was seen of this very run is higher than what its
// directory had at the start.
func TestOwnRunIsNoEvidence(t *testing.T) {
	a := starting(config(), 10)
	a.Step("a2", vouched(99, 5))
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(3, "p1"), Marks: []paxos.Mark{{Commits: 99, Process: 5}, {}, {}}})
	if a.Flush(); a.admission.rejoin != nil {
		t.Fatal("it takes its own commits for forgotten ones")
	}
}

// TestCannotRejoin: where a single acceptor is a quorum nobody else knows what it
// forgot. It stays up, does not vote, and says what to do; a later run finds out anew.
func TestCannotRejoin(t *testing.T) {
	cfg := config()
	cfg.Membership.Phase1, cfg.Membership.Phase2 = 3, 1
	a := starting(cfg, 10)
	a.Step("a2", vouched(11, 4))
	out := a.Flush()
	if out.Halt != "" || len(out.Notes) != 1 || !strings.Contains(out.Notes[0].Text, "has forgotten") || !strings.Contains(out.Notes[0].Text, "restore") {
		t.Fatalf("%+v", out)
	}
	if m := wrote[paxos.SetMark](out); len(m) != 1 || m[0].Forgot {
		t.Fatalf("one peer's word would last for good: %+v", m)
	}
	if a.hearing.at = -1000; votes(a) {
		t.Fatal("it votes")
	}
}

// TestRejoin: it asks the leader that it hears, and votes once it holds everything
// up to the granted instance; then it has promised the leader's ballot, begun a new
// life, and counts on from what was remembered.
func TestRejoin(t *testing.T) {
	n := ballot(4, "p1")
	a := starting(config(), 10)
	a.Step("a3", vouched(15, 4))
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(3, "p1")})
	if out := a.Flush(); len(sent[*paxos.Rejoin](out)) != 1 {
		t.Fatalf("it does not ask: %+v", out)
	}
	grant := &paxos.Rejoined{Process: 5, Ballot: n, UpTo: 2, Marks: []paxos.Mark{{}, {}, {Life: ballot(2, "p2")}}}
	a.Step("p1", &paxos.Rejoined{Process: 4, Ballot: n})
	if a.Flush(); a.admission.admitted {
		t.Fatal("it votes by a grant for an earlier run, which may lack what that run voted for")
	}
	a.Step("p1", grant)
	if a.Flush(); a.admission.admitted {
		t.Fatal("it votes before it holds what it may have voted for")
	}
	a.Tick(1+2*config().RetryTicks, 0)
	if f := sent[*paxos.Fetch](a.Flush()); len(f) != 1 {
		t.Fatalf("it does not copy: %+v", f)
	}
	v := func(i paxos.Instance) paxos.Vote { return paxos.Vote{Instance: i, Ballot: ballot(1, "p1")} }
	a.Step(a.copy.source, &paxos.Page{Nonce: a.copy.nonce, From: 1, Held: 5, Values: []paxos.Vote{v(1), v(2)}})
	a.Tick(2+2*config().RetryTicks, 0)
	out := a.Flush()
	if !a.admission.admitted || a.promised != n || !out.Sync {
		t.Fatalf("admitted %v, promised %v: %+v", a.admission.admitted, a.promised, out)
	}
	marks := wrote[paxos.SetMark](out)
	if len(marks) != 1 || marks[0].Life != n || marks[0].Commits <= 10 {
		t.Fatalf("marked %+v", marks)
	}
	if a.peers["a3"].Mark.Life != ballot(2, "p2") {
		t.Fatal("it did not learn that another one rejoined")
	}
	a.Step("p1", grant) // once more
	a.Step("a2", vouched(40, 4))
	if a.Flush(); !a.admission.admitted || len(a.admission.answered) != 0 {
		t.Fatal("what was said of the old life counts for the new one")
	}
	if v := sent[*paxos.Vouch](out); len(v) != 0 {
		for _, e := range out.SendNow {
			if _, ok := e.Msg.(*paxos.Vouch); ok {
				t.Fatal("the new life is shown before it is durable")
			}
		}
	}
}

// TestForgottenWhileReading: a promise does not leave when the acceptor has found out
// meanwhile that it has forgotten votes, and votes of that flush are not told.
func TestForgottenWhileReading(t *testing.T) {
	a := starting(config(), 10)
	a.admission.admitted, a.hearing.at = true, -1000
	a.Step("p1", &paxos.Prepare{Ballot: ballot(1, "p1"), Nonce: 1, From: 1})
	out := a.Flush()
	a.Step("p1", &paxos.Accept{Ballot: ballot(1, "p1"), Instance: 1})
	a.Step("a3", vouched(11, 4))
	a.Step("a1", &paxos.Loaded{Load: out.Loads[0]})
	if out := a.Flush(); len(sent[*paxos.Promise](out))+len(sent[*paxos.Accepted](out)) != 0 || len(sent[*paxos.Reject](out)) != 1 {
		t.Fatalf("%+v", out)
	}
}

// TestGrantBelowALife: a grant is worth nothing once a higher ballot is known to have
// voided the promises; the acceptor asks for another one.
func TestGrantBelowALife(t *testing.T) {
	a := starting(config(), 10)
	a.Step("a3", vouched(15, 4))
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(3, "p1")})
	a.Step("p1", &paxos.Rejoined{Process: 5, Ballot: ballot(4, "p1"), UpTo: 5, Marks: make([]paxos.Mark, 3)})
	a.Flush()
	void := ballot(6, "p2")
	a.Tick(1000, 0)
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(7, "p1"), Marks: []paxos.Mark{{Commits: 15, Process: 4, Life: void}, {}, {}}})
	if r := sent[*paxos.Rejoin](a.Flush()); len(r) != 1 || r[0].Process != 5 || r[0].Void != void {
		t.Fatalf("asked %+v", r)
	}
}

// TestAskedOnce: a peer that contradicts is not asked again and again.
func TestAskedOnce(t *testing.T) {
	a := starting(config(), 10)
	a.Flush()
	for _, id := range []paxos.NodeID{"a2", "a3", "l1", "p1"} {
		a.Step(id, vouched(15, 4))
	}
	a.Flush()
	a.Tick(10_000, 0)
	if v := sent[*paxos.Vouch](a.Flush()); len(v) != 0 {
		t.Fatalf("asked again: %+v", v)
	}
}

// TestVoidLives: whoever promises a campaign in which another one rejoins writes
// down, before it says so, that this one's earlier promises are void, and shows it in
// every promise from then on.
func TestVoidLives(t *testing.T) {
	a := ready(State{})
	b := ballot(4, "p1")
	a.Step("p1", &paxos.Prepare{Ballot: b, Nonce: 1, From: 1, Rejoin: "a2"})
	out := a.Flush()
	peers := wrote[paxos.SetPeer](out)
	if len(peers) != 1 || peers[0].ID != "a2" || peers[0].Peer.Mark.Life != b || !out.Sync {
		t.Fatalf("%+v", out)
	}
	a.Step("a1", &paxos.Loaded{Load: out.Loads[0]})
	p := sent[*paxos.Promise](a.Flush())
	if len(p) != 1 || p[0].Marks[1].Life != b || !p[0].Marks[0].Life.IsZero() {
		t.Fatalf("%+v", p)
	}
	// One whose own promises are void does not answer: the promise would not count.
	a.Step("p1", &paxos.Prepare{Ballot: ballot(5, "p1"), Nonce: 2, From: 1, Rejoin: "a1"})
	if out := a.Flush(); len(out.Loads) != 0 || a.admission.admitted {
		t.Fatalf("%+v", out)
	}
}

// TestVouchRemembersMarks: a mark is taken only from a run that was vouched for, and
// one that is lower than what is remembered is told so.
func TestVouchRemembersMarks(t *testing.T) {
	a := ready(State{})
	vouch := func(commits, run uint64) *paxos.Vouched {
		a.Step("a2", &paxos.Vouch{Incarnation: 8, Mark: paxos.Mark{Commits: commits, Process: run}})
		return sent[*paxos.Vouched](a.Flush())[0]
	}
	shown := func(commits, run uint64) uint64 {
		a.Step("p1", &paxos.Heartbeat{Ballot: ballot(1, "p1"), Marks: []paxos.Mark{{}, {Commits: commits, Process: run}, {}}})
		a.Flush()
		return a.peers["a2"].Mark.Commits
	}
	vouch(10, 1)
	if n := shown(20, 1); n != 20 {
		t.Fatalf("remembered %d", n)
	}
	if n := shown(30, 2); n != 20 {
		t.Fatalf("remembered %d of a run that was not vouched for", n)
	}
	if v := vouch(15, 2); v.Mark.Commits != 20 || v.Asked.Process != 2 {
		t.Fatalf("told %+v", v)
	}
	if n := shown(30, 2); n != 20 {
		t.Fatalf("remembered %d of a run that has forgotten something", n)
	}
	if v := vouch(20, 3); v.Mark.Commits != 20 || a.peers["a2"].Mark.Process != 3 {
		t.Fatalf("told %+v", v)
	}
}

// TestForgettingIsRemembered: an acceptor that has found out that it has forgotten
// votes knows it in its next run, whatever it has written since; and what it writes
// before it may vote does not count, lest its count catch up with what peers remember.
func TestForgettingIsRemembered(t *testing.T) {
	a := starting(config(), 10)
	for run := range uint64(5) {
		a.Step("a2", &paxos.Vouch{Incarnation: 8, Mark: paxos.Mark{Process: 90 + run}}) // remembered with a sync
		if m := wrote[paxos.SetMark](a.Flush()); len(m) != 1 || m[0].Commits != 10 || m[0].Forgot {
			t.Fatalf("before it may vote: %+v", m)
		}
	}
	a.Step("a3", vouched(11, 4))
	out := a.Flush()
	m := wrote[paxos.SetMark](out)
	if len(m) != 1 || !m[0].Forgot || m[0].Commits != 10 || !out.Sync {
		t.Fatalf("%+v", out)
	}
	again := New(config(), State{Commits: 12, Forgot: true})
	if n := again.Flush().Notes; len(n) != 1 || !n[0].Warn {
		t.Fatalf("it says nothing: %+v", n)
	}
	again.Tick(1, 0)
	for _, id := range []paxos.NodeID{"a2", "a3", "l1"} {
		again.Step(id, &paxos.Vouched{Asked: paxos.Mark{Commits: 12}, Known: 7})
	}
	again.Tick(10_000, 0)
	again.Step("p1", &paxos.Heartbeat{Ballot: ballot(3, "p1")})
	if out := again.Flush(); again.admission.admitted || len(sent[*paxos.Rejoin](out)) != 1 {
		t.Fatalf("%+v", out)
	}
}

// TestUnmeetableGrant: what a grant waits for may be lost with its leader; a later
// leader is asked what there is to hold.
func TestUnmeetableGrant(t *testing.T) {
	a := starting(config(), 10)
	a.proposers = []paxos.NodeID{"p1", "p2"}
	a.Step("a3", vouched(15, 4))
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(3, "p1")})
	a.Step("p1", &paxos.Rejoined{Process: 5, Ballot: ballot(4, "p1"), UpTo: 5, Marks: make([]paxos.Mark, 3)})
	a.Flush()
	a.Tick(20*config().RetryTicks, 0)
	a.Step("p1", &paxos.Heartbeat{Ballot: ballot(4, "p1")})
	if r := sent[*paxos.Rejoin](a.Flush()); len(r) != 0 {
		t.Fatal("asked the leader that has granted it")
	}
	a.Step("p2", &paxos.Heartbeat{Ballot: ballot(5, "p2")})
	if r := sent[*paxos.Rejoin](a.Flush()); len(r) != 1 {
		t.Fatal("not asked a later leader")
	}
	a.Step("p2", &paxos.Rejoined{Process: 5, Ballot: ballot(6, "p2"), Marks: make([]paxos.Mark, 3)})
	if a.Flush(); !a.admission.admitted || a.mark.Life != ballot(6, "p2") {
		t.Fatal("the later grant does not count")
	}
}
