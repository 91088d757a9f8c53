package learner

import (
	"fmt"
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// told says what a client is told, a word for each message.
func told(out paxos.Output, to paxos.NodeID) (words []string) {
	for _, e := range out.SendNow {
		if e.To != to {
			continue
		}
		switch m := e.Msg.(type) {
		case *paxos.Result:
			words = append(words, fmt.Sprintf("kind %d of %d", m.Kind, m.Session[8]))
		case *paxos.Results:
			word := fmt.Sprintf("instance %d:", m.Instance)
			for _, a := range m.Applied {
				word += fmt.Sprintf(" %d %d+%d at %d", a.Session[8], a.First, a.Count, a.Index)
			}
			words = append(words, word)
		}
	}
	return words
}

// TestResultsInOneMessage: what a client waits for out of one instance is told in one
// message, runs that follow each other as one; what else it is told keeps its place.
func TestResultsInOneMessage(t *testing.T) {
	cfg := config()
	cfg.Membership.Sessions = 3
	l := newLearnerWith(cfg, State{})
	s1, s2, s3 := sessionID(0, 1), sessionID(0, 2), sessionID(0, 3)
	for _, a := range []struct {
		client  paxos.NodeID
		session paxos.SessionID
	}{{"@1", s1}, {"@1", s2}, {"@2", s3}} {
		l.Step(a.client, &paxos.Attach{Session: a.session, From: 1})
	}
	l.Flush()
	batch := func(runs ...[]byte) []byte { return slices.Concat(runs...) }
	check := func(out paxos.Output, to paxos.NodeID, want ...string) {
		t.Helper()
		if got := told(out, to); !slices.Equal(got, want) {
			t.Errorf("%s is told %q, not %q", to, got, want)
		}
	}
	out := l.choose(1, batch(run(s1, 1, "a"), run(s2, 1, "b"), run(s2, 2, "c"), run(s1, 2, "d"), run(s3, 1, "x")))
	check(out, "@1", "instance 1: 1 1+1 at 1 2 1+2 at 2 1 2+1 at 4")
	check(out, "@2", "instance 1: 3 1+1 at 5")

	// Of a second flush, and of two instances in one.
	l.Step("a1", &paxos.Relay{Ballot: ballot(1), Instance: 2, Value: paxos.Value{Origin: ballot(1), Time: 1, Batch: run(s1, 3, "e")}})
	l.votes("a1", ballot(1), 2, 2)
	l.votes("a2", ballot(1), 2, 2)
	out = l.choose(3, run(s2, 3, "f"))
	check(out, "@1", "instance 2: 1 3+1 at 6", "instance 3: 2 3+1 at 7")
	check(out, "@2")

	// A gap is told between what was applied before it and what was after it.
	out = l.choose(4, batch(run(s1, 4, "g"), run(s2, 9, "gap"), run(s2, 4, "h"), paxos.Fence(s1)))
	check(out, "@1", "instance 4: 1 4+1 at 8", "kind 2 of 2", "instance 4: 2 4+1 at 9", "kind 4 of 1")
}

// TestResultsAreBounded: one message tells of so many runs, and no more.
func TestResultsAreBounded(t *testing.T) {
	cfg := config()
	cfg.Membership.Sessions = 2 * maxResults
	l := newLearnerWith(cfg, State{})
	var batch []byte
	for n := range maxResults + 1 {
		s := paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(n), byte(n >> 8)})
		l.Step("@1", &paxos.Attach{Session: s, From: 1})
		batch = append(batch, run(s, 1, "a")...)
	}
	l.Flush()
	r := sent[*paxos.Results](l.choose(1, batch), "@1")
	if len(r) != 2 || len(r[0].Applied) != maxResults || len(r[1].Applied) != 1 {
		t.Errorf("%d messages", len(r))
	}
}
