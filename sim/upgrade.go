package sim

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

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
