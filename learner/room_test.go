package learner

import (
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestFullLearner: a learner whose disk is full goes on with what is beyond, then applies no
// entries, sends clients elsewhere, and serves what it has. With room it goes on.
func TestFullLearner(t *testing.T) {
	l := newLearner()
	s := sessionID(0, 1)
	l.choose(1, run(s, 1, "one"))
	l.Step("@1", &paxos.Attach{Nonce: 1, Session: s, From: 1})
	l.Step("l1", &paxos.DiskRoom{Values: paxos.RoomFor(0), Beyond: 100, Free: 5})
	if polls := sent[*paxos.Poll](l.Flush(), "a1"); len(polls) != 1 || !polls[0].Room.IsShort() || polls[0].DiskFree != 5 {
		t.Errorf("acceptors are told %+v", polls)
	}
	for i := paxos.Instance(2); i <= 9; i++ {
		l.choose(i, run(s, uint64(i), fmt.Sprintf("entry %d of twenty bytes", i)))
	}
	if r := l.Report(); !r.Out || r.Applied < 2 || r.Applied > 4 {
		t.Fatalf("%+v", r)
	}
	applied := l.state.Applied
	l.Step("@2", &paxos.PeerUp{ID: "@2", Role: paxos.RoleClient})
	l.Step("@2", &paxos.Read{Nonce: 1, From: paxos.Index(applied)})
	out := l.Flush()
	if e := sent[*paxos.Elsewhere](out, "@2"); len(e) != 1 || !e[0].Drained {
		t.Errorf("a client is told %+v", e)
	}
	if len(loadsOf(out, paxos.LoadLog)) != 1 {
		t.Errorf("what it has is not read: %+v", out.Loads)
	}
	for range 30 { // it fetches nothing
		l.Tick(l.now+100, 0)
		for _, id := range append(members.Acceptors, "l2") {
			for _, f := range sent[*paxos.Fetch](l.Flush(), id) {
				if f.Values {
					t.Fatalf("%+v", f)
				}
			}
		}
	}
	l.Step("l1", &paxos.DiskRoom{Values: paxos.RoomFor(1 << 30), Beyond: 100})
	out = l.Flush()
	if e := sent[*paxos.Elsewhere](out, "@1"); len(e) != 1 || e[0].Drained {
		t.Errorf("clients are told %+v", e)
	}
	if l.state.Applied != 9 || l.Report().Out {
		t.Errorf("%+v", l.Report())
	}
}

// TestFullLearnerTrims: a learner that is out asks what the log has trimmed, and deletes what it
// has of that, if it knows that checkpoint to be complete; and nothing because of one that it does
// not know.
func TestFullLearnerTrims(t *testing.T) {
	base := control.Checkpoint{T: 4, From: 5, To: 6, Size: 9, Next: 5, Time: 4, Chain: paxos.Chain{7}}
	own := control.State{Level: control.Level, Log: paxos.LogID{1}, Since: 1, At: 7, FirstIndex: 1, Sessions: 10, Complete: []control.Checkpoint{base}, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 })}
	for name, base2 := range map[string]control.Checkpoint{"known": base, "not known": {T: 4, From: 5, To: 6, Size: 9, Next: 5, Time: 4, Chain: paxos.Chain{8}}} {
		cfg := config()
		cfg.Knows = control.Level
		l := newLearnerWith(cfg, State{LearnerState: paxos.LearnerState{Applied: 8, Next: 9, Time: 8}, Control: own.Encode()})
		l.Step("l1", &paxos.DiskRoom{Values: paxos.RoomFor(0)})
		l.choose(9, run(sessionID(8, 1), 1, "more"))
		var asked []*paxos.Fetch
		var by paxos.NodeID
		for range 20 {
			l.Tick(l.now+100, 0)
			out := l.Flush()
			for _, id := range append(members.Acceptors, "l2") {
				if f := sent[*paxos.Fetch](out, id); len(f) > 0 {
					asked, by = append(asked, f...), id
				}
			}
		}
		if len(asked) == 0 || asked[0].Values || asked[0].From != 1 {
			t.Fatalf("%s: asked %+v", name, asked)
		}
		theirs := own
		theirs.At, theirs.FirstIndex, theirs.Base, theirs.Complete = 5000, 6, base2, []control.Checkpoint{base2}
		l.Step(by, &paxos.Page{From: 1, Held: 5000, First: 5, Control: theirs.Encode()})
		out := l.Flush()
		trimmed := 0
		for _, w := range out.Writes {
			if r, is := w.(paxos.Trimmed); is && r == (paxos.Trimmed{Instance: 5, Index: 5}) {
				trimmed++
			}
		}
		if want := map[string]int{"known": 1, "not known": 0}[name]; trimmed != want || (l.state.FirstInstance == 5) != (want == 1) || want == 1 && (l.state.FirstIndex != 6 || l.state.Below != base.Chain) {
			t.Errorf("%s: trimmed %d times, %+v", name, trimmed, l.state)
		}
	}
}
