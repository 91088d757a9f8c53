package acceptor

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestAcceptorJudges: an acceptor judges clients by what it holds, and shows proposers since when
// that is so, and what it is.
func TestAcceptorJudges(t *testing.T) {
	a := knowing(State{})
	a.cfg.Proposers = []paxos.NodeID{"p1", "p2"}
	b := ballot(1, "p1")
	for id, who := range map[paxos.NodeID]paxos.Principal{"@1": "ops", "@2": paxos.Anonymous} {
		a.Step("a1", &paxos.PeerUp{ID: id, Role: paxos.RoleClient, Principal: who})
	}
	a.Step("a1", &paxos.PeerUp{ID: "p2", Role: paxos.RoleProposer})
	a.Step("p2", &paxos.Query{Nonce: 1, Stay: true})
	if r := sent[*paxos.QueryReply](a.Flush()); len(r) != 1 || r[0].GrantedAt != 0 {
		t.Fatalf("of a log without grants: %+v", r)
	}
	drains := func(id paxos.NodeID) bool {
		a.Step(id, &paxos.Drain{Nonce: 7})
		out := a.Flush()
		if d := sent[*paxos.NotPermitted](out); len(d) == 1 && d[0].Nonce == 7 {
			return false
		}
		return len(sent[*paxos.Drained](out)) == 1
	}
	if !drains("@2") {
		t.Fatal("everybody may, at first")
	}
	values := []paxos.Value{genesis(1, control.Level)}
	for _, p := range []paxos.Permission{{Name: "ops", Rights: paxos.AllRights}, {Name: paxos.Anonymous, Rights: paxos.RightRead}} {
		values = append(values, paxos.Value{Origin: b, Batch: control.Batch(control.SetGrant{Permission: p})})
	}
	for i, v := range values {
		a.Step("p1", &paxos.Accept{Ballot: b, Instance: paxos.Instance(i + 1), Value: v})
	}
	a.Flush()
	if !drains("@2") {
		t.Fatal("it is not known to be chosen yet")
	}
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 3})
	out := a.Flush()
	r, c := sent[*paxos.QueryReply](out), sent[*paxos.Configured](out)
	if len(r) != 1 || r[0].GrantedAt != 3 || len(c) == 0 {
		t.Fatalf("a standby is told %+v and %+v", r, c)
	}
	if s, err := control.Decode(c[len(c)-1].State, control.Level); err != nil || s.GrantedAt != 3 || s.Grants.Of("x") != paxos.RightRead {
		t.Errorf("%+v, %v", s, err)
	}
	if drains("@2") || !drains("@1") {
		t.Error("who may drain it is not what the log says")
	}
	a.Step("a1", &paxos.PeerUp{ID: "p1", Role: paxos.RoleProposer})
	if c := sent[*paxos.Configured](a.Flush()); len(c) != 1 {
		t.Errorf("a proposer that connects is told %+v", c)
	}
	a.Step("a1", &paxos.Dropped{ID: "p2"})
	a.Step("p2", &paxos.Query{Nonce: 2, Stay: true})
	if c := sent[*paxos.Configured](a.Flush()); len(c) != 1 {
		t.Errorf("a standby of which something was lost, and which asks anew, is told %+v", c)
	}
	a.Step("p2", &paxos.Query{Nonce: 3, Stay: true})
	if c := sent[*paxos.Configured](a.Flush()); len(c) != 0 {
		t.Errorf("one that renews is told again: %+v", c)
	}
}
