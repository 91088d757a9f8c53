package control

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

// Alpha decides the alpha of a log, once: a change that is chosen at i is in force from
// i + Alpha on (package configuration).
type Alpha struct{ Alpha paxos.Instance }

// Change makes a configuration the next one. One that does not follow the newest, or comes
// before that is in force, changes nothing (R8).
type Change struct{ configuration.Change }

// change takes an Alpha or a Change that was chosen at i.
func (s State) change(i paxos.Instance, c Command) State {
	if s.Level < LevelMembers {
		return s
	}
	var next configuration.History
	var err error
	switch c := c.(type) {
	case Alpha:
		next, err = s.Members.Decide(c.Alpha)
	case Change:
		next, err = s.Members.Apply(i, c.Change)
	}
	if err == nil { // else it is void, for everybody
		s.Members = next
	}
	return s
}

func (c Alpha) appendTo(b []byte) []byte { return binary.AppendUvarint(b, uint64(c.Alpha)) }

func (d *decoder) alpha() Alpha {
	c := Alpha{Alpha: paxos.Instance(d.Number())}
	d.Bad = d.Bad || c.Alpha < 1 || c.Alpha > configuration.MaxAlpha
	return c
}

func (c Change) appendTo(b []byte) []byte { return c.AppendTo(b) }

// SetRoster decides who the proposers and learners are. It changes nothing unless it follows the
// newest roster: so of two leaders that each change the same one, one has done it.
type SetRoster struct{ configuration.Roster }

// enrol takes a roster.
func (s State) enrol(c SetRoster) State {
	if c.Version == s.Roster.Version+1 {
		s.Roster = c.Roster
	}
	return s
}

func (c SetRoster) appendTo(b []byte) []byte { return c.AppendTo(b) }

func (d *decoder) roster() SetRoster {
	c := SetRoster{configuration.ReadRoster(&d.Canonical)}
	d.Bad = d.Bad || c.Version == 0
	return c
}

// Directory is what clients are told of s: who the processes of the log are, and where. It is nil
// as long as that is what their cluster files say.
func (s *State) Directory() *paxos.Directory { return DirectoryOf(&s.Members, &s.Roster) }

// DirectoryOf is that of a log that has decided so much.
func DirectoryOf(h *configuration.History, r *configuration.Roster) *paxos.Directory {
	if !h.Changed() && r.Version == 0 {
		return nil
	}
	d := &paxos.Directory{Epoch: h.Now.Epoch, Version: r.Version}
	for _, a := range h.Now.Acceptors {
		if p, is := r.Find(a.ID); is && a.Addr == "" {
			a.Addr = p.Addr
		}
		d.List = append(d.List, paxos.Listed{Role: paxos.RoleAcceptor, ID: a.ID, Addr: a.Addr})
	}
	for _, p := range r.List {
		if p.Role != paxos.RoleAcceptor && r.Version > 0 {
			d.List = append(d.List, paxos.Listed(p))
		}
	}
	return d
}

// ConfigurationOf is the first configuration of a log: that of the cluster file.
func ConfigurationOf(m paxos.Membership, incarnation func(paxos.NodeID) uint64) Configuration {
	return configuration.Of(m, incarnation)
}
