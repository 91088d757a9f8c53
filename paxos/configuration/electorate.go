package configuration

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// Unset is the From of a change that has no instance yet.
const Unset = paxos.Instance(paxos.Bound)

// Group is the members of one configuration, by their place in an Electorate, and the sizes of
// its quorums. The zero Group has no members.
type Group struct {
	Members        paxos.Set
	Phase1, Phase2 int
}

// IsZero reports whether g is of no configuration.
func (g Group) IsZero() bool { return g.Phase1 == 0 }

// IsPhase1 reports whether s has a Phase 1 quorum of g.
func (g Group) IsPhase1(s paxos.Set) bool { return (s & g.Members).Len() >= g.Phase1 }

// IsPhase2 reports whether s has a Phase 2 quorum of g.
func (g Group) IsPhase2(s paxos.Set) bool { return (s & g.Members).Len() >= g.Phase2 }

// Electorate is whom a proposer asks, and what it counts as a quorum: of one configuration, or,
// around a change, of two.
type Electorate struct {
	Acceptors paxos.ByPlace[paxos.NodeID] // sorted: all that are asked
	Before    Group                       // of instances below From
	After     Group                       // of those from From on; zero if no change is known
	From      paxos.Instance              // Unset: the change is not proposed yet
	// Void is the member that the change replaces. It is in no group, and is asked nothing: R7.
	Void paxos.NodeID
}

// Sole is the electorate of a log whose configuration is that of the cluster file.
func Sole(m paxos.Membership) Electorate {
	e := Electorate{Acceptors: slices.Clone(m.Acceptors)}
	for i := range m.Acceptors {
		e.Before.Members = e.Before.Members.With(i)
	}
	e.Before.Phase1, e.Before.Phase2 = m.Phase1, m.Phase2
	return e
}

// Found is a change that acceptors have voted for, and an instance that it is not known to be
// chosen at; Unset if it is to be proposed.
type Found struct {
	At     paxos.Instance
	Change Change
}

// ErrEarly is returned for a change where the one before is not in force yet: an Electorate has
// no room for a third configuration, which R3 would ask for.
var ErrEarly = errors.New("the change before is not in force yet")

// Electorate is whom to ask by what the log has decided, and by a change that was voted for,
// or is to be proposed, if there is one. Its first instance that may be proposed at is start.
func (h *History) Electorate(start paxos.Instance, x *Found) (Electorate, error) {
	switch {
	case x == nil && h.At == 0:
		return joint(h.Now, Change{}, 0), nil
	case x == nil:
		return joint(h.Before, Change{h.Now, h.Replaced}, h.From), nil
	}
	if start < h.From {
		return Electorate{}, fmt.Errorf("%w: it is from instance %d on, and everything is held up to %d", ErrEarly, h.From, start-1)
	}
	at, from, then := x.At, Unset, *h
	if at == Unset { // and alpha is decided before it is proposed
		at, then.Alpha = h.From, max(h.Alpha, 1)
	} else {
		from = at + h.Alpha
	}
	if err := then.may(at, x.Change); err != nil {
		return Electorate{}, fmt.Errorf("%w: %w", ErrVoid, err)
	}
	return joint(h.Now, x.Change, from), nil
}

// joint is the electorate of configuration before, and, from an instance on, the next one.
func joint(before Configuration, x Change, from paxos.Instance) Electorate {
	e := Electorate{From: from, Void: x.Replaces}
	for _, c := range []Configuration{before, x.Config} {
		for _, a := range c.Acceptors {
			if a.ID != e.Void && !slices.Contains(e.Acceptors, a.ID) {
				e.Acceptors = append(e.Acceptors, a.ID)
			}
		}
	}
	slices.Sort(e.Acceptors)
	e.Before = e.group(before)
	if !x.Config.IsZero() {
		e.After = e.group(x.Config)
	}
	return e
}

func (e *Electorate) group(c Configuration) Group {
	g := Group{Phase1: int(c.Phase1), Phase2: int(c.Phase2)}
	for _, a := range c.Acceptors {
		if place := e.Place(a.ID); place >= 0 {
			g.Members = g.Members.With(place)
		}
	}
	return g
}

// Place returns id's place in the list of acceptors, or -1 if it is not asked.
func (e *Electorate) Place(id paxos.NodeID) int { return slices.Index(e.Acceptors, id) }

// Translate is the set s, whose places are those of old, by the places of e. Who is in old only
// is left out.
func (e *Electorate) Translate(s paxos.Set, old *Electorate) (out paxos.Set) {
	for i, id := range old.Acceptors {
		if place := e.Place(id); s.Has(i) && place >= 0 {
			out = out.With(place)
		}
	}
	return out
}

// Newest is the group of the newest configuration.
func (e *Electorate) Newest() Group {
	if e.After.IsZero() {
		return e.Before
	}
	return e.After
}

// At is the group that counts at instance i.
func (e *Electorate) At(i paxos.Instance) Group {
	if !e.After.IsZero() && i >= e.From {
		return e.After
	}
	return e.Before
}

// IsPhase1 reports whether s is a Phase 1 quorum for all instances from start on: R3 asks for
// one of every configuration that is in force at any of them.
func (e *Electorate) IsPhase1(s paxos.Set, start paxos.Instance) bool {
	return (!e.After.IsZero() && start >= e.From || e.Before.IsPhase1(s)) && (e.After.IsZero() || e.After.IsPhase1(s))
}

// IsPhase1Below reports whether s is a Phase 1 quorum for the instances from start on that lie below
// the one from which the next configuration is in force.
func (e *Electorate) IsPhase1Below(s paxos.Set, start paxos.Instance) bool {
	return !e.After.IsZero() && e.From != Unset && start < e.From && e.Before.IsPhase1(s)
}

// IsRejoin reports whether an acceptor that has forgotten something may rejoin by the promises of
// s, which are for all instances from start on: it was counted in quorums of each configuration
// that is in force at any of them.
func (e *Electorate) IsRejoin(s paxos.Set, start paxos.Instance) bool {
	return (!e.After.IsZero() && start >= e.From || e.Before.IsRejoin(s)) && (e.After.IsZero() || e.After.IsRejoin(s))
}

// Covers reports whether a quorum of e is one of o, too, at each instance, and e asks nobody
// whom o does not: so a leader whose Phase 1 was of e may lead by o.
func (e *Electorate) Covers(o *Electorate) bool {
	if o.Void != "" && e.Void != o.Void || !e.includes(o, e.Before, o.Before) {
		return false
	}
	return o.After.IsZero() || e.includes(o, e.After, o.After) && (e.From == o.From || e.From == Unset)
}

// includes reports whether a quorum of g, which is of e, is one of og, which is of o.
func (e *Electorate) includes(o *Electorate, g, og Group) bool {
	if g.Phase1 != og.Phase1 || g.Phase2 != og.Phase2 {
		return false
	}
	for i, id := range e.Acceptors {
		if g.Members.Has(i) && !og.Members.Has(o.Place(id)) {
			return false
		}
	}
	return true
}

// Need is how many members it takes to elect a leader and to go on under it.
func (g Group) Need() int { return max(g.Phase1, g.Phase2) }

// IsRejoin is paxos.Membership.IsRejoin for the members of g.
func (g Group) IsRejoin(s paxos.Set) bool {
	return (s & g.Members).Len() > g.Members.Len()-min(g.Phase1, g.Phase2)
}

// CanRejoin is paxos.Membership.CanRejoin.
func (g Group) CanRejoin() bool {
	return min(g.Phase1, g.Phase2) > 1 && max(g.Phase1, g.Phase2) < g.Members.Len()
}
