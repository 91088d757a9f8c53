package core

import (
	"errors"
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

func TestInOrderAndRepeats(t *testing.T) {
	h := newHarness(t, 3)
	h.want("sent", h.send(), "[1+3>p1]")
	h.applied(2, 1, 12) // the first result is on its way, or lost
	h.want("fates", h.fates(), "[waits waits waits]")
	h.applied(1, 1, 11)
	h.applied(1, 3, 11) // repeated, and the rest
	h.want("fates", h.fates(), "[11 12 13]")
	if h.base != 4 || len(h.Session.entries) != 0 || len(h.runs) != 0 || h.bytes != 0 || h.m.Pending() != 0 || len(h.m.busy) != 0 {
		t.Errorf("something is left: %+v", h.Session)
	}
}

// TestMissingResult: a result that does not come is asked for.
func TestMissingResult(t *testing.T) {
	h := newHarness(t, 2)
	h.send()
	h.applied(2, 1, 12)
	h.tick(1 + attachWait - 1)
	h.want("asked at once", len(sentTo[*paxos.Attach](h.flush(), "l1")), 0)
	h.tick(1 + attachWait)
	h.want("asked for it", len(sentTo[*paxos.Attach](h.flush(), "l1")), 1)
}

// TestBatching: while Appends are unanswered the rest waits, and goes out many in
// one message.
func TestBatching(t *testing.T) {
	h := newHarness(t, 0)
	for range 100 {
		h.add(0)
		h.send()
	}
	h.want("in flight", h.inFlight(), maxInFlight)
	h.applied(1, 1, 1)
	h.want("the rest", h.send(), "[17+84>p1]")
}

// TestChunk: an Append is not larger than the cluster takes.
func TestChunk(t *testing.T) {
	h := newHarness(t, 0)
	h.chunk = 200
	for range 50 {
		h.add(0)
	}
	for _, a := range h.appends() {
		if len(a.Batch) > 200 {
			t.Errorf("%d bytes", len(a.Batch))
		}
	}
}

// TestCertainty: what may have been appended is unknown; what certainly was not, or
// comes after such an entry, is not.
func TestCertainty(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(h *harness)
		want string
	}{
		"never sent":         {func(h *harness) {}, "[not appended not appended]"},
		"sent":               {func(h *harness) { h.send() }, "[unknown unknown]"},
		"sent and refused":   {func(h *harness) { h.refuse(h.appends()) }, "[not appended not appended]"},
		"the first answered": {func(h *harness) { h.send(); h.applied(1, 1, 5) }, "[5 unknown]"},
		"sent twice, refused once": {func(h *harness) {
			h.appends()
			h.resend()
			h.refuse(h.appends())
		}, "[unknown unknown]"},
		"sent twice, the first refused": {func(h *harness) {
			first := h.appends()
			h.resend()
			h.send()
			h.refuse(first)
		}, "[unknown unknown]"},
		"refused, then another attempt": {func(h *harness) {
			h.refuse(h.appends())
			h.refuse([]*paxos.Append{{Session: h.id, First: 1, Attempt: 1}}) // a repeated refusal counts once
			h.tick(1000)
			h.send()
		}, "[unknown unknown]"},
		"the proposer was lost": {func(h *harness) { h.send(); h.m.Step("p1", &paxos.PeerDown{ID: "p1"}) }, "[unknown unknown]"},
		"fenced":                {func(h *harness) { h.send(); h.result(paxos.ResultFenced, 1, 0, 0) }, "[not appended not appended]"},
		"fenced after the first": {func(h *harness) {
			h.send()
			h.result(paxos.ResultFenced, 2, 0, 0)
			h.applied(1, 1, 5)
			h.result(paxos.ResultFenced, 2, 0, 0)
		}, "[5 not appended]"},
		"closed": {func(h *harness) { h.send(); h.m.Close() }, "[unknown unknown]"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, 2)
			c.do(h)
			h.End(ErrSessionEnded, errors.New("the end"))
			h.want("fates", h.fates(), c.want)
			h.want("sent after the session ended", h.send(), "[]")
		})
	}
}

