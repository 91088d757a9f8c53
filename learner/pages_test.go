package learner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// record is a log record of so many entries of one byte.
func record(first paxos.Index, count int, size int) paxos.LogRecord {
	return paxos.LogRecord{Instance: paxos.Instance(first), First: first, Count: uint64(count), Log: make([]byte, size)}
}

// loadsOf are the loads of one kind.
func loadsOf(out paxos.Output, kind paxos.LoadKind) (loads []paxos.Load) {
	for _, q := range out.Loads {
		if q.Kind == kind {
			loads = append(loads, q)
		}
	}
	return loads
}

func nonces(pages []*paxos.LogPage) string {
	text := ""
	for _, p := range pages {
		text += fmt.Sprintf("%d:%d ", p.Nonce, len(p.Records))
	}
	return text
}

// TestOneLoadForAllThatWait: four hundred reads that wait for one entry cost one load,
// and each is answered as it asked.
func TestOneLoadForAllThatWait(t *testing.T) {
	l := newLearner()
	for n := range 400 {
		l.Step(paxos.NodeID(fmt.Sprintf("@%d", n)), &paxos.Read{Nonce: 7, From: 1, MaxBytes: 10 * (n + 1), Wait: true})
	}
	l.Step("@x", &paxos.Read{Nonce: 7, From: 2, Wait: true}) // for the one after it
	l.Step("@y", &paxos.Read{Nonce: 7, From: 1, UpTo: 1, Wait: true})
	if out := l.Flush(); len(out.Loads) != 0 {
		t.Fatal("there is nothing to read yet")
	}
	s := sessionID(0, 1)
	loads := loadsOf(l.choose(1, run(s, 1, "a")), paxos.LoadLog)
	if len(loads) != 1 || loads[0].Index != 1 || loads[0].UpTo != 1 {
		t.Fatalf("%+v", loads)
	}
	l.Step("@z", &paxos.Read{Nonce: 7, From: 1, Wait: true}) // joins the load
	if out := l.Flush(); len(out.Loads) != 0 {
		t.Fatal("the same entries are read twice at once")
	}
	l.Step("l1", &paxos.Loaded{Load: loads[0], Log: []paxos.LogRecord{record(1, 1, 100), record(2, 1, 100), record(3, 1, 100)}})
	out := l.Flush()
	for to, want := range map[paxos.NodeID]int{"@0": 1, "@50": 3, "@32": 2, "@y": 1, "@z": 3} {
		if p := sent[*paxos.LogPage](out, to); len(p) != 1 || len(p[0].Records) != want {
			t.Errorf("%s is sent %s, want %d records", to, nonces(p), want)
		}
	}
	if p := sent[*paxos.LogPage](out, "@x"); len(p) != 0 || l.Report().Parked != 1 || l.Report().Loads != 0 {
		t.Errorf("a read of the next entry was answered: %+v", l.Report())
	}
	if loads = loadsOf(l.choose(2, run(s, 2, "b")), paxos.LoadLog); len(loads) != 1 || loads[0].Index != 2 {
		t.Errorf("the next entry: %+v", loads)
	}
}

// TestManyEntriesUnparkFew: reads that wait for entries far apart are served in order
// of the log, when one instance brings thousands.
func TestManyEntriesUnparkFew(t *testing.T) {
	l := newLearner()
	for i, from := range []paxos.Index{900, 3, 5000, 1, 77} {
		l.Step("@1", &paxos.Read{Nonce: uint64(i), From: from, Wait: true})
	}
	r := paxos.Run{Kind: paxos.RunAppend, Session: sessionID(0, 1), First: 1, Count: 1000}
	for range 1000 {
		r.Entries = paxos.AppendEntry(r.Entries, []byte("x"))
	}
	loads := loadsOf(l.choose(1, r.AppendTo(nil)), paxos.LoadLog)
	if len(loads) != 4 || loads[0].Index != 1 || loads[1].Index != 3 || loads[2].Index != 77 || loads[3].Index != 900 || l.Report().Parked != 1 {
		t.Fatalf("%+v", loads)
	}
}

