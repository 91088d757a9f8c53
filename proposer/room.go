package proposer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// rooms is what acceptors and learners say of their disks. An acceptor says it in its answers to
// heartbeats, and passes on what learners say. A leader that knows that too few have room refuses
// appends before they are full: so there is always room for the command that makes some. See the
// package doc, "Disks that are full".
type rooms struct {
	acceptors paxos.ByPlace[paxos.RoomOf]
	learners  paxos.ByPlace[[]paxos.RoomOf] // as each acceptor passed it on
	proposed  []proposedBytes               // within roomTicks
	near      bool                          // somebody has little
	refusing  bool                          // it was told that appends are refused
	mark      bool                          // somebody became short since the newest Mark
}

// proposedBytes are bytes of entries that were proposed at about a time.
type proposedBytes struct {
	at    paxos.Ticks
	bytes uint64
}

// isEntry reports whether a value carries entries, and not what the log decides about itself,
// or nothing.
func isEntry(v *paxos.Value) bool { return len(v.Batch) > 0 && !paxos.IsControl(v.Batch) }

// propose notes that a value is proposed.
func (r *rooms) propose(now paxos.Ticks, v *paxos.Value) {
	if !isEntry(v) {
		return
	}
	n := len(r.proposed)
	if n == 0 || now-r.proposed[n-1].at >= roomTicks/20 {
		r.proposed = append(slices.DeleteFunc(r.proposed, func(b proposedBytes) bool { return now-b.at > roomTicks }), proposedBytes{at: now})
		n = len(r.proposed)
	}
	r.proposed[n-1].bytes += uint64(len(v.Batch))
}

// since is how much was proposed since what is known of rooms was measured.
func (r *rooms) since(now paxos.Ticks) (bytes uint64) {
	for _, b := range r.proposed {
		if now-b.at <= roomTicks {
			bytes += b.bytes
		}
	}
	return bytes
}

// onRoom takes what an acceptor says of its disk, and of those of learners.
func (l *leading) onRoom(p *Proposer, place int, m *paxos.HeartbeatAck) {
	r := &l.rooms
	was := r.acceptors[place].Room
	news := m.Room.IsShort() && !was.IsShort() || slices.ContainsFunc(m.Learners, func(o paxos.RoomOf) bool {
		return o.Room.IsShort() && !slices.ContainsFunc(r.learners[place], func(b paxos.RoomOf) bool { return b.ID == o.ID && b.Room.IsShort() })
	})
	r.acceptors[place] = paxos.RoomOf{ID: p.members.Acceptors[place], Room: m.Room, Free: m.DiskFree}
	r.learners[place] = m.Learners
	if news {
		r.mark = true
	}
	r.near = r.isNear()
	why := l.short(p, 0)
	switch {
	case why != "" && !r.refusing:
		p.Warn("appends are refused", "ballot", l.ballot.String(), "reason", why)
	case why == "" && r.refusing:
		p.Info("appends are taken again: there is room on the disks", "ballot", l.ballot.String())
	}
	r.refusing = why != ""
}

// lacksRoom says who lacks room for more entries, if a Phase 2 quorum of acceptors or some
// learner can not take them; else "".
func (l *leading) lacksRoom(p *Proposer) string {
	if !l.rooms.near {
		return ""
	}
	return l.short(p, l.rooms.since(p.now))
}

// refuseWithoutRoom refuses the entries that wait, if too few have room for more.
func (l *leading) refuseWithoutRoom(p *Proposer) {
	if l.queue.n == 0 {
		return
	}
	why := l.lacksRoom(p)
	if why == "" {
		return
	}
	var fences []queued
	for l.queue.n > 0 {
		if x := l.queue.pop(); x.msg.First == 0 {
			fences = append(fences, x)
		} else {
			p.refuse(x.from, x.msg, paxos.RefuseNoSpace, why)
		}
	}
	for _, x := range fences {
		l.queue.push(x)
	}
}

// wantsMark reports whether a checkpoint is wanted since somebody became short: while everybody has
// room for one, and not again for a while, however often an acceptor says that.
func (r *rooms) wantsMark(p *Proposer, retain *retaining) bool {
	return r.mark && retain.fresh && retain.again.Due(p.now)
}

// nextMark is when wantsMark turns true by itself.
func (r *rooms) nextMark(retain *retaining) paxos.Ticks {
	if !r.mark || !retain.fresh {
		return paxos.Never
	}
	return retain.again.At()
}

