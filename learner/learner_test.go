package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

var members = paxos.Membership{Cluster: "t", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 2}

func config() Config {
	return Config{ID: "l1", Membership: members, Learners: []paxos.NodeID{"l2"}, PollTicks: 50, RenewTicks: 1500, RetryTicks: 100, ReadTicks: 1000, PageBytes: 1000, CopyPages: 16, EntryBytes: 100, AheadBytes: 1000, BurstBytes: 4000}
}

func newLearner() *Learner { return newLearnerWith(config(), State{}) }

func newLearnerWith(cfg Config, st State) *Learner {
	l := New(cfg, st)
	for _, id := range append(members.Acceptors, "l2") {
		l.Step("l1", &paxos.PeerUp{ID: id})
	}
	l.Tick(1, 0)
	l.Flush()
	return l
}

func sent[T paxos.Message](out paxos.Output, to paxos.NodeID) (found []T) {
	for _, e := range append(append([]paxos.Envelope{}, out.SendNow...), out.SendAfter...) {
		if m, ok := e.Msg.(T); ok && e.To == to {
			found = append(found, m)
		}
	}
	return found
}

func ballot(round uint64) paxos.Ballot { return paxos.Ballot{Round: round, Proposer: "p1"} }

func sessionID(birth paxos.Instance, n byte) paxos.SessionID {
	return paxos.NewSessionID(birth, paxos.Stamp{}, [12]byte{n})
}

func run(s paxos.SessionID, first uint64, entries ...string) []byte {
	r := paxos.Run{Kind: paxos.RunAppend, Session: s, First: first, Count: uint64(len(entries))}
	for _, e := range entries {
		r.Entries = paxos.AppendEntry(r.Entries, []byte(e))
	}
	return r.AppendTo(nil)
}

func (l *Learner) votes(from paxos.NodeID, b paxos.Ballot, first, last paxos.Instance) {
	l.Step(from, &paxos.Accepted{Runs: []paxos.VoteRun{{First: first, Last: last, Ballot: b}}})
}

// choose makes batch chosen at i and returns the output.
func (l *Learner) choose(i paxos.Instance, batch []byte) paxos.Output {
	l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: i, Value: paxos.Value{Origin: ballot(1), Time: paxos.UnixNanos(i), Batch: batch}})
	l.votes("a1", ballot(1), i, i)
	l.votes("a2", ballot(1), i, i)
	return l.Flush()
}

func results(out paxos.Output) (found []paxos.Result) {
	for _, r := range sent[*paxos.Result](out, "@1") {
		found = append(found, *r)
	}
	for _, r := range sent[*paxos.Results](out, "@1") {
		for i := range r.Applied {
			found = append(found, r.Result(i))
		}
	}
	return found
}

// TestCounting: votes count by acceptor, and for each ballot apart.
func TestCounting(t *testing.T) {
	for name, votes := range map[string]func(l *Learner){
		"one acceptor twice":                func(l *Learner) { l.votes("a1", ballot(1), 1, 1); l.votes("a1", ballot(1), 1, 1) },
		"equal values at different ballots": func(l *Learner) { l.votes("a1", ballot(1), 1, 1); l.votes("a2", ballot(2), 1, 1) },
		"a learner's word":                  func(l *Learner) { l.votes("a1", ballot(1), 1, 1); l.votes("l2", ballot(1), 1, 1) },
		"a quorum":                          func(l *Learner) { l.votes("a1", ballot(1), 1, 1); l.votes("a3", ballot(1), 1, 1) },
		"a quorum, then a newer single vote": func(l *Learner) {
			l.votes("a1", ballot(1), 1, 1)
			l.votes("a1", ballot(2), 1, 1)
			l.votes("a3", ballot(1), 1, 1)
		},
	} {
		l := newLearner()
		for r := uint64(1); r <= 2; r++ {
			l.Step("a1", &paxos.Relay{Ballot: ballot(r), Instance: 1, Value: paxos.Value{Origin: ballot(1)}})
		}
		votes(l)
		l.Flush()
		if want := name[:8] == "a quorum"; (l.state.Applied == 1) != want {
			t.Errorf("%s: applied %d", name, l.state.Applied)
		}
	}
}

