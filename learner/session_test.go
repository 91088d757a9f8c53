package learner

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// crowded is a learner of a log of the newest level that remembers so many sessions.
func crowded(sessions int) *Learner {
	cfg := config()
	cfg.Knows, cfg.Membership.Sessions = control.Level, sessions
	l := newLearnerWith(cfg, State{})
	l.choose(1, control.Batch(control.Genesis{
		Log: paxos.LogID{1}, Level: control.Level, Sessions: uint64(sessions), Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 }),
	}))
	return l
}

// applyNext applies a value at the next instance.
func (l *Learner) applyNext(batch []byte) paxos.Output { return l.choose(l.state.Applied+1, batch) }

// TestChurnExpiresItsOwn: who makes more sessions than are remembered expires its own: those of
// others stay, and so does the right of others to begin with an id that they got before.
func TestChurnExpiresItsOwn(t *testing.T) {
	log := paxos.LogID{1}
	l := crowded(10)
	for n := range byte(3) {
		l.applyNext(run(made(1, "app", log, n+1), 1, "honest"))
	}
	waiting := made(1, "app", log, 9) // nothing was sent in it yet
	old := paxos.NewSessionID(1, paxos.Stamp{}, [12]byte{9})
	for n := range 200 {
		l.applyNext(run(made(l.state.Applied, "evil", log, byte(n+1)), 1, "x"))
	}
	for n := range byte(3) {
		if s := l.sessions.get(made(1, "app", log, n+1)); s == nil || s.Last != 1 {
			t.Errorf("session %d of app is %+v", n+1, s)
		}
	}
	if n := l.sessions.len(); n != 10 {
		t.Errorf("%d sessions", n)
	}
	before := l.last()
	l.applyNext(run(waiting, 1, "at last"))
	l.applyNext(run(old, 1, "of nobody"))
	if l.last() != before+2 || l.state.Floor != 0 {
		t.Errorf("%d entries of 2, the floor of everybody is %d", l.last()-before, l.state.Floor)
	}
	l.applyNext(run(made(5, "evil", log, 77), 1, "x")) // born when there was still room
	if l.last() != before+2 {
		t.Error("whoever expired its own goes on below its floor")
	}
}

// adjusted is the value that decides a setting.
func adjusted(key paxos.SettingKey, name paxos.Principal, value uint64) []byte {
	return control.Batch(control.Adjust{Setting: paxos.Setting{Key: key, Name: name, Value: value}})
}

// count is how many sessions of a principal are remembered.
func (t *sessions) count(who paxos.Principal) (n int) {
	for id := range t.byID {
		if id.Owner() == paxos.OwnerOf(who) {
			n++
		}
	}
	return n
}

// TestQuotaOfSessions: who has a quota expires its own sessions when it makes more, whatever room there is; one
// that has a number of its own goes by that, and nobody's have one by name only.
func TestQuotaOfSessions(t *testing.T) {
	log := paxos.LogID{1}
	l := crowded(100)
	l.applyNext(adjusted(paxos.QuotaSessions, "", 3))
	l.applyNext(adjusted(paxos.QuotaSessions, "feeder", 5))
	l.applyNext(adjusted(paxos.QuotaSessions, "free", 0))
	for n := range byte(10) {
		for _, who := range []paxos.Principal{"app", "feeder", "free", paxos.Anonymous} {
			l.applyNext(run(made(l.state.Applied, who, log, n+1), 1, "x"))
		}
	}
	for who, want := range map[paxos.Principal]int{"app": 3, "feeder": 5, "free": 10, paxos.Anonymous: 10} {
		if n := l.sessions.count(who); n != want {
			t.Errorf("%d sessions of %s, want %d", n, who, want)
		}
	}
	if l.sessions.floors.of[paxos.OwnerOf("app")] == 0 || l.sessions.floors.of[paxos.OwnerOf("free")] != 0 || l.state.Floor != 0 {
		t.Errorf("floors %v, of everybody %d", l.sessions.floors.of, l.state.Floor)
	}
	l.applyNext(adjusted(paxos.QuotaSessions, paxos.Anonymous, 2))
	l.applyNext(run(made(l.state.Applied, paxos.Anonymous, log, 99), 1, "x"))
	if n := l.sessions.count(paxos.Anonymous); n != 2 {
		t.Errorf("%d sessions of nobody in particular, with a quota of 2", n)
	}
}

// TestFewerSessions: where the log is told to remember fewer, so many go with each command, and no
// more, until there are as many as it says; and a learner that begins with a checkpoint in between has the
// same. Where it is told to remember more, none goes.
func TestFewerSessions(t *testing.T) {
	log := paxos.LogID{1}
	l := crowded(1000)
	for n := range 1000 {
		l.applyNext(run(made(l.state.Applied, "app", log, byte(1+n%250)), 1, "x"))
	}
	if n := l.sessions.len(); n != 1000 {
		t.Fatalf("%d sessions", n)
	}
	l.applyNext(adjusted(paxos.SettingSessions, "", 10))
	if l.sessions.len() != 1000 {
		t.Error("sessions have gone although none was used")
	}
	kept := l.sessions.all.at(l.sessions.used.oldest).ID
	want := 1000
	for step := 0; want > 10; step++ {
		if step == 3 {
			st, err := decodeState(l.encodeState(), control.Level)
			if err != nil {
				t.Fatal(err)
			}
			l = newLearnerWith(l.cfg, st)
		}
		last := l.sessions.get(kept).Last
		l.applyNext(run(kept, last+1, "again"))
		if want = max(10, want-maxExpired); l.sessions.len() != want || l.sessions.get(kept) == nil {
			t.Fatalf("step %d: %d sessions, want %d", step, l.sessions.len(), want)
		}
	}
	l.applyNext(adjusted(paxos.SettingSessions, "", 20))
	for n := range 30 {
		l.applyNext(run(made(l.state.Applied, "app", log, byte(1+n)), 1, "x"))
		if want = min(20, want+1); l.sessions.len() != want {
			t.Fatalf("%d sessions, want %d", l.sessions.len(), want)
		}
	}
}

