package learner

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestInvariants breaks the machine's own state, as a bug or a fault of memory would,
// and expects each to be noticed before anything is written or said.
func TestInvariants(t *testing.T) {
	s := sessionID(0, 1)
	write := func(l *Learner, r paxos.LogRecord) { l.Write(paxos.PutApplied{Record: r}) }
	for want, do := range map[string]func(l *Learner){
		"instances are applied in order, without a gap": func(l *Learner) { write(l, paxos.LogRecord{Instance: 5, First: 4}) },
		"indexes are given in order, without a gap":     func(l *Learner) { write(l, paxos.LogRecord{Instance: 4, First: 5}) },
		"the log's time never goes back":                func(l *Learner) { write(l, paxos.LogRecord{Instance: 4, First: 4, Time: 2}) },
		"the state is what the records make of it":      func(l *Learner) { l.state.Next++ },
		"the floor is never lowered":                    func(l *Learner) { l.state.Floor = 0 },
		"what was trimmed stays trimmed":                func(l *Learner) { l.state.FirstIndex = 7 },
		"an acceptor's mark is never lowered":           func(l *Learner) { l.sources.of("a1").held = 1 },
		"results of a session are told in order": func(l *Learner) {
			l.Step("@1", &paxos.Attach{Session: s, From: 4})
			l.attachment(s).told = 4
			l.Step("a1", &paxos.Page{From: 4, Held: 4, Values: []paxos.Vote{{Instance: 4, Value: paxos.Value{Batch: run(s, 4, "d")}}}})
		},
		"a session that begins was born below applied": func(l *Learner) { l.use(0, sessionID(9, 9)) },
		"a queue is within its bound, queue=polls":     func(l *Learner) { l.reads.rounds = make([]*round, maxRounds+1) },
	} {
		l := newLearner()
		for i := paxos.Instance(1); i <= 3; i++ {
			l.choose(i, run(s, uint64(i), "x"))
		}
		l.Step("a1", &paxos.PollReply{Held: 3})
		l.state.Floor = 1
		if out := l.Flush(); out.Halt != "" {
			t.Fatal(out.Halt)
		}
		do(l)
		l.apply()
		l.checkFlush()
		halt := l.Take().Halt
		if !strings.Contains(halt, "invariant broken: "+want) {
			t.Errorf("%s: the process goes on, or stops over: %q", want, halt)
		}
	}
}

// TestContradictionStopsNobody: what a peer says against what is known is not believed,
// counted, and told once, whatever it is.
func TestContradictionStopsNobody(t *testing.T) {
	l := newLearner()
	good, bad := paxos.Value{Origin: ballot(1), Batch: run(sessionID(0, 1), 1, "good")}, paxos.Value{Origin: ballot(1), Batch: run(sessionID(0, 1), 1, "bad")}
	l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: 1, Value: good})
	l.Step("a2", &paxos.Relay{Ballot: ballot(1), Instance: 1, Value: bad})
	l.votes("a1", ballot(1), 1, 1)
	l.votes("a2", ballot(1), 1, 1)
	l.Step("l2", &paxos.Page{From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1), Value: bad}}})
	l.Step("l2", &paxos.Page{From: 1, Held: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1), Value: bad}}})
	out := l.Flush()
	if out.Halt != "" || l.state.Applied != 1 {
		t.Fatalf("applied %d, %s", l.state.Applied, out.Halt)
	}
	if n := l.Report().Contradictions; n < 2 {
		t.Errorf("%d contradictions are counted", n)
	}
	warned := 0
	for _, n := range out.Notes {
		if n.Warn {
			warned++
		}
	}
	if warned != 2 { // one for each process
		t.Errorf("%d warnings", warned)
	}
	for _, w := range out.Writes {
		if p, ok := w.(paxos.PutApplied); ok && !p.Value.Equal(good) {
			t.Error("the other value was applied")
		}
	}
}

// TestTwoValues: a process that sends another value than a quorum voted for, after a leader
// change, ends no learner. It applies neither, and then what the others hold.
func TestTwoValues(t *testing.T) {
	l := newLearner()
	good := paxos.Value{Origin: ballot(1), Batch: run(sessionID(0, 1), 1, "good")}
	l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: 1, Value: good})
	l.Step("a3", &paxos.Relay{Ballot: ballot(2), Instance: 1, Value: paxos.Value{Origin: ballot(2)}})
	for b := uint64(1); b <= 2; b++ {
		l.votes("a1", ballot(b), 1, 1)
		l.votes("a2", ballot(b), 1, 1)
	}
	out := l.Flush()
	if out.Halt != "" || l.state.Applied != 0 || l.Report().Contradictions != 1 || !l.behind() || l.aheadBytes != 0 {
		t.Fatalf("applied %d, %+v, %s", l.state.Applied, l.Report(), out.Halt)
	}
	l.Tick(500, 0)
	if len(sent[*paxos.Fetch](l.Flush(), "a1")) == 0 {
		t.Error("the value is not fetched")
	}
	l.Step("a1", &paxos.Page{Held: 1, Values: []paxos.Vote{{Instance: 1, Ballot: ballot(1), Value: good}}})
	out = l.Flush()
	for _, w := range out.Writes {
		if p, ok := w.(paxos.PutApplied); ok && !p.Value.Equal(good) {
			t.Error("the other value is applied")
		}
	}
	if l.state.Applied != 1 || out.Halt != "" {
		t.Errorf("applied %d, %s", l.state.Applied, out.Halt)
	}
}

// TestTwoBallots: one vote at each of two ballots chooses nothing.
func TestTwoBallots(t *testing.T) {
	l := newLearner()
	for b := uint64(1); b <= 2; b++ {
		l.Step("a1", &paxos.Relay{Ballot: ballot(b), Instance: 1, Value: paxos.Value{Origin: ballot(b)}})
	}
	l.votes("a1", ballot(1), 1, 1)
	l.votes("a2", ballot(2), 1, 1)
	l.votes("a3", ballot(2), 1, 1)
	if out := l.Flush(); out.Halt != "" || l.state.Applied != 1 {
		t.Fatalf("applied %d: %s", l.state.Applied, out.Halt)
	}
}

// TestMarksOnlyRise: an answer that was sent earlier and arrives later does not lower
// what is known to be held.
func TestMarksOnlyRise(t *testing.T) {
	l := newLearner()
	for _, held := range []paxos.Instance{7, 5} {
		l.Step("a1", &paxos.PollReply{Held: held})
		if out := l.Flush(); out.Halt != "" || l.Report().Chosen != 7 {
			t.Fatalf("chosen up to %d: %s", l.Report().Chosen, out.Halt)
		}
	}
}

// TestFloorOnlyRises: a session that lived for long, and expires after a younger one,
// does not lower the floor.
func TestFloorOnlyRises(t *testing.T) {
	l := newLearner() // two sessions are remembered
	for i, s := range []paxos.SessionID{sessionID(0, 1), sessionID(1, 2), sessionID(0, 1), sessionID(2, 3), sessionID(4, 4)} {
		seq := uint64(1)
		if i == 2 {
			seq = 2
		}
		if out := l.choose(paxos.Instance(i+1), run(s, seq, "x")); out.Halt != "" {
			t.Fatal(out.Halt)
		}
	}
	if l.state.Floor != 2 {
		t.Fatalf("the floor is %d", l.state.Floor)
	}
}
