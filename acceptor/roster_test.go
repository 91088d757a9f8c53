package acceptor

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestRoster: from the instance on at which the log names its proposers and learners, no other one
// is promised anything, or has a part in a checkpoint; and whoever may know less is told.
func TestRoster(t *testing.T) {
	cfg := config()
	cfg.Proposers, cfg.Sources, cfg.Knows = []paxos.NodeID{"p1", "p2"}, []paxos.NodeID{"a2", "a3", "l1"}, control.Level
	a := New(cfg, State{})
	a.Tick(1, 0)
	a.admission.admitted, a.now = true, 10_000
	for _, id := range []paxos.NodeID{"p1", "p3", "l2", "a2"} {
		a.Step(id, &paxos.PeerUp{ID: id, Role: paxos.RoleProposer})
	}
	b := ballot(1, "p1")
	roster := configuration.Roster{Version: 1, List: []configuration.Process{
		{Role: paxos.RoleProposer, ID: "p1", Addr: "h:1"}, {Role: paxos.RoleProposer, ID: "p3", Addr: "h:3"}, {Role: paxos.RoleLearner, ID: "l2", Addr: "h:4"},
	}}
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 1, Value: genesis(1, control.Level)})
	a.Step("p1", &paxos.Accept{Ballot: b, Instance: 2, Value: paxos.Value{Origin: b, Batch: control.Batch(control.SetRoster{Roster: roster})}})
	a.Flush()
	a.Step("p1", &paxos.Heartbeat{Ballot: b, ChosenUpTo: 2})
	out := a.Flush()
	var told []paxos.NodeID
	for _, e := range out.SendAfter {
		if _, is := e.Msg.(*paxos.Configured); is {
			told = append(told, e.To)
		}
	}
	if slices.Sort(told); !slices.Equal(told, []paxos.NodeID{"a2", "l2", "p1", "p3"}) || !slices.Equal(a.sources, []paxos.NodeID{"a2", "a3", "l2"}) {
		t.Errorf("told %v, copies from %v", told, a.sources)
	}
	for id, named := range map[paxos.NodeID]bool{"p2": false, "p3": true, "p9": false} {
		if a.mayPropose(id) != named {
			t.Errorf("%s may propose: %v", id, !named)
		}
	}
	for id, named := range map[paxos.NodeID]int{"l1": 0, "l2": 1} {
		a.Step(id, &paxos.Decide{Batch: control.Batch(control.Confirm{T: 1, By: id})})
		if sent := a.Flush().SendNow; len(sent) != named {
			t.Errorf("%s has a part in a checkpoint: %+v", id, sent)
		}
	}
	a.now += paxos.StrangerShare * cfg.ElectionTicks // nobody is heard: one that has come may lead, of whom it does not know
	for id, may := range map[paxos.NodeID]bool{"p2": false, "p3": true, "p9": true} {
		if a.mayPropose(id) != may {
			t.Errorf("%s may propose after a long silence: %v", id, !may)
		}
	}
	a.Step("@c", &paxos.PeerUp{ID: "@c", Role: paxos.RoleClient})
	if d := sent[*paxos.Directory](a.Flush()); len(d) != 1 || !d[0].Has(paxos.RoleLearner, "l2") {
		t.Errorf("a client is told %+v", d)
	}
}

// TestNewcomerIsNoMemberBefore: who came by a change may not vote before it holds everything below the instance
// from which on it is a member: above the change itself, others are asked.
func TestNewcomerIsNoMemberBefore(t *testing.T) {
	cfg := config()
	cfg.ID, cfg.Incarnation, cfg.Knows = "a4", 4, control.Level
	s, err := control.State{}.Apply(1, genesis(1, control.Level).Batch, control.Level)
	for i, c := range []control.Command{
		control.Alpha{Alpha: 5},
		control.Change{Change: s.Members.Now.Addition(configuration.Acceptor{ID: "a4", Incarnation: 4, Addr: "h:4"}, 3, 2)},
	} {
		if err == nil {
			s, err = s.Apply(paxos.Instance(2+i), control.Batch(c), control.Level)
		}
	}
	if err != nil || s.Members.At != 3 || s.Members.From != 8 {
		t.Fatalf("%+v, %v", s.Members, err)
	}
	for held := paxos.Instance(3); held < 10; held++ {
		a := New(cfg, State{Held: held, Control: s.Encode()})
		if is := held+1 >= s.Members.From; a.isMember() != is || a.isNewcomer() == is {
			t.Errorf("with everything up to %d, and a member from %d on, it may vote: %v", held, s.Members.From, !is)
		}
	}
}
