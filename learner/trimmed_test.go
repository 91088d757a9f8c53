package learner

import (
	"strings"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// trimmedLearner has entries 5 to 9 and instances 4 to 8: what was below is trimmed.
func trimmedLearner() *Learner {
	return newLearnerWith(config(), State{LearnerState: paxos.LearnerState{Applied: 8, Next: 10, Time: 8, FirstIndex: 5, FirstInstance: 4}})
}

// TestReadBelowTheFirst: what was trimmed says so at once, waited for or not, and no
// load is spent on it; what is kept is read.
func TestReadBelowTheFirst(t *testing.T) {
	l := trimmedLearner()
	for from, trimmed := range map[paxos.Index]bool{0: true, 1: true, 4: true, 5: false, 9: false} {
		for _, wait := range []bool{false, true} {
			l.Step("@1", &paxos.Read{Nonce: 1, From: from, Wait: wait})
			out := l.Flush()
			p := sent[*paxos.LogPage](out, "@1")
			switch {
			case trimmed && (len(p) != 1 || p[0].First != 5 || p[0].Last != 9 || len(p[0].Records) != 0 || len(out.Loads) != 0):
				t.Errorf("from %d: %+v", from, p)
			case !trimmed && (len(p) != 0 || len(out.Loads) != 1 || out.Loads[0].Index != from):
				t.Errorf("from %d: %+v, %+v", from, p, out.Loads)
			}
		}
	}
	l.Step("@2", &paxos.Locate{Nonce: 1, Stale: true})
	l.Step("@2", &paxos.Locate{Nonce: 2, Stale: true, Time: 1})
	out := l.Flush()
	load := loadsOf(out, paxos.LoadTime)[0]
	l.Step("l1", &paxos.Loaded{Load: load, Index: 3}) // a record that begins before what is kept
	r := append(sent[*paxos.Located](out, "@2"), sent[*paxos.Located](l.Flush(), "@2")...)
	if len(r) != 2 || r[0].First != 5 || r[0].Last != 9 || r[1].AtTime != 5 {
		t.Errorf("%+v %+v", r[0], r[1])
	}
	if r := l.Report(); r.First != 5 || r.Kept != 4 || r.Last != 9 {
		t.Errorf("%+v", r)
	}
}

// TestFetchBelowTheFirst: who copies is told what is kept.
func TestFetchBelowTheFirst(t *testing.T) {
	l := trimmedLearner()
	for from, trimmed := range map[paxos.Instance]bool{1: true, 3: true, 4: false, 8: false, 9: false} {
		l.Step("a1", &paxos.Fetch{Nonce: 1, From: from, Values: true})
		out := l.Flush()
		p := sent[*paxos.Page](out, "a1")
		for _, q := range out.Loads {
			l.Step("l1", &paxos.Loaded{Load: q, Votes: []paxos.Vote{{Instance: from}}})
			p = append(p, sent[*paxos.Page](l.Flush(), "a1")...)
		}
		if len(p) != 1 || p[0].First != 4 || p[0].Held != 8 || p[0].From != from {
			t.Fatalf("from %d: %+v", from, p)
		}
		if kept := from >= 4 && from <= 8; (len(p[0].Values) == 1) != kept || (p[0].First > from) != trimmed {
			t.Errorf("from %d: %+v", from, p[0])
		}
	}
}

// TestSourceHasTrimmed: a learner that misses what a source has trimmed asks others, and
// says whom it could not ask.
func TestSourceHasTrimmed(t *testing.T) {
	l := newLearner()
	l.Step("a1", &paxos.PollReply{Held: 500})
	l.Step("a2", &paxos.PollReply{Held: 500})
	asked, warned := map[paxos.NodeID]int{}, 0
	for tick := paxos.Ticks(2); tick < 20000; tick += 10 {
		l.Tick(tick, 0)
		out := l.Flush()
		for _, n := range out.Notes {
			if strings.Contains(n.Text, "trimmed") {
				warned++
			}
		}
		for _, id := range append(members.Acceptors, "l2") {
			for _, f := range sent[*paxos.Fetch](out, id) {
				if !f.Values {
					continue
				}
				asked[id]++
				p := &paxos.Page{Nonce: f.Nonce, From: f.From, Held: 500}
				if id == "a2" {
					p.First = 100
				}
				l.Step(id, p)
			}
		}
	}
	if asked["a2"] != 1 || asked["a1"] < 3 || asked["l2"] < 3 || warned != 1 {
		t.Errorf("asked %v, warned %d times", asked, warned)
	}
}

// TestTrimmedAtUnknownLevel: who does not know the level of a log of which it needs a checkpoint
// says so, and what to do, and takes nothing.
func TestTrimmedAtUnknownLevel(t *testing.T) {
	l := newLearner()
	l.cfg.Knows = control.Level
	l.Step("a1", &paxos.PollReply{Held: 500})
	told, wrote := map[string]int{}, 0
	for tick := paxos.Ticks(2); tick < 5000; tick += 10 {
		l.Tick(tick, 0)
		out := l.Flush()
		wrote += len(out.Writes)
		for _, n := range out.Notes {
			told[n.Text]++
		}
		for _, id := range append(members.Acceptors, "l2") {
			for _, f := range sent[*paxos.Fetch](out, id) {
				if f.Values {
					l.Step(id, &paxos.Page{Nonce: f.Nonce, From: f.From, Held: 500, First: 100, Control: control.State{Level: control.Level + 1}.Encode()})
				}
			}
		}
	}
	const want = "what is needed next was trimmed, and the state of the log that stands in its place is not known here: use the version of paxlog that the others have"
	if told[want] != 4 || told["a process has trimmed what is needed next: it is copied from another one that still has it"] > 0 || wrote > 0 || l.state.Applied != 0 {
		t.Errorf("told %v, %d writes, applied %d", told, wrote, l.state.Applied)
	}
}

// TestStateIsWrittenWithTheFirst: what is kept is part of the state that is written, and
// a state without it, as of today's directories, begins at 1.
func TestStateIsWrittenWithTheFirst(t *testing.T) {
	for want, l := range map[paxos.Index]*Learner{5: trimmedLearner(), 1: newLearner()} {
		i := l.state.Applied + 1
		for _, w := range l.choose(i, run(sessionID(0, 1), 1, "a")).Writes {
			if st, ok := w.(paxos.SetLearner); ok && (st.State.FirstIndex != want || st.State.FirstInstance == 0) {
				t.Errorf("%+v", st.State)
			}
		}
	}
}

// TestForgottenBelowTheFirst: a session that nobody knows any more is told to have expired only if
// all of its commands would be in what is kept: what was trimmed may have had some.
func TestForgottenBelowTheFirst(t *testing.T) {
	for birth, want := range map[paxos.Instance]paxos.ResultKind{2: paxos.ResultForgotten, 3: paxos.ResultForgotten, 4: paxos.ResultExpired, 5: paxos.ResultExpired} {
		l := trimmedLearner() // keeps instances 4 to 8
		l.state.Floor = 6
		l.Step("@1", &paxos.Attach{Session: sessionID(birth, 1), From: 1})
		for _, q := range loadsOf(l.Flush(), paxos.LoadRuns) {
			l.Step("l1", &paxos.Loaded{Load: q})
		}
		if r := sent[*paxos.Result](l.Flush(), "@1"); len(r) != 1 || r[0].Kind != want || r[0].First != 1 {
			t.Errorf("born at %d: %+v", birth, r)
		}
	}
}
