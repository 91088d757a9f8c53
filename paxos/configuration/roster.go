package configuration

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Process is one process of a log, and where the others dial it.
type Process struct {
	Role paxos.Role
	ID   paxos.NodeID
	Addr string
}

func (p *Process) isProcess() bool {
	return p.Role >= paxos.RoleAcceptor && p.Role <= paxos.RoleLearner && p.ID != "" && len(p.ID) <= maxText && p.Addr != "" && len(p.Addr) <= maxText
}

// maxProcesses bounds a Roster.
const maxProcesses = 128

// Roster is who the proposers and learners of a log are, and where they are dialled. Nothing of
// safety rests on it: whoever leads has a Phase 1 quorum of acceptors, and whoever learns counts
// their votes. So a change of it is in force for everybody from when he knows it.
//
// Who is not listed may be one that has come, and of whom the one who looks has not heard. Example:
// q1 takes the place of p1, the only proposer, and p1 is switched off. All machines lose their power
// before an acceptor has on disk that this was chosen. Were everybody kept out who is not listed,
// nobody would ever lead again. So only who is known to be gone is kept out for good; one of whom
// nobody knows is let through when nobody has led for long (packages acceptor and proposer), and
// leads if its Phase 1 shows that it was named.
//
// It has the acceptors of the first configuration, too, which that names without their addresses.
// Those that came later have theirs in their Configuration.
type Roster struct {
	// Version is 0 for what a cluster file says: the log has not decided. The first that it
	// decides is 1, and each change makes it one more.
	Version uint64
	List    []Process // by role, and then by id
	Gone    []Process // that were in it and are none any more, the latest of them
}

// Enrol is the roster of these processes, of version 0.
func Enrol(list []Process) Roster {
	r := Roster{List: slices.Clone(list)}
	r.sort()
	return r
}

func (r *Roster) sort() {
	slices.SortFunc(r.List, func(a, b Process) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID, b.ID)) })
}

// Of are the ids of a role, sorted.
func (r *Roster) Of(role paxos.Role) (ids []paxos.NodeID) {
	for _, p := range r.List {
		if p.Role == role {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Find returns the process named id.
func (r *Roster) Find(id paxos.NodeID) (Process, bool) {
	i := slices.IndexFunc(r.List, func(p Process) bool { return p.ID == id })
	if i < 0 {
		return Process{}, false
	}
	return r.List[i], true
}

// Has reports whether id has that role. A roster that the log has not decided says nothing.
func (r *Roster) Has(role paxos.Role, id paxos.NodeID) bool {
	p, is := r.Find(id)
	return r.Version == 0 || is && p.Role == role
}

// With is the next roster: without the process gone, if it is not "", and with the one that comes, if it
// is not the zero Process.
func (r *Roster) With(comes Process, gone paxos.NodeID) Roster {
	next := Roster{Version: r.Version + 1}
	for _, p := range r.List {
		if p.ID != gone {
			next.List = append(next.List, p)
		}
	}
	if comes.ID != "" {
		next.List = append(next.List, comes)
	}
	next.sort()
	for _, p := range r.Gone {
		if p.ID != comes.ID {
			next.Gone = append(next.Gone, p)
		}
	}
	if p, was := r.Find(gone); was && gone != comes.ID {
		next.Gone = append(next.Gone, p)
	}
	next.Gone = next.Gone[max(0, len(next.Gone)-maxGone):]
	return next
}

// IsGone reports whether id was in it, and is not any more.
func (r *Roster) IsGone(id paxos.NodeID) bool {
	return slices.ContainsFunc(r.Gone, func(p Process) bool { return p.ID == id })
}

// Only is r without the acceptors that c does not have.
func (r Roster) Only(c *Configuration) Roster {
	r.List = slices.DeleteFunc(slices.Clone(r.List), func(p Process) bool {
		_, is := c.Find(p.ID)
		return p.Role == paxos.RoleAcceptor && !is
	})
	return r
}

// Valid returns an error unless r is one that a log may have decided.
func (r *Roster) Valid() error {
	switch {
	case r.Version == 0:
		return fmt.Errorf("a roster without a version")
	case len(r.List) > maxProcesses:
		return fmt.Errorf("%d processes, and %d are the most", len(r.List), maxProcesses)
	}
	ids, addrs := map[paxos.NodeID]bool{}, map[string]paxos.NodeID{}
	for i, p := range r.List {
		switch {
		case !p.isProcess():
			return fmt.Errorf("%s %q at %q is no process", p.Role, p.ID, p.Addr)
		case i > 0 && (r.List[i-1].Role > p.Role || r.List[i-1].Role == p.Role && r.List[i-1].ID >= p.ID):
			return fmt.Errorf("%s stands behind %s", p.ID, r.List[i-1].ID)
		case ids[p.ID]:
			return fmt.Errorf("%s is in it twice", p.ID)
		case addrs[p.Addr] != "":
			return fmt.Errorf("%s is the address of %s and of %s", p.Addr, addrs[p.Addr], p.ID)
		}
		ids[p.ID], addrs[p.Addr] = true, p.ID
	}
	for _, p := range r.Gone {
		if ids[p.ID] || !p.isProcess() {
			return fmt.Errorf("%s cannot be gone", p.ID)
		}
	}
	for _, role := range []paxos.Role{paxos.RoleProposer, paxos.RoleLearner} {
		if len(r.Of(role)) == 0 {
			return fmt.Errorf("a log needs a %s", role)
		}
	}
	return nil
}

// AppendTo appends r in its one form.
func (r *Roster) AppendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, r.Version)
	if r.Version == 0 {
		return b
	}
	return appendProcesses(appendProcesses(b, r.List), r.Gone)
}

func appendProcesses(b []byte, list []Process) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, p := range list {
		b = appendText(appendText(append(b, byte(p.Role)), string(p.ID)), p.Addr)
	}
	return b
}

// ReadRoster reads what AppendTo wrote.
func ReadRoster(d *paxos.Canonical) Roster {
	r := Roster{Version: d.Number()}
	if r.Version == 0 {
		return r
	}
	r.List = readProcesses(d, maxProcesses)
	r.Gone = readProcesses(d, maxGone)
	d.Bad = d.Bad || r.Valid() != nil
	return r
}

func readProcesses(d *paxos.Canonical, most uint64) (list []Process) {
	n := d.Number()
	if d.Bad = d.Bad || n > most; d.Bad {
		return nil
	}
	for range n {
		var p Process
		if role := d.Take(1); role != nil {
			p.Role = paxos.Role(role[0])
		}
		p.ID, p.Addr = paxos.NodeID(readText(d)), readText(d)
		list = append(list, p)
	}
	return list
}
