package sim

import (
	"testing"

	"github.com/paxlog/paxlog/acceptor"
	"github.com/paxlog/paxlog/learner"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/proposer"
)

// This file ties each safety rule to the sentence of "Paxos Made Simple" (Lamport,
// 2001) that it implements. Each test quotes the sentence and shows it on the real
// machines.

var paperMembers = paxos.Membership{Cluster: "paper", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 10}

func paperBallot(n uint64) paxos.Ballot { return paxos.Ballot{Round: n, Proposer: "p1", Run: n} }

func paperValue(s string) paxos.Value { return paxos.Value{Origin: paperBallot(1), Batch: []byte(s)} }

// paperAcceptor is an acceptor with its store, which hears nobody.
type paperAcceptor struct {
	*acceptor.Acceptor
	store *Store
}

func newPaperAcceptor() *paperAcceptor {
	s := newStore(paxos.RoleAcceptor)
	a := acceptor.New(acceptor.Config{ID: "a1", Membership: paperMembers, PageBytes: 1000, Sources: []paxos.NodeID{"a2"}}, acceptor.State{})
	a.Tick(1, 0)
	a.Step("a2", &paxos.Vouched{}) // it may vote
	return &paperAcceptor{a, s}
}

// ask steps m and returns all answers, doing what a driver does.
func (a *paperAcceptor) ask(m paxos.Message) (answers []paxos.Message) {
	a.Step("p1", m)
	for {
		out := a.Flush()
		a.store.apply(out.Writes)
		for _, e := range append(out.SendNow, out.SendAfter...) {
			answers = append(answers, e.Msg)
		}
		if len(out.Loads) == 0 {
			return answers
		}
		for _, l := range out.Loads {
			a.Step("a1", a.store.load(l))
		}
	}
}

func the[T paxos.Message](t *testing.T, answers []paxos.Message) T {
	t.Helper()
	for _, m := range answers {
		if x, ok := m.(T); ok {
			return x
		}
	}
	var none T
	t.Fatalf("no %T in %v", none, answers)
	return none
}

// "P1. An acceptor must accept the first proposal that it receives."
func TestPaperP1(t *testing.T) {
	a := newPaperAcceptor()
	m := the[*paxos.Accepted](t, a.ask(&paxos.Accept{Ballot: paperBallot(1), Instance: 1, Value: paperValue("v")}))
	if len(m.Runs) != 1 || m.Runs[0].Ballot != paperBallot(1) {
		t.Fatalf("%+v", m)
	}
}

// "P1a. An acceptor can accept a proposal numbered n iff it has not responded to a
// prepare request having a number greater than n."
func TestPaperP1a(t *testing.T) {
	a := newPaperAcceptor()
	a.ask(&paxos.Prepare{Ballot: paperBallot(5), Nonce: 1, From: 1})
	if r := the[*paxos.Reject](t, a.ask(&paxos.Accept{Ballot: paperBallot(4), Instance: 1, Value: paperValue("v")})); r.Promised != paperBallot(5) {
		t.Fatalf("%+v", r)
	}
	the[*paxos.Accepted](t, a.ask(&paxos.Accept{Ballot: paperBallot(5), Instance: 1, Value: paperValue("v")}))
	the[*paxos.Accepted](t, a.ask(&paxos.Accept{Ballot: paperBallot(6), Instance: 1, Value: paperValue("v")}))
	// Having accepted 6, it behaves as if it had promised 6.
	the[*paxos.Reject](t, a.ask(&paxos.Accept{Ballot: paperBallot(5), Instance: 2, Value: paperValue("w")}))
}

// "An acceptor can ignore a prepare request numbered n if it has already responded
// to a prepare request numbered greater than n" ... "and with the highest-numbered
// proposal (if any) that it has accepted": for every instance at once (section 3).
func TestPaperPhase1b(t *testing.T) {
	a := newPaperAcceptor()
	for i, v := range []string{"one", "two", "three"} {
		a.ask(&paxos.Accept{Ballot: paperBallot(uint64(i + 1)), Instance: paxos.Instance(i + 1), Value: paperValue(v)})
	}
	a.ask(&paxos.Accept{Ballot: paperBallot(4), Instance: 1, Value: paperValue("one again")})
	a.Tick(1000, 0)
	a.Tick(1001, 0)
	p := the[*paxos.Promise](t, a.ask(&paxos.Prepare{Ballot: paperBallot(9), Nonce: 7, From: 1}))
	if len(p.Votes) != 3 || p.Votes[0].Ballot != paperBallot(4) || string(p.Votes[0].Value.Batch) != "one again" || !p.Last {
		t.Fatalf("%+v", p)
	}
	the[*paxos.Reject](t, a.ask(&paxos.Prepare{Ballot: paperBallot(8), Nonce: 8, From: 1}))
}

