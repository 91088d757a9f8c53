package learner

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// learned is a learner of a hundred entries of a session.
func learned(s paxos.SessionID) *Learner {
	l := newLearner()
	for i := paxos.Instance(1); i <= 100; i++ {
		l.choose(i, run(s, uint64(i), "a"))
	}
	return l
}

// load answers a load that was asked for.
func (l *Learner) answerLoad(q paxos.Load) paxos.Output {
	m := &paxos.Loaded{Load: q}
	switch q.Kind {
	case paxos.LoadRuns:
		m.Runs = []paxos.RunAt{{First: q.Seq, Count: 1, Index: 1, Instance: 1}}
	case paxos.LoadLog:
		m.Log = []paxos.LogRecord{{Instance: 1, First: q.Index, Count: 1}}
	}
	l.Step("l1", m)
	return l.Flush()
}

// TestLoadsTakeTurns: a client that asks for thousands of loads has few of them under way, and
// another one's question is loaded among the next.
func TestLoadsTakeTurns(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	for n := range uint64(5000) {
		l.Step("@1", &paxos.Lookup{Nonce: 1 + n, Session: s, Seq: 1 + n%100})
	}
	underWay := l.Flush().Loads
	if len(underWay) != MaxLoads {
		t.Fatalf("%d loads are under way", len(underWay))
	}
	l.Step("@2", &paxos.Read{Nonce: 1, From: 7})
	if n := len(l.Flush().Loads); n != 0 {
		t.Fatalf("%d more are under way", n)
	}
	// Of the next loads one is of the second client: connections take turns.
	of := map[paxos.LoadKind]int{}
	for _, q := range underWay[:2] {
		for _, next := range l.answerLoad(q).Loads {
			of[next.Kind]++
		}
	}
	if of[paxos.LoadLog] != 1 || of[paxos.LoadRuns] != 1 {
		t.Errorf("two loads were done, and the next are %v", of)
	}
}

// TestLeavingEndsLoads: what a client that left had asked for is not read any more, but for the few
// loads that are under way.
func TestLeavingEndsLoads(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	for n := range uint64(3000) {
		l.Step("@1", &paxos.Lookup{Nonce: 1 + n, Session: s, Seq: 1 + n%100})
		l.Step("@1", &paxos.Read{Nonce: 10_000 + n, From: 1 + paxos.Index(n%100)})
	}
	underWay := l.Flush().Loads
	l.Step("l1", &paxos.PeerDown{ID: "@1"})
	loaded := 0
	for ; len(underWay) > 0; loaded++ {
		q := underWay[0]
		underWay = append(underWay[1:], l.answerLoad(q).Loads...)
	}
	if loaded > MaxLoads {
		t.Errorf("%d loads were done for a client that had left", loaded)
	}
	if len(l.loads) != 0 || len(l.due.byTag) != 0 || len(l.due.turns) != 0 || len(l.due.loaded) != 0 || len(l.reading) != 0 {
		t.Errorf("%d loads, %d due, %d turns, %d under way are left", len(l.loads), len(l.due.byTag), len(l.due.turns), len(l.due.loaded))
	}
}

// TestAttachedAgainAndAgain: however often a client attaches a session, what became of its commands
// is read once at a time, and the last answer has all that any Attach asked for.
func TestAttachedAgainAndAgain(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	l.Step("@1", &paxos.Attach{Session: s, From: 50})
	first := l.Flush().Loads
	for range 2000 {
		l.Step("@1", &paxos.Attach{Session: s, From: 3})
		l.Step("@1", &paxos.Attach{Session: s, From: 60})
	}
	if n := len(l.Flush().Loads); len(first) != 1 || n != 0 {
		t.Fatalf("%d loads, and %d more", len(first), n)
	}
	next := l.answerLoad(first[0]).Loads
	if len(next) != 1 || next[0].Seq != 3 || next[0].UpToSeq != 100 {
		t.Fatalf("%+v", next)
	}
	if out := l.answerLoad(next[0]); len(out.Loads) != 0 {
		t.Errorf("%+v", out.Loads)
	}
}

// TestSharedPageOutlivesItsReader: a page that several connections wait for is loaded also when the
// first of them has left before its turn.
func TestSharedPageOutlivesItsReader(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	for n := range uint64(MaxLoads) {
		l.Step("@9", &paxos.Lookup{Nonce: 1 + n, Session: s, Seq: 1 + n%100})
	}
	underWay := l.Flush().Loads
	l.Step("@1", &paxos.Read{Nonce: 1, From: 7})
	l.Step("@2", &paxos.Read{Nonce: 2, From: 7})
	l.Step("l1", &paxos.PeerDown{ID: "@1"})
	l.Flush()
	out := l.answerLoad(underWay[0])
	if len(out.Loads) != 1 || out.Loads[0].Index != 7 {
		t.Fatalf("%+v", out.Loads)
	}
	if p := sent[*paxos.LogPage](l.answerLoad(out.Loads[0]), "@2"); len(p) != 1 || len(p[0].Records) != 1 {
		t.Errorf("%+v", p)
	}
}

