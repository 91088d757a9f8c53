package learner

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

func granting(name paxos.Principal, r paxos.Rights) []byte {
	return control.Batch(control.SetGrant{Permission: paxos.Permission{Name: name, Rights: r}})
}

// judging is a learner of a log of the newest level, to which ops, app and web are connected as
// @1, @2 and @3, and as @4 somebody who proves nothing.
func judging() *Learner {
	l := knowing()
	for id, who := range map[paxos.NodeID]paxos.Principal{"@1": "ops", "@2": "app", "@3": "web", "@4": paxos.Anonymous} {
		l.Step("l1", &paxos.PeerUp{ID: id, Role: paxos.RoleClient, Principal: who})
	}
	l.choose(1, genesis(control.Level))
	l.choose(2, granting("ops", paxos.AllRights))
	l.choose(3, granting("app", paxos.RightAppend))
	l.choose(4, granting("web", paxos.RightRead))
	return l
}

// TestLearnerJudges: what a client may ask depends on what the log grants up to where the learner
// has got.
func TestLearnerJudges(t *testing.T) {
	l := judging()
	asks := map[string]paxos.Message{
		"read": &paxos.Read{Nonce: 7, From: 1}, "copy": &paxos.Copy{Nonce: 7, From: 1}, "locate": &paxos.Locate{Nonce: 7, Stale: true},
		"append": &paxos.Attach{Nonce: 7}, "admin": &paxos.Drain{Nonce: 7},
	}
	need := map[string]paxos.Rights{"read": paxos.RightRead, "copy": paxos.RightRead, "locate": paxos.RightRead, "append": paxos.RightAppend, "admin": paxos.RightAdmin}
	check := func(has map[paxos.NodeID]paxos.Rights) {
		t.Helper()
		for id, r := range has {
			for what, m := range asks {
				l.Step(id, m)
				denied := sent[*paxos.NotPermitted](l.Flush(), id)
				if may := r.Has(need[what]); (len(denied) == 0) != may || !may && denied[0].Nonce != 7 {
					t.Errorf("%s of %s, which has %v: %+v", what, id, r, denied)
				}
			}
		}
	}
	check(map[paxos.NodeID]paxos.Rights{"@1": paxos.AllRights, "@2": paxos.AllRights, "@3": paxos.AllRights, "@4": paxos.AllRights})
	l.choose(5, granting(paxos.Anonymous, 0))
	check(map[paxos.NodeID]paxos.Rights{"@1": paxos.AllRights, "@2": paxos.RightAppend, "@3": paxos.RightRead, "@4": 0, "@8": 0})
}

// TestRevokedWhileWaiting: who loses a right is told so where it waits, and is shown no entry
// that comes after; what others wait for is not touched.
func TestRevokedWhileWaiting(t *testing.T) {
	l := judging()
	s := sessionID(1, 1)
	for _, id := range []paxos.NodeID{"@2", "@3", "@4"} {
		l.Step(id, &paxos.Read{Nonce: 7, From: 1, Wait: true})
		l.Step(id, &paxos.Locate{Nonce: 8})
	}
	l.Step("@4", &paxos.Attach{Nonce: 9, Session: s, From: 1})
	l.Step("@4", &paxos.Lookup{Nonce: 10, Session: s, Seq: 1})
	if out := l.Flush(); len(sent[*paxos.NotPermitted](out, "@4")) != 0 {
		t.Fatal("everybody may, at first")
	}
	out := l.choose(5, granting(paxos.Anonymous, 0))
	nonces := func(id paxos.NodeID) (n []uint64) {
		for _, m := range sent[*paxos.NotPermitted](out, id) {
			if n = append(n, m.Nonce); m.Nonce == 0 && m.Session != s {
				t.Errorf("%s is told of session %v", id, m.Session)
			}
		}
		slices.Sort(n)
		return n
	}
	for id, want := range map[paxos.NodeID][]uint64{"@2": {7, 8}, "@3": nil, "@4": {0, 7, 8}} {
		if got := nonces(id); !slices.Equal(got, want) {
			t.Errorf("%s is told of %v, want %v", id, got, want)
		}
	}
	out = l.choose(6, run(s, 1, "secret"))
	for _, id := range []paxos.NodeID{"@2", "@4"} {
		if len(sent[*paxos.Results](out, id))+len(sent[*paxos.LogPage](out, id)) > 0 {
			t.Errorf("%s is told of an entry", id)
		}
	}
	if len(out.Loads) != 1 || out.Loads[0].Kind != paxos.LoadLog {
		t.Errorf("who may read waits for the entry: %+v", out.Loads)
	}
	l.Step("l1", &paxos.PeerDown{ID: "@4"}) // with what it still has: a Lookup
	l.Flush()
}

