package acceptor

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestRoomIsTold: answers to heartbeats say what there is room for here, less what was taken
// since it was measured, and what learners say.
func TestRoomIsTold(t *testing.T) {
	a := ready(State{})
	b := ballot(1, "p1")
	said := func() *paxos.HeartbeatAck {
		a.Step("p1", &paxos.Heartbeat{Ballot: b, Nonce: 1})
		return sent[*paxos.HeartbeatAck](a.Flush())[0]
	}
	if r := said(); r.Room.IsKnown() || len(r.Learners) > 0 {
		t.Errorf("before it is known: %+v", r)
	}
	a.Step("a1", &paxos.DiskRoom{Values: paxos.RoomFor(100), Beyond: 10, Free: 1000})
	a.Step("l1", &paxos.Poll{Room: paxos.RoomFor(0), DiskFree: 7})
	a.Step("l2", &paxos.Poll{}) // of an earlier release
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: paxos.Value{Batch: make([]byte, 30)}})
	r := said()
	if r.Room != paxos.RoomFor(70) || r.DiskFree != 1000 || len(r.Learners) != 2 || r.Learners[1].ID != "l2" || r.Learners[1].Room.IsKnown() || r.Learners[0] != (paxos.RoomOf{ID: "l1", Room: paxos.RoomFor(0), Free: 7}) {
		t.Errorf("%+v", r)
	}
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 2, Value: paxos.Value{Batch: make([]byte, 300)}})
	if r := said(); r.Room.IsShort() || r.Room.Bytes() > 1 {
		t.Errorf("that there is none only who measures says: %v", r.Room)
	}
	a.Step("a1", &paxos.DiskRoom{Values: paxos.RoomFor(0)})
	if r := said(); !r.Room.IsShort() {
		t.Errorf("%v", r.Room)
	}
}

// shortBehind is an acceptor whose disk is full, which holds 5 of 5000 instances, and what it asks
// for.
func shortBehind(t *testing.T, beyond uint64, known paxos.Instance) (*Acceptor, []*paxos.Fetch) {
	t.Helper()
	a := ready(State{Held: 5})
	a.cfg.Knows = control.Level
	for _, id := range a.cfg.Sources {
		a.Step("a1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
	}
	a.Step("a1", &paxos.DiskRoom{Values: paxos.RoomFor(0), Beyond: beyond})
	a.known = known
	a.Flush()
	a.Tick(a.now+1000, 0)
	return a, sent[*paxos.Fetch](a.Flush())
}

// TestFullAcceptorCopiesNothing: an acceptor whose disk is full closes only small gaps, and deletes
// what the log has trimmed meanwhile, whether it holds more than that or less.
func TestFullAcceptorCopiesNothing(t *testing.T) {
	if _, f := shortBehind(t, 1<<30, 20); len(f) != 1 || !f[0].Values || f[0].From != 6 {
		t.Errorf("a small gap: %+v", f)
	}
	if _, f := shortBehind(t, 10, 20); len(f) != 1 || f[0].Values {
		t.Errorf("a small gap, and no room at all: %+v", f)
	}
	for first, held := range map[paxos.Instance]paxos.Instance{3: 5, 6: 5, 1000: 999} {
		a, f := shortBehind(t, 1<<30, 5000)
		if len(f) != 1 || f[0].Values || f[0].From != 1 {
			t.Fatalf("behind by far: %+v", f)
		}
		s := control.State{Level: control.Level, Log: paxos.LogID{1}, Since: 1, At: 4000, FirstIndex: 7, Sessions: 10, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 0 })}
		s.Base = control.Checkpoint{T: first - 1, From: first, To: first + 1, Size: 9, Next: 7}
		s.Complete = []control.Checkpoint{s.Base}
		page := &paxos.Page{Nonce: f[0].Nonce, From: 1, Held: 5000, First: first, Control: s.Encode()}
		a.Step("a2", page)
		out := a.Flush()
		if w := wrote[paxos.Trimmed](out); len(w) != 1 || w[0].Instance != first || a.held != held {
			t.Errorf("the log begins at %d: trimmed %+v, held %d", first, w, a.held)
		}
		if w := wrote[paxos.SetControl](out); len(w) != 1 || w[0].State != page.Control {
			t.Errorf("the log begins at %d: control %v", first, w)
		}
		if got := a.Report().Control.FirstInstance(); got != first {
			t.Errorf("it keeps from %d on, and the log from %d", got, first)
		}
		a.Step("a1", &paxos.DiskRoom{Values: paxos.RoomFor(1 << 30)})
		a.Tick(a.now+5000, 0)
		if f := sent[*paxos.Fetch](a.Flush()); len(f) != 1 || !f[0].Values || f[0].From != held+1 {
			t.Errorf("with room again: %+v", f)
		}
	}
}

// TestFullAmidCopy: an acceptor whose disk fills up while it copies gives up the pages that are under way, and asks
// for no others, and one that is short and closes a small gap asks for one page at a time: there is room for no more.
func TestFullAmidCopy(t *testing.T) {
	a := ready(State{Held: 5})
	for _, id := range a.cfg.Sources {
		a.Step("a1", &paxos.PeerUp{ID: id, Role: paxos.RoleAcceptor})
	}
	page := func(from paxos.NodeID, f *paxos.Fetch) {
		m := &paxos.Page{Nonce: f.Nonce, From: f.From, Held: a.known}
		for i := range paxos.Instance(10) {
			m.Values = append(m.Values, paxos.Vote{Instance: f.From + i, Ballot: ballot(1, "p1")})
		}
		a.Step(from, m)
	}
	a.known = 5000
	a.Tick(a.now+1000, 0)
	f, source := sent[*paxos.Fetch](a.Flush())[0], a.copy.source
	page(source, f)
	f = sent[*paxos.Fetch](a.Flush())[0]
	a.Step("a1", &paxos.DiskRoom{Values: paxos.RoomFor(0), Beyond: 1 << 30})
	page(source, f)
	asked := sent[*paxos.Fetch](a.Flush())
	if a.held != 15 || slices.ContainsFunc(asked, func(f *paxos.Fetch) bool { return f.Values }) {
		t.Fatalf("held %d, and it asks for %+v", a.held, asked)
	}

	a, all := shortBehind(t, 1<<30, 40)
	f, source = all[0], a.copy.source
	for want := paxos.Instance(15); want <= 25; want += 10 {
		a.known++ // so fast that it would ask for several
		page(source, f)
		more := sent[*paxos.Fetch](a.Flush())
		if a.held != want || len(more) != 1 || !more[0].Values || more[0].From != want+1 {
			t.Fatalf("held %d, want %d, and it asks for %+v", a.held, want, more)
		}
		f = more[0]
	}
}