// isNear reports whether somebody has so little that it has to be looked at for each append.
func (r *rooms) isNear() bool {
	little := func(o paxos.RoomOf) bool { return o.Room.IsKnown() && o.Room.Bytes() < nearRoom }
	return slices.ContainsFunc(r.acceptors, little) ||
		slices.ContainsFunc(r.learners, func(list []paxos.RoomOf) bool { return slices.ContainsFunc(list, little) })
}

// short is lacksRoom where so much was proposed since.
func (l *leading) short(p *Proposer, since uint64) string {
	r := &l.rooms
	fresh := p.not(l.gone)
	group := p.members.At(l.chosenUpTo + 1)
	var with paxos.Set
	var lack []paxos.RoomOf
	for i, a := range r.acceptors {
		switch {
		case !fresh.Has(i) || !group.Members.Has(i):
		case !a.Room.Holds(since):
			lack = append(lack, a)
		default:
			with = with.With(i)
		}
	}
	if len(lack) > 0 && group.IsPhase2(fresh) && !group.IsPhase2(with) {
		return p.lacking(lack)
	}
	if learners, any := l.learnersWithout(p, since); !any && len(learners) > 0 {
		return p.lacking(learners)
	}
	return ""
}

// learnersWithout are the learners that lack room, and whether another one has room, as far as
// enough acceptors that are heard say so. A learner of which fewer speak counts as neither.
func (l *leading) learnersWithout(p *Proposer, since uint64) (without []paxos.RoomOf, others bool) {
	type word struct {
		paxos.RoomOf     // of the first that says it lacks room
		short, roomy int // how many acceptors say so
	}
	fresh := p.not(l.gone)
	need := min(witnesses, fresh.Len())
	var words []word
	for place, list := range l.rooms.learners {
		if !fresh.Has(place) {
			continue
		}
		for j, o := range list {
			is := func(x paxos.RoomOf) bool { return x.ID == o.ID }
			if slices.ContainsFunc(list[:j], is) || len(p.learners) > 0 && !slices.Contains(p.learners, o.ID) {
				continue // nobody speaks twice, nor of whom the log does not name
			}
			k := slices.IndexFunc(words, func(w word) bool { return w.ID == o.ID })
			if k < 0 {
				k, words = len(words), append(words, word{RoomOf: o})
			}
			switch w := &words[k]; {
			case o.Room.Holds(since):
				w.roomy++
			default:
				if w.short == 0 {
					w.RoomOf = o
				}
				w.short++
			}
		}
	}
	for i := range words {
		switch w := &words[i]; {
		case w.roomy >= need && w.roomy >= w.short:
			others = true
		case w.short >= need && w.short > w.roomy:
			without = append(without, w.RoomOf)
		}
	}
	return without, others
}

// lacking says what is left to those that lack room, and what to do. A hold may be why a trim gives
// nothing back.
func (p *Proposer) lacking(all []paxos.RoomOf) string {
	var each []string
	for _, a := range all {
		each = append(each, fmt.Sprintf("%s has %.1f MB left", a.ID, float64(a.Free)/1e6))
	}
	held := ""
	if holds := p.control.Holds; len(holds) > 0 {
		held = fmt.Sprintf(", which a hold at index %d keeps back (`paxlog hold list`)", holds.Lowest())
	}
	return fmt.Sprintf("too little room on disk for more entries: %s; trim the log (`paxlog trim`, `paxlog retention set`)%s, or free some space", strings.Join(each, ", "), held)
}

// isChunk reports whether a value is a part of a checkpoint.
func isChunk(v *paxos.Value) bool {
	c, err := control.Parse(v.Batch)
	_, is := c.(control.Chunk)
	return err == nil && is
}

// takers are the acceptors that a value is proposed to first. One that lacks room is left out
// while others do without it; if they do not, it is sent the value as all that is not chosen is
// sent again, and takes it on what it has laid by. So it is with entries and with parts of checkpoints:
// while the others go on there are ever more of those, and what is laid by is for two.
func (l *leading) takers(p *Proposer, i paxos.Instance, v *paxos.Value) paxos.Set {
	group := p.members.At(i)
	if !isEntry(v) && !isChunk(v) {
		return group.Members // R4
	}
	with := group.Members
	for place, a := range l.rooms.acceptors {
		if a.Room.IsShort() {
			with = with.Without(place)
		}
	}
	if !group.IsPhase2(with & p.not(l.gone)) {
		return group.Members
	}
	return with
}