// TestOrder: an instance is applied, and answered, only after all before it.
func TestOrder(t *testing.T) {
	l := newLearner()
	s := sessionID(0, 1)
	l.Step("@1", &paxos.Attach{Session: s, From: 1})
	l.Flush()
	if out := l.choose(2, run(s, 2, "b")); l.state.Applied != 0 || len(results(out)) != 0 {
		t.Fatal("instance 2 was applied before 1")
	}
	out := l.choose(1, run(s, 1, "a"))
	if out.Halt != "" {
		t.Fatal(out.Halt)
	}
	if r := results(out); len(r) != 2 || r[0].Index != 1 || r[1].Index != 2 || r[1].Instance != 2 {
		t.Fatalf("%+v", r)
	}
}

// TestHeldPage: what a node holds is chosen; what it merely voted for is one vote.
func TestHeldPage(t *testing.T) {
	l := newLearner()
	v := paxos.Value{Origin: ballot(1)}
	page := &paxos.Page{From: 1, Held: 1, Runs: []paxos.VoteRun{{First: 2, Last: 2, Ballot: ballot(1)}},
		Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1), Value: v}, {Instance: 2, Ballot: ballot(1), Value: v}}}
	l.Step("a1", page)
	l.Step("x9", &paxos.Page{From: 2, Held: 9, Values: []paxos.Vote{{Instance: 2, Ballot: ballot(1), Value: v}}}) // a stranger
	if l.Flush(); l.state.Applied != 1 {
		t.Fatalf("applied %d, want 1", l.state.Applied)
	}
	l.votes("a2", ballot(1), 2, 2)
	if l.Flush(); l.state.Applied != 2 {
		t.Fatalf("applied %d, want 2", l.state.Applied)
	}
}

// TestExactlyOnce plays repeats, overlaps and gaps of a session.
func TestExactlyOnce(t *testing.T) {
	l := newLearner()
	s := sessionID(0, 1)
	l.Step("@1", &paxos.Attach{Session: s, From: 1})
	l.Flush()
	l.choose(1, run(s, 1, "a", "b"))
	out := l.choose(2, run(s, 4, "d")) // 3 was lost on the way
	if r := results(out); len(r) != 1 || r[0].Kind != paxos.ResultGap || r[0].First != 3 {
		t.Fatalf("%+v", r)
	}
	if out = l.choose(3, run(s, 5, "e")); len(results(out)) != 0 {
		t.Fatal("a gap was told twice")
	}
	out = l.choose(4, run(s, 2, "b", "c")) // 2 again, and 3
	if out.Halt != "" {
		t.Fatal(out.Halt)
	}
	if r := results(out); len(r) != 1 || r[0].First != 3 || r[0].Count != 1 || r[0].Index != 3 {
		t.Fatalf("%+v", r)
	}
	if len(out.Loads) != 1 || out.Loads[0].Seq != 2 || out.Loads[0].UpToSeq != 2 {
		t.Fatalf("the repeat is not looked up: %+v", out.Loads)
	}
	for _, r := range out.Writes {
		if p, ok := r.(paxos.PutApplied); ok && (p.Record.First != 3 || p.Record.Count != 1 || string(p.Record.Log) != string(run(s, 3, "c"))) {
			t.Fatalf("logged %+v", p.Record)
		}
	}
	l.Step("l1", &paxos.Loaded{Load: out.Loads[0], Runs: []paxos.RunAt{{First: 2, Count: 1, Index: 2, Instance: 1}}})
	if r := results(l.Flush()); len(r) != 1 || r[0].Index != 2 || r[0].First != 2 {
		t.Fatalf("a repeat must be answered with the index it has: %+v", r)
	}
	if l.last() != 3 {
		t.Fatalf("the log ends at %d", l.last())
	}
}

