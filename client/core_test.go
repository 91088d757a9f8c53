package client

import (
	"errors"
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// harness is a session's core with entries named by number.
type harness struct {
	*core
	t       *testing.T
	session *Session
	pending []*Pending
	now     paxos.Ticks
}

func newHarness(t *testing.T, entries int) *harness {
	h := &harness{core: newCore(), t: t, session: &Session{c: &Client{}}, now: 1}
	h.id, h.born = paxos.NewSessionID(0, [12]byte{1}), true
	for range entries {
		h.addEntry(0)
	}
	return h
}

func (h *harness) addEntry(deadline paxos.Ticks) {
	p := &Pending{value: fmt.Appendf(nil, "%d", len(h.pending)+1), done: make(chan struct{}), session: h.session, deadline: deadline}
	h.pending = append(h.pending, p)
	h.add(h.now, p)
}

// send takes all that is due and returns each Append as first+count.
func (h *harness) send(to paxos.NodeID) (out []string, all []*paxos.Append) {
	for m := h.take(h.now, to); m != nil; m = h.take(h.now, to) {
		r, rest, err := paxos.NextRun(m.Batch)
		if err != nil || len(rest) > 0 || r.First != m.First || r.Session != h.id {
			h.t.Fatalf("malformed Append: %+v %v", m, err)
		}
		out, all = append(out, fmt.Sprintf("%d+%d", r.First, r.Count)), append(all, m)
	}
	return out, all
}

func (h *harness) applied(first, count uint64, index paxos.Index) {
	h.onResult(h.now, &paxos.Result{Session: h.id, Kind: paxos.ResultApplied, First: first, Count: count, Index: index})
}

// fates says of each entry: its index, "unknown", "not appended", or "waits".
func (h *harness) fates() (out []string) {
	for _, p := range h.pending {
		select {
		case <-p.done:
		default:
			out = append(out, "waits")
			continue
		}
		var u *UnknownOutcomeError
		switch {
		case p.err == nil:
			out = append(out, fmt.Sprint(p.result.Index))
		case errors.As(p.err, &u):
			out = append(out, "unknown")
		default:
			out = append(out, "not appended")
		}
	}
	return out
}

func (h *harness) want(what string, got any, want any) {
	h.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestInOrderAndRepeats(t *testing.T) {
	h := newHarness(t, 3)
	got, _ := h.send("p1")
	h.want("sent", got, []string{"1+3"})
	h.applied(2, 1, 12) // the first result is on its way, or lost
	h.want("fates", h.fates(), []string{"waits", "waits", "waits"})
	h.applied(1, 1, 11)
	h.applied(1, 3, 11) // repeated, and the rest
	h.want("fates", h.fates(), []string{"11", "12", "13"})
	if h.base != 4 || len(h.entries) != 0 || len(h.runs) != 0 {
		t.Errorf("base %d, %d entries, %d runs left", h.base, len(h.entries), len(h.runs))
	}
}

// TestMissingResult: a result that does not come is asked for.
func TestMissingResult(t *testing.T) {
	h := newHarness(t, 2)
	h.send("p1")
	h.applied(2, 1, 12)
	h.tick(h.now + 99)
	if h.attach {
		t.Error("asked at once")
	}
	h.tick(h.now + 100)
	if !h.attach {
		t.Error("a missing result is not asked for")
	}
}

// TestBatching: while Appends are unanswered the rest waits, and goes out many in
// one message.
func TestBatching(t *testing.T) {
	h := newHarness(t, 0)
	for range 100 {
		h.addEntry(0)
		h.send("p1")
	}
	h.want("in flight", h.inFlight(), maxInFlight)
	h.applied(1, 1, 1)
	got, _ := h.send("p1")
	h.want("the rest", got, []string{"17+84"})
}

// TestCertainty: what may have been appended is unknown; what certainly was not,
// or comes after such an entry, is not.
func TestCertainty(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(h *harness)
		want []string
	}{
		"never sent":         {func(h *harness) {}, []string{"not appended", "not appended"}},
		"sent":               {func(h *harness) { h.send("p1") }, []string{"unknown", "unknown"}},
		"sent and refused":   {func(h *harness) { h.refuseAll(h.sendAll("p1")) }, []string{"not appended", "not appended"}},
		"the first answered": {func(h *harness) { h.send("p1"); h.applied(1, 1, 5) }, []string{"5", "unknown"}},
		"sent twice, refused once": {func(h *harness) {
			h.send("p1")
			h.resend(h.now)
			h.refuseAll(h.sendAll("p2"))
		}, []string{"unknown", "unknown"}},
		"sent twice, the first refused": {func(h *harness) {
			first := h.sendAll("p1")
			h.resend(h.now)
			h.sendAll("p1")
			h.refuseAll(first)
		}, []string{"unknown", "unknown"}},
		"refused, then another life": {func(h *harness) {
			h.refuseAll(h.sendAll("p1"))
			h.onRefused(h.now, &paxos.Refused{Attempt: 1}) // a repeated refusal counts once
			h.now += refusedMax
			h.send("p1")
		}, []string{"unknown", "unknown"}},
		"the proposer was lost": {func(h *harness) { h.send("p1"); h.onLost(h.now, "p1") }, []string{"unknown", "unknown"}},
		"fenced": {func(h *harness) {
			h.send("p1")
			h.onResult(h.now, &paxos.Result{Kind: paxos.ResultFenced, First: 1})
		}, []string{"not appended", "not appended"}},
		"fenced after the first": {func(h *harness) {
			h.send("p1")
			h.onResult(h.now, &paxos.Result{Kind: paxos.ResultFenced, First: 2})
			h.applied(1, 1, 5)
			h.onResult(h.now, &paxos.Result{Kind: paxos.ResultFenced, First: 2})
		}, []string{"5", "not appended"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, 2)
			c.do(h)
			h.fail(errors.New("the end"))
			h.want("fates", h.fates(), c.want)
			if got, _ := h.send("p1"); len(got) > 0 {
				t.Errorf("sent %v after the session ended", got)
			}
		})
	}
}