// TestSessionsBelowLevel: below the level the least recently used session of all goes, and the floor
// of everybody rises, as earlier releases have it.
func TestSessionsBelowLevel(t *testing.T) {
	l := knowing()
	l.choose(1, genesis(control.LevelRights-1))
	for n := range byte(5) {
		l.applyNext(run(sessionID(l.state.Applied, n+1), 1, "x"))
	}
	if l.sessions.len() != 2 || l.state.Floor == 0 || len(l.sessions.floors.of) != 0 {
		t.Errorf("%d sessions, floor %d, %v", l.sessions.len(), l.state.Floor, l.sessions.floors.of)
	}
}

// dumb says once more which session goes first: it looks at all of them.
func dumb(t *sessions) (first paxos.SessionID) {
	count := map[paxos.Owner]int{}
	for id := range t.byID {
		count[id.Owner()]++
	}
	var best *session
	for id := range t.byID {
		s := t.get(id)
		if best == nil || count[id.Owner()] > count[best.ID.Owner()] || count[id.Owner()] == count[best.ID.Owner()] && s.Used < best.Used {
			best = s
		}
	}
	return best.ID
}

// TestExpiryFollowsFromTheState: which session goes first is what a look at all of them gives; and a
// learner that begins in the middle with the state of another one, or with what that has on disk, has
// the same state as that one from there on.
func TestExpiryFollowsFromTheState(t *testing.T) {
	for seed := range uint64(20) {
		r := paxos.Rand{State: seed}
		l := crowded(6)
		twin := crowded(6)
		for step := range 150 {
			who := paxos.Principal(fmt.Sprintf("p%d", r.Uint64()%3))
			if r.Uint64()%5 == 0 {
				who = paxos.Anonymous
			}
			birth := l.state.Applied - min(l.state.Applied, paxos.Instance(r.Uint64()%8))
			id := made(birth, who, paxos.LogID{1}, byte(1+r.Uint64()%4))
			if l.sessions.len() > 0 {
				if got, want := l.sessions.all.at(l.sessions.excess()).ID, dumb(&l.sessions); got != want {
					t.Fatalf("seed %d: %v goes first, and it should be %v", seed, got, want)
				}
			}
			first := uint64(1)
			if s := l.sessions.get(id); s != nil {
				first = s.Last + 1
			}
			batch := run(id, first, "x")
			if r.Uint64()%6 == 0 {
				batch = paxos.Fence(id)
			}
			l.applyNext(batch)
			twin.applyNext(batch)
			if step%10 == 9 {
				st, err := decodeState(l.encodeState(), control.Level)
				if err != nil {
					t.Fatal(err)
				}
				twin = newLearnerWith(l.cfg, st)
			}
			if a, b := l.encodeState(), twin.encodeState(); !bytes.Equal(a, b) {
				t.Fatalf("seed %d, step %d: a learner that begins in the middle has another state", seed, step)
			}
		}
	}
}

// TestFloorsAreBounded: beyond maxFloors the lowest one becomes that of everybody, no floor is ever
// lowered for anybody, and what is kept is read as it was written.
func TestFloorsAreBounded(t *testing.T) {
	r := paxos.Rand{State: 7}
	f := floors{of: map[paxos.Owner]paxos.Instance{}}
	var everybody paxos.Instance
	was := map[paxos.Owner]paxos.Instance{}
	for range 5000 {
		n := r.Uint64() % 700
		owner := paxos.Owner{byte(n >> 8), byte(n)}
		everybody = max(everybody, f.raise(owner, paxos.Instance(1+r.Uint64()%100_000)))
		f.drop(everybody)
		if len(f.of) > maxFloors {
			t.Fatalf("%d floors", len(f.of))
		}
		for o, x := range was {
			if max(everybody, f.of[o]) < x {
				t.Fatalf("the floor of %x fell from %d", o, x)
			}
		}
		was[owner] = max(everybody, f.of[owner])
	}
	if everybody == 0 {
		t.Error("no floor became everybody's")
	}
	kept := f.encode()
	if got, ok := readFloors(kept); !ok || got.encode() != kept {
		t.Error("it is read otherwise")
	}
	for _, bad := range []paxos.Floors{"\x00", "\x01", kept + "x", kept[:len(kept)-1], "\x01ownerA\x00", "\x02ownerB\x05ownerA\x05", "\x02ownerA\x05ownerA\x05"} {
		if _, ok := readFloors(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
	if !f.covered(everybody, kept) || f.covered(everybody, "") || !f.covered(100_001, "") {
		t.Error("covered")
	}
}
