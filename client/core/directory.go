package core

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// maxListed bounds a directory that is taken.
const maxListed = 256

// onDirectory takes a newer directory of the log's processes than the client knows. It is one
// process's word, and another one may have told less: so it only adds. Those that the client began
// with are asked behind those that are listed, as long as they answer.
//
// Example: a process with a fault tells a client a list that nobody is on. The client goes on with
// the processes of its cluster file.
func (m *Machine) onDirectory(d *paxos.Directory) {
	if !m.IsNewer(d) {
		return
	}
	m.directory = d
	if d.Version == 0 {
		return
	}
	before := m.anyProposer()
	m.cfg.Proposers = listed(d, paxos.RoleProposer, m.file.Proposers)
	m.target = max(0, slices.Index(m.cfg.Proposers, before))
	if m.cfg.Only {
		return
	}
	m.cfg.Learners = listed(d, paxos.RoleLearner, m.file.Learners)
	m.learner = max(0, slices.Index(m.cfg.Learners, m.inUse))
	if m.inUse == "" {
		m.learnerCame("")
	} else if !d.Has(paxos.RoleLearner, m.inUse) {
		m.learner = 0 // those that are listed come first
		m.goOnElsewhere(m.inUse)
	}
}

// IsNewer reports whether d tells more than this client knows.
func (m *Machine) IsNewer(d *paxos.Directory) bool {
	known := m.directory
	return len(d.List) <= maxListed && (known == nil || d.Version >= known.Version && d.Epoch >= known.Epoch && (d.Version > known.Version || d.Epoch > known.Epoch))
}

// Directory is the newest that a process told, nil if none did.
func (m *Machine) Directory() *paxos.Directory { return m.directory }

// listed are the processes of a role, and behind them those of the file that are not among them.
func listed(d *paxos.Directory, role paxos.Role, file []paxos.NodeID) (ids []paxos.NodeID) {
	for _, p := range d.List {
		if p.Role == role {
			ids = append(ids, p.ID)
		}
	}
	for _, id := range file {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Reaches reports whether a proposer and a learner are connected.
func (m *Machine) Reaches() bool { return m.anyProposer() != "" && m.nextLearner() != "" }