// TestBurst: one connection is not sent more at once than it takes: the rest of its
// reads are answered with empty pages, and ask again.
func TestBurst(t *testing.T) {
	l := newLearner()
	for n := range uint64(10) {
		l.Step("@1", &paxos.Read{Nonce: n, From: 1, Wait: true})
		l.Step("@2", &paxos.Read{Nonce: n, From: 1, Wait: true})
		l.Step("@2", &paxos.Withdraw{Nonce: n - 1})
	}
	load := l.choose(1, run(sessionID(0, 1), 1, "a")).Loads[0]
	l.Step("l1", &paxos.Loaded{Load: load, Log: []paxos.LogRecord{record(1, 1, 1500)}})
	out := l.Flush()
	if got := nonces(sent[*paxos.LogPage](out, "@1")); got != "0:1 1:1 2:0 3:0 4:0 5:0 6:0 7:0 8:0 9:0 " {
		t.Errorf("@1: %s", got)
	}
	if got := nonces(sent[*paxos.LogPage](out, "@2")); got != "9:1 " {
		t.Errorf("@2, which waits for one only: %s", got)
	}
	l.Step("@1", &paxos.Read{Nonce: 2, From: 1})
	load = l.Flush().Loads[0]
	l.Step("l1", &paxos.Loaded{Load: load, Log: []paxos.LogRecord{record(1, 1, 9000)}})
	if got := nonces(sent[*paxos.LogPage](l.Flush(), "@1")); got != "2:1 " {
		t.Errorf("a page that is larger than a burst: %s", got)
	}
}

// TestWithdraw: what nobody waits for any more is not answered, at whatever point it is
// withdrawn, and nothing of it stays.
func TestWithdraw(t *testing.T) {
	s := sessionID(0, 1)
	read := &paxos.Read{Nonce: 5, From: 1, Wait: true}
	for name, c := range map[string]struct {
		ask     paxos.Message
		entries bool // there is an entry before it asks
		steps   func(l *Learner) paxos.Output
	}{
		"a read that waits": {ask: read},
		"a read that is being loaded": {ask: read, entries: true, steps: func(l *Learner) paxos.Output {
			return l.Flush()
		}},
		"a read that waited and is being loaded": {ask: read, steps: func(l *Learner) paxos.Output { return l.choose(1, run(s, 1, "a")) }},
		"a lookup":                               {ask: &paxos.Lookup{Nonce: 5, Session: s, Seq: 1}, steps: func(l *Learner) paxos.Output { return l.Flush() }},
		"a lookup that is withdrawn at once":     {ask: &paxos.Lookup{Nonce: 5, Session: s, Seq: 1}},
		"a read that is withdrawn at once":       {ask: read, entries: true},
		"a locate that waits for its round":      {ask: &paxos.Locate{Nonce: 5}},
		"a locate that polls":                    {ask: &paxos.Locate{Nonce: 5}, steps: func(l *Learner) paxos.Output { return l.Flush() }},
		"a locate that looks for a time":         {ask: &paxos.Locate{Nonce: 5, Stale: true, Time: 9}, steps: func(l *Learner) paxos.Output { return l.Flush() }},
	} {
		for _, gone := range []bool{false, true} {
			l := newLearner()
			if c.entries {
				l.choose(1, run(s, 1, "a"))
			}
			l.Step("@1", c.ask)
			if l.Report().Asked != 1 {
				t.Fatalf("%s: %+v", name, l.Report())
			}
			var out paxos.Output
			if c.steps != nil {
				out = c.steps(l)
			}
			if gone {
				l.Step("l1", &paxos.PeerDown{ID: "@1"})
			} else {
				l.Step("@2", &paxos.Withdraw{Nonce: 5}) // not its own
				l.Step("@1", &paxos.Withdraw{Nonce: 6}) // not this one
				if l.Report().Asked != 1 {
					t.Fatalf("%s: withdrawn by somebody else", name)
				}
				l.Step("@1", &paxos.Withdraw{Nonce: 5})
			}
			for _, q := range out.Loads {
				l.Step("l1", &paxos.Loaded{Load: q, Log: []paxos.LogRecord{record(1, 1, 10)}, Runs: []paxos.RunAt{{First: 1, Count: 1, Index: 1}}})
			}
			for tick := paxos.Ticks(2); tick < 3000; tick += 50 {
				l.Tick(tick, 0)
				for _, id := range members.Acceptors {
					l.Step(id, &paxos.PollReply{Nonce: l.reads.nonce})
				}
				more := l.Flush()
				if len(more.Loads) != 0 {
					t.Errorf("%s: it is read: %+v", name, more.Loads)
				}
				out.SendNow = append(out.SendNow, more.SendNow...)
			}
			for _, e := range out.SendNow {
				if e.To == "@1" {
					t.Errorf("%s: answered with a %T", name, e.Msg)
				}
			}
			if r := l.Report(); r.Asked != 0 || r.Parked != 0 || r.Loads != 0 || len(l.clients.questions.items) != 0 || len(l.reading) != 0 || len(l.clients.parked) != 0 {
				t.Errorf("%s: something stays: %+v", name, r)
			}
		}
	}
}