// TestUnknownError names the session and the range, and is not taken for its cause.
func TestUnknownError(t *testing.T) {
	h := newHarness(t, 3)
	h.send()
	h.applied(1, 1, 9)
	cause := errors.New("the caller has left")
	h.End(ErrSessionEnded, fmt.Errorf("%w: %w", ErrUnavailable, cause))
	h.fates()
	err := h.entries[1].Err
	var u *UnknownOutcomeError
	if !errors.As(err, &u) || u.Seq != 2 || u.First != 2 || u.Last != 3 || u.Session != h.id || !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("%v", err)
	}
	var second *UnknownOutcomeError
	if !errors.As(h.entries[2].Err, &second) || second.AppendID() != (paxos.AppendID{Session: h.id, Seq: 3}) || h.entries[2].ID != second.AppendID() {
		t.Errorf("the third append's error is about %v", second)
	}
	for _, e := range certain {
		if errors.Is(err, e) {
			t.Errorf("an unknown outcome passes for %v", e)
		}
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is hidden")
	}
}

// TestRefusedBacksOff: after a refusal nothing is sent for a while, longer each time,
// until something is answered or a leader is known.
func TestRefusedBacksOff(t *testing.T) {
	h := newHarness(t, 1)
	var waits []paxos.Ticks
	for range 7 {
		h.refuse(h.appends())
		start := h.m.now
		for len(h.sent) == 0 {
			h.tick(h.m.now + 1)
			h.flush()
		}
		waits = append(waits, h.m.now-start)
	}
	for i := 1; i < len(waits); i++ {
		if waits[i] < waits[i-1] || waits[i] > refusedMax {
			t.Fatalf("waits %v", waits)
		}
	}
	h.refuse(h.appends())
	h.m.Step("p1", &paxos.Leader{Ballot: paxos.Ballot{Round: 1, Proposer: "p2"}})
	h.want("sent at once to a new leader", h.send(), "[1+1>p2]")
}

// TestResendTimer: without progress everything is sent again, from the first unanswered
// entry, with growing pauses, and others are tried.
func TestResendTimer(t *testing.T) {
	h := newHarness(t, 2)
	h.send()
	used := h.m.inUse
	var at []paxos.Ticks
	for now := paxos.Ticks(1); now < 20_000; now += 10 {
		h.tick(now)
		if got := h.send(); len(got) > 0 {
			if len(got) != 1 || got[0][:3] != "1+2" {
				t.Errorf("sent again: %v", got)
			}
			if h.m.inUse == used {
				t.Error("no other learner is tried")
			}
			used = h.m.inUse
			at = append(at, now)
		}
	}
	if len(at) < 4 || len(at) > 8 {
		t.Errorf("sent again at %v", at)
	}
}

// TestGap: the learner says which command it expects.
func TestGap(t *testing.T) {
	h := newHarness(t, 3)
	h.send()
	h.result(paxos.ResultGap, 1, 0, 0)
	h.want("sent again", h.send(), "[1+3>p1]")
}

// TestRebirth: after the session expired, what is left goes on under a new one, and none
// of it is taken for unknown.
func TestRebirth(t *testing.T) {
	h := newHarness(t, 2)
	old := h.id
	h.send()
	h.applied(1, 1, 5)
	h.result(paxos.ResultExpired, 2, 0, 0)
	h.bear(9)
	if h.id == old || h.id.Birth() != 9 {
		t.Errorf("the session goes on as %v", h.id)
	}
	h.want("sent", h.send(), "[1+1>p1]")
	h.applied(1, 1, 8)
	h.want("fates", h.fates(), "[5 8]")
}

// TestExpiredAfterGivenUp: an entry whose append id a caller was told is not appended
// under another one, for resolve has to say never of it; so nothing after it is either.
func TestExpiredAfterGivenUp(t *testing.T) {
	h := newHarness(t, 2)
	h.send()
	h.GiveUp(h.entries[0], errors.New("enough"))
	h.result(paxos.ResultExpired, 1, 0, 0)
	h.want("fates", h.fates(), "[unknown not appended]")
	h.want("sent", h.send(), "[]")
	if !errors.Is(h.Err(), ErrSessionEnded) {
		t.Errorf("the session goes on: %v", h.Err())
	}
}

