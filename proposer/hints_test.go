package proposer

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// quietly returns a leader of an empty log with a window of 8, and what appends number seq
// of a session are proposed with.
func quietly(t *testing.T) (p *Proposer, appends func(seq, answered uint64) string) {
	t.Helper()
	cfg := config()
	cfg.Window, cfg.BatchBytes, cfg.QueueBytes = 8, 1000, 1000
	p, prep := campaigning(t, cfg)
	promised(p, "a1", prep["a1"], 0, true, 0)
	promised(p, "a2", prep["a2"], 0, true, 0)
	p.Flush()
	l := leads(p)
	l.took = 100 // so that nothing is due because time has passed
	return p, func(seq, answered uint64) string {
		m := appendOf(seq, "x")
		m.Answered = answered
		p.Step("@1", m)
		out := p.Flush()
		what := "waits"
		for _, a := range sentTo[*paxos.Accept](out, "a1") {
			if what = "asks"; a.Quiet {
				what = "quiet"
			}
		}
		for _, h := range sentTo[*paxos.Heartbeat](out, "a1") {
			if what += ", beats"; h.Ask {
				what += " and asks"
			}
		}
		return what
	}
}

// TestQuiet: a leader asks for no votes while each append comes with the answer to the one
// before it, until half of its window is in flight, and asks when one has to wait.
func TestQuiet(t *testing.T) {
	p, appends := quietly(t)
	for seq := uint64(1); seq <= 4; seq++ {
		if got := appends(seq, seq); got != "quiet" {
			t.Fatalf("append %d: %s", seq, got)
		}
	}
	if got := appends(5, 5); got != "asks" {
		t.Fatalf("half of the window is in flight: %s", got)
	}
	l := leads(p)
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 5, Ballot: l.ballot}}})
	}
	if p.Flush(); l.chosenUpTo != 5 || l.hints.answered != 0 {
		t.Fatalf("chosen up to %d, %d counted as answered", l.chosenUpTo, l.hints.answered)
	}
	if got := appends(6, 6); got != "quiet" {
		t.Fatalf("all is chosen: %s", got)
	}
	if got := appends(7, 6); got != "quiet" {
		t.Fatalf("one is in flight: %s", got)
	}
	if got := appends(8, 6); got != "waits, beats and asks" {
		t.Fatalf("two are in flight: %s", got)
	}
	if got := appends(9, 6); got != "waits" {
		t.Fatalf("it has asked: %s", got)
	}
	if got := appends(10, 8); got != "asks" {
		t.Fatalf("appends have waited, and both that were in flight are answered: %s", got)
	}
}

// TestUnknownAnswers: a client that does not say what it has results of would have to wait.
func TestUnknownAnswers(t *testing.T) {
	_, appends := quietly(t)
	if got := appends(1, 0); got != "asks" {
		t.Fatal(got)
	}
}

// TestAckTellsVotes: votes in answers to heartbeats count, and their mark is remembered.
func TestAckTellsVotes(t *testing.T) {
	p, appends := quietly(t)
	appends(1, 1)
	l, mark := leads(p), paxos.Mark{Commits: 7, Process: 3}
	for _, id := range []paxos.NodeID{"a1", "a3"} {
		p.Step(id, &paxos.HeartbeatAck{
			Ballot: l.ballot, Nonce: 2, Mark: mark, Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: l.ballot}},
		})
	}
	if p.Flush(); l.chosenUpTo != 1 || p.marks[2] != mark {
		t.Fatalf("chosen up to %d, mark %v", l.chosenUpTo, p.marks[2])
	}
	p.Step("a2", &paxos.HeartbeatAck{Ballot: l.ballot, Nonce: 2}) // of one that tells no votes there
	if p.marks[1] != (paxos.Mark{}) {
		t.Fatalf("mark %v", p.marks[1])
	}
}

// TestAnnouncing: Accepts announce what is chosen; a heartbeat does when the log is idle.
func TestAnnouncing(t *testing.T) {
	p, appends := quietly(t)
	tick := func(now paxos.Ticks) int {
		p.Tick(now, 5)
		return len(sentTo[*paxos.Heartbeat](p.Flush(), "a1"))
	}
	if tick(40) != 0 {
		t.Fatal("a heartbeat before it is due")
	}
	appends(1, 1)
	l := leads(p)
	for _, id := range []paxos.NodeID{"a1", "a2"} {
		p.Step(id, &paxos.Accepted{Runs: []paxos.VoteRun{{First: 1, Last: 1, Ballot: l.ballot}}})
	}
	if tick(41) != 0 {
		t.Fatal("a heartbeat only to announce, while appends come")
	}
	if tick(46) != 1 {
		t.Fatal("an idle log does not announce what is chosen")
	}
	if tick(47) != 0 {
		t.Fatal("it is announced twice")
	}
}

// TestStoppingAsks: who stops waits for the votes of what is in flight, so it asks.
func TestStoppingAsks(t *testing.T) {
	p, appends := quietly(t)
	appends(1, 1)
	p.Step("p1", &paxos.Stopping{})
	beats := sentTo[*paxos.Heartbeat](p.Flush(), "a2")
	if len(beats) != 1 || !beats[0].Ask {
		t.Fatalf("%+v", beats)
	}
}
