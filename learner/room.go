package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// room is what there is room for on the disk. Acceptors are told, and pass it on to the leader:
// appends are refused when no learner has room. Until then, and where another learner has room,
// a learner that is short goes on with what is beyond, and then applies no entries any more: it
// is out. It serves what it has applied, and sends clients to other learners.
//
// Whoever is out does not get to the command that trims. So it asks others what the log has
// trimmed: it deletes what it has of that, or, if that is all, begins with a checkpoint.
//
// Example: l1's disk is full at instance 1000, l2 goes on. At 5000 the log is trimmed up to the
// checkpoint of 900. l1 asks a1, deletes what is below, and applies on from 1001.
type room struct {
	values paxos.Room // as usual; not known where the driver does not say it
	beyond uint64     // bytes after that
	free   uint64     // bytes of the volume
	told   paxos.Room // to the acceptors
	out    bool
	lacks  uint64      // of the value that did not fit
	again  paxos.Timer // while it is out: when it asks what was trimmed
	next   int         // rotation over sources
}

// isOut reports whether nothing but commands of the log is applied, for want of room.
func (l *Learner) isOut() bool { return l.room.out }

func (l *Learner) onDiskRoom(m *paxos.DiskRoom) {
	r := &l.room
	r.values, r.beyond, r.free = m.Values, m.Beyond, m.Free
	if r.out && (!r.values.IsShort() || r.beyond > 2*r.lacks) {
		before := l.sendsAway()
		r.out = false
		l.tellAway(before)
		l.progressAt, l.copying.failed = l.now, false
		l.Info("there is room on the disk again: it applies on", "applied", uint64(l.state.Applied))
	}
	if r.changed() {
		r.told = r.values
		l.pollAll()
	}
}

// changed reports whether acceptors should be told what there is room for.
func (r *room) changed() bool {
	is, was := r.values.Bytes(), r.told.Bytes()
	switch {
	case r.values.IsShort() != r.told.IsShort() || r.values.IsKnown() != r.told.IsKnown():
		return true
	case min(is, was) > nearRoom:
		return false
	}
	return is < was/2 || is > 2*was
}

// fits reports whether there is room for the next value. What the log decides about itself
// always fits: it is little, and may make room.
func (l *Learner) fits(v *paxos.Value) bool {
	r, n := &l.room, uint64(len(v.Batch))
	switch {
	case n == 0 || paxos.IsControl(v.Batch) || !r.values.IsKnown():
		return true
	case !r.values.IsShort():
		r.values = r.values.After(n)
		return true
	case n <= r.beyond && !r.out:
		r.beyond -= n
		return true
	case !r.out:
		before := l.sendsAway()
		r.out, r.lacks = true, n
		l.tellAway(before)
		r.again.Set(l.now)
		l.Warn("the disk is full: no entries are applied here until there is room; free some space, or trim the log (`paxlog trim`, `paxlog retention set`)",
			"applied", uint64(l.state.Applied))
	}
	return false
}

// nextRoom is when this learner, which is out, asks what the log has trimmed.
func (l *Learner) nextRoom() paxos.Ticks {
	if !l.isOut() || l.install != nil {
		return paxos.Never
	}
	return l.room.again.At()
}

// tickRoom asks the next source that is connected.
func (l *Learner) tickRoom() {
	if l.now < l.nextRoom() {
		return
	}
	r := &l.room
	r.again.Set(l.now + askTrims*l.cfg.RetryTicks)
	for range l.sources {
		r.next++
		if s := &l.sources[r.next%len(l.sources)]; s.up && !s.stranger {
			l.Send(s.id, &paxos.Fetch{From: l.state.FirstInstance})
			return
		}
	}
}

// takeTrim deletes what a source says that the log has trimmed, up to a checkpoint that this
// learner knows to be complete. That it was trimmed is that one's word; it costs no more than
// entries that another learner has, or had.
func (l *Learner) takeTrim(from paxos.NodeID, m *paxos.Page) {
	st, own := &l.state, &l.control.state
	if !l.isOut() || m.Control == "" || m.First <= st.FirstInstance || m.First > st.Applied+1 {
		return
	}
	state, err := control.Decode(m.Control, l.cfg.Knows)
	if err != nil || state.FirstInstance() != m.First || own.Log != state.Log || !slices.Contains(own.Complete, state.Base) {
		return
	}
	l.Info("its disk is full: it deletes what the log has trimmed meanwhile", "first", uint64(m.First), "peer", string(from))
	st.FirstIndex = max(st.FirstIndex, min(state.FirstIndex, st.Next))
	st.FirstInstance, st.Below, l.changed = m.First, state.Base.Chain, true
	l.Write(paxos.Trimmed{Instance: m.First, Index: state.Base.Next})
}
