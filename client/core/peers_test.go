package core

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestFalseLeader: behind a cut a proposer has heard of a candidate with a higher ballot
// than the leader's. The candidate never led, and says so when it is asked.
func TestFalseLeader(t *testing.T) {
	m := New(Config{Proposers: []paxos.NodeID{"p1", "p2", "p3", "p4"}, Learners: []paxos.NodeID{"l1"}})
	for _, id := range m.cfg.Proposers {
		m.Step(id, &paxos.PeerUp{ID: id})
	}
	leads := func(from paxos.NodeID, round uint64, leader paxos.NodeID) {
		m.Step(from, &paxos.Leader{Ballot: paxos.Ballot{Round: round, Proposer: leader}})
	}
	refuses := func(from paxos.NodeID) {
		m.Step(from, &paxos.Refused{Reason: paxos.RefuseNoLeader})
	}
	asked := func(when string, want paxos.NodeID) {
		t.Helper()
		if got := m.proposer(); got != want {
			t.Errorf("%s: %s is asked, not %s", when, got, want)
		}
	}
	asked("nothing is known", "p1")
	refuses("p1")
	asked("refused", "p2")
	refuses("p1")
	asked("refused by the same one, for another session", "p2")
	leads("p3", 6, "p3")
	asked("one leads", "p3")
	leads("p1", 6, "p4")
	asked("there is a higher ballot", "p4")
	refuses("p4")
	asked("it is not the leader's", "p3")
	leads("p1", 6, "p4")
	asked("it is said again by who was behind the cut", "p3")
	leads("p1", 7, "p4")
	leads("p1", 6, "p3")
	asked("it is forgotten", "p3")
	leads("p4", 8, "p4")
	asked("it leads now", "p4")
	m.Step("p4", &paxos.PeerDown{ID: "p4"})
	asked("it is not connected", "p3")
	m.Step("p3", &paxos.PeerDown{ID: "p3"})
	leads("p1", 0, "")
	asked("no leader is known", "p2")
	refuses("p2")
	asked("the next one is not connected", "p1")
}

// TestFirstLeader: what was sent to a proposer before it was known to lead is not sent to
// it again, but to another one it is, and after each change.
func TestFirstLeader(t *testing.T) {
	for name, test := range map[string]struct {
		known  paxos.Ballot
		leader paxos.NodeID
		again  string
	}{
		"to the leader":                 {paxos.Ballot{}, "p1", "[]"},
		"to another one":                {paxos.Ballot{}, "p2", "[1+1>p2]"},
		"to the leader of a ballot ago": {paxos.Ballot{Round: 1, Proposer: "p1"}, "p1", "[1+1>p1]"},
	} {
		h := newHarness(t, 0)
		h.m.Step("p1", &paxos.Leader{Ballot: test.known})
		h.add(0)
		h.want(name, h.send(), "[1+1>p1]")
		h.m.Step(test.leader, &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: test.leader}})
		h.want(name, h.send(), test.again)
	}
}

// TestSilentLearnerAtBirth: sessions that wait for their birth ask another learner if
// one that is connected does not answer, with one question for all of them.
func TestSilentLearnerAtBirth(t *testing.T) {
	h := &harness{t: t, m: newMachine()}
	for n := range byte(5) {
		h.m.Open([12]byte{n})
	}
	asked := 0
	for now := paxos.Ticks(1); now < 1+3*birthWait; now += 10 {
		h.tick(now)
		for _, e := range h.flush() {
			if a, ok := e.Msg.(*paxos.Attach); ok && a.Nonce != 0 {
				if want := []paxos.NodeID{"l1", "l2", "l1"}[asked]; e.To != want {
					t.Errorf("%s is asked, not %s", e.To, want)
				}
				asked++
			}
		}
	}
	h.want("questions", asked, 3)
}

// TestBirthAtOnce: while what a learner has applied is fresh, sessions need not ask.
func TestBirthAtOnce(t *testing.T) {
	h := newHarness(t, 1)
	h.send()
	h.m.Step("l1", &paxos.Results{Instance: 7, Applied: []paxos.AppliedRun{{Session: h.id, First: 1, Count: 1, Index: 3}}})
	s := h.m.Open([12]byte{2})
	if !s.born || s.id.Birth() != 7 {
		t.Errorf("born %v at %d", s.born, s.id.Birth())
	}
	h.tick(birthFresh + 1)
	if s := h.m.Open([12]byte{3}); s.born {
		t.Error("born at an instance that was applied long ago")
	}
}

// TestStuckTogether: sessions that are not answered leave the learner once for all of
// them, and not to come back to it.
func TestStuckTogether(t *testing.T) {
	h := newHarness(t, 1)
	for n := range byte(6) {
		h.m.Open([12]byte{n + 2}).Append(&Append{Value: []byte("x")})
	}
	h.flush()
	for i, want := range []paxos.NodeID{"l2", "l1", "l2"} {
		h.tick(1 + paxos.Ticks(i+1)*resendMax)
		h.flush()
		h.want("in use", h.m.inUse, want)
	}
}

