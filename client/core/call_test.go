package core

import (
	"errors"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// asking is a machine and one call, driven by hand.
type asking struct {
	*harness
	k *Call
}

func ask(t *testing.T, k *Call) *asking {
	h := &harness{t: t, m: newMachine()}
	h.m.Ask(k)
	return &asking{h, k}
}

// the returns the only message of type T that left, and to whom.
func the[T paxos.Message](a *asking) (T, paxos.NodeID) {
	a.t.Helper()
	var found T
	var to paxos.NodeID
	n := 0
	for _, e := range a.flush() {
		if m, ok := e.Msg.(T); ok {
			found, to = m, e.To
			n++
		}
	}
	if n != 1 {
		a.t.Fatalf("%d messages %T left, not one", n, found)
	}
	return found, to
}

// done reports whether the call has its answer, by Delivered.
func (a *asking) done() bool {
	_, calls := a.m.Delivered()
	return len(calls) == 1 && calls[0] == a.k
}

func records(first paxos.Index, count uint64) []paxos.LogRecord {
	return []paxos.LogRecord{{First: first, Count: count}}
}

// TestReadElsewhere: with a short time left a second learner is asked while there is
// time for its answer.
func TestReadElsewhere(t *testing.T) {
	for name, k := range map[string]*Call{
		"deadline":            {Kind: CallRead, From: 4, Deadline: 1001},
		"the caller's own":    {Kind: CallRead, From: 4, Horizon: 1001},
		"both, the later too": {Kind: CallRead, From: 4, Deadline: 5000, Horizon: 1001},
	} {
		a := ask(t, k)
		_, to := the[*paxos.Read](a)
		a.want(name, to, "l1")
		a.tick(501)
		q, to := the[*paxos.Read](a)
		a.want(name, to, "l2")
		a.m.Step("l2", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 9, Records: records(3, 4)})
		if !a.done() || k.Err != nil || k.Learner != "l2" {
			t.Errorf("%s: %+v", name, k)
		}
	}
}

// TestReadAbsent: that there is no such index is said only after a quorum was asked.
func TestReadAbsent(t *testing.T) {
	a := ask(t, &Call{Kind: CallRead, From: 4})
	q, _ := the[*paxos.Read](a)
	a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 3})
	l, _ := the[*paxos.Locate](a)
	a.m.Step("l1", &paxos.Located{Nonce: l.Nonce, First: 1, Last: 3})
	if !a.done() || !errors.Is(a.k.Err, ErrNotFound) {
		t.Errorf("%v", a.k.Err)
	}
	a = ask(t, &Call{Kind: CallRead, From: 4})
	q, _ = the[*paxos.Read](a)
	a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 3})
	l, _ = the[*paxos.Locate](a)
	a.m.Step("l1", &paxos.Located{Nonce: l.Nonce, First: 1, Last: 4}) // it was behind
	q, _ = the[*paxos.Read](a)
	if !q.Wait {
		t.Error("it does not wait for an entry that exists")
	}
	a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 4, Records: records(4, 1)})
	if !a.done() || a.k.Err != nil {
		t.Errorf("%v", a.k.Err)
	}
}

// TestManyAtOnce: a page without entries, although the entry is there, says that the
// connection was sent enough for once. The same learner is asked again.
func TestManyAtOnce(t *testing.T) {
	for _, kind := range []CallKind{CallRead, CallPage} {
		a := ask(t, &Call{Kind: kind, From: 4, UpTo: 9, Follow: kind == CallPage})
		q, _ := the[*paxos.Read](a)
		a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 4})
		a.tick(2)
		q, to := the[*paxos.Read](a)
		a.want("asked", to, "l1")
		a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 1, Last: 4, Records: records(4, 1)})
		if !a.done() || a.k.Err != nil {
			t.Errorf("%d: %v", kind, a.k.Err)
		}
	}
}

// TestTrimmed: what is below the first index kept is told so.
func TestTrimmed(t *testing.T) {
	for _, kind := range []CallKind{CallRead, CallPage} {
		a := ask(t, &Call{Kind: kind, From: 4, UpTo: 9})
		q, _ := the[*paxos.Read](a)
		a.m.Step("l1", &paxos.LogPage{Nonce: q.Nonce, First: 7, Last: 9, Records: records(7, 3)})
		if !a.done() || !errors.Is(a.k.Err, ErrTrimmed) || !strings.Contains(a.k.Err.Error(), "first index kept is 7") {
			t.Errorf("%d: %v", kind, a.k.Err)
		}
	}
}

// TestUndecided: a learner that cannot decide a read is left for another one, after a
// pause, and the error names what it said.
func TestUndecided(t *testing.T) {
	a := ask(t, &Call{Kind: CallEnd, Deadline: 200})
	q, to := the[*paxos.Locate](a)
	a.want("asked", to, "l1")
	a.m.Step("l1", &paxos.Located{Nonce: q.Nonce, Open: 3, Detail: "instance 3 is open"})
	a.want("at once", len(sentTo[*paxos.Locate](a.flush(), "l2")), 0)
	a.tick(1 + undecidedWait)
	_, to = the[*paxos.Locate](a)
	a.want("then", to, "l2")
	a.tick(200)
	if !a.done() || !errors.Is(a.k.Err, ErrUnavailable) || !strings.Contains(a.k.Err.Error(), "instance 3 is open") {
		t.Errorf("%v", a.k.Err)
	}
	a.want("withdrawn", len(sentTo[*paxos.Withdraw](a.flush(), "l2")), 1)
}

