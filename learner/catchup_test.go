package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestCopyingRests: a learner that is far behind asks for one page after the other,
// but rests between them while the log grows beside it, unless it grows so fast that
// the learner would not come closer.
func TestCopyingRests(t *testing.T) {
	for name, c := range map[string]struct {
		relayed int // bytes of new values while a page is on its way
		rests   bool
	}{
		"nobody appends":           {0, false},
		"some append":              {20, true},
		"the log grows fast":       {300, false},
		"the log grows a quarter":  {250, false},
		"the log grows just below": {249, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLearner()
			l.Step("a1", &paxos.PollReply{Held: 500})
			first := sent[*paxos.Fetch](l.Flush(), "a1")
			if len(first) != 1 || first[0].From != 1 {
				t.Fatalf("it asks for %v", first)
			}
			if c.relayed > 0 {
				l.Step("a2", &paxos.Relay{Ballot: ballot(1), Instance: 600, Value: paxos.Value{Batch: make([]byte, c.relayed)}})
			}
			l.Tick(11, 0) // the page took 10
			page := paxos.Vote{Instance: 1, Value: paxos.Value{Origin: ballot(1), Batch: make([]byte, 1000)}}
			l.Step("a1", &paxos.Page{Nonce: first[0].Nonce, From: 1, Held: 500, Values: []paxos.Vote{page}})
			asked := func() bool {
				f := sent[*paxos.Fetch](l.Flush(), "a1")
				return len(f) == 1 && f[0].From == 2 && f[0].Values
			}
			if got := asked(); got == c.rests {
				t.Fatalf("it asked at once: %v", got)
			}
			if !c.rests {
				return
			}
			if l.Tick(11+3*10-1, 0); asked() {
				t.Fatal("it did not rest for three times as long as the page took")
			}
			if l.Tick(11+3*10, 0); !asked() {
				t.Fatal("it does not go on")
			}
		})
	}
}

// TestCopyingSourceIsLost: a learner that rests and loses its source asks another one.
func TestCopyingSourceIsLost(t *testing.T) {
	l := newLearner()
	l.Step("a1", &paxos.PollReply{Held: 500})
	first := sent[*paxos.Fetch](l.Flush(), "a1")
	l.Step("a2", &paxos.Relay{Ballot: ballot(1), Instance: 600, Value: paxos.Value{Batch: make([]byte, 10)}})
	l.Tick(11, 0)
	page := paxos.Vote{Instance: 1, Value: paxos.Value{Origin: ballot(1), Batch: make([]byte, 1000)}}
	l.Step("a1", &paxos.Page{Nonce: first[0].Nonce, From: 1, Held: 500, Values: []paxos.Vote{page}})
	l.Step("l1", &paxos.PeerDown{ID: "a1"})
	l.Tick(12, 0)
	out := l.Flush()
	for _, id := range []paxos.NodeID{"a2", "a3", "l2"} {
		for _, f := range sent[*paxos.Fetch](out, id) {
			if f.Values && f.From == 2 {
				return
			}
		}
	}
	t.Fatalf("nobody is asked for more: %+v", out.SendNow)
}
