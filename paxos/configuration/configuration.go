package configuration

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Acceptor is one member of a Configuration.
type Acceptor struct {
	ID          paxos.NodeID
	Incarnation uint64 // of its data directory, 0 if that was not known
	Addr        string // where it is dialled, "" if as the cluster file says
}

// Configuration is who accepts. Acceptors are sorted by id.
type Configuration struct {
	Epoch     uint64 // 1 is that of the cluster file, each change makes it one more
	Phase1    uint64 // size of a Phase 1 quorum
	Phase2    uint64
	Acceptors paxos.ByPlace[Acceptor]
}

// Of is the first configuration of a log: that of the cluster file.
func Of(m paxos.Membership, incarnation func(paxos.NodeID) uint64) Configuration {
	c := Configuration{Epoch: 1, Phase1: uint64(m.Phase1), Phase2: uint64(m.Phase2)}
	for _, id := range m.Acceptors {
		c.Acceptors = append(c.Acceptors, Acceptor{ID: id, Incarnation: incarnation(id)})
	}
	return c
}

// Valid returns an error unless c is one that a log may have: its quorums intersect, and
// nobody is in it twice.
func (c Configuration) Valid() error {
	if c.Epoch == 0 {
		return errors.New("a configuration without an epoch")
	}
	m := paxos.Membership{Cluster: "-", Phase1: int(c.Phase1), Phase2: int(c.Phase2), Sessions: 1}
	for _, a := range c.Acceptors {
		m.Acceptors = append(m.Acceptors, a.ID)
	}
	return m.Validate()
}

// Equal reports whether c and o are the same.
func (c Configuration) Equal(o Configuration) bool {
	return c.Epoch == o.Epoch && c.Phase1 == o.Phase1 && c.Phase2 == o.Phase2 && slices.Equal(c.Acceptors, o.Acceptors)
}

// IsZero reports whether c is no configuration.
func (c Configuration) IsZero() bool { return c.Epoch == 0 }

// Find returns the member named id.
func (c Configuration) Find(id paxos.NodeID) (Acceptor, bool) {
	i := slices.IndexFunc(c.Acceptors, func(a Acceptor) bool { return a.ID == id })
	if i < 0 {
		return Acceptor{}, false
	}
	return c.Acceptors[i], true
}

// Change is the next configuration. If it replaces a member, that one is not asked for
// anything any more, from the Phase 1 of the leader that proposes the change on.
type Change struct {
	Config   Configuration
	Replaces paxos.NodeID // "": nobody
}

// Replacement returns the change by which the newcomer takes the place of a member of c.
func (c Configuration) Replacement(dead paxos.NodeID, newcomer Acceptor) Change {
	next := c.with(newcomer)
	next.Acceptors = slices.DeleteFunc(next.Acceptors, func(a Acceptor) bool { return a.ID == dead })
	return Change{Config: next, Replaces: dead}
}

// Addition returns the change by which a newcomer becomes a member, with these quorum sizes.
func (c Configuration) Addition(newcomer Acceptor, phase1, phase2 uint64) Change {
	next := c.with(newcomer)
	next.Phase1, next.Phase2 = phase1, phase2
	return Change{Config: next}
}

// Removal returns the change by which a member that lives is one no more.
func (c Configuration) Removal(id paxos.NodeID, phase1, phase2 uint64) Change {
	next := Configuration{Epoch: c.Epoch + 1, Phase1: phase1, Phase2: phase2}
	for _, a := range c.Acceptors {
		if a.ID != id {
			next.Acceptors = append(next.Acceptors, a)
		}
	}
	return Change{Config: next}
}

// with is the configuration after c that has one more member, and the same quorum sizes.
func (c Configuration) with(newcomer Acceptor) Configuration {
	next := Configuration{Epoch: c.Epoch + 1, Phase1: c.Phase1, Phase2: c.Phase2}
	next.Acceptors = append(slices.Clone(c.Acceptors), newcomer)
	slices.SortFunc(next.Acceptors, func(a, b Acceptor) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return next
}

// follows returns an error unless x is one step away from c: one member more, or one less,
// or one in the place of another.
func (x Change) follows(c Configuration) error {
	if err := x.Config.Valid(); err != nil {
		return err
	}
	if x.Config.Epoch != c.Epoch+1 {
		return fmt.Errorf("epoch %d does not follow %d", x.Config.Epoch, c.Epoch)
	}
	came, left := missing(x.Config, c), missing(c, x.Config)
	for _, a := range x.Config.Acceptors {
		if old, ok := c.Find(a.ID); ok && old != a {
			return fmt.Errorf("%s is another one than before", a.ID)
		}
	}
	switch {
	case x.Replaces == "" && len(came)+len(left) == 1:
		return nil
	case x.Replaces != "" && len(came) == 1 && len(left) == 1 && left[0] == x.Replaces &&
		x.Config.Phase1 == c.Phase1 && x.Config.Phase2 == c.Phase2:
		return nil
	}
	return fmt.Errorf("one member may come, leave, or be replaced at a time: %v would come, and %v leave", came, left)
}

// missing are the members of a that b has not.
func missing(a, b Configuration) (ids []paxos.NodeID) {
	for _, m := range a.Acceptors {
		if _, ok := b.Find(m.ID); !ok {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