func (h *harness) sendAll(to paxos.NodeID) []*paxos.Append {
	_, all := h.send(to)
	return all
}

func (h *harness) refuseAll(all []*paxos.Append) {
	for _, m := range all {
		h.onRefused(h.now, &paxos.Refused{Session: h.id, First: m.First, Attempt: m.Attempt, Reason: paxos.RefuseNoLeader})
	}
}

// TestUnknownError names the session and the range, and is not taken for its cause.
func TestUnknownError(t *testing.T) {
	h := newHarness(t, 3)
	h.send("p1")
	h.applied(1, 1, 9)
	h.fail(fmt.Errorf("%w: no answer", ErrUnavailable))
	err := h.pending[1].err
	var u *UnknownOutcomeError
	if !errors.As(err, &u) || u.Seq != 2 || u.First != 2 || u.Last != 3 || u.Session != h.id || !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("%v", err)
	}
	var second *UnknownOutcomeError
	if !errors.As(h.pending[2].err, &second) || second.AppendID() != (paxos.AppendID{Session: h.id, Seq: 3}) {
		t.Errorf("the third append's error is about %v", second)
	}
	if errors.Is(err, ErrUnavailable) {
		t.Error("an unknown outcome passes for 'certainly not appended'")
	}
}

// TestRefusedBacksOff: after a refusal nothing is sent for a while, longer each
// time, until something is answered or a leader is known.
func TestRefusedBacksOff(t *testing.T) {
	h := newHarness(t, 1)
	var waits []paxos.Ticks
	for range 7 {
		h.refuseAll(h.sendAll("p1"))
		start := h.now
		for {
			h.now++
			if got, _ := h.send("p1"); len(got) > 0 {
				break
			}
		}
		waits = append(waits, h.now-start)
		h.refuseAll([]*paxos.Append{{First: 1, Attempt: h.attempt}})
		h.now = h.holdUntil
	}
	for i := 1; i < len(waits); i++ {
		if waits[i] < waits[i-1] || waits[i] > refusedMax {
			t.Fatalf("waits %v", waits)
		}
	}
	h.refuseAll(h.sendAll("p1"))
	h.resend(h.now) // a leader was elected
	if got, _ := h.send("p1"); len(got) != 1 {
		t.Error("a new leader is not used at once")
	}
}

// TestResendTimer: without progress everything is sent again, from the first
// unanswered entry, with growing pauses, and others are tried.
func TestResendTimer(t *testing.T) {
	h := newHarness(t, 2)
	h.send("p1")
	var at []paxos.Ticks
	for h.now = 1; h.now < 20_000; h.now += 10 {
		h.tick(h.now)
		if got, _ := h.send("p1"); len(got) > 0 {
			h.want("sent again", got, []string{"1+2"})
			if !h.stuck || !h.attach {
				t.Error("nobody else is tried")
			}
			h.stuck, h.attach = false, false
			at = append(at, h.now)
		}
	}
	if len(at) < 4 || len(at) > 8 {
		t.Errorf("sent again at %v", at)
	}
}

// TestGap: the learner says which command it expects.
func TestGap(t *testing.T) {
	h := newHarness(t, 3)
	h.send("p1")
	h.onResult(h.now, &paxos.Result{Kind: paxos.ResultGap, First: 1})
	got, _ := h.send("p1")
	h.want("sent again", got, []string{"1+3"})
}

