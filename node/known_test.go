package node

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// TestLogIsKnownWithItsState: whichever record brings what the log has decided about itself, the
// log is known from then on, and is news once.
func TestLogIsKnownWithItsState(t *testing.T) {
	members := paxos.Membership{Cluster: "-", Acceptors: []paxos.NodeID{"a1"}, Phase1: 1, Phase2: 1, Sessions: 1}
	genesis := control.Genesis{Log: paxos.LogID{7}, Level: 1, Sessions: 1, Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 })}
	state, err := control.State{}.Apply(1, control.Batch(genesis), control.Level)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]paxos.Record{"SetControl": paxos.SetControl{State: state.Encode()}, "Install": paxos.Install{Control: state.Encode()}} {
		var k known
		k.start(nil, "", 0)
		if isNew, _ := k.learn([]paxos.Record{paxos.SetHeld{Held: 1}, r}); !isNew || k.logID() != genesis.Log {
			t.Errorf("%s: log %v", name, k.logID())
		}
		if isNew, _ := k.learn([]paxos.Record{r}); isNew {
			t.Errorf("%s: it is news again", name)
		}
	}
}

// TestFormerMembersAreRefused: one that was replaced from the change on, one that was removed once
// this process has everything below the instance from which the others go on without it.
func TestFormerMembersAreRefused(t *testing.T) {
	members := paxos.Membership{Cluster: "-", Acceptors: []paxos.NodeID{"a1", "a2", "a3"}, Phase1: 2, Phase2: 2, Sessions: 1}
	state := control.State{Level: control.Level, Log: paxos.LogID{7}, Since: 1, At: 9, FirstIndex: 1, Sessions: 1,
		Config: control.ConfigurationOf(members, func(paxos.NodeID) uint64 { return 1 })}
	first := configuration.Begin(state.Config)
	first.Alpha = configuration.LeastAlpha
	newcomer := configuration.Acceptor{ID: "a4", Incarnation: 4, Addr: "h:1"}
	for name, test := range map[string]struct {
		change configuration.Change
		at     paxos.Instance // a1 is refused by who has passed it
	}{
		"replaced": {first.Now.Replacement("a1", newcomer), 0},
		"removed":  {first.Now.Removal("a1", 2, 1), 9 + configuration.LeastAlpha - 1},
	} {
		s, err := first.Apply(9, test.change)
		if err != nil {
			t.Fatal(err)
		}
		state.Members = s
		var k known
		k.start(nil, state.Encode(), 0)
		if refused := k.former(paxos.RoleAcceptor, "a1") != ""; refused != (test.at == 0) || k.former(paxos.RoleAcceptor, "a2") != "" {
			t.Errorf("%s, before: refused %v", name, refused)
		}
		if test.at == 0 {
			continue
		}
		if _, isNew := k.learn([]paxos.Record{paxos.SetHeld{Held: test.at - 1}}); isNew || k.former(paxos.RoleAcceptor, "a1") != "" {
			t.Errorf("%s, one below: refused", name)
		}
		if _, isNew := k.learn([]paxos.Record{paxos.SetHeld{Held: test.at}}); !isNew || k.former(paxos.RoleAcceptor, "a1") == "" || k.former(paxos.RoleAcceptor, "a2") != "" {
			t.Errorf("%s: not refused", name)
		}
		if _, isNew := k.learn([]paxos.Record{paxos.SetHeld{Held: test.at + 1}}); isNew {
			t.Errorf("%s: it is news again", name)
		}
	}
}

// TestFormerProcessesAreRefused: proposers and learners, and nobody of whom nothing is known.
func TestFormerProcessesAreRefused(t *testing.T) {
	var k known
	k.start(nil, "", 0)
	if k.former(paxos.RoleProposer, "p9") != "" {
		t.Error("refused before anything was decided")
	}
	r := configuration.Roster{Version: 1, List: []configuration.Process{{Role: paxos.RoleProposer, ID: "p1"}, {Role: paxos.RoleLearner, ID: "l1"}}, Gone: []configuration.Process{{Role: paxos.RoleProposer, ID: "p2"}, {Role: paxos.RoleLearner, ID: "l2"}}}
	if !k.takeMembers(configuration.History{}, r) || k.takeMembers(configuration.History{}, r) {
		t.Error("it is news once")
	}
	for id, want := range map[paxos.NodeID]bool{"p1": false, "p9": false, "p2": true} {
		if got := k.former(paxos.RoleProposer, id) != ""; got != want {
			t.Errorf("%s as a proposer is refused: %v", id, got)
		}
	}
	for id, want := range map[paxos.NodeID]bool{"l1": false, "l9": false, "l2": true} {
		if got := k.former(paxos.RoleLearner, id) != ""; got != want {
			t.Errorf("%s as a learner is refused: %v", id, got)
		}
	}
}