// TestWithdrawn: what is given up is withdrawn at the learner that was asked, and a late
// answer is nothing.
func TestWithdrawn(t *testing.T) {
	for _, k := range []*Call{
		{Kind: CallEnd}, {Kind: CallRead, From: 1}, {Kind: CallPage, From: 1, UpTo: 9, Follow: true}, {Kind: CallResolve, ID: paxos.AppendID{Seq: 1}},
	} {
		a := ask(t, k)
		if out := a.flush(); len(out) != 1 || out[0].To != "l1" {
			t.Fatalf("sent %v", out)
		}
		nonce := k.question.nonce
		a.m.Withdraw(k, errEnough)
		w, to := the[*paxos.Withdraw](a)
		if to != "l1" || w.Nonce != nonce || !a.done() || !errors.Is(k.Err, errEnough) {
			t.Errorf("kind %d: %v to %s; %v", k.Kind, w, to, k.Err)
		}
		a.m.Step("l1", &paxos.LogPage{Nonce: nonce, First: 1, Last: 9, Records: records(1, 9)})
		a.m.Step("l1", &paxos.Located{Nonce: nonce})
		a.m.Step("l1", &paxos.Found{Nonce: nonce, Closed: true})
		if a.done() || len(a.m.calls) != 0 || len(a.m.asked) != 0 {
			t.Errorf("kind %d: something is left", k.Kind)
		}
	}
}

// TestFollowers: those who follow the log at one learner ask it together whether it
// keeps up, once a second, and leave it when it does not.
func TestFollowers(t *testing.T) {
	h := &harness{t: t, m: newMachine()}
	var calls []*Call
	for range 5 {
		k := &Call{Kind: CallPage, From: 4, UpTo: 1 << 62, Follow: true}
		calls = append(calls, k)
		h.m.Ask(k)
	}
	h.flush()
	for now := paxos.Ticks(1 + followWait); now < 5000; now += followWait {
		h.tick(now)
		locates := sentTo[*paxos.Locate](h.flush(), "l1")
		h.want("questions", len(locates), 1)
		h.m.Step("l1", &paxos.Located{Nonce: locates[0].Nonce, First: 1, Last: 3})
	}
	h.want("reads at the other", len(sentTo[*paxos.Read](h.flush(), "l2")), 0)
	h.tick(5001)
	locates := sentTo[*paxos.Locate](h.flush(), "l1")
	h.want("questions", len(locates), 1)
	h.m.Step("l1", &paxos.Located{Nonce: locates[0].Nonce, First: 1, Last: 4}) // the entry exists, and does not come
	h.want("reads at the other", len(sentTo[*paxos.Read](h.flush(), "l2")), 5)
	h.tick(6001)
	h.flush()
	h.tick(7001) // silence
	h.want("reads at the first again", len(sentTo[*paxos.Read](h.flush(), "l1")), 5)
	for _, k := range calls {
		if k.done {
			t.Error("a follower was answered")
		}
	}
}

