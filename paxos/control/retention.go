package control

import (
	"encoding/binary"

	"github.com/paxlog/paxlog/paxos"
)

// LevelRetention is the level from which on a log has a Retention, and counts its bytes.
const LevelRetention = 4

// Retention says how much of the log is kept. What is 0 limits nothing.
type Retention struct {
	Age     paxos.Ticks // entries that are older than this are not kept
	Bytes   uint64      // the values kept have no more bytes
	Entries uint64      // no more than the newest entries are kept
}

// IsZero reports whether r limits nothing.
func (r Retention) IsZero() bool { return r == Retention{} }

// maxAge is a hundred years: what is longer does not fit into nanoseconds.
const maxAge = 100 * 365 * 24 * 3600 * 1000

// Valid reports whether a log may have r.
func (r Retention) Valid() bool {
	return r.Age >= 0 && r.Age <= maxAge && r.Bytes < paxos.Bound && r.Entries < paxos.Bound
}

// SetRetention sets it.
type SetRetention struct{ Retention Retention }

func (SetRetention) kind() byte { return kindSetRetention }

func (c SetRetention) appendTo(b []byte) []byte { return c.Retention.appendTo(b) }

func (r Retention) appendTo(b []byte) []byte {
	for _, n := range []uint64{uint64(r.Age), r.Bytes, r.Entries} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func (d *decoder) retention() Retention {
	r := Retention{Age: paxos.Ticks(d.Number()), Bytes: d.Number(), Entries: d.Number()}
	d.Bad = d.Bad || !r.Valid()
	return r
}

// RetentionShare is which part of what is kept lies between two checkpoints that are made for
// the sake of Retention. The log is trimmed to a checkpoint, so it is that much longer or
// shorter than what was asked for, and trimmed no more often than once for so much.
const RetentionShare = 8

// Beyond is the index up to which s.Retention does not let entries be kept, as of the time now,
// 0 if nothing is to be trimmed. It looks at complete checkpoints only, and not beyond a hold.
//
// No process is believed what it says of the log. A checkpoint is the state that two learners
// have, byte for byte (D3), with the entries, the bytes and the time of the log up to there. So
// one learner that counts wrongly, or lies, makes no checkpoint, and no entry is trimmed
// because of it. What a leader adds is its clock, as to all entries, by as much as those of acceptors
// allow (package proposer, "Clocks").
//
//   - Age and Entries: nothing is trimmed that may be kept. What is kept in excess is what came between
//     two checkpoints.
//   - Bytes: they are what disks have to hold, so it is the other way around: when the log has
//     grown by another share, it is still within them.
func (s State) Beyond(now paxos.UnixNanos) paxos.Index {
	r, newest := s.Retention, s.Newest()
	var to paxos.Index
	for _, c := range s.Complete {
		older := r.Age > 0 && now-c.Time >= paxos.UnixNanos(r.Age)*1e6
		more := r.Entries > 0 && uint64(newest.Next-c.Next) >= r.Entries
		if older || more {
			to = max(to, c.Next)
		}
	}
	if keep := r.Bytes - r.Bytes/RetentionShare; r.Bytes > 0 && newest.Bytes-s.Base.Bytes > keep {
		for _, c := range s.Complete {
			if to = max(to, c.Next); newest.Bytes-c.Bytes <= keep {
				break
			}
		}
	}
	if to = min(to, s.Holds.Lowest()); to <= s.FirstIndex {
		return 0
	}
	return to
}

// NextBeyond is how long after now Beyond may have more to say although no checkpoint was
// completed, paxos.Never if it will not.
func (s State) NextBeyond(now paxos.UnixNanos) paxos.Ticks {
	if s.Retention.Age == 0 {
		return paxos.Never
	}
	for _, c := range s.Complete {
		if left := s.Retention.Age - paxos.Ticks((now-c.Time)/1e6); c.Next > s.FirstIndex && left > 0 {
			return left
		}
	}
	return paxos.Never
}

// measured reads a Close with Bytes.
func (d *decoder) measured() Close {
	bytes := d.Number()
	c := d.close()
	c.Chain, c.Bytes = d.chain(), bytes
	d.Bad = d.Bad || bytes == 0
	return c
}

// appendMeasures is what a state has from LevelRetention on: its Retention, and the bytes of the
// checkpoints that it names.
func (s State) appendMeasures(b []byte) []byte {
	if s.Level < LevelRetention {
		return b
	}
	b = binary.AppendUvarint(s.Retention.appendTo(b), s.Base.Bytes)
	for _, c := range s.Complete {
		b = binary.AppendUvarint(b, c.Bytes)
	}
	if s.Under.Closed.T != 0 {
		b = binary.AppendUvarint(b, s.Under.Closed.Bytes)
	}
	return b
}

func (d *decoder) measures(s *State) {
	if s.Level < LevelRetention {
		return
	}
	s.Retention, s.Base.Bytes = d.retention(), d.Number()
	last := uint64(0)
	for i := range s.Complete {
		c := &s.Complete[i]
		c.Bytes = d.Number()
		d.Bad = d.Bad || c.Bytes < last || c.T == s.Base.T && c.Bytes != s.Base.Bytes
		last = c.Bytes
	}
	if s.Under.Closed.T != 0 {
		s.Under.Closed.Bytes = d.Number()
		d.Bad = d.Bad || s.Under.Closed.Bytes < last
	}
	d.Bad = d.Bad || s.Base.T == 0 && s.Base.Bytes != 0
}
