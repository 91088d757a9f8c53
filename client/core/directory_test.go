package core

import (
	"slices"
	"testing"

	"github.com/paxlog/paxlog/paxos"
)

// TestDirectory: a client goes on with the processes that are listed, as soon as they answer; an
// older list changes nothing, and one that names nobody who answers takes nothing away.
func TestDirectory(t *testing.T) {
	m := newMachine()
	list := func(version, epoch uint64, p, l paxos.NodeID) {
		m.Step("p1", &paxos.Directory{Epoch: epoch, Version: version, List: []paxos.Listed{{Role: paxos.RoleProposer, ID: p}, {Role: paxos.RoleLearner, ID: l}}})
	}
	list(2, 3, "p3", "l3")
	if m.inUse != "l1" || m.proposer() != "p1" {
		t.Fatalf("it leaves %s and %s, and nobody else answers", m.inUse, m.proposer())
	}
	m.Step("l3", &paxos.PeerUp{ID: "l3"})
	m.Step("p3", &paxos.PeerUp{ID: "p3"})
	list(3, 3, "p3", "l3")
	if m.inUse != "l3" {
		t.Errorf("%s is in use, which is none any more", m.inUse)
	}
	for _, id := range []paxos.NodeID{"p1", "p2"} {
		m.Step(id, &paxos.PeerDown{ID: id})
	}
	if m.proposer() != "p3" {
		t.Errorf("%s is asked", m.proposer())
	}
	list(2, 9, "p4", "l4")
	list(9, 2, "p4", "l4")
	if slices.Contains(m.cfg.Proposers, "p4") || !slices.Contains(m.cfg.Proposers, "p1") || m.cfg.Learners[0] != "l3" {
		t.Errorf("proposers %v, learners %v", m.cfg.Proposers, m.cfg.Learners)
	}
}

// TestOneWordOfDirectory: a list with a number that no other reaches does not hide what two tell, in
// whatever order they come, and not for good what one tells.
func TestOneWordOfDirectory(t *testing.T) {
	list := func(version uint64, p, l paxos.NodeID) *paxos.Directory {
		return &paxos.Directory{Version: version, List: []paxos.Listed{{Role: paxos.RoleProposer, ID: p}, {Role: paxos.RoleLearner, ID: l}}}
	}
	for _, order := range [][]paxos.NodeID{{"p1", "p2", "l1"}, {"p2", "p1", "l1"}, {"p2", "l1", "p1"}} {
		m := newMachine()
		for _, from := range order {
			if from == "p1" {
				m.Step(from, list(1<<60, "x", "y"))
			} else {
				m.Step(from, list(3, "p3", "l3"))
			}
		}
		if m.directory.Version != 3 || m.cfg.Proposers[0] != "p3" || m.cfg.Learners[0] != "l3" {
			t.Errorf("%v: it goes by version %d, proposers %v, learners %v", order, m.directory.Version, m.cfg.Proposers, m.cfg.Learners)
		}
		m.Step("p1", list(1<<61, "x", "y"))
		if m.directory.Version != 3 {
			t.Errorf("%v: and then by version %d", order, m.directory.Version)
		}
	}
	m := newMachine()
	m.Step("p1", list(1<<60, "x", "y"))
	m.Step("l1", list(0, "p9", "l9")) // it knows of no change
	if m.directory.Version != 1<<60 || m.cfg.Proposers[0] != "x" {
		t.Errorf("of one each it goes by version %d, proposers %v", m.directory.Version, m.cfg.Proposers)
	}
	m.TryDirectory()
	if m.directory.Version != 0 || !slices.Equal(m.cfg.Proposers, m.file.Proposers) || !slices.Equal(m.cfg.Learners, m.file.Learners) {
		t.Errorf("then by version %d, proposers %v, learners %v", m.directory.Version, m.cfg.Proposers, m.cfg.Learners)
	}
	m.Step("l1", list(2, "p3", "l3"))
	m.TryDirectory()
	if m.directory.Version != 2 || m.cfg.Proposers[0] != "p3" {
		t.Errorf("then by version %d, proposers %v", m.directory.Version, m.cfg.Proposers)
	}
	m.Step("p1", &paxos.PeerUp{ID: "p1"})
	m.TryDirectory()
	if m.directory.Version != 2 {
		t.Errorf("and by version %d of one that has begun anew", m.directory.Version)
	}
	for i := range 2 * maxTellers {
		m.Step(paxos.NodeID(rune('a'+i)), list(uint64(i), "p", "l"))
	}
	if len(m.told) > maxTellers {
		t.Errorf("%d directories are remembered", len(m.told))
	}
}

// TestListedLearnerIsConnected: what waits for a learner goes on at one that was connected before it
// was listed.
func TestListedLearnerIsConnected(t *testing.T) {
	m := newMachine()
	m.Step("l3", &paxos.PeerUp{ID: "l3"})
	for _, id := range []paxos.NodeID{"l1", "l2"} {
		m.Step(id, &paxos.PeerDown{ID: id})
	}
	m.Ask(&Call{Kind: CallEnd})
	m.Flush()
	m.Step("p1", &paxos.Directory{Epoch: 1, Version: 1, List: []paxos.Listed{{Role: paxos.RoleProposer, ID: "p1"}, {Role: paxos.RoleLearner, ID: "l3"}}})
	if out := m.Flush(); m.inUse != "l3" || len(out.SendNow) != 1 || out.SendNow[0].To != "l3" {
		t.Errorf("%s is in use, and sent was %+v", m.inUse, out.SendNow)
	}
}

// TestOnlyThatLearner: who asked for one learner keeps to it.
func TestOnlyThatLearner(t *testing.T) {
	m := New(Config{Proposers: []paxos.NodeID{"p1"}, Learners: []paxos.NodeID{"l1"}, Only: true})
	m.Step("p1", &paxos.Directory{Epoch: 1, Version: 1, List: []paxos.Listed{{Role: paxos.RoleLearner, ID: "l3"}}})
	if len(m.cfg.Learners) != 1 || m.cfg.Learners[0] != "l1" {
		t.Errorf("learners %v", m.cfg.Learners)
	}
}
