package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestWrong: a learner that knows to be wrong tells clients nothing but its status, and lets
// nobody copy from it.
func TestWrong(t *testing.T) {
	l := newLearner()
	l.wrong = "its state is not the one that follows from what was chosen"
	for _, m := range []paxos.Message{
		&paxos.Attach{Nonce: 1, Session: paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{1}), From: 1}, &paxos.Locate{Nonce: 2, Stale: true},
		&paxos.Read{Nonce: 3, From: 1}, &paxos.Fetch{Nonce: 4, From: 1, Values: true},
	} {
		l.Step("@c", m)
	}
	if out := l.Flush(); len(out.SendNow) > 0 {
		t.Fatalf("%+v", out.SendNow)
	}
	l.Step("@c", &paxos.StatusQuery{Nonce: 5})
	if out := l.Flush(); len(out.SendNow) != 1 || out.SendNow[0].Msg.(*paxos.StatusReply).Reason != l.wrong {
		t.Fatalf("%+v", out.SendNow)
	}
}