// "P2c. For any v and n, if a proposal with value v and number n is issued, then
// there is a set S consisting of a majority of acceptors such that either (a) no
// acceptor in S has accepted any proposal numbered less than n, or (b) v is the
// value of the highest-numbered proposal among all proposals numbered less than n
// accepted by the acceptors in S."
func TestPaperP2c(t *testing.T) {
	p := proposer.New(proposer.Config{
		ID: "p1", Membership: paperMembers, Run: 1, HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RetryTicks: 100,
		StallTicks: 1500, Window: 8, WindowBytes: 1000, BatchBytes: 100, EntryBytes: 100, QueueBytes: 100,
	})
	p.Tick(1, 0)
	for _, id := range paperMembers.Acceptors {
		p.Step(id, &paxos.QueryReply{Nonce: 1, Silent: 1000})
	}
	p.Tick(2, 0)
	prepares := map[paxos.NodeID]*paxos.Prepare{}
	for _, e := range p.Flush().SendNow {
		if m, ok := e.Msg.(*paxos.Prepare); ok {
			prepares[e.To] = m
		}
	}
	vote := func(i paxos.Instance, n uint64, v string) paxos.Vote {
		return paxos.Vote{Instance: i, Ballot: paxos.Ballot{Round: n, Proposer: "p0"}, Value: paperValue(v)}
	}
	for id, votes := range map[paxos.NodeID][]paxos.Vote{
		"a1": {vote(1, 3, "highest"), vote(2, 1, "only one"), vote(5, 2, "lower")},
		"a2": {vote(1, 2, "lower"), vote(4, 1, "beyond a hole"), vote(5, 3, "highest")},
	} {
		m := prepares[id]
		p.Step(id, &paxos.Promise{Ballot: m.Ballot, Nonce: m.Nonce, Last: true, Marks: make([]paxos.Mark, 3), Votes: votes})
	}
	got := map[paxos.Instance]string{}
	for _, e := range p.Flush().SendNow {
		if m, ok := e.Msg.(*paxos.Accept); ok {
			got[m.Instance] = string(m.Value.Batch)
		}
	}
	// Instance 3 is case (a); section 3 fills it with a no-op, because 4 is taken.
	want := map[paxos.Instance]string{1: "highest", 2: "only one", 3: "", 4: "beyond a hole", 5: "highest"}
	for i, v := range want {
		if g, ok := got[i]; !ok || g != v {
			t.Errorf("instance %d: proposed %q (%v), want %q", i, g, ok, v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("proposed %v", got)
	}
}

// "To learn that a value has been chosen, a learner must find out that a proposal
// has been accepted by a majority of acceptors": a proposal, not a value.
func TestPaperLearning(t *testing.T) {
	l := learner.New(learner.Config{ID: "l1", Membership: paperMembers, PollTicks: 50, RetryTicks: 100, ReadTicks: 1000, PageBytes: 100, AheadBytes: 100}, learner.State{})
	accepted := func(from paxos.NodeID, n uint64) int {
		l.Step("a1", &paxos.Relay{Ballot: paperBallot(n), Instance: 1, Value: paxos.Value{Origin: paperBallot(1)}})
		l.Step(from, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: paperBallot(n)}}})
		applied := 0
		for _, r := range l.Flush().Writes {
			if _, ok := r.(paxos.PutApplied); ok {
				applied++
			}
		}
		return applied
	}
	for _, vote := range []struct {
		from   paxos.NodeID
		number uint64
	}{{"a1", 1}, {"a1", 1}, {"a2", 2}} {
		if accepted(vote.from, vote.number) != 0 {
			t.Fatal("learned without a majority for one proposal")
		}
	}
	if accepted("a3", 2) != 1 {
		t.Fatal("not learned from a majority")
	}
}
