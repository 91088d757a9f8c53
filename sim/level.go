package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/sim/check"
)

// Program is the highest level that the program of a process knows.
type Program struct {
	ID    paxos.NodeID
	Knows uint64
}

// program is the highest level that a process knows from its next start on: one of an earlier
// release is of this one from its second start on.
func (c *Cluster) program(id paxos.NodeID) uint64 {
	if level, ok := c.programs[id]; ok {
		return level
	}
	if c.old[id] && !c.started[id] {
		return 0
	}
	return control.Level
}

// knows is the highest level that a process knows, which starts now.
func (c *Cluster) knows(id paxos.NodeID) uint64 {
	level := c.program(id)
	if c.started[id] {
		delete(c.old, id)
	}
	c.started[id] = true
	c.nodes[id].watched.Knows = level
	return level
}

// refusal is why a process does not start from what its directory holds, as package wal says
// it. Then somebody gives it the newest program.
func (c *Cluster) refusal(n *Node) string {
	_, err := control.Decode(n.store.Visible().Control, c.program(n.ID))
	if err == nil {
		return ""
	}
	c.Events["start refused: the log has a level that the program does not know"]++
	c.programs[n.ID] = check.Newest
	return err.Error()
}

// replaceProgram stops a process, and starts it with a program that knows another level.
func (c *Cluster) replaceProgram(n *Node, level uint64, d Micros) {
	if before := c.program(n.ID); level < before {
		c.Events["program replaced by an older one"]++
	}
	c.trace("the program of %s is replaced by one that knows level %d", n.ID, level)
	c.programs[n.ID] = level
	if n.Up {
		n.Crash()
		c.restartAfter(d, n)
	}
}

// raiseLevel asks every proposer that leads, or believes so, to raise the level. Nobody makes
// sure that proposers and learners know it.
func (c *Cluster) raiseLevel(level uint64) {
	c.trace("the level of the log is to be raised to %d", level)
	for _, id := range c.Proposers {
		if n := c.nodes[id]; n.Up {
			n.receive(operator, &paxos.Raise{Level: level})
		}
	}
}

// newest is the highest level that any process knows.
func (c *Cluster) newest() (level uint64) {
	for _, id := range c.servers() {
		level = max(level, c.program(id))
	}
	return level
}

// replacePrograms gives every process the newest program that there is.
func (c *Cluster) replacePrograms() {
	newest := c.newest()
	for _, id := range c.servers() {
		if n := c.nodes[id]; c.program(id) < newest || c.old[id] && n.Up {
			c.programs[id] = newest
			if n.Up {
				n.Crash()
			}
		}
	}
}

// drawLevels draws which programs processes have at first, in some runs, when they are replaced
// by newer and older ones, and when somebody has the level raised. It has a source of its own,
// as drawOld has.
func drawLevels(p *Plan, servers []paxos.NodeID) (programs []Program, faults []Fault) {
	r := paxos.Rand{State: p.Seed ^ 0x75706772616465}
	if r.Uint64()%1000 >= 200 {
		return nil, nil
	}
	first, last := uint64(0), control.Level // Pebble's directories are of this release
	if p.Store == ModelStore {
		if last = check.Newest; r.Uint64()%2 == 0 {
			first = 1 + r.Uint64()%control.Level
		}
	}
	for _, id := range servers {
		level := first
		if r.Uint64()%1000 < 300 {
			level = last
		}
		programs = append(programs, Program{id, level})
	}
	for at := Micros(0); ; {
		if at += between(&r, 20*Millisecond, 700*Millisecond); at >= p.End {
			return programs, faults
		}
		f := Fault{At: at, Kind: ReplaceProgram, Node: servers[r.Uint64()%uint64(len(servers))], For: between(&r, Millisecond, Second), Arg: last}
		switch draw := r.Uint64() % 1000; {
		case draw < 250:
			f = Fault{At: at, Kind: RaiseLevel, Arg: last}
		case draw < 300:
			f = Fault{At: at, Kind: RaiseLevel, Arg: control.Level}
		case draw < 400:
			f.Arg = first
		}
		faults = append(faults, f)
	}
}

// upgradeScenario: no step of an upgrade keeps clients waiting for longer than an election, and
// a log of level 0 with entries gets its level at the end. Before that anybody may go back.
func upgradeScenario(s *stage) {
	s.make(3)
	servers := s.servers()
	for _, id := range servers {
		s.programs[id] = 0
	}
	s.begin()
	s.lead(1)
	replace := func(level uint64, ids ...paxos.NodeID) {
		for _, id := range ids {
			s.replaceProgram(s.nodes[id], level, 10*Millisecond)
			s.progress(2*Second, fmt.Sprintf("after the program of %s was replaced by one of level %d", id, level))
		}
	}
	half := []paxos.NodeID{"a1", "p1", "l1", "a2", "p2"}
	replace(control.Level, half...)
	s.raiseLevel(control.Level)
	s.progress(Second, "after the level was asked for too early: a3 does not know it")
	s.level(0)
	slices.Reverse(half)
	replace(0, half...)
	replace(control.Level, servers...)
	s.level(0)
	s.raiseLevel(control.Level)
	s.expect(Second, "the log has its level", func() bool { return s.Check.Level() == control.Level })
	s.progress(Second, "after the log got its level")
	s.replaceProgram(s.nodes["a2"], 0, 10*Millisecond)
	s.expect(Second, "an older program is refused", func() bool {
		return s.Events["start refused: the log has a level that the program does not know"] > 0
	})
	s.progress(2*Second, "after an older program was refused")
}

// level fails the scenario unless the log has that level.
func (s *stage) level(want uint64) {
	if got := s.Check.Level(); s.err == nil && got != want {
		s.err = fmt.Errorf("the log has level %d, not %d", got, want)
	}
}