// TestBudgetOfQuestions: many connections that ask for much at once fill the budget of all and no
// more, and one that has asked for little is answered.
func TestBudgetOfQuestions(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	for c := range 20 {
		id := paxos.NodeID(fmt.Sprintf("@%d", 10+c))
		for n := range uint64(maxAsked) {
			l.Step(id, &paxos.Lookup{Nonce: 1 + n, Session: s, Seq: 1 + n%100})
		}
	}
	if n := len(l.clients.byNonce); n < maxAskedAll || n > 2*maxAskedAll {
		t.Errorf("%d questions wait", n)
	}
	l.Step("@2", &paxos.Lookup{Nonce: 1, Session: s, Seq: 1})
	if l.clients.all.at(l.clients.byID["@2"]).asked.n != 1 {
		t.Error("a client that has asked nothing is not heard")
	}
}

// TestBudgetOfAttachments: the connection that has most gives up its oldest session, and is told so.
func TestBudgetOfAttachments(t *testing.T) {
	l := newLearner()
	id := func(n int) paxos.SessionID {
		return paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(n), byte(n >> 8), byte(n >> 16)})
	}
	const each = maxAttachedAll / 20
	for n := range maxAttachedAll {
		l.Step(paxos.NodeID(fmt.Sprintf("@%d", 10+min(n/each, 19))), &paxos.Attach{Session: id(n), From: 1})
	}
	l.Flush()
	l.Step("@2", &paxos.Attach{Session: id(maxAttachedAll), From: 1})
	out := l.Flush()
	if out.Halt != "" || len(l.clients.attachedTo) != maxAttachedAll || l.attachment(id(maxAttachedAll)) == nil || len(sent[*paxos.Detached](out, "@29")) != 1 {
		t.Errorf("%d attached, %+v", len(l.clients.attachedTo), sent[*paxos.Detached](out, "@29"))
	}
}

// TestFewRunsAtFirst: who asks what became of all commands of a long session gets few in the first load, and more
// in each that follows.
func TestFewRunsAtFirst(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	l.Step("@1", &paxos.Attach{Nonce: 1, Session: s, From: 1})
	for _, want := range []int{firstRuns, 4 * firstRuns, 16 * firstRuns, 16 * firstRuns} {
		loads := l.Flush().Loads
		if len(loads) != 1 || loads[0].MaxRuns != want {
			t.Fatalf("%+v is loaded, %d runs were to be", loads, want)
		}
		l.Step("l1", &paxos.Loaded{Load: loads[0], Runs: []paxos.RunAt{{First: loads[0].Seq, Count: 1, Index: 1, Instance: 1}}, More: true})
	}
	last := l.Flush().Loads
	l.answerLoad(last[0])
	l.Step("@1", &paxos.Attach{Nonce: 2, Session: s, From: 1})
	if loads := l.Flush().Loads; len(loads) != 1 || loads[0].MaxRuns != firstRuns {
		t.Errorf("asked again, it loads %+v", loads)
	}
}

// TestSearchesArePaced: clients that attach long sessions again and again have runs found at a bounded rate, and
// pages are loaded for others meanwhile.
func TestSearchesArePaced(t *testing.T) {
	s := sessionID(0, 1)
	l := learned(s)
	now := paxos.Ticks(1000)
	l.Tick(now, 1)
	found := 0
	attack := func() {
		for {
			l.Step(paxos.NodeID(fmt.Sprintf("@%d", found)), &paxos.Attach{Nonce: 1, Session: s, From: 1})
			loads := l.Flush().Loads
			switch {
			case len(loads) == 0:
				return
			case found > 8*searchBurst:
				t.Fatalf("%d runs are found without a pause", found)
			}
			for _, q := range loads {
				m := &paxos.Loaded{Load: q}
				for i := range uint64(q.MaxRuns) {
					m.Runs = append(m.Runs, paxos.RunAt{First: q.Seq + i, Count: 1, Index: 1, Instance: 1})
				}
				found += len(m.Runs)
				l.Step("l1", m)
			}
		}
	}
	if attack(); found < searchBurst*9/10 || found > searchBurst+firstRuns {
		t.Errorf("%d runs are found at once", found)
	}
	l.Step("@other", &paxos.Read{Nonce: 1, From: 7})
	if loads := l.Flush().Loads; len(loads) != 1 || loads[0].Kind != paxos.LoadLog {
		t.Errorf("a page that was asked for meanwhile: %+v is loaded", loads)
	}
	found = 0
	for end := now + 1000; now < end; {
		now = max(now+1, l.Next())
		l.Tick(now, 1)
		attack()
	}
	if found < 850*searchRate || found > 1050*searchRate {
		t.Errorf("%d runs are found in a second", found)
	}
}
