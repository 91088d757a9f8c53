package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// pollsAt tells the learner the times up to a time, as it asks for them, and returns how
// often it asks an acceptor meanwhile.
func (l *Learner) pollsAt(id paxos.NodeID, until paxos.Ticks) (n int) {
	for {
		n += len(sent[*paxos.Poll](l.Flush(), id))
		next := max(l.Next(), l.now+1)
		if next > until {
			break
		}
		l.Tick(next, 0)
	}
	l.Tick(until, 0)
	return n + len(sent[*paxos.Poll](l.Flush(), id))
}

// TestSubscribed: an acceptor that tells by itself what changes is asked as often as a
// subscription needs, and one that does not, or not any more, in each heartbeat interval.
func TestSubscribed(t *testing.T) {
	begin := func() *Learner {
		l := newLearner()
		l.choose(1, nil)
		l.Flush()
		l.Tick(60, 0)
		l.Flush() // it asks
		for _, r := range l.reads.rounds {
			for _, id := range members.Acceptors {
				l.Step(id, &paxos.PollReply{Nonce: r.nonce, Held: 1, Highest: 1})
			}
		}
		for _, id := range members.Acceptors {
			l.Step(id, &paxos.PollReply{Stays: true, Held: 1, Highest: 1})
		}
		l.Flush()
		return l
	}
	if n := begin().pollsAt("a1", 60+1499); n != 0 {
		t.Errorf("it is subscribed, and asks %d times", n)
	}
	if n := begin().pollsAt("a1", 60+1500); n != 1 {
		t.Errorf("it renews %d times", n)
	}
	// Not granted: a lost answer, an acceptor of version 2, or one that does not vote.
	if n := begin().pollsAt("a1", 60+1500+500); n != 11 {
		t.Errorf("its renewal was not answered, and it asked %d times", n)
	}
	for name, c := range map[string]struct {
		from paxos.NodeID
		lost paxos.Message
	}{
		"the acceptor says so":          {"a1", &paxos.PollReply{Ended: true, Held: 1, Highest: 1}},
		"its own queue was full":        {"l1", &paxos.Dropped{ID: "a1"}},
		"it came on another connection": {"l1", &paxos.PeerUp{ID: "a1", Role: paxos.RoleAcceptor}},
	} {
		l := begin()
		l.Tick(200, 0)
		l.Step(c.from, c.lost)
		if n, others := l.pollsAt("a1", 201), l.pollsAt("a2", 201); n != 1 || others != 0 {
			t.Errorf("%s: it asks a1 %d times, and a2 %d", name, n, others)
		}
	}
	l := begin()
	l.Step("l1", &paxos.PeerDown{ID: "a1"})
	if n := l.pollsAt("a1", 10_000); n != 0 {
		t.Errorf("a1 has left, and is asked %d times", n)
	}
}

// TestToldOfHeld: what an acceptor tells by itself shows a learner what it misses.
func TestToldOfHeld(t *testing.T) {
	l := newLearner()
	l.choose(1, nil)
	l.Step("a2", &paxos.PollReply{Held: 2, Highest: 2})
	l.Flush()
	l.Tick(l.now+50, 0)
	if out := l.Flush(); len(sent[*paxos.Fetch](out, "a2")) != 1 {
		t.Errorf("it does not fetch what it misses: %+v", out)
	}
}
