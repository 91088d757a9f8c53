package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// maxListed bounds a directory that is taken.
const maxListed = 256

// maxTellers bounds the processes whose directories are remembered.
const maxTellers = 64

// told are the newest directories of the log's processes that each process has told. See goBy.
type told map[paxos.NodeID]*paxos.Directory

// take takes what a process told, unless it has told something newer.
func (t told) take(from paxos.NodeID, d *paxos.Directory) (isNew bool) {
	known := t[from]
	if len(d.List) > maxListed || known == nil && len(t) >= maxTellers || known != nil && !isNewer(d, known) {
		return false
	}
	t[from] = d
	return true
}

// isNewer reports whether d tells more than known does.
func isNewer(d, known *paxos.Directory) bool {
	return d.Version >= known.Version && d.Epoch >= known.Epoch && (d.Version > known.Version || d.Epoch > known.Epoch)
}

// all are the different directories that were told, those that two or more told before the others, and
// the newest of each first.
func (t told) all() (all []*paxos.Directory) {
	tellers := map[*paxos.Directory]int{}
	for _, from := range slices.Sorted(maps.Keys(t)) {
		d := t[from]
		i := slices.IndexFunc(all, func(o *paxos.Directory) bool { return isSame(o, d) })
		if i < 0 {
			i, all = len(all), append(all, d)
		}
		tellers[all[i]]++
	}
	slices.SortStableFunc(all, func(a, b *paxos.Directory) int {
		return cmp.Or(cmp.Compare(min(tellers[b], 2), min(tellers[a], 2)), cmp.Compare(b.Version, a.Version), cmp.Compare(b.Epoch, a.Epoch))
	})
	return all
}

func isSame(a, b *paxos.Directory) bool {
	return a == b || a.Version == b.Version && a.Epoch == b.Epoch && slices.Equal(a.List, b.List)
}

// onDirectory takes what a process tells of who the log's processes are. The client goes by the newest
// that two tell, and where no two tell the same, by the newest.
func (m *Machine) onDirectory(from paxos.NodeID, d *paxos.Directory) {
	if m.told.take(from, d) {
		m.goBy(m.told.all()[0])
	}
}

// TryDirectory goes by the next one that was told. Who reaches nobody by one may reach somebody by another.
func (m *Machine) TryDirectory() {
	if all := m.told.all(); len(all) > 1 {
		i := slices.IndexFunc(all, func(d *paxos.Directory) bool { return m.directory != nil && isSame(d, m.directory) })
		m.goBy(all[(i+1)%len(all)])
	}
}

// goBy goes by a directory. It may be one process's word, and another one may have told less: so it only
// adds. Those that the client began with are asked behind those that are listed, as long as they
// answer.
//
// Example: a process with a fault tells a client a list that nobody is on, with a number that no other
// will ever reach. The client goes on with the processes of its cluster file, and by the list of the
// others as soon as two tell it; if only one does, once it reaches nobody.
func (m *Machine) goBy(d *paxos.Directory) {
	known := m.directory
	if known != nil && isSame(known, d) {
		return
	}
	m.directory = d
	if d.Version == 0 && (known == nil || known.Version == 0) {
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
	} else if d.Version > 0 && !d.Has(paxos.RoleLearner, m.inUse) {
		m.learner = 0 // those that are listed come first
		m.goOnElsewhere(m.inUse)
	}
}

// Directory is the one that this client goes by, nil if no process told one.
func (m *Machine) Directory() *paxos.Directory { return m.directory }

// listed are the processes of a role, and behind them those of the file that are not among them.
func listed(d *paxos.Directory, role paxos.Role, file []paxos.NodeID) (ids []paxos.NodeID) {
	for _, p := range d.List {
		if p.Role == role && d.Version > 0 {
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
