package node

import (
	"testing"

	"github.com/paxlog/paxlog/paxos"
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
		k.start(nil, "")
		if isNew, _ := k.learn([]paxos.Record{paxos.SetHeld{Held: 1}, r}); !isNew || k.logID() != genesis.Log {
			t.Errorf("%s: log %v", name, k.logID())
		}
		if isNew, _ := k.learn([]paxos.Record{r}); isNew {
			t.Errorf("%s: it is news again", name)
		}
	}
}
