package learner

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// restoredLearner has what a restored log begins with: entries 1 and 2 were restored at the
// instances up to upto, and at is applied.
func restoredLearner(t *testing.T, at paxos.Instance) (l *Learner, since, upto paxos.Instance) {
	t.Helper()
	d, since := control.State{Log: paxos.LogID{7}}.Descend(40, 1)
	upto = since + 3
	d.Upto = upto
	g := control.Genesis{Log: paxos.LogID{8}, Level: control.Level, Sessions: 2, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 }), Descent: d}
	state, err := control.State{}.Apply(since, control.Batch(g), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.Knows = control.Level
	first := since + 1
	l = newLearnerWith(cfg, State{
		LearnerState: paxos.LearnerState{Applied: first, Next: 1, Floor: since, FirstIndex: 1, FirstInstance: first + 1},
		Control:      state.Encode(),
	})
	// The sessions of the old log: one that begins with its third command, as after a trim.
	for i, batch := range [][]byte{run(sessionID(9, 1), 3, "a"), run(sessionID(9, 1), 4, "b")} {
		if i := first + 1 + paxos.Instance(i); i <= at {
			l.choose(i, batch)
		}
	}
	return l, since, upto
}

// TestRestoredPart: what was restored is applied as it stands; from then on sessions of the old
// log append nothing, and its own do as in any log.
func TestRestoredPart(t *testing.T) {
	l, since, upto := restoredLearner(t, control.Generation*2)
	if l.state.Applied != upto || l.last() != 2 || l.sessions.len() != 0 {
		t.Fatalf("applied %d, last index %d, %d sessions", l.state.Applied, l.last(), l.sessions.len())
	}
	old, late, own := sessionID(9, 1), sessionID(since-1, 2), sessionID(upto, 3)
	for n, id := range []paxos.SessionID{old, late} {
		l.Step("@1", &paxos.Attach{Session: id, From: 5})
		l.refusesAncestor(t, l.Flush())
		l.refusesAncestor(t, l.choose(upto+1+paxos.Instance(n), run(id, 5, "c")))
	}
	l.choose(upto+3, paxos.Fence(old))
	if l.sessions.len() != 0 {
		t.Error("a fence makes an old log's session known")
	}
	l.choose(upto+4, run(own, 1, "d"))
	if l.last() != 3 || l.sessions.len() != 1 {
		t.Errorf("last index %d, %d sessions", l.last(), l.sessions.len())
	}
}

// refusesAncestor answers loads with nothing, and checks that a client is told that its session is
// of another log, and that nothing was applied.
func (l *Learner) refusesAncestor(t *testing.T, out paxos.Output) {
	t.Helper()
	for _, q := range out.Loads {
		l.Step("l1", &paxos.Loaded{Load: q})
		out = l.Flush()
	}
	if r := sent[*paxos.Result](out, "@1"); len(r) != 1 || r[0].Kind != paxos.ResultOfAncestor || r[0].First != 5 || l.last() != 2 {
		t.Errorf("%+v, last index %d", r, l.last())
	}
}

// TestLookupOfAnAncestor: an append of the old log is where it is, or nothing is known of it: it is
// never said that it never was. A learner that has not got all of the restored part cannot tell.
func TestLookupOfAnAncestor(t *testing.T) {
	for _, test := range []struct {
		name  string
		whole bool
		first paxos.Index // that is kept
		runs  []paxos.RunAt
		want  paxos.Found
		kind  paxos.ResultKind // of an attached client
	}{
		{"restored", true, 1, []paxos.RunAt{{First: 4, Count: 1, Index: 2}}, paxos.Found{Index: 2, Closed: true}, 0},
		{"not restored", true, 1, nil, paxos.Found{Future: true, OfAncestor: true, Ancestor: paxos.LogID{7}}, paxos.ResultOfAncestor},
		{"not yet", false, 1, nil, paxos.Found{Future: true}, paxos.ResultForgotten},
		{"trimmed, perhaps", true, 2, nil, paxos.Found{Future: true, Forgotten: true}, paxos.ResultForgotten},
	} {
		at := control.Generation * 2
		if !test.whole {
			at = 0
		}
		l, _, _ := restoredLearner(t, at)
		l.state.FirstIndex = test.first
		l.Step("@1", &paxos.Lookup{Nonce: 5, Session: sessionID(9, 1), Seq: 4})
		q := loadsOf(l.Flush(), paxos.LoadRuns)
		l.Step("l1", &paxos.Loaded{Load: q[0], Runs: test.runs})
		test.want.Nonce = 5
		if f := sent[*paxos.Found](l.Flush(), "@1"); len(f) != 1 || *f[0] != test.want {
			t.Errorf("%s: %+v", test.name, f[0])
		}
		if test.kind == 0 {
			continue
		}
		l.Step("@2", &paxos.Attach{Session: sessionID(9, 1), From: 4})
		q = loadsOf(l.Flush(), paxos.LoadRuns)
		l.Step("l1", &paxos.Loaded{Load: q[0]})
		if r := sent[*paxos.Result](l.Flush(), "@2"); len(r) != 1 || r[0].Kind != test.kind || r[0].First != 4 {
			t.Errorf("%s, attached: %+v", test.name, r)
		}
	}
}

// TestCopyForBackups: clients that copy get pages as learners do, few of them at once, and what
// comes beyond is told to come again.
func TestCopyForBackups(t *testing.T) {
	l := trimmedLearner() // instances 4 to 8
	ask := func(from paxos.Instance) ([]*paxos.Page, []paxos.Load) {
		l.Step("@1", &paxos.Copy{Nonce: 3, From: from})
		out := l.Flush()
		return sent[*paxos.Page](out, "@1"), out.Loads
	}
	if p, loads := ask(3); len(loads) != 0 || len(p) != 1 || p[0].First != 4 || p[0].Held != 8 {
		t.Errorf("trimmed: %+v", p)
	}
	if p, loads := ask(9); len(loads) != 0 || len(p) != 1 || p[0].Held != 8 {
		t.Errorf("past the end: %+v", p)
	}
	var loads []paxos.Load
	for range maxBackups {
		p, more := ask(4)
		if loads = append(loads, more...); len(p) != 0 {
			t.Errorf("%+v", p)
		}
	}
	if p, more := ask(4); len(loads) != maxBackups || len(more) != 0 || len(p) != 1 || len(p[0].Values) != 0 || p[0].Held < 4 {
		t.Errorf("%d loads, %+v", len(loads), p)
	}
	for _, q := range loads {
		l.Step("l1", &paxos.Loaded{Load: q, Votes: []paxos.Vote{{Instance: 4}}})
		if p := sent[*paxos.Page](l.Flush(), "@1"); len(p) != 1 || p[0].Nonce != 3 || len(p[0].Values) != 1 {
			t.Errorf("%+v", p)
		}
	}
	if _, more := ask(4); len(more) != 1 {
		t.Error("no room again")
	}
}
