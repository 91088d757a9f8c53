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