// TestExpiry: the least recently used session expires by count; what is unknown
// and born before something that expired is never applied, what is younger is.
func TestExpiry(t *testing.T) {
	l := newLearner()
	s1, s2, s3 := sessionID(0, 1), sessionID(1, 2), sessionID(2, 3)
	l.Step("@1", &paxos.Attach{Session: s1, From: 1})
	l.choose(1, run(s1, 1, "a"))
	l.choose(2, run(s2, 1, "b"))
	l.choose(3, run(s3, 1, "c")) // two are remembered: s1 expires
	if l.sessions.len() != 2 || l.sessions.get(s1) != nil || l.state.Floor != 1 {
		t.Fatalf("floor %d", l.state.Floor)
	}
	out := l.choose(4, run(s1, 1, "a"))
	if l.last() != 3 || len(out.Loads) != 1 {
		t.Fatal("a late command of an expired session was taken for a new session")
	}
	l.Step("l1", &paxos.Loaded{Load: out.Loads[0]})
	if r := results(l.Flush()); len(r) != 1 || r[0].Kind != paxos.ResultExpired || r[0].First != 1 {
		t.Fatalf("%+v", r)
	}
	l.choose(5, run(sessionID(9, 4), 1, "from the future"))
	if l.last() != 3 {
		t.Fatal("a session born in the future was taken")
	}
	l.choose(6, run(sessionID(5, 5), 1, "d"))
	if l.last() != 4 {
		t.Fatal("a young session was not taken")
	}
}

// TestExpiryIsRecovered: a learner that restarts expires the same sessions.
func TestExpiryIsRecovered(t *testing.T) {
	l := newLearner()
	st := State{}
	take := func(out paxos.Output) {
		for _, r := range out.Writes {
			switch r := r.(type) {
			case paxos.SetLearner:
				st.LearnerState = r.State
			case paxos.PutSessions:
				st.Sessions = append(st.Sessions, r.States...) // last one wins by Used
			}
		}
	}
	s1, s2 := sessionID(0, 1), sessionID(1, 2)
	take(l.choose(1, run(s1, 1, "a")))
	take(l.choose(2, run(s2, 1, "b")))
	st.Sessions = st.Sessions[:0]
	take(l.choose(3, run(s1, 2, "c"))) // s1 is the younger by use now
	st.Sessions = append(st.Sessions, paxos.SessionState{ID: s2, Last: 1, Used: 2})
	again := New(config(), st)
	s4 := sessionID(3, 4)
	l.choose(4, run(s4, 1, "d"))
	again.choose(4, run(s4, 1, "d"))
	for _, id := range []paxos.SessionID{s1, s2, s4} {
		if (l.sessions.get(id) == nil) != (again.sessions.get(id) == nil) {
			t.Fatalf("they differ about %v", id)
		}
	}
	if l.state != again.state || again.sessions.get(s2) != nil {
		t.Fatalf("%+v and %+v", l.state, again.state)
	}
}

// TestFence: once a fence is chosen no further command of the session is applied,
// known or not.
func TestFence(t *testing.T) {
	l := newLearner()
	s1, s2 := sessionID(0, 1), sessionID(0, 2)
	l.Step("@1", &paxos.Attach{Session: s1, From: 1})
	l.choose(1, run(s1, 1, "a"))
	out := l.choose(2, paxos.Fence(s1))
	if r := results(out); len(r) != 1 || r[0].Kind != paxos.ResultFenced || r[0].First != 2 {
		t.Fatalf("%+v", r)
	}
	l.choose(3, run(s1, 2, "late"))
	l.choose(4, paxos.Fence(s2))
	l.choose(5, run(s2, 1, "later"))
	if l.last() != 1 {
		t.Fatalf("the log ends at %d: a command was applied after the fence", l.last())
	}
	l.Step("@1", &paxos.Lookup{Nonce: 3, Session: s2, Seq: 1})
	load := l.Flush().Loads[0]
	l.Step("l1", &paxos.Loaded{Load: load})
	if f := sent[*paxos.Found](l.Flush(), "@1"); len(f) != 1 || f[0].Index != 0 || !f[0].Closed {
		t.Fatalf("%+v", f)
	}
}

// TestTimeIsMonotone: a value's time never goes back in the log, and one value
// advances it by a bounded step only.
func TestTimeIsMonotone(t *testing.T) {
	l := newLearner()
	var got []paxos.UnixNanos
	for i, at := range []paxos.UnixNanos{100, 50, 200, maxTimeStep * 100} {
		l.Step("a1", &paxos.Page{From: paxos.Instance(i + 1), Held: paxos.Instance(i + 1), Values: []paxos.Vote{{Instance: paxos.Instance(i + 1), Value: paxos.Value{Time: at}}}})
		if out := l.Flush(); out.Halt != "" {
			t.Fatal(out.Halt)
		}
		got = append(got, l.state.Time)
	}
	if got[0] != 100 || got[1] != 100 || got[2] != 200 || got[3] != 200+maxTimeStep {
		t.Fatalf("%v", got)
	}
}

