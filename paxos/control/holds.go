package control

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// LevelHolds is the level from which on a log has holds.
const LevelHolds = 8

// MaxHolds bounds the holds of a log.
const MaxHolds = 256

// Holds keep trims back: no entry from the lowest of them on is trimmed. They are sorted by name.
// They are not changed.
type Holds []paxos.Hold

func byName(h paxos.Hold, name string) int { return cmp.Compare(h.Name, name) }

// Has reports whether there is a hold of that name.
func (h Holds) Has(name string) bool {
	_, found := slices.BinarySearchFunc(h, name, byName)
	return found
}

// Lowest is the first index that is held, paxos.Bound if none is.
func (h Holds) Lowest() paxos.Index {
	lowest := paxos.Index(paxos.Bound)
	for _, x := range h {
		lowest = min(lowest, x.At)
	}
	return lowest
}

// Below are the holds that keep a trim to an index back.
func (h Holds) Below(to paxos.Index) (below []paxos.Hold) {
	for _, x := range h {
		if x.At < to {
			below = append(below, x)
		}
	}
	return below
}

// with returns h with x set, moved, or, if its At is 0, released.
func (h Holds) with(x paxos.Hold) Holds {
	i, found := slices.BinarySearchFunc(h, x.Name, byName)
	after := slices.Clone(h)
	switch {
	case found && x.At == 0:
		if after = slices.Delete(after, i, i+1); len(after) == 0 {
			after = nil
		}
	case found:
		after[i] = x
	case x.At != 0:
		after = slices.Insert(after, i, x)
	}
	return after
}

// SetHold sets a hold or moves it, and with an At of 0 releases it. One that names what was trimmed
// already changes nothing, and neither does a new one where the log has MaxHolds.
type SetHold struct{ paxos.Hold }

func (SetHold) kind() byte { return kindSetHold }

func (c SetHold) appendTo(b []byte) []byte { return appendHold(b, c.Hold) }

// hold takes a SetHold.
func (s State) hold(c SetHold) State {
	if after := s.Holds.with(c.Hold); len(after) <= MaxHolds && (c.At == 0 || c.At >= s.FirstIndex) {
		s.Holds = after
	}
	return s
}

func appendHold(b []byte, h paxos.Hold) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(h.Name))), h.Name...)
	return binary.BigEndian.AppendUint64(binary.AppendUvarint(b, uint64(h.At)), uint64(h.Time))
}

func (d *decoder) hold() paxos.Hold {
	h := paxos.Hold{Name: string(d.Take(d.Number())), At: paxos.Index(d.Number()), Time: paxos.UnixNanos(d.Fixed())}
	d.Bad = d.Bad || !paxos.IsName(h.Name) || h.At == 0 && h.Time != 0
	return h
}

// appendHolds is what a state has from LevelHolds on: how many there are, and each of them.
func (s State) appendHolds(b []byte) []byte {
	if s.Level < LevelHolds {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(s.Holds)))
	for _, h := range s.Holds {
		b = appendHold(b, h)
	}
	return b
}

func (d *decoder) holds(s *State) {
	if s.Level < LevelHolds {
		return
	}
	n := d.Number()
	if d.Bad = d.Bad || n > MaxHolds; d.Bad {
		return
	}
	for range n {
		h := d.hold()
		last := len(s.Holds) - 1
		if d.Bad = d.Bad || h.At < s.FirstIndex || last >= 0 && s.Holds[last].Name >= h.Name; d.Bad {
			return
		}
		s.Holds = append(s.Holds, h)
	}
}
