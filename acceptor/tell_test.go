package acceptor

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// told says to whom an output tells which votes.
func told(out paxos.Output) string {
	s := ""
	for _, e := range append(append([]paxos.Envelope{}, out.SendNow...), out.SendAfter...) {
		if m, ok := e.Msg.(*paxos.Accepted); ok {
			s += fmt.Sprintf("%s%s ", e.To, instances(m.Runs))
		}
	}
	return s
}

func instances(runs []paxos.VoteRun) string {
	s := ""
	for _, r := range runs {
		s += fmt.Sprintf(" %d-%d", r.First, r.Last)
	}
	return s
}

// TestVotesThatWait: a vote that the leader can wait for goes to learners only, and to the
// leader when it asks, by an Accept or by a heartbeat.
func TestVotesThatWait(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	syncs := uint64(0)
	accept := func(i paxos.Instance, quiet bool) string {
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: i, Quiet: quiet})
		syncs++
		return told(a.Flush())
	}
	beat := func(upTo paxos.Instance, ask bool) (*paxos.HeartbeatAck, string) {
		a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: upTo, Ask: ask})
		out := a.Flush()
		if len(out.SendNow) != 1 {
			t.Fatalf("an answer leaves at once: %+v", out)
		}
		return out.SendNow[0].Msg.(*paxos.HeartbeatAck), told(out)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	want("nobody else would remember it", accept(1, true), "p1 1-1 ")
	a.Step("l1", &paxos.Poll{})
	want("a learner is told", accept(2, true), "l1 2-2 ")
	want("it is a repetition", func() string {
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: 2, Quiet: true})
		return told(a.Flush())
	}(), "l1 2-2 ")
	want("the leader asks", accept(3, false), "l1 3-3 p1 1-3 ")
	want("and does not", accept(4, true), "l1 4-4 ")

	ack, after := beat(0, false)
	want("nothing is synced", instances(ack.Runs)+after, "")
	a.Step("a1", &paxos.Synced{Count: 3})
	ack, after = beat(1, false)
	want("three votes are synced, and the first is known", instances(ack.Runs)+after, " 2-3")
	if ack.Mark.Commits != 3 || a.mark.Commits != 4 {
		t.Errorf("an answer that leaves at once shows commit %d of %d, and 3 are synced", ack.Mark.Commits, a.mark.Commits)
	}
	ack, after = beat(1, true)
	want("the leader asks for all", instances(ack.Runs)+" "+after, " 2-3 p1 2-4 ")
	a.Step("a1", &paxos.Synced{Count: syncs})
	ack, after = beat(3, true)
	want("all are synced", instances(ack.Runs)+after, " 4-4")
	ack, after = beat(4, true)
	if want("nothing is left", instances(ack.Runs)+after, ""); ack.Mark != (paxos.Mark{}) {
		t.Errorf("a mark without votes: %v", ack.Mark)
	}
	a.Step("a1", &paxos.PeerDown{ID: "l1"})
	want("the learner has gone", accept(5, true), "p1 5-5 ")
}

// TestRepairedVoteIsTold: a vote at an instance that is held at once, for the leader knows
// it to be chosen, is told, too.
func TestRepairedVoteIsTold(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, ChosenUpTo: 9})
	if got := told(a.Flush()); got != "p1 1-1 " || a.held != 1 {
		t.Fatalf("told %q, holds %d", got, a.held)
	}
}

// TestVotesOfOthersWait: votes under another ballot are not the asking leader's.
func TestVotesOfOthersWait(t *testing.T) {
	a := ready(State{Promised: ballot(1, "p1"), Votes: map[paxos.Instance]paxos.Ballot{3: ballot(1, "p1")}})
	a.Step("p2", &paxos.Accept{Ballot: ballot(2, "p2"), Instance: 4})
	if got := told(a.Flush()); got != "p2 4-4 " {
		t.Fatalf("told %q", got)
	}
}

// TestOvertakenAccept: a heartbeat that asks overtakes Accepts whose votes could wait when
// they were sent. They are told at once, until a heartbeat does not ask.
func TestOvertakenAccept(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.Step("l1", &paxos.Poll{})
	want := func(i paxos.Instance, b paxos.Ballot, want string) {
		t.Helper()
		a.Step(b.Proposer, &paxos.Accept{Ballot: b, Instance: i, Quiet: true})
		if got := told(a.Flush()); got != want {
			t.Errorf("instance %d: told %q, want %q", i, got, want)
		}
	}
	want(1, b, "l1 1-1 ")
	a.Step("p1", &paxos.Heartbeat{Ballot: b, Ask: true})
	a.Flush()
	want(2, b, "l1 2-2 p1 1-2 ")
	want(3, b, "l1 3-3 p1 1-3 ")
	a.Step("p1", &paxos.Heartbeat{Ballot: b})
	a.Flush()
	want(4, b, "l1 4-4 ")
	a.Step("p1", &paxos.Heartbeat{Ballot: b, Ask: true})
	a.Flush()
	want(5, ballot(2, "p2"), "l1 5-5 ")
}

// TestAcceptAndAskTogether: a vote whose sync is still to be asked for is told to a leader
// that asks in the same turn.
func TestAcceptAndAskTogether(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.Step("l1", &paxos.Poll{})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Quiet: true})
	a.Step("p1", &paxos.Heartbeat{Ballot: b, Ask: true})
	if got := told(a.Flush()); got != "l1 1-1 p1 1-1 " {
		t.Errorf("told %q", got)
	}
}

// TestValueAndVote: a learner gets a value together with its vote, and ahead of it while a
// sync is under way.
func TestValueAndVote(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.Step("l1", &paxos.Poll{Values: true})
	a.Step("l2", &paxos.Poll{})
	kinds := func(envelopes []paxos.Envelope) (s string) {
		for _, e := range envelopes {
			s += fmt.Sprintf("%s %T ", e.To, e.Msg)
		}
		return s
	}
	want := func(i paxos.Instance, now, after string) {
		t.Helper()
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: i, Quiet: true})
		out := a.Flush()
		if got := kinds(out.SendNow); got != now {
			t.Errorf("instance %d: %q leaves at once, want %q", i, got, now)
		}
		if got := kinds(out.SendAfter); got != after {
			t.Errorf("instance %d: %q leaves after the sync, want %q", i, got, after)
		}
	}
	a.Flush()
	const relay, votes = "l1 *paxos.Relay ", "l1 *paxos.Accepted l2 *paxos.Accepted "
	want(1, "", relay+votes)
	want(2, relay, votes)
	a.Step("a1", &paxos.Synced{Count: 2})
	want(3, "", relay+votes)
}