// TestParkedReadsAreBounded: at the bounds the oldest read of the connection that has
// most is answered with an empty page, and nobody is forgotten in silence.
func TestParkedReadsAreBounded(t *testing.T) {
	l := newLearner()
	for n := range uint64(maxParkedHere + 2) {
		l.Step("@1", &paxos.Read{Nonce: n, From: 1, Wait: true})
	}
	if got := nonces(sent[*paxos.LogPage](l.Flush(), "@1")); got != "0:0 1:0 " {
		t.Fatalf("the oldest are not answered: %s", got)
	}
	for id := paxos.NodeID("@2"); l.Report().Parked < maxParked; {
		for n := range uint64(100) {
			l.Step(id, &paxos.Read{Nonce: n, From: 1, Wait: true})
		}
		l.Flush()
		id += "x"
	}
	l.Flush() // 48 reads too many were parked meanwhile, in place of the first ones of @1
	l.Step("@last", &paxos.Read{Nonce: 1, From: 1, Wait: true})
	out := l.Flush()
	if len(sent[*paxos.LogPage](out, "@last")) != 0 || nonces(sent[*paxos.LogPage](out, "@1")) != "50:0 " || out.Halt != "" {
		t.Fatalf("who has most is sent %s; %s", nonces(sent[*paxos.LogPage](out, "@1")), out.Halt)
	}
}

// TestQuestionsAreBounded: a client with very many questions is told so.
func TestQuestionsAreBounded(t *testing.T) {
	l := newLearner()
	for n := range uint64(maxAsked) {
		l.Step("@1", &paxos.Lookup{Nonce: n, Session: sessionID(0, 1), Seq: 1})
	}
	l.Step("@1", &paxos.Locate{Nonce: 1 << 40})
	l.Step("@2", &paxos.Locate{Nonce: 1})
	out := l.Flush()
	if r := sent[*paxos.Located](out, "@1"); len(r) != 1 || r[0].Open == 0 || r[0].Detail == "" || l.Report().Asked != maxAsked+1 {
		t.Fatalf("%+v", r)
	}
}

// TestCopiesAreBounded: a peer that fetches without end does not fill the memory.
func TestCopiesAreBounded(t *testing.T) {
	l := newLearner()
	l.choose(1, nil)
	for n := range uint64(maxCopies + 10) {
		l.Step("a1", &paxos.Fetch{Nonce: n, From: 1, Values: true})
	}
	out := l.Flush()
	if len(out.Loads) != maxCopies || out.Halt != "" {
		t.Fatalf("%d loads; %s", len(out.Loads), out.Halt)
	}
	for _, q := range out.Loads {
		l.Step("l1", &paxos.Loaded{Load: q})
	}
	l.Step("a1", &paxos.Fetch{Nonce: 1 << 40, From: 1, Values: true})
	if out = l.Flush(); len(out.Loads) != 1 || len(sent[*paxos.Page](out, "a1")) != maxCopies {
		t.Fatalf("%d loads, %d pages", len(out.Loads), len(sent[*paxos.Page](out, "a1")))
	}
	l.Step("l1", &paxos.Loaded{Load: paxos.Load{Tag: 77}})
	if !strings.Contains(l.Flush().Halt, "a load is answered once") {
		t.Error("an answer to nothing is taken")
	}
}
