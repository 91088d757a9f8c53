package control

import (
	"encoding/binary"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/rights"
)

// LevelRights is the level from which on a log says who may do what, and ids of sessions name their
// log and their owner (package rights).
const LevelRights = 6

// Runs is the newest kind of runs that a log of a level has, or a process that knows it.
func Runs(level uint64) paxos.RunKind {
	if level < LevelRights {
		return paxos.RunsBefore
	}
	return paxos.RunsOwned
}

// SetGrant grants a principal just these rights from now on. One that would leave nobody with
// admin, or name more principals than a log has room for, changes nothing.
type SetGrant struct{ paxos.Permission }

func (SetGrant) kind() byte { return kindSetGrant }

func (c SetGrant) appendTo(b []byte) []byte { return rights.AppendPermission(b, c.Permission) }

// grant takes a SetGrant that was chosen at i.
func (s State) grant(i paxos.Instance, c SetGrant) State {
	after, may := s.Grants.With(c.Name, c.Rights)
	if may && !slices.Equal(after, s.Grants) {
		s.Grants, s.GrantedAt = after, i
	}
	return s
}

// appendGrants is what a state has from LevelRights on: who may do what, and since which
// instance.
func (s State) appendGrants(b []byte) []byte {
	if s.Level < LevelRights {
		return b
	}
	return binary.AppendUvarint(s.Grants.AppendTo(b), uint64(s.GrantedAt))
}

func (d *decoder) grants(s *State) {
	if s.Level < LevelRights {
		return
	}
	s.Grants, s.GrantedAt = rights.Read(&d.Canonical), paxos.Instance(d.Number())
	d.Bad = d.Bad || s.GrantedAt > s.At || len(s.Grants) > 0 && s.GrantedAt <= s.Since
}