// TestLinearizableRead waits for the read point, and says which instance is open
// when it cannot be reached.
func TestLinearizableRead(t *testing.T) {
	l := newLearner()
	for tick := paxos.Ticks(2); tick < 2000; tick += 10 { // the learner's own read ends
		l.Tick(tick, 0)
		l.Flush()
	}
	l.choose(1, run(sessionID(0, 1), 1, "a"))
	ask := func() (nonces map[paxos.NodeID]uint64) {
		l.Step("@1", &paxos.Locate{Nonce: 7})
		out := l.Flush()
		nonces = map[paxos.NodeID]uint64{}
		for _, id := range members.Acceptors {
			for _, p := range sent[*paxos.Poll](out, id) {
				nonces[id] = p.Nonce
			}
		}
		return nonces
	}
	n := ask()
	l.Step("a1", &paxos.PollReply{Nonce: n["a1"] - 1, Held: 1, Highest: 1}) // of an older poll
	l.Step("a2", &paxos.PollReply{Nonce: n["a2"], Held: 1, Highest: 1})
	if out := l.Flush(); len(sent[*paxos.Located](out, "@1")) != 0 {
		t.Fatal("answered by one acceptor, or by an answer from before the read")
	}
	l.Step("a3", &paxos.PollReply{Nonce: n["a3"], Held: 1, Highest: 2}) // a vote that may be chosen
	if out := l.Flush(); len(sent[*paxos.Located](out, "@1")) != 0 {
		t.Fatal("answered before instance 2 was learned")
	}
	l.Step("a1", &paxos.PollReply{Nonce: n["a1"], Held: 1, Highest: 1}) // all three: one vote is no quorum
	if r := sent[*paxos.Located](l.Flush(), "@1"); len(r) != 1 || r[0].Open != 0 || r[0].Last != 1 {
		t.Fatalf("%+v", r)
	}

	n = ask()
	l.Step("a2", &paxos.PollReply{Nonce: n["a2"], Held: 1, Highest: 2})
	l.Step("a3", &paxos.PollReply{Nonce: n["a3"], Held: 1, Highest: 2})
	var r []*paxos.Located
	for tick := paxos.Ticks(2000); len(r) == 0 && tick < 4000; tick += 10 {
		l.Tick(tick, 0)
		r = sent[*paxos.Located](l.Flush(), "@1")
	}
	if len(r) != 1 || r[0].Open != 2 || r[0].Detail == "" {
		t.Fatalf("an undecided read: %+v", r)
	}
}

// TestSlowSourceIsSwitched: a quorum voted, but the value does not come.
func TestSlowSourceIsSwitched(t *testing.T) {
	l := newLearner()
	l.votes("a2", ballot(1), 1, 1)
	l.votes("a3", ballot(1), 1, 1)
	asked := map[paxos.NodeID]bool{}
	for tick := paxos.Ticks(10); tick < 5000; tick += 10 {
		l.Tick(tick, 0)
		out := l.Flush()
		for _, id := range members.Acceptors {
			for _, f := range sent[*paxos.Fetch](out, id) {
				asked[id] = asked[id] || f.Values
			}
		}
	}
	if len(asked) != 3 || !asked["a1"] || !asked["a2"] || !asked["a3"] {
		t.Fatalf("values were asked of %v, want every acceptor in turn", asked)
	}
}

// TestMemoryAheadIsBounded: above a hole votes and values are kept within bounds.
func TestMemoryAheadIsBounded(t *testing.T) {
	l := newLearner()
	big := make([]byte, 500)
	for i := paxos.Instance(2); i < 3*maxAhead; i++ {
		l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: i, Value: paxos.Value{Batch: big}})
	}
	l.votes("a1", ballot(1), 1, 1<<60)
	if l.Flush(); len(l.above) > maxAhead || l.aheadBytes > config().AheadBytes+500 {
		t.Fatalf("%d instances, %d bytes", len(l.above), l.aheadBytes)
	}
}