// TestResolve: the session is fenced once, through whoever leads, and looked up until
// some learner knows it to be closed.
func TestResolve(t *testing.T) {
	id := paxos.AppendID{Session: paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{7}), Seq: 3}
	a := ask(t, &Call{Kind: CallResolve, ID: id})
	fences := 0
	for now := paxos.Ticks(1); !a.k.done && now < 60_000; now += 5 {
		a.tick(now)
		for _, e := range a.flush() {
			switch q := e.Msg.(type) {
			case *paxos.Lookup:
				closed := e.To == "l2" // l1 never comes to know it
				a.m.Step(e.To, &paxos.Found{Nonce: q.Nonce, Closed: closed, Index: paxos.Index(7 * b2i(closed))})
			case *paxos.Append:
				fences++
			}
		}
	}
	if a.k.Err != nil || !a.k.Chosen || a.k.Index != 7 || fences == 0 || fences > 3 {
		t.Errorf("%+v, %d fences", a.k, fences)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestResolveFuture: that no such append was ever sent is said only by a learner that
// has what a quorum has chosen.
func TestResolveFuture(t *testing.T) {
	for _, behind := range []bool{true, false} {
		a := ask(t, &Call{Kind: CallResolve, ID: paxos.AppendID{Session: paxos.NewSessionID(9, paxos.Stamp{}, [12]byte{7}), Seq: 3}})
		q, _ := the[*paxos.Lookup](a)
		a.m.Step("l1", &paxos.Found{Nonce: q.Nonce, Future: true})
		l, to := the[*paxos.Locate](a)
		a.m.Step(to, &paxos.Located{Nonce: l.Nonce})
		q, again := the[*paxos.Lookup](a)
		a.want("asked again", again, to)
		a.m.Step(to, &paxos.Found{Nonce: q.Nonce, Future: !behind, Closed: behind})
		if !a.done() || errors.Is(a.k.Err, ErrFutureAppend) == behind {
			t.Errorf("behind %v: %v", behind, a.k.Err)
		}
	}
}

// TestResolveOwn: an append that this client still has is waited for, and its session is
// not fenced; one that was answered is looked up; one that was never made is told so.
func TestResolveOwn(t *testing.T) {
	h := newHarness(t, 2)
	h.send()
	h.GiveUp(h.entries[0], errEnough)
	first := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 1}}
	left := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 2}}
	never := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 3}}
	for _, k := range []*Call{first, left, never} {
		h.m.Ask(k)
	}
	h.want("asked or fenced", len(h.flush()), 0)
	if !errors.Is(never.Err, ErrFutureAppend) {
		t.Errorf("%v", never.Err)
	}
	h.m.Withdraw(left, errEnough)
	h.applied(1, 2, 41)
	if !first.done || first.Err != nil || !first.Chosen || first.Index != 41 || left.Index != 0 {
		t.Errorf("%+v %+v", first, left)
	}
	again := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 1}}
	h.m.Ask(again)
	q := sentTo[*paxos.Lookup](h.flush(), "l1")
	h.m.Step("l1", &paxos.Found{Nonce: q[0].Nonce}) // it is behind
	h.tick(1 + resolvePoll)
	out := h.flush()
	h.want("fences", len(sentTo[*paxos.Append](out, "p1")), 0)
	h.m.Step("l1", &paxos.Found{Nonce: sentTo[*paxos.Lookup](out, "l1")[0].Nonce, Index: 41})
	if !again.done || again.Index != 41 {
		t.Errorf("%+v", again)
	}
}

// TestResolveAfterEnd: when the session ends while Resolve waits for its answer, its fate
// is asked from the learners.
func TestResolveAfterEnd(t *testing.T) {
	h := newHarness(t, 1)
	h.send()
	k := &Call{Kind: CallResolve, ID: paxos.AppendID{Session: h.id, Seq: 1}}
	h.m.Ask(k)
	h.End(ErrSessionEnded, nil)
	q := sentTo[*paxos.Lookup](h.flush(), "l1")
	h.want("asked", len(q), 1)
	h.m.Step("l1", &paxos.Found{Nonce: q[0].Nonce})
	h.want("fences", len(sentTo[*paxos.Append](h.flush(), "p1")), 1)
}

// TestClosed: whatever waits fails at once, and whatever comes later too.
func TestClosed(t *testing.T) {
	for _, kind := range []CallKind{CallEnd, CallRead, CallPage, CallResolve} {
		k, late := &Call{Kind: kind, From: 1, ID: paxos.AppendID{Seq: 1}}, &Call{Kind: kind, From: 1, ID: paxos.AppendID{Seq: 1}}
		a := ask(t, k)
		a.m.Close()
		a.m.Ask(late)
		if !errors.Is(k.Err, ErrClosed) || !errors.Is(late.Err, ErrClosed) || !k.done || !late.done {
			t.Errorf("kind %d: %v, %v", kind, k.Err, late.Err)
		}
		if s := a.m.Open([12]byte{}); !errors.Is(s.Err(), ErrClosed) {
			t.Errorf("a session was opened: %v", s.Err())
		}
	}
}

// TestOutOfBounds: an index, a time or an append id that no log can have is answered, and
// no learner is asked for what it would take for damage.
func TestOutOfBounds(t *testing.T) {
	a := ask(t, &Call{Kind: CallRead, From: 1<<64 - 1})
	if q, _ := the[*paxos.Read](a); q.From >= paxos.Bound || q.UpTo >= paxos.Bound {
		t.Errorf("it asks for %d to %d", q.From, q.UpTo)
	}
	a.m.Step("l1", &paxos.LogPage{Nonce: a.k.question.nonce, First: 1, Last: 7})
	a.m.Step("l1", &paxos.Located{Nonce: a.k.question.nonce, First: 1, Last: 7})
	if !a.done() || !errors.Is(a.k.Err, ErrNotFound) || !strings.Contains(a.k.Err.Error(), "the log ends at 7") {
		t.Errorf("a read far beyond the end: %v", a.k.Err)
	}
	for at, want := range map[paxos.UnixNanos]paxos.UnixNanos{1<<63 - 1: paxos.Bound - 1, -1 << 63: 1 - paxos.Bound, 5: 5} {
		if q, _ := the[*paxos.Locate](ask(t, &Call{Kind: CallEnd, At: at})); q.Time != want {
			t.Errorf("the time %d is asked for as %d", at, q.Time)
		}
	}
	a = ask(t, &Call{Kind: CallResolve, ID: paxos.AppendID{Seq: paxos.Bound}})
	if !a.done() || !errors.Is(a.k.Err, ErrFutureAppend) {
		t.Errorf("an append that no session can have: %v", a.k.Err)
	}
}
