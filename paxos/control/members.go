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

// ConfigurationOf is the first configuration of a log: that of the cluster file.
func ConfigurationOf(m paxos.Membership, incarnation func(paxos.NodeID) uint64) Configuration {
	return configuration.Of(m, incarnation)
}