// TestStranger: votes of an acceptor under another incarnation than is remembered
// do not count.
func TestStranger(t *testing.T) {
	l := New(config(), State{Peers: paxos.Peers{"a1": {Incarnation: 5}}})
	l.Step("l1", &paxos.PeerUp{ID: "a1", Role: paxos.RoleAcceptor, Incarnation: 6})
	l.Step("a2", &paxos.Relay{Ballot: ballot(1), Instance: 1, Value: paxos.Value{Origin: ballot(1)}})
	l.votes("a1", ballot(1), 1, 1)
	l.votes("a2", ballot(1), 1, 1)
	if l.Flush(); l.state.Applied != 0 {
		t.Fatal("a wiped acceptor's vote made a quorum")
	}
}

// TestValueAtAnotherBallot: a quorum whose value is lost does not hide a quorum at
// another ballot whose value is here.
func TestValueAtAnotherBallot(t *testing.T) {
	l := newLearner()
	for _, b := range []uint64{1, 2} {
		l.votes("a1", ballot(b), 1, 1)
		l.votes("a2", ballot(b), 1, 1)
	}
	l.Step("a1", &paxos.Relay{Ballot: ballot(2), Instance: 1, Value: paxos.Value{Origin: ballot(1)}})
	if l.Flush(); l.state.Applied != 1 {
		t.Fatal("not applied")
	}
}

// TestSlowPolls: reads whose polls take longer than RetryTicks are answered, also
// while more of them come.
func TestSlowPolls(t *testing.T) {
	l := newLearner()
	type poll struct {
		due   paxos.Ticks
		from  paxos.NodeID
		nonce uint64
	}
	var polls []poll
	answered := 0
	for tick := paxos.Ticks(10); tick < 5000; tick += 10 {
		if tick%50 == 0 {
			l.Step("@1", &paxos.Locate{Nonce: uint64(tick)})
		}
		for len(polls) > 0 && polls[0].due <= tick {
			l.Step(polls[0].from, &paxos.PollReply{Nonce: polls[0].nonce})
			polls = polls[1:]
		}
		l.Tick(tick, 0)
		out := l.Flush()
		for _, id := range members.Acceptors {
			for _, p := range sent[*paxos.Poll](out, id) {
				polls = append(polls, poll{tick + 250, id, p.Nonce})
			}
		}
		for _, r := range sent[*paxos.Located](out, "@1") {
			if r.Open != 0 {
				t.Fatalf("at %d: %s", tick, r.Detail)
			}
			answered++
		}
	}
	if answered < 80 {
		t.Fatalf("%d of 99 reads were answered", answered)
	}
}

// TestCutOffLearner: a learner that reaches only another learner copies from it.
func TestCutOffLearner(t *testing.T) {
	l := New(config(), State{})
	l.Step("l1", &paxos.PeerUp{ID: "l2", Role: paxos.RoleLearner})
	for tick := paxos.Ticks(10); tick < 1000 && l.state.Applied == 0; tick += 10 {
		l.Tick(tick, 0)
		for _, f := range sent[*paxos.Fetch](l.Flush(), "l2") {
			l.Step("l2", &paxos.Page{Nonce: f.Nonce, From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Value: paxos.Value{Origin: ballot(1)}}}})
		}
	}
	if l.state.Applied != 1 {
		t.Fatal("it never catches up")
	}
}

// TestAnswerToAnEarlierRun: a poll answer that a learner was sent before it
// restarted does not decide a read of its new life.
func TestAnswerToAnEarlierRun(t *testing.T) {
	poll := func(seed uint64) (*Learner, uint64) {
		cfg := config()
		cfg.Seed = seed
		l := New(cfg, State{})
		l.Tick(1, 0)
		l.Step("@1", &paxos.Locate{Nonce: 1})
		polls := sent[*paxos.Poll](l.Flush(), "a1")
		return l, polls[len(polls)-1].Nonce // the first one only subscribes
	}
	answered := func(l *Learner, nonce uint64) bool {
		l.Step("a1", &paxos.PollReply{Nonce: nonce})
		l.Step("a2", &paxos.PollReply{Nonce: nonce})
		return len(sent[*paxos.Located](l.Flush(), "@1")) != 0
	}
	_, before := poll(10)
	l, now := poll(20)
	if before == 0 || answered(l, before) {
		t.Fatal("an answer from before the restart decided a read")
	}
	if !answered(l, now) {
		t.Fatal("its own poll did not")
	}
}
