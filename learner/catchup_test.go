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
		grown paxos.Instance // by how much the log grows while a page of 16 is on its way
		rests bool
	}{
		"nobody appends":          {0, false},
		"some append":             {1, true},
		"the log grows an eighth": {2, false},
		"the log grows fast":      {30, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLearner()
			l.Step("a1", &paxos.PollReply{Held: 500})
			first := sent[*paxos.Fetch](l.Flush(), "a1")
			if len(first) != 1 || first[0].From != 1 {
				t.Fatalf("it asks for %v", first)
			}
			l.Step("a2", &paxos.PollReply{Held: 500 + c.grown})
			l.Tick(11, 0) // the page took 10
			page := &paxos.Page{Nonce: first[0].Nonce, From: 1, Held: 500}
			for i := range paxos.Instance(16) {
				page.Values = append(page.Values, paxos.Vote{Instance: 1 + i, Value: paxos.Value{Origin: ballot(1), Batch: make([]byte, 100)}})
			}
			l.Step("a1", page)
			asked := func() bool {
				f := sent[*paxos.Fetch](l.Flush(), "a1")
				return len(f) > 0 && f[0].From == 17 && f[0].Values
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
	l.Step("a2", &paxos.PollReply{Held: 501})
	l.Tick(11, 0)
	page := &paxos.Page{Nonce: first[0].Nonce, From: 1, Held: 500}
	for i := range paxos.Instance(16) {
		page.Values = append(page.Values, paxos.Vote{Instance: 1 + i, Value: paxos.Value{Origin: ballot(1), Batch: make([]byte, 100)}})
	}
	l.Step("a1", page)
	l.Step("l1", &paxos.PeerDown{ID: "a1"})
	l.Tick(12, 0)
	out := l.Flush()
	for _, id := range []paxos.NodeID{"a2", "a3", "l2"} {
		for _, f := range sent[*paxos.Fetch](out, id) {
			if f.Values && f.From == 17 {
				return
			}
		}
	}
	t.Fatalf("nobody is asked for more: %+v", out.SendNow)
}

// behind is a learner that is told that a1 holds so much, and has asked it for the first page.
func behind(t *testing.T, held paxos.Instance) (l *Learner, asked *paxos.Fetch) {
	t.Helper()
	l = newLearner()
	l.Step("a1", &paxos.PollReply{Held: held})
	first := sent[*paxos.Fetch](l.Flush(), "a1")
	if len(first) != 1 || first[0].From != 1 || !first[0].Values {
		t.Fatalf("it asks for %v", first)
	}
	return l, first[0]
}

// pageOf answers a question with as many values as are asked for, and what its source holds.
func pageOf(f *paxos.Fetch, n, held paxos.Instance) *paxos.Page {
	m := &paxos.Page{Nonce: f.Nonce, From: f.From, Held: held}
	for i := range n {
		m.Values = append(m.Values, paxos.Vote{Instance: f.From + i, Value: paxos.Value{Origin: ballot(1), Batch: make([]byte, 100)}})
	}
	return m
}

// TestCopyingWhileMuchIsKeptAbove: a page is applied whole, also where what clients append has filled all
// the room for values above what comes next.
func TestCopyingWhileMuchIsKeptAbove(t *testing.T) {
	l, f := behind(t, 500)
	for i := range paxos.Instance(50) {
		l.Step("a2", &paxos.Relay{Ballot: ballot(1), Instance: 501 + i, Value: paxos.Value{Batch: make([]byte, 100)}})
	}
	if l.aheadBytes <= l.cfg.AheadBytes {
		t.Fatalf("%d bytes are kept, of %d", l.aheadBytes, l.cfg.AheadBytes)
	}
	l.Step("a1", pageOf(f, 16, 500))
	if l.state.Applied != 16 {
		t.Errorf("applied up to %d of a page with 16", l.state.Applied)
	}
}

// TestPagesInTurn: several pages are under way after the first; one that comes too early is applied when those before
// it are here, and a source that fails loses all of them to another one.
func TestPagesInTurn(t *testing.T) {
	l, f := behind(t, 500)
	l.Step("a1", pageOf(f, 16, 500))
	next := sent[*paxos.Fetch](l.Flush(), "a1")
	if len(next) != 1 || next[0].From != 17 {
		t.Fatalf("after the first page it asks for %+v", next)
	}
	l.Step("a2", &paxos.PollReply{Held: 510}) // so fast does the log grow
	l.Step("a1", pageOf(next[0], 16, 510))
	out := l.Flush()
	more := sent[*paxos.Fetch](out, "a1")
	if now := sent[*paxos.Fetch](paxos.Output{SendNow: out.SendNow}, "a1"); len(now) > 0 {
		t.Errorf("it asks before the store has the first page: %+v", now)
	}
	if len(more) < 3 || more[0].From != 33 || more[1].From != 49 || more[2].From != 65 {
		t.Fatalf("it asks for %+v", more)
	}
	l.Step("a1", pageOf(more[1], 16, 500))
	if l.state.Applied != 32 {
		t.Fatalf("applied up to %d", l.state.Applied)
	}
	l.Step("a1", pageOf(more[0], 16, 500))
	if l.state.Applied != 64 {
		t.Fatalf("applied up to %d", l.state.Applied)
	}
	l.Flush()
	l.Step("a1", pageOf(more[2], 0, 500)) // it has lost them
	l.Step("a1", pageOf(more[3], 16, 500))
	if l.state.Applied != 64 {
		t.Fatalf("applied up to %d", l.state.Applied)
	}
	l.Tick(l.now+l.cfg.RetryTicks, 0)
	out = l.Flush()
	for _, id := range []paxos.NodeID{"a2", "a3", "l2"} {
		for _, f := range sent[*paxos.Fetch](out, id) {
			if f.Values && f.From == 65 {
				return
			}
		}
	}
	t.Errorf("nobody else is asked for what is missing: %+v", out.SendNow)
}

// TestSourceThatShowsOtherValues: a source whose pages have what is here already, and nothing that was asked for, is
// no source: another one is asked.
func TestSourceThatShowsOtherValues(t *testing.T) {
	l, f := behind(t, 500)
	l.Step("a1", pageOf(f, 16, 500))
	f = sent[*paxos.Fetch](l.Flush(), "a1")[0]
	lie := pageOf(f, 1, 500)
	lie.Values[0].Instance = 3
	l.Step("a1", lie)
	if again := sent[*paxos.Fetch](l.Flush(), "a1"); len(again) > 0 || l.copying.asked != "" {
		t.Errorf("it asks the same one again: %+v", again)
	}
}

// TestNothingIsRelayedAfar: who misses many pages has no values relayed, which it would drop, and does so again when it
// has nearly caught up, however it came by the rest. What one acceptor alone says of the log changes nothing.
func TestNothingIsRelayedAfar(t *testing.T) {
	relays := func(out paxos.Output) (told, on bool) {
		for _, id := range members.Acceptors {
			for _, m := range sent[*paxos.Poll](out, id) {
				told, on = true, on || m.Values
			}
		}
		return told, on
	}
	const end = 1000
	l, f := behind(t, end)
	l.Step("a1", pageOf(f, 16, end))
	l.Tick(l.now+1, 0)
	if told, _ := relays(l.Flush()); told {
		t.Fatal("by the word of one acceptor")
	}
	l.Step("a2", &paxos.PollReply{Held: end})
	l.Tick(l.now+1, 0)
	if told, on := relays(l.Flush()); !told || on {
		t.Fatalf("with %d missing, told %v, relayed %v", end-l.state.Applied, told, on)
	}
	for i := l.state.Applied + 1; i <= end-farPages*16/2; i++ { // from one that was not asked
		l.Step("a3", &paxos.Page{From: i, Held: end, Values: []paxos.Vote{{Instance: i, Value: paxos.Value{Origin: ballot(1)}}}})
	}
	l.Tick(l.now+1, 0)
	if told, on := relays(l.Flush()); !told || !on {
		t.Errorf("with %d missing, told %v, relayed %v", end-l.state.Applied, told, on)
	}
}