// made is a session that a principal made in the log of these tests.
func made(birth paxos.Instance, who paxos.Principal, log paxos.LogID, n byte) paxos.SessionID {
	return paxos.NewSessionID(birth, paxos.NewStamp(log, paxos.OwnerOf(who)), [12]byte{n})
}

// TestSessionsAreStamped: a client is told what its sessions' ids say of the log and of it, from the
// level on that has such ids.
func TestSessionsAreStamped(t *testing.T) {
	l := judging()
	for id, who := range map[paxos.NodeID]paxos.Principal{"@1": "ops", "@2": "app", "@4": paxos.Anonymous} {
		l.Step(id, &paxos.Attach{Nonce: 1})
		if a := sent[*paxos.Attached](l.Flush(), id); len(a) != 1 || a[0].Stamp != paxos.NewStamp(paxos.LogID{1}, paxos.OwnerOf(who)) {
			t.Errorf("%s: %+v", who, a)
		}
	}
	low := knowing()
	low.choose(1, genesis(control.LevelRights-1))
	low.Step("l1", &paxos.PeerUp{ID: "@2", Role: paxos.RoleClient, Principal: "app"})
	low.Step("@2", &paxos.Attach{Nonce: 1})
	if a := sent[*paxos.Attached](low.Flush(), "@2"); len(a) != 1 || a[0].Stamp != (paxos.Stamp{}) {
		t.Errorf("below the level: %+v", a)
	}
}

// TestSessionTakeover: who sends the next number of another's session and attaches it is told
// nothing of it; the one who made it is.
func TestSessionTakeover(t *testing.T) {
	l := judging()
	s := made(1, "app", paxos.LogID{1}, 1)
	l.Step("@2", &paxos.Attach{Session: s, From: 1})
	l.Flush()
	l.Step("@1", &paxos.Attach{Session: s, From: 1}) // has all rights
	out := l.Flush()
	if d := sent[*paxos.NotPermitted](out, "@1"); len(d) != 1 || d[0].Session != s || len(detached(out, "@2")) != 0 {
		t.Fatalf("%+v", out)
	}
	out = l.choose(5, run(s, 1, "a"))
	if len(sent[*paxos.Results](out, "@2")) != 1 || len(sent[*paxos.Results](out, "@1")) != 0 {
		t.Errorf("%+v", out.SendNow)
	}
}

// TestSessionsOfOtherLogs: a session that names another log is admitted by nobody, and it is not
// known of its appends that they never were.
func TestSessionsOfOtherLogs(t *testing.T) {
	l := judging()
	other := made(1, "app", paxos.LogID{2}, 1)
	l.Step("@2", &paxos.Attach{Session: other, From: 1})
	out := l.choose(5, run(other, 1, "a"))
	if l.last() != 0 || l.sessions.get(other) != nil || len(sent[*paxos.Results](out, "@2")) != 0 {
		t.Errorf("it is in the log: %+v", out)
	}
	l.choose(6, paxos.Fence(other))
	if l.sessions.get(other) != nil {
		t.Error("it has been closed here")
	}
	for _, s := range []paxos.SessionID{other, made(1, "app", paxos.LogID{1}, 2)} {
		l.Step("@2", &paxos.Lookup{Nonce: 9, Session: s, Seq: 1})
		out := l.Flush()
		l.Step("l1", &paxos.Loaded{Load: out.Loads[0]})
		if f := sent[*paxos.Found](l.Flush(), "@2"); len(f) != 1 || f[0].Future != (s == other) || f[0].Expired {
			t.Errorf("%v: %+v", s, f)
		}
	}
	low := knowing()
	low.choose(1, genesis(control.LevelRights-1))
	if low.choose(2, run(made(1, "app", paxos.LogID{1}, 1), 1, "a")); low.last() != 0 || low.state.Applied != 2 {
		t.Error("below the level there is such a session")
	}
}
