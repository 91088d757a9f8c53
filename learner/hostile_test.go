package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestHostileVotes: runs that reach to the end of all numbers, many of them, and under many
// ballots, cost a bounded amount of work and memory, and keep no honest vote from counting.
func TestHostileVotes(t *testing.T) {
	l := newLearner()
	var runs []paxos.VoteRun
	for n := range uint64(100) {
		runs = append(runs, paxos.VoteRun{First: 0, Last: 1<<64 - 1, Ballot: ballot(n)})
	}
	l.Step("a3", &paxos.Accepted{Runs: runs})
	l.Step("a3", &paxos.PollReply{Highest: 1<<64 - 1})
	tallies := 0
	for _, e := range l.above {
		tallies += len(e.ballots)
	}
	if tallies > maxCounted || l.highest != 0 {
		t.Errorf("one message left %d tallies, and the highest vote is %d", tallies, l.highest)
	}
	for n := range uint64(2 * maxBallots) {
		l.Step("a3", &paxos.Accepted{Runs: []paxos.VoteRun{{First: 2, Last: 2, Ballot: ballot(1<<20 + n)}}})
		l.Step("a3", &paxos.Relay{Ballot: ballot(1<<21 + n), Instance: 2})
	}
	if n := len(l.above[2].ballots); n != maxBallots {
		t.Errorf("%d ballots are told apart at one instance", n)
	}
	if out := l.Flush(); out.Halt != "" {
		t.Fatal(out.Halt)
	}
	l.Step("a1", &paxos.Page{Held: 2, Values: []paxos.Vote{{Instance: 1}, {Instance: 2}}})
	if out := l.Flush(); out.Halt != "" || l.state.Applied != 2 {
		t.Errorf("applied %d, %s", l.state.Applied, out.Halt)
	}
}

// TestHostileTime: a time that no honest clock shows stops no learner, whoever says that it
// was chosen.
func TestHostileTime(t *testing.T) {
	for _, times := range [][]paxos.UnixNanos{{-5, 7}, {7, -5}, {-(1<<62 - 1), -5}, {1<<62 - 1, -5}, {1<<62 - 1, 1<<62 - 1}} {
		l, last := newLearner(), paxos.UnixNanos(0)
		for i, at := range times {
			l.Step("a3", &paxos.Page{Held: paxos.Instance(i + 1), Values: []paxos.Vote{{Instance: paxos.Instance(i + 1), Value: paxos.Value{Time: at}}}})
			if out := l.Flush(); out.Halt != "" || l.state.Applied != paxos.Instance(i+1) || l.state.Time < last {
				t.Errorf("%d: applied %d, at %d, %s", times, l.state.Applied, l.state.Time, out.Halt)
			}
			last = l.state.Time
		}
	}
}

// TestFarMarks: an acceptor that claims to hold what is far above the log is not believed
// before a quorum shows it, whichever message claims it. A learner that is new to an old log
// believes what a quorum claims.
func TestFarMarks(t *testing.T) {
	const far = paxos.Instance(1) << 50
	for name, m := range map[string]paxos.Message{
		"poll": &paxos.PollReply{Held: far}, "page": &paxos.Page{Held: far}, "votes": &paxos.Accepted{Held: far},
	} {
		l := newLearner()
		l.Step("a3", m)
		if l.behind() || l.Report().Contradictions != 0 {
			t.Errorf("%s: it is behind by one acceptor's word", name)
		}
		l.Step("a1", &paxos.PollReply{Held: 3})
		l.Step("a2", &paxos.PollReply{Held: 7})
		l.Step("a3", m)
		if r := l.Report(); r.Chosen != 7 || r.Contradictions != 1 {
			t.Errorf("%s: chosen up to %d, %d contradictions", name, r.Chosen, r.Contradictions)
		}
		l.Step("a3", &paxos.PollReply{Held: 9})
		if r := l.Report(); r.Chosen != 9 {
			t.Errorf("%s: chosen up to %d", name, r.Chosen)
		}
	}
	l := newLearner()
	l.Step("a2", &paxos.PollReply{})
	l.Step("a1", &paxos.PollReply{Held: far})
	l.Step("a3", &paxos.PollReply{Held: far - 5})
	if r := l.Report(); r.Chosen != far || r.Contradictions != 0 {
		t.Errorf("chosen up to %d, %d contradictions", r.Chosen, r.Contradictions)
	}
	l.Step("a3", &paxos.PollReply{Held: 9}) // an old one, late
	if out := l.Flush(); out.Halt != "" || l.sources.of("a3").held != far-5 {
		t.Error(out.Halt)
	}
}
