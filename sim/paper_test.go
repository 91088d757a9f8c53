package sim

import (
	"slices"
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

func paperBallot(n uint64) paxos.Ballot { return paxos.Ballot{Round: n, Proposer: "p1", Process: n} }

// paperValue is a value of a kind that acceptors know, and paperText what it was made of.
func paperValue(s string) paxos.Value {
	return paxos.Value{Origin: paperBallot(1), Batch: append([]byte{byte(paxos.RunAppend)}, s...)}
}

func paperText(v paxos.Value) string { return string(v.Batch[min(1, len(v.Batch)):]) }

// paperAcceptor is an acceptor with its store, which hears nobody.
type paperAcceptor struct {
	*acceptor.Acceptor
	store *Store
}

func newPaperAcceptor() *paperAcceptor { return newPaperAcceptorAt("a1", "a2") }

// newPaperAcceptorAt has another one vouch for it, so that it may vote.
func newPaperAcceptorAt(id, other paxos.NodeID) *paperAcceptor {
	s := newStore(paxos.RoleAcceptor)
	a := acceptor.New(acceptor.Config{ID: id, Membership: paperMembers, PageBytes: 1000, Sources: []paxos.NodeID{other}}, acceptor.State{})
	a.Tick(1, 0)
	a.Step(other, &paxos.Vouched{})
	return &paperAcceptor{a, s}
}

// ask steps m and returns all answers, doing what a driver does.
func (a *paperAcceptor) ask(m paxos.Message) (answers []paxos.Message) {
	return a.askFrom("p1", m)
}

func (a *paperAcceptor) askFrom(from paxos.NodeID, m paxos.Message) (answers []paxos.Message) {
	a.Step(from, m)
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
	if len(p.Votes) != 3 || p.Votes[0].Ballot != paperBallot(4) || paperText(p.Votes[0].Value) != "one again" || !p.Last {
		t.Fatalf("%+v", p)
	}
	the[*paxos.Reject](t, a.ask(&paxos.Prepare{Ballot: paperBallot(8), Nonce: 8, From: 1}))
}

// paperHistory is what several proposers and acceptors did, one proposer after the other.
type paperHistory struct {
	issued   []paxos.Vote                  // proposals
	accepted map[paxos.NodeID][]paxos.Vote // by whom
	voters   map[paxos.Instance]map[paxos.Ballot]paxos.Set
	chosen   []paxos.Vote // in the order in which they were
}

// newPaperHistory has real proposers campaign and propose, and real acceptors promise and
// accept, with messages lost at random: each proposer reaches a majority of its own with
// Prepare and any acceptors with Accept.
func newPaperHistory(seed uint64) *paperHistory {
	h := &paperHistory{accepted: map[paxos.NodeID][]paxos.Vote{}, voters: map[paxos.Instance]map[paxos.Ballot]paxos.Set{}}
	r := paxos.Rand{State: seed}
	acceptors := map[paxos.NodeID]*paperAcceptor{}
	for i, id := range paperMembers.Acceptors {
		acceptors[id] = newPaperAcceptorAt(id, paperMembers.Acceptors[(i+1)%3])
	}
	for n := range uint64(6) {
		id := paxos.NodeID([]string{"p1", "p2", "p3"}[r.Uint64()%3])
		p := newPaperProposer(id, n)
		run := paxos.Run{Kind: paxos.RunAppend, First: 1, Count: 1, Entries: paxos.AppendEntry(nil, []byte{byte('a' + n)})}
		missed := paperMembers.Acceptors[r.Uint64()%3]
		h.deliver(p, id, acceptors, func(to paxos.NodeID, m paxos.Message) bool {
			if _, accept := m.(*paxos.Accept); accept {
				return r.Uint64()%2 == 0
			}
			return to != missed
		})
		p.Step("@1", &paxos.Append{First: 1, Batch: run.AppendTo(nil)})
		h.deliver(p, id, acceptors, func(paxos.NodeID, paxos.Message) bool { return r.Uint64()%2 == 0 })
	}
	return h
}

// tellSilence connects an acceptor, which is asked then, and answers that it has heard nobody.
func tellSilence(p *proposer.Proposer, acceptor paxos.NodeID, now paxos.Ticks, promised uint64) {
	p.Step(acceptor, &paxos.PeerUp{ID: acceptor, Role: paxos.RoleAcceptor, Incarnation: 1})
	p.Step(acceptor, &paxos.QueryReply{Nonce: uint64(now), Silent: 1000, Promised: paxos.Ballot{Round: promised}})
}

// newPaperProposer is a proposer that is about to campaign, above every round so far.
func newPaperProposer(id paxos.NodeID, round uint64) *proposer.Proposer {
	p := proposer.New(proposer.Config{
		ID: id, Membership: paperMembers, Process: round + 1, HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RetryTicks: 100,
		StallTicks: 1500, Window: 8, WindowBytes: 1000, BatchBytes: 100, EntryBytes: 100, QueueBytes: 100,
	})
	p.Tick(1, 0)
	for _, a := range paperMembers.Acceptors {
		tellSilence(p, a, 1, round)
	}
	p.Tick(2, 0)
	return p
}

// deliver carries messages to and fro, those that arrive, until there are none.
func (h *paperHistory) deliver(p *proposer.Proposer, id paxos.NodeID, acceptors map[paxos.NodeID]*paperAcceptor, arrives func(paxos.NodeID, paxos.Message) bool) {
	for sent := p.Flush().SendNow; len(sent) > 0; sent = p.Flush().SendNow {
		for _, e := range sent {
			a := acceptors[e.To]
			accept, proposes := e.Msg.(*paxos.Accept)
			if proposes && e.To == "a1" { // it goes to all of them
				h.issued = append(h.issued, paxos.Vote{Instance: accept.Instance, Ballot: accept.Ballot, Value: accept.Value})
			}
			if a == nil || !arrives(e.To, e.Msg) {
				continue
			}
			for _, answer := range a.askFrom(id, e.Msg) {
				if _, yes := answer.(*paxos.Accepted); yes {
					h.accept(e.To, paxos.Vote{Instance: accept.Instance, Ballot: accept.Ballot, Value: accept.Value})
				}
				p.Step(e.To, answer)
			}
		}
	}
}

func (h *paperHistory) accept(by paxos.NodeID, v paxos.Vote) {
	h.accepted[by] = append(h.accepted[by], v)
	if h.voters[v.Instance] == nil {
		h.voters[v.Instance] = map[paxos.Ballot]paxos.Set{}
	}
	before := h.voters[v.Instance][v.Ballot]
	after := before.With(paperMembers.Place(by))
	h.voters[v.Instance][v.Ballot] = after
	if paperMembers.IsPhase2(after) && !paperMembers.IsPhase2(before) {
		h.chosen = append(h.chosen, v)
	}
}

// higher fails for each proposal of the list that is numbered higher than one that was
// chosen at its instance, and has another value.
func (h *paperHistory) higher(t *testing.T, list []paxos.Vote) (compared int) {
	for _, c := range h.chosen {
		for _, v := range list {
			if v.Instance == c.Instance && c.Ballot.Less(v.Ballot) {
				if compared++; !v.Value.Equal(c.Value) {
					t.Errorf("instance %d: %q was chosen at %v, and %q is of %v", c.Instance, c.Value.Batch, c.Ballot, v.Value.Batch, v.Ballot)
				}
			}
		}
	}
	return compared
}

// forHistories calls f for many histories, and fails unless it had something to compare.
func forHistories(t *testing.T, f func(h *paperHistory) int) {
	compared := 0
	for seed := range uint64(300) {
		compared += f(newPaperHistory(seed))
	}
	if compared < 100 {
		t.Fatalf("only %d proposals are numbered higher than a chosen one", compared)
	}
}

// "P2. If a proposal with value v is chosen, then every higher-numbered proposal that is
// chosen has value v."
func TestPaperP2(t *testing.T) {
	forHistories(t, func(h *paperHistory) int { return h.higher(t, h.chosen) })
}

// "P2a. If a proposal with value v is chosen, then every higher-numbered proposal accepted
// by any acceptor has value v."
func TestPaperP2a(t *testing.T) {
	forHistories(t, func(h *paperHistory) (n int) {
		for _, list := range h.accepted {
			n += h.higher(t, list)
		}
		return n
	})
}

// "P2b. If a proposal with value v is chosen, then every higher-numbered proposal issued by
// any proposer has value v."
func TestPaperP2b(t *testing.T) {
	forHistories(t, func(h *paperHistory) int { return h.higher(t, h.issued) })
}

// "P2c. For any v and n, if a proposal with value v and number n is issued, then
// there is a set S consisting of a majority of acceptors such that either (a) no
// acceptor in S has accepted any proposal numbered less than n, or (b) v is the
// value of the highest-numbered proposal among all proposals numbered less than n
// accepted by the acceptors in S."
func TestPaperP2c(t *testing.T) {
	p := proposer.New(proposer.Config{
		ID: "p1", Membership: paperMembers, Process: 1, HeartbeatTicks: 50, ElectionMin: 150, ElectionMax: 300, RetryTicks: 100,
		StallTicks: 1500, Window: 8, WindowBytes: 1000, BatchBytes: 100, EntryBytes: 100, QueueBytes: 100,
	})
	p.Tick(1, 0)
	for _, id := range paperMembers.Acceptors {
		tellSilence(p, id, 1, 0)
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
			got[m.Instance] = paperText(m.Value)
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

// "Because of message loss, a value could be chosen with no learner ever finding out. ... If a
// learner needs to know whether a value has been chosen, it can have a proposer issue a
// proposal" (2.3). Here the acceptors' votes never reach the learner. It asks, and learns what
// the acceptors hold since the leader announced it.
func TestPaperLostVotes(t *testing.T) {
	c := NewCluster(1, Topology{Acceptors: 3, Proposers: 1, Learners: 1, Clients: 1, Sessions: 10, Entries: 3, PageBytes: 1000})
	c.Net.Filter = func(_, to paxos.NodeID, m paxos.Message) bool {
		_, votes := m.(*paxos.Accepted)
		return !votes || to != "l1"
	}
	c.StartAll()
	c.Run(3 * Second)
	if !c.Done() || c.Check.Chosen() == 0 {
		t.Fatalf("not learned:%s", c.waiting())
	}
}

// "It's easy to construct a scenario in which two proposers each keep issuing a sequence of
// proposals with increasing numbers, none of which are ever chosen. ... To guarantee progress,
// a distinguished proposer must be selected as the only one to try issuing proposals. If the
// distinguished proposer can communicate successfully with a majority of acceptors, and if it
// uses a proposal with number greater than any already used, then it will succeed in issuing a
// proposal that is accepted" (2.4).
func TestPaperProgress(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		c := NewCluster(seed, Topology{Acceptors: 3, Proposers: 5, Learners: 1, Sessions: 10, PageBytes: 1000})
		c.StartAll()
		c.Run(4 * Second)
		leaders := 0
		for _, id := range c.Proposers {
			if r := c.nodes[id].m.(*proposer.Proposer).Report(); r.State == "leading" && r.Quorum {
				leaders++
			}
		}
		if leaders != 1 {
			t.Errorf("seed %d: %d of 5 proposers lead", seed, leaders)
		}
	}
	// A number already used is learned from the refusal: the next one is greater.
	p := newPaperProposer("p1", 1)
	p.Flush()
	p.Step("a1", &paxos.Reject{Ballot: paxos.Ballot{Round: 2, Proposer: "p1", Process: 2}, Promised: paxos.Ballot{Round: 9, Proposer: "p2"}})
	for now := paxos.Ticks(10); ; now += 10 {
		p.Tick(now, 0)
		for _, a := range paperMembers.Acceptors {
			tellSilence(p, a, now, 0)
		}
		for _, e := range p.Flush().SendNow {
			if m, ok := e.Msg.(*paxos.Prepare); ok {
				if m.Ballot.Round != 10 {
					t.Fatalf("the next campaign is %v", m.Ballot)
				}
				return
			}
		}
		if now > 5000 {
			t.Fatal("no further campaign")
		}
	}
}

// "An acceptor records its intended response in stable storage before actually sending the
// response" (2.5): nothing that shows a promise or a vote leaves before the sync.
func TestPaperStableStorage(t *testing.T) {
	for name, m := range map[string]paxos.Message{
		"prepare": &paxos.Prepare{Ballot: paperBallot(3), Nonce: 1, From: 1},
		"accept":  &paxos.Accept{Ballot: paperBallot(3), Instance: 1, Value: paperValue("v")},
	} {
		a := newPaperAcceptor()
		a.Flush()
		a.Step("p1", m)
		out := a.Flush()
		if len(out.Writes) == 0 || !out.Sync || len(out.SendNow) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	// And what it recorded is what it answers after a crash.
	a := newPaperAcceptor()
	a.ask(&paxos.Accept{Ballot: paperBallot(3), Instance: 1, Value: paperValue("v")})
	st := a.store.Acceptor()
	if st.Promised != paperBallot(3) || st.Votes[1] != paperBallot(3) {
		t.Errorf("recovered %+v", st)
	}
}

// "Different proposers choose their numbers from disjoint sets of numbers, so two different
// proposers never issue a proposal with the same number. Each proposer remembers (in stable
// storage) the highest-numbered proposal it has tried to issue, and begins phase 1 with a
// higher proposal number than any it has already used" (2.5). Here random bits of the process
// stand for the storage: two processes never use the same number either.
func TestPaperNumbers(t *testing.T) {
	used := map[paxos.Ballot]bool{}
	for _, id := range []paxos.NodeID{"p1", "p2"} {
		for run := range uint64(2) {
			p := proposer.New(proposer.Config{ID: id, Membership: paperMembers, Process: run, ElectionMin: 150, ElectionMax: 300, HeartbeatTicks: 50, RetryTicks: 100})
			var last paxos.Ballot
			for now := paxos.Ticks(1); now < 5000; now += 10 {
				p.Tick(now, 0)
				for _, a := range paperMembers.Acceptors {
					tellSilence(p, a, now, 0)
				}
				for _, e := range p.Flush().SendNow {
					m, ok := e.Msg.(*paxos.Prepare)
					if !ok || m.Ballot == last {
						continue
					}
					if !last.Less(m.Ballot) || used[m.Ballot] {
						t.Fatalf("%v after %v", m.Ballot, last)
					}
					last = m.Ballot
					used[last] = true
				}
			}
		}
	}
	if len(used) < 8 {
		t.Fatalf("only %d campaigns", len(used))
	}
}

// "A newly chosen leader executes phase 1 for infinitely many instances of the consensus
// algorithm. ... Using the same proposal number for all instances, it can do this by sending a
// single reasonably short message to the other servers." After that "the effective cost of
// executing a state machine command ... is the cost of executing only phase 2" (3).
func TestPaperOnePhase1(t *testing.T) {
	c := NewCluster(3, Topology{Acceptors: 3, Proposers: 1, Learners: 1, Clients: 1, Sessions: 10, Entries: 50, PageBytes: 1000})
	prepares, instances := map[paxos.NodeID]int{}, paxos.Instance(0)
	c.Net.Observe = func(_, to paxos.NodeID, m paxos.Message) {
		switch m := m.(type) {
		case *paxos.Prepare:
			prepares[to]++
		case *paxos.Accept:
			instances = max(instances, m.Instance)
		}
	}
	c.StartAll()
	c.Run(5 * Second)
	for id, n := range prepares {
		if n != 1 {
			t.Errorf("%d Prepares to %s", n, id)
		}
	}
	if !c.Done() || len(prepares) != 3 || instances < 5 {
		t.Errorf("%d acceptors were prepared, %d instances", len(prepares), instances)
	}
}

// "Suppose a leader can get α commands ahead: that is, it can propose commands i+1 through i+α
// after commands 1 through i are chosen. A gap of up to α−1 commands could then arise" (3).
func TestPaperAlpha(t *testing.T) {
	const alpha = 8 // Config.Window
	p := newPaperProposer("p1", 0)
	promise := func(out paxos.Output) {
		for _, e := range out.SendNow {
			if m, ok := e.Msg.(*paxos.Prepare); ok {
				p.Step(e.To, &paxos.Promise{Ballot: m.Ballot, Nonce: m.Nonce, Last: true, Marks: make([]paxos.Mark, 3)})
			}
		}
	}
	promise(p.Flush())
	highest, ballot := paxos.Instance(0), paxos.Ballot{}
	propose := func() {
		for _, e := range p.Flush().SendNow {
			if m, ok := e.Msg.(*paxos.Accept); ok {
				highest, ballot = max(highest, m.Instance), m.Ballot
			}
		}
	}
	for seq := uint64(1); seq <= 3*alpha; seq++ {
		r := paxos.Run{Kind: paxos.RunAppend, First: seq, Count: 1, Entries: paxos.AppendEntry(nil, []byte("0123456789"))}
		p.Step("@1", &paxos.Append{First: seq, Batch: r.AppendTo(nil)})
		propose()
	}
	if highest != alpha {
		t.Fatalf("with nothing chosen it proposed up to %d", highest)
	}
	// All but the first are chosen: the gap is α-1 wide, and the leader waits.
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 2, Last: alpha, Ballot: ballot}}})
	}
	if propose(); highest != alpha {
		t.Fatalf("with a gap it proposed up to %d", highest)
	}
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: ballot}}})
	}
	if propose(); highest <= alpha {
		t.Fatal("it does not go on once the gap is closed")
	}
}

// "The i-th state machine command in the sequence is the value chosen by the i-th instance"
// (3): a learner applies in instance order, and waits for a gap to be closed.
func TestPaperSequence(t *testing.T) {
	l := learner.New(learner.Config{ID: "l1", Membership: paperMembers, PollTicks: 50, RetryTicks: 100, ReadTicks: 1000, PageBytes: 1000, AheadBytes: 1000}, learner.State{})
	var applied []paxos.Instance
	choose := func(i paxos.Instance) {
		l.Step("a1", &paxos.Relay{Ballot: paperBallot(1), Instance: i, Value: paxos.Value{Origin: paperBallot(1)}})
		for _, id := range []paxos.NodeID{"a1", "a2"} {
			l.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: i, Last: i, Ballot: paperBallot(1)}}})
		}
		for _, r := range l.Flush().Writes {
			if p, ok := r.(paxos.PutApplied); ok {
				applied = append(applied, p.Record.Instance)
			}
		}
	}
	choose(2)
	choose(3)
	if len(applied) != 0 {
		t.Fatalf("applied %v over a gap", applied)
	}
	if choose(1); !slices.Equal(applied, []paxos.Instance{1, 2, 3}) {
		t.Fatalf("applied %v", applied)
	}
}
