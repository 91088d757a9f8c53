package core

import (
	"errors"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestWindowMovesOn: messages that were answered leave the window also when they stand behind
// one of an earlier attempt that reaches further.
func TestWindowMovesOn(t *testing.T) {
	h := newHarness(t, 24)
	h.Session.chunk = 1 // one entry a message, as with large entries
	all := h.appends()
	if len(all) != 16 {
		t.Fatal(len(all))
	}
	h.refuse(all[8:9]) // entry 9, busy
	h.tick(200)
	again := h.appends() // 9..24
	if len(again) != 16 || again[0].First != 9 || again[15].First != 24 {
		t.Fatal(len(again))
	}
	h.m.Step("p2", &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: "p2"}}) // p1 was deposed: all is sent again
	third := h.appends()
	if len(third) != 16 || third[0].First != 1 {
		t.Fatal(len(third))
	}
	h.applied(1, 16, 1)
	for now := paxos.Ticks(201); now < 100_000; now += 100 {
		h.tick(now)
		for _, a := range h.appends() {
			r, _, _ := paxos.NextRun(a.Batch)
			h.m.Step("l1", &paxos.Result{Session: h.id, Kind: paxos.ResultApplied, First: r.First, Count: r.Count, Index: paxos.Index(r.First)})
			h.m.Step("l2", &paxos.Result{Session: h.id, Kind: paxos.ResultApplied, First: r.First, Count: r.Count, Index: paxos.Index(r.First)})
		}
	}
	if h.m.Pending() != 0 {
		t.Errorf("%d entries wait after 100 s, inFlight %d, sent %d base %d reached %d", h.m.Pending(), h.inFlight(), h.Session.sent, h.base, h.reached)
	}
}

// TestResolveOwnElsewhere: a learner that has not learned of an append which was answered is
// left for another one.
func TestResolveOwnElsewhere(t *testing.T) {
	h := newHarness(t, 1)
	h.flush()
	h.GiveUp(h.entries[0], errEnough)
	h.m.Step("l1", &paxos.PeerDown{ID: "l1"})
	h.m.Step("l2", &paxos.Result{Session: h.id, Kind: paxos.ResultApplied, First: 1, Count: 1, Index: 5})
	h.m.Step("l2", &paxos.PeerDown{ID: "l2"})
	h.m.Step("l1", &paxos.PeerUp{ID: "l1"}) // behind, cut off from the acceptors
	h.m.Step("l2", &paxos.PeerUp{ID: "l2"})
	k := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 1}}
	h.m.Ask(k)
	for now := paxos.Ticks(2); now < 60_000; now += 10 {
		h.tick(now)
		for _, e := range h.flush() {
			if q, ok := e.Msg.(*paxos.Lookup); ok {
				f := &paxos.Found{Nonce: q.Nonce}
				if e.To == "l2" {
					f.Index = 5
				}
				h.m.Step(e.To, f)
			}
		}
	}
	if !k.done {
		t.Error("not resolved in a minute although l2 would tell")
	}
}

// TestRefusedAfterAnswer: the late refusal of what was answered meanwhile neither holds nor
// sends again what is under way.
func TestRefusedAfterAnswer(t *testing.T) {
	h := newHarness(t, 2)
	old := h.appends()
	h.m.Step("p2", &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: "p2"}})
	h.flush()
	h.applied(1, 2, 1)
	h.add(0)
	h.send()
	h.refuse(old)
	h.tick(500)
	h.want("sent", h.send(), "[]")
}

// TestTooLargeAlone: of entries that were sent together, the one that is too large for the
// cluster alone is told so.
func TestTooLargeAlone(t *testing.T) {
	h := newHarness(t, 0)
	h.add(0)
	big := &Append{Value: make([]byte, 99_000)} // the cluster's limit is less, the client's more
	h.entries = append(h.entries, big)
	h.Session.Append(big)
	h.add(0)
	for now := paxos.Ticks(2); now < 3000 && h.Err() == nil; now += 10 {
		h.tick(now)
		for _, a := range h.appends() {
			r, _, _ := paxos.NextRun(a.Batch)
			if len(a.Batch) > 99_000 {
				h.m.Step("p1", &paxos.Refused{Session: a.Session, First: a.First, Attempt: a.Attempt, Reason: paxos.RefuseMalformed, Detail: "an entry of 99000 bytes"})
			} else if r.First == 1 {
				h.applied(1, r.Count, 1)
			}
		}
	}
	h.fates()
	for i, a := range h.entries {
		if tooLarge := errors.Is(a.Err, ErrTooLarge); tooLarge != (a == big) {
			t.Errorf("entry %d: %v", i+1, a.Err)
		}
	}
}
