package learner

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// manyID is a session of many.
func manyID(n int) paxos.SessionID {
	return paxos.NewSessionID(0, paxos.Stamp{}, [12]byte{1, byte(n), byte(n >> 8), byte(n >> 16)})
}

func detached(out paxos.Output, to paxos.NodeID) (ids []paxos.SessionID) {
	for _, d := range sent[*paxos.Detached](out, to) {
		ids = append(ids, d.Session)
	}
	return ids
}

// TestLatestAttachWins: results go to whoever attached last; the connection that
// waited before is told that it is told no more, after what it was told.
func TestLatestAttachWins(t *testing.T) {
	l := newLearner()
	s := sessionID(0, 1)
	l.Step("@1", &paxos.Attach{Session: s, From: 1})
	l.Step("@1", &paxos.Attach{Session: s, From: 1}) // again: nobody is detached
	if out := l.Flush(); len(detached(out, "@1")) != 0 {
		t.Fatal("a connection took a session away from itself")
	}
	l.choose(1, run(s, 1, "a"))
	l.Step("@2", &paxos.Attach{Session: s, From: 2})
	if d := detached(l.Flush(), "@1"); !slices.Equal(d, []paxos.SessionID{s}) {
		t.Fatalf("the earlier connection is told %v", d)
	}
	out := l.choose(2, run(s, 2, "b"))
	if len(told(out, "@1")) != 0 || len(told(out, "@2")) != 1 {
		t.Fatalf("%v and %v", told(out, "@1"), told(out, "@2"))
	}
	l.Step("l1", &paxos.PeerDown{ID: "@1"}) // it held nothing any more
	if out = l.choose(3, run(s, 3, "c")); len(told(out, "@2")) != 1 {
		t.Fatal("the end of the earlier connection detached the later one")
	}
}

// TestDetach: who says that it waits no more is told nothing; who has no right to say
// so changes nothing.
func TestDetach(t *testing.T) {
	l := newLearner()
	s := sessionID(0, 1)
	l.Step("@1", &paxos.Attach{Session: s, From: 1})
	l.Step("@2", &paxos.Detach{Session: s})
	if out := l.choose(1, run(s, 1, "a")); len(told(out, "@1")) != 1 {
		t.Fatal("another connection detached the session")
	}
	l.Step("@1", &paxos.Detach{Session: s})
	out := l.choose(2, run(s, 2, "b"))
	if len(told(out, "@1")) != 0 || len(detached(out, "@1")) != 0 || l.Report().Attached != 0 {
		t.Fatal("a session that was detached is told of")
	}
}

// TestDetachStopsPages: no further page of a session's results is read for a client
// that detached it, or left.
func TestDetachStopsPages(t *testing.T) {
	s := sessionID(0, 1)
	for name, leave := range map[string]paxos.Message{"detach": &paxos.Detach{Session: s}, "gone": &paxos.PeerDown{ID: "@1"}} {
		l := newLearner()
		l.choose(1, run(s, 1, "a", "b"))
		l.Step("@1", &paxos.Attach{Session: s, From: 1})
		load := l.Flush().Loads[0]
		from := paxos.NodeID("@1")
		if name == "gone" {
			from = "l1"
		}
		l.Step(from, leave)
		l.Step("l1", &paxos.Loaded{Load: load, Runs: []paxos.RunAt{{First: 1, Count: 1, Index: 1, Instance: 1}}, More: true})
		if out := l.Flush(); len(results(out)) != 0 || len(out.Loads) != 0 {
			t.Errorf("%s: %d results, %d loads", name, len(results(out)), len(out.Loads))
		}
	}
}

// TestAttachmentsAreBounded: beyond the bound the session that was used longest ago is
// detached, and its client is told; a session that was told of was used.
func TestAttachmentsAreBounded(t *testing.T) {
	l := newLearner()
	for n := range maxAttached {
		l.Step("@1", &paxos.Attach{Session: manyID(n), From: 1})
	}
	l.choose(1, run(manyID(0), 1, "a"))
	l.Step("@1", &paxos.Attach{Session: manyID(2), From: 1})
	l.Flush()
	for i, want := range []int{1, 3, 4} {
		l.Step("@1", &paxos.Attach{Session: manyID(maxAttached + i), From: 1})
		out := l.Flush()
		if out.Halt != "" {
			t.Fatal(out.Halt)
		}
		if d := detached(out, "@1"); !slices.Equal(d, []paxos.SessionID{manyID(want)}) {
			t.Fatalf("attachment %d: %v is detached, want %v", i, d, manyID(want))
		}
	}
	if n := l.Report().Attached; n != maxAttached {
		t.Fatalf("%d sessions attached", n)
	}
	if r := results(l.choose(2, run(manyID(maxAttached+2), 1, "a"))); len(r) != 1 {
		t.Fatalf("the newest session is not answered: %+v", r)
	}
	l.Step("l1", &paxos.PeerDown{ID: "@1"})
	if c := &l.clients; len(c.attachedTo)+len(c.byID)+len(c.attachments.items)+len(c.all.items) != 0 {
		t.Fatal("a client that left is still attached")
	}
}

// BenchmarkManySessions is a session that is attached, appends once, and is told, after
// as many others as the bound allows and far more.
func BenchmarkManySessions(b *testing.B) {
	cfg := config()
	cfg.Membership.Sessions = 65536
	l := newLearnerWith(cfg, State{})
	b.ReportAllocs()
	i := paxos.Instance(0)
	for b.Loop() {
		i++
		s := sessionID(i-1, 1)
		l.Step("@1", &paxos.Attach{Session: s, From: 1})
		if out := l.choose(i, run(s, 1, "a")); len(sent[*paxos.Results](out, "@1")) != 1 {
			b.Fatal("not answered")
		}
	}
}