// TestAttached: a session is attached before its first append leaves, again at another
// learner, and again when a learner has dropped it; an idle one costs nothing. An ended
// one is detached.
func TestAttached(t *testing.T) {
	h := newHarness(t, 1)
	out := h.flush()
	if len(out) != 2 || len(sentTo[*paxos.Attach](out, "l1")) != 1 {
		t.Fatalf("sent %v", out)
	}
	if _, first := out[0].Msg.(*paxos.Attach); !first {
		t.Error("the append leaves first")
	}
	h.m.Step("l1", &paxos.Detached{Session: h.id})
	h.tick(1 + attachWait)
	h.want("dropped while it waits", len(sentTo[*paxos.Attach](h.flush(), "l1")), 1)
	h.m.Step("l1", &paxos.PeerDown{ID: "l1"})
	h.want("another learner", len(sentTo[*paxos.Attach](h.flush(), "l2")), 1)
	h.applied(1, 1, 1)
	h.m.Step("l2", &paxos.PeerDown{ID: "l2"})
	h.m.Step("l2", &paxos.PeerUp{ID: "l2"})
	h.want("idle", len(sentTo[*paxos.Attach](h.flush(), "l2")), 0)
	h.add(0)
	h.want("with the next entry", len(sentTo[*paxos.Attach](h.flush(), "l2")), 1)
	h.End(ErrSessionEnded, nil)
	h.want("ended", len(sentTo[*paxos.Detach](h.flush(), "l2")), 1)
}

// TestRefusedByAll: when every learner is of another cluster, nothing that waits can be
// answered, and all of it fails; one refusal alone does nothing.
func TestRefusedByAll(t *testing.T) {
	h := newHarness(t, 1)
	k := &Call{Kind: CallEnd}
	h.m.Ask(k)
	h.m.Trouble("l1", errors.New("of another cluster"), true)
	h.want("one refusal", h.fates(), "[waits]")
	h.m.Trouble("l2", errors.New("of another cluster"), true)
	h.want("all", h.fates(), "[not appended]")
	if !errors.Is(h.entries[0].Err, ErrRefused) || !errors.Is(k.Err, ErrRefused) || len(h.calls) != 1 {
		t.Errorf("%v; %v", h.entries[0].Err, k.Err)
	}
}

// TestElsewhere: a client leaves a learner that is drained, with all that waits there, and
// stays if it reaches no other one.
func TestElsewhere(t *testing.T) {
	h := newHarness(t, 1)
	h.flush()
	read := &Call{Kind: CallPage, From: 1, Follow: true}
	h.m.Ask(read)
	asked := read.question
	h.flush()
	if asked.to != "l1" {
		t.Fatalf("%s is asked", asked.to)
	}
	h.m.Step("l1", &paxos.Elsewhere{Drained: true})
	var told []string
	for _, e := range h.flush() {
		switch m := e.Msg.(type) {
		case *paxos.Detach:
			told = append(told, "detach "+string(e.To))
		case *paxos.Attach:
			told = append(told, "attach "+string(e.To))
		case *paxos.Withdraw:
			told = append(told, "withdraw "+string(e.To))
			if m.Nonce != asked.nonce {
				t.Error("another question was withdrawn")
			}
		case *paxos.Read:
			told = append(told, "read "+string(e.To))
		}
	}
	if got := strings.Join(told, ", "); got != "detach l1, attach l2, withdraw l1, read l2" {
		t.Errorf("told: %s", got)
	}
	uses := func(when string, want paxos.NodeID) {
		t.Helper()
		if h.m.inUse != want {
			t.Errorf("%s: %s is in use, not %s", when, h.m.inUse, want)
		}
	}
	h.m.Step("l2", &paxos.PeerDown{ID: "l2"})
	uses("the drained one is all there is", "l1")
	h.m.Step("l2", &paxos.PeerUp{ID: "l2"})
	uses("another one is back", "l2")
	h.m.Step("l2", &paxos.Elsewhere{Drained: true})
	uses("both are drained", "l2")
	h.m.Step("l1", &paxos.Elsewhere{})
	h.m.Step("l2", &paxos.Elsewhere{Drained: true})
	uses("the first one is not any more", "l1")
}

// TestOtherLogAndSilent: where everybody who answers is of another log, and the others of that role
// are silent, waiting for the end of an outage would be for nothing: the error says so. While
// one of the log that is meant is there, the other ones are no reason.
func TestOtherLogAndSilent(t *testing.T) {
	other := fmt.Errorf("%w: refused", ErrOtherLog)
	for name, test := range map[string]struct {
		down  paxos.NodeID
		final bool
		want  bool
	}{
		"p2 is silent":             {"p2", true, true},
		"p2 is there":              {"", true, false},
		"p1 may still learn which": {"p2", false, false},
	} {
		h := newHarness(t, 0)
		for _, id := range []paxos.NodeID{"p1", test.down} {
			h.m.Step(id, &paxos.PeerDown{ID: id})
		}
		h.m.Trouble("p1", other, test.final)
		h.m.Trouble("l1", other, true)
		k := &Call{Kind: CallEnd, Deadline: 100} // l2 is there, and does not answer
		h.m.Ask(k)
		a := h.add(100)
		h.tick(101)
		if !errors.Is(a.Err, ErrUnavailable) || errors.Is(a.Err, ErrOtherLog) != test.want {
			t.Errorf("%s: append: %v", name, a.Err)
		}
		if test.down == "" && (!errors.Is(k.Err, ErrUnavailable) || errors.Is(k.Err, ErrOtherLog)) {
			t.Errorf("%s: call: %v", name, k.Err)
		}
	}
}
