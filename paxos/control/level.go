package control

import (
	"encoding/binary"
)

// levels are what each level adds to those below it, from level 1 on, as people read it.
var levels = [...]string{
	"an id for the log, which every process checks; checkpoints in the log; trimming it",
	"ancestors: which logs this one was restored from",
	"a chain of hashes over the log, by which learners find out that one of them has another log than was chosen",
	"how much of the log is kept, which its leader sees to",
	"acceptors that are replaced, added and removed while the log runs",
	"rights: which principals may append, read and administrate; sessions of which others append nothing",
	"proposers and learners that are replaced, added and removed while the log runs",
	"holds: named positions in the log that keep a trim back",
	"settings: how many sessions are remembered, and how much one principal may have",
}

// Level is the highest level that this code knows.
const Level = uint64(len(levels))

// Adds is what a level adds to those below, "" if this code does not know it.
func Adds(level uint64) string {
	if level == 0 || level > Level {
		return ""
	}
	return levels[level-1]
}

// Raise raises the level of a log that has one. To a level that the log has it changes nothing.
type Raise struct{ Level uint64 }

// raised is the state from the command on that sets the level.
func (s State) raised(level uint64) State {
	s.Level = max(s.Level, level)
	return s
}

func (c Raise) appendTo(b []byte) []byte { return binary.AppendUvarint(b, c.Level) }

func (d *decoder) raise() Raise {
	c := Raise{Level: d.Number()}
	d.Bad = d.Bad || c.Level == 0
	return c
}