// TestDeadline: when the time of the oldest entry is up, the session ends.
func TestDeadline(t *testing.T) {
	h := newHarness(t, 0)
	h.addEntry(100)
	h.send("p1")
	h.addEntry(200)
	h.tick(99)
	h.want("before", h.fates(), []string{"waits", "waits"})
	h.tick(100)
	h.want("after", h.fates(), []string{"unknown", "not appended"})
}

// TestRebirth: after the session expired, what is left goes on under a new one,
// and none of it is taken for unknown.
func TestRebirth(t *testing.T) {
	h := newHarness(t, 2)
	h.send("p1")
	h.applied(1, 1, 5)
	h.onResult(h.now, &paxos.Result{Kind: paxos.ResultExpired, First: 2})
	if !h.expire {
		t.Fatal("it does not begin anew")
	}
	h.core = h.rebirth()
	h.id, h.born = paxos.NewSessionID(9, [12]byte{2}), true
	got, _ := h.send("p1")
	h.want("sent", got, []string{"1+1"})
	h.applied(1, 1, 8)
	h.want("fates", h.fates(), []string{"5", "8"})
}

// TestWaitersAreFreed: who waits for room is told when the session ends, and who
// comes later too.
func TestWaitersAreFreed(t *testing.T) {
	c, err := New(t.Context(), WithCluster("none"), WithInflight(1),
		WithProposers(Peer{ID: "p1", Addr: "127.0.0.1:1"}), WithLearners(Peer{ID: "l1", Addr: "127.0.0.1:1"}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := c.NewSession()
	if _, err := s.AppendAsync(t.Context(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := s.AppendAsync(t.Context(), []byte("waits"))
			errs <- err
		}()
	}
	s.End(errors.New("the end"))
	for range 4 {
		if err := <-errs; !errors.Is(err, ErrSessionEnded) {
			t.Errorf("%v", err)
		}
	}
}

// TestChunk: an Append is not larger than the cluster takes.
func TestChunk(t *testing.T) {
	h := newHarness(t, 0)
	h.chunk = 200
	for range 50 {
		h.addEntry(0)
	}
	for _, m := range h.sendAll("p1") {
		if len(m.Batch) > 200 {
			t.Errorf("%d bytes", len(m.Batch))
		}
	}
}

// TestDue: a session is looked at when a timer of it runs out, and not before.
func TestDue(t *testing.T) {
	h := newHarness(t, 0)
	check := func(what string, want paxos.Ticks) {
		t.Helper()
		if got := h.due(h.now); got != want {
			t.Errorf("%s: due at %d, not %d", what, got, want)
		}
	}
	check("nothing to do", never)
	h.addEntry(9000)
	check("nothing is sent", 9000)
	_, sent := h.send("p1")
	check("no answer yet", h.now+resendMin)
	h.onRefused(h.now, &paxos.Refused{First: 1, Attempt: sent[0].Attempt, Reason: paxos.RefuseBusy})
	check("refused", h.now+refusedMin)
	h.now += refusedMin
	if out, _ := h.send("p1"); len(out) != 1 {
		t.Errorf("%q is sent when it is due", out)
	}
	h.addEntry(9000)
	h.send("p1")
	h.applied(2, 1, 2)
	check("an earlier result is missing", h.now+100)
	h.now += 100
	if h.tick(h.now); !h.attach {
		t.Error("the learner is not asked for it when that is due")
	}
	check("it was asked", 1+resendMin)
	h.applied(1, 1, 1)
	check("all are answered", never)
	h.addEntry(0)
	h.fail(ErrClosed)
	check("ended", never)
}

// TestRefusedLate: what was refused by a proposer that was taken for the leader, and
// has been sent to the leader since, is not sent once more.
func TestRefusedLate(t *testing.T) {
	h := newHarness(t, 0)
	var sent []*paxos.Append
	for range 3 {
		h.addEntry(0)
		_, one := h.send("p2")
		sent = append(sent, one...)
	}
	h.resend(h.now)
	got, _ := h.send("p1")
	h.want("to the leader", got, []string{"1+3"})
	h.refuseAll(sent)
	h.now += refusedMax
	got, _ = h.send("p1")
	h.want("after the refusals", got, []string(nil))
	for i, p := range h.pending {
		h.want(fmt.Sprintf("sends of entry %d that may have reached a leader", i+1), p.maybe, 1)
	}
}

// TestOthersAreTriedAnyway: that leaders change, and are sent everything each time,
// does not keep a session with a learner that answers nothing.
func TestOthersAreTriedAnyway(t *testing.T) {
	h := newHarness(t, 1)
	for ; h.now < 3*resendMax; h.now += 100 {
		if h.now%700 == 1 {
			h.resend(h.now)
		}
		h.tick(h.now)
		h.send("p1")
		if h.stuck && h.attach {
			return
		}
	}
	t.Error("nobody else is tried")
}