// TestEndedWhileExpired: a session that was ended does not begin anew because it expired
// as well.
func TestEndedWhileExpired(t *testing.T) {
	h := newHarness(t, 1)
	h.send()
	h.End(ErrSessionEnded, nil)
	h.result(paxos.ResultExpired, 1, 0, 0)
	if len(h.m.birth.waiting) > 0 || len(h.m.sessions) > 0 || len(h.m.busy) > 0 {
		t.Error("it goes on")
	}
}

// TestDue: the machine is due when a timer runs out, and not before.
func TestDue(t *testing.T) {
	h := newHarness(t, 0)
	check := func(what string, want paxos.Ticks) {
		t.Helper()
		h.flush()
		if got := h.due(); got != want || h.m.Next() > want {
			t.Errorf("%s: due at %d, the machine at %d, not %d", what, got, h.m.Next(), want)
		}
	}
	check("nothing to do", never)
	h.add(9000)
	sent := h.appends()
	check("no answer yet", 1+resendMin)
	h.refuse(sent)
	check("refused", 1+refusedMin)
	h.tick(1 + refusedMin)
	h.want("sent when it is due", h.send(), "[1+1>p1]")
	h.add(9000)
	h.send()
	h.applied(2, 1, 2)
	check("an earlier result is missing", h.m.now+attachWait)
	h.tick(h.m.now + attachWait)
	check("it was asked for", 1+resendMin)
	h.applied(1, 1, 1)
	check("all are answered", never)
	h.add(0)
	h.End(ErrClosed, nil)
	check("ended", never)
}

// TestRefusedLate: what was refused by a proposer that was taken for the leader, and has
// been sent to the leader since, is not sent once more.
func TestRefusedLate(t *testing.T) {
	h := newHarness(t, 0)
	h.m.Step("p2", &paxos.Leader{Ballot: paxos.Ballot{Round: 1, Proposer: "p2"}})
	for range 3 {
		h.add(0)
		h.flush()
	}
	sent := h.appends()
	h.m.Step("p1", &paxos.Leader{Ballot: paxos.Ballot{Round: 2, Proposer: "p1"}})
	h.want("to the leader", h.send(), "[1+3>p1]")
	h.refuse(sent)
	h.tick(refusedMax + 1)
	h.want("after the refusals", h.send(), "[]")
	for i, a := range h.entries {
		h.want(fmt.Sprintf("sends of entry %d that may have reached a leader", i+1), a.maybe, 1)
	}
}

// TestOthersAreTriedAnyway: that leaders change, and are sent everything each time, does
// not keep a session with a learner that answers nothing.
func TestOthersAreTriedAnyway(t *testing.T) {
	h := newHarness(t, 1)
	round := uint64(0)
	for now := paxos.Ticks(1); now < 3*resendMax; now += 100 {
		h.tick(now)
		if now%700 == 1 {
			round++
			id := []paxos.NodeID{"p1", "p2"}[round%2]
			h.m.Step(id, &paxos.Leader{Ballot: paxos.Ballot{Round: round, Proposer: id}})
		}
		h.flush()
		if h.m.inUse == "l2" {
			return
		}
	}
	t.Error("no other learner is tried")
}

// TestHostileRefusals: a refusal that names what was never sent under its number ends
// neither the client nor its sessions.
func TestHostileRefusals(t *testing.T) {
	for _, first := range []uint64{0, 2, 3, 1 << 61} {
		for _, why := range []paxos.RefuseReason{paxos.RefuseNoLeader, paxos.RefuseBusy, paxos.RefuseMalformed, 9} {
			h := newHarness(t, 1)
			h.flush()
			for attempt := range uint64(4) {
				h.m.Step("p1", &paxos.Refused{Session: h.id, First: first, Attempt: attempt, Reason: why})
			}
			h.flush()
			h.m.Step("l1", &paxos.Result{Session: h.id, Kind: paxos.ResultApplied, First: 1, Count: 1, Index: 7})
			if h.flush(); h.err != nil || h.entries[0].Index != 7 {
				t.Errorf("refused %d as %d: %v, %v", first, why, h.err, h.entries[0].Err)
			}
		}
	}
}
