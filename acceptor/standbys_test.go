package acceptor

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// heardBy says what an output tells standbys.
func heardBy(out paxos.Output) (s string) {
	for _, e := range out.SendAfter {
		if m, ok := e.Msg.(*paxos.QueryReply); ok {
			s += fmt.Sprintf("%s after %d: %s silent %d", e.To, m.Nonce, m.Heard, m.Silent)
			if m.Stays {
				s += " stays"
			}
			if m.Ended {
				s += " ended"
			}
			s += ";"
		}
	}
	return s
}

// TestStandbyIsTold: a standby that asked for it is told at once when the acceptor has heard
// no leader for the election timeout, again at the end of each further one, when it hears
// one again, and when that resigns.
func TestStandbyIsTold(t *testing.T) {
	a, b := ready(State{}), ballot(1, "p1")
	a.cfg.IdleTicks, a.cfg.HeartbeatTicks = 5000, 50
	now := a.now
	beat := func(at paxos.Ticks, resign bool) string {
		a.Tick(now+at, 0)
		a.Step("p1", &paxos.Heartbeat{Ballot: b, Resign: resign})
		return heardBy(a.Flush())
	}
	// toldAt is what it tells by itself at a time, and not a tick before.
	toldAt := func(at paxos.Ticks) string {
		t.Helper()
		if next := a.Next(); next > now+at {
			t.Errorf("it wants the time at %d, and not at %d", next, now+at)
		}
		a.Tick(now+at-1, 0)
		if early := heardBy(a.Flush()); early != "" {
			t.Errorf("it told %s before %d", early, at)
		}
		a.Tick(now+at, 0)
		return heardBy(a.Flush())
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	beat(10, false)
	a.Step("p2", &paxos.Query{Nonce: 7, Stay: true})
	a.Step("p3", &paxos.Query{Nonce: 8})
	want("asked", heardBy(a.Flush()), "p2 after 7: 1.p1 silent 0 stays;p3 after 8: 1.p1 silent 0;")
	want("it goes on hearing the leader", beat(60, false)+beat(110, false), "")
	want("silence", toldAt(260), "p2 after 7: 1.p1 silent 150;")
	want("it lasts", toldAt(410), "p2 after 7: 1.p1 silent 300;")
	want("the leader is heard again", beat(500, false), "p2 after 7: 1.p1 silent 0;")
	b = ballot(2, "p1")
	want("another ballot", beat(510, false), "p2 after 7: 2.p1 silent 0;")
	want("it resigns", beat(520, true), fmt.Sprintf("p2 after 7: 2.p1 silent %d;", resignedTicks))

	// Something was lost: it says so until it is asked anew.
	beat(530, false)
	a.Step("a1", &paxos.Dropped{ID: "p2"})
	want("lost, at once", heardBy(a.Flush()), "")
	want("lost", toldAt(580), "p2 after 7: 2.p1 silent 50 ended;")
	want("lost", toldAt(630), "p2 after 7: 2.p1 silent 100 ended;")
	a.Step("p2", &paxos.Query{Nonce: 9, Stay: true})
	want("asked anew", heardBy(a.Flush()), "p2 after 9: 2.p1 silent 100 stays;")
	a.Step("a1", &paxos.PeerDown{ID: "p2"})
	a.Tick(now+1000, 0)
	want("it left", heardBy(a.Flush()), "")
}
