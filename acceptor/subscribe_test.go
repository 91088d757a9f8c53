package acceptor

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// replies says what an output tells l1 of the read point.
func replies(out paxos.Output) (s string) {
	for _, m := range sent[*paxos.PollReply](out) {
		s += fmt.Sprintf("%d/%d", m.Held, m.Highest)
		if m.Nonce != 0 {
			s += fmt.Sprintf(" to %d", m.Nonce)
		}
		if m.Stays {
			s += " stays"
		}
		if m.Ended {
			s += " ended"
		}
		s += ";"
	}
	return s
}

// at tells the acceptor the time, and returns what that made it tell of the read point. It
// checks that it did nothing before it wanted to.
func (a *Acceptor) at(t *testing.T, now paxos.Ticks) string {
	t.Helper()
	if next := a.Next(); next > now {
		t.Errorf("it wants to be told the time at %d, and not at %d", next, now)
	}
	a.Tick(now-1, 0)
	if early := replies(a.Flush()); early != "" {
		t.Errorf("it told %s before it wanted to", early)
	}
	a.Tick(now, 0)
	return replies(a.Flush())
}

// TestToldWithoutAsking: a learner that has subscribed is told what changes and votes do not
// show, at most once in a heartbeat interval.
func TestToldWithoutAsking(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.cfg.HeartbeatTicks, a.cfg.IdleTicks = 50, 5000
	now := a.now
	a.Step("l1", &paxos.Poll{Nonce: 7, Stay: true})
	if got := replies(a.Flush()); got != "0/0 to 7 stays;" {
		t.Fatalf("asked: told %s", got)
	}
	vote := func(i, upTo paxos.Instance) string {
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: i, ChosenUpTo: upTo})
		return replies(a.Flush())
	}
	a.Tick(now+100, 0)
	if got := vote(1, 0) + vote(2, 1); got != "" {
		t.Errorf("votes show it all: told %s", got)
	}
	a.Tick(now+110, 0)
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 2})
	if got := replies(a.Flush()); got != "" {
		t.Errorf("votes were told 10 ms ago: told %s", got)
	}
	if got := a.at(t, now+150); got != "2/2;" {
		t.Errorf("held rose while the log is idle: told %q", got)
	}
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 2})
	if out := a.Flush(); replies(out) != "" || a.Next() < now+200 {
		t.Errorf("nothing changed: told %s, and wants the time at %d", replies(out), a.Next())
	}

	// One that did not ask for it, as of version 2, gets answers only.
	a.Step("l1", &paxos.Poll{})
	if got := replies(a.Flush()); got != "2/2;" {
		t.Errorf("asked without: told %s", got)
	}
	vote(3, 2)
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 3})
	a.Tick(now+300, 0)
	if got := replies(a.Flush()); got != "" {
		t.Errorf("it did not ask to be told: told %s", got)
	}
}

// TestDropEndsSubscription: after something was lost that was sent to a learner, or may be,
// it is told so again and again until it asks anew; and who left is told nothing.
func TestDropEndsSubscription(t *testing.T) {
	for name, lost := range map[string]paxos.Message{
		"the queue was full":             &paxos.Dropped{ID: "l1"},
		"it came on a second connection": &paxos.PeerUp{ID: "l1", Role: paxos.RoleLearner},
	} {
		a := ready(State{})
		a.cfg.HeartbeatTicks, a.cfg.IdleTicks = 50, 5000
		now := a.now
		a.Step("l1", &paxos.Poll{Stay: true})
		a.Flush()
		a.Step("a1", &paxos.Dropped{ID: "l2"})
		a.Tick(now+100, 0)
		if got := replies(a.Flush()); got != "" {
			t.Errorf("%s: another's loss: told %s", name, got)
		}
		a.Step("a1", lost)
		if got := replies(a.Flush()) + a.at(t, now+150) + a.at(t, now+200); got != "0/0 ended;0/0 ended;0/0 ended;" {
			t.Errorf("%s: told %s", name, got)
		}
		a.Step("l1", &paxos.Poll{Stay: true})
		a.Flush()
		a.Tick(now+400, 0)
		if got := replies(a.Flush()); got != "" {
			t.Errorf("%s: it asked anew: told %s", name, got)
		}
		a.Step("a1", lost)
		a.Step("a1", &paxos.PeerDown{ID: "l1"})
		a.Tick(now+500, 0)
		if got := replies(a.Flush()); got != "" {
			t.Errorf("%s: it left: told %s", name, got)
		}
	}
}
