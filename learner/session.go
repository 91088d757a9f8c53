package learner

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// session is one client session that is remembered.
type session struct {
	paxos.SessionState
	owner ref
	dirty bool // in sessions.dirty
}

// owned are the sessions of one owner, the least recently used one first.
type owned struct {
	owner paxos.Owner
	used  chain
}

// sessions are the sessions that are remembered, in the order of their last use
// in the log. It knows no clock: all learners expire the same ones.
type sessions struct {
	byID  map[paxos.SessionID]ref
	all   pool[session]
	links links
	used  chain // the least recently used one first
	// Of each owner that has sessions, those in the same order.
	owners  map[paxos.Owner]ref
	byOwner pool[owned]
	beside  links
	floors  floors
	allowed allowed
	// What is stored is not what is here: of dirty ones, and of those that expired.
	dirty   []ref
	expired []paxos.SessionID
}

// allowed is how many sessions the log lets be remembered.
type allowed struct {
	all    int
	each   int                 // of an owner without a number of its own; 0: any
	owners map[paxos.Owner]int // the numbers of those that have one
	most   int                 // all, or as many as there were when it was lowered
}

// allow takes what the log says: own is the number below control.LevelSettings, which is in every cluster file.
func (t *sessions) allow(s *control.State, own int) {
	a := allowed{all: own, owners: map[paxos.Owner]int{}}
	if s.Level >= control.LevelSettings {
		a.all = int(s.SessionLimit())
	}
	for _, x := range s.Settings {
		switch {
		case x.Key != paxos.QuotaSessions:
		case x.Name == "":
			a.each = int(x.Value)
		default:
			a.owners[paxos.OwnerOf(x.Name)] = int(x.Value)
		}
	}
	a.most = max(a.all, t.len())
	t.allowed = a
}

// of is how many an owner may have, 0 if any.
func (a *allowed) of(owner paxos.Owner) int {
	if n, is := a.owners[owner]; is || owner == (paxos.Owner{}) {
		return n
	}
	return a.each
}

// surplus is the session that goes first when one of owner was used, 0 if none has to go: of that
// owner, if it has more than it may, or of whoever has most.
func (t *sessions) surplus(owner paxos.Owner) ref {
	own := &t.byOwner.at(t.owners[owner]).used
	switch most := t.allowed.of(owner); {
	case most > 0 && own.n > most:
		return own.oldest
	case t.len() > t.allowed.all:
		return t.excess()
	}
	return 0
}

func newSessions(stored []paxos.SessionState, kept paxos.Floors) sessions {
	t := sessions{byID: make(map[paxos.SessionID]ref, len(stored)), owners: map[paxos.Owner]ref{}}
	t.floors, _ = readFloors(kept)
	stored = slices.Clone(stored)
	slices.SortFunc(stored, func(a, b paxos.SessionState) int { return cmp.Compare(a.Used, b.Used) })
	for _, st := range stored {
		t.add(st)
	}
	return t
}

func (t *sessions) len() int { return len(t.byID) }

// find returns a session, or 0 and nil if it is not remembered. The pointer is good
// until the next add.
func (t *sessions) find(id paxos.SessionID) (ref, *session) {
	r := t.byID[id]
	if r == 0 {
		return 0, nil
	}
	return r, t.all.at(r)
}

// get is find without the number.
func (t *sessions) get(id paxos.SessionID) *session {
	_, s := t.find(id)
	return s
}

// add remembers a session as the most recently used one.
func (t *sessions) add(st paxos.SessionState) ref {
	owner := st.ID.Owner()
	o := t.owners[owner]
	if o == 0 {
		o = t.byOwner.add(owned{owner: owner})
		t.owners[owner] = o
	}
	r := t.all.add(session{SessionState: st, owner: o})
	t.byID[st.ID] = r
	t.links.join(&t.used, r)
	t.beside.join(&t.byOwner.at(o).used, r)
	return r
}

// use makes r the most recently used session, and returns it.
func (t *sessions) use(r ref, used uint64) *session {
	s := t.all.at(r)
	s.Used = used
	t.links.renew(&t.used, r)
	t.beside.renew(&t.byOwner.at(s.owner).used, r)
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, r)
	}
	return s
}

// excess is the session that goes first: the least recently used one of the owner that has most. Of
// several that have as many it is the one whose is the least recently used, so that it depends on the
// sessions alone. An owner has a name that somebody has signed: there are few.
func (t *sessions) excess() ref {
	var best *owned
	for _, o := range t.owners {
		x := t.byOwner.at(o)
		if best == nil || x.used.n > best.used.n || x.used.n == best.used.n && t.all.at(x.used.oldest).Used < t.all.at(best.used.oldest).Used {
			best = x
		}
	}
	return best.used.oldest
}

// expire forgets a session and returns its id.
func (t *sessions) expire(r ref) paxos.SessionID {
	s := t.all.at(r)
	id, o := s.ID, t.byOwner.at(s.owner)
	if t.beside.leave(&o.used, r); o.used.n == 0 {
		delete(t.owners, o.owner)
		t.byOwner.remove(s.owner)
	}
	t.links.leave(&t.used, r)
	t.all.remove(r) // if it is in dirty, it is not dirty any more
	delete(t.byID, id)
	t.expired = append(t.expired, id)
	return id
}

// write writes the sessions that changed or expired since the last call. None both
// expired and began anew: what expires raises the floor above its birth.
func (t *sessions) write(out *paxos.Outbox) {
	if t.floors.changed {
		t.floors.changed = false
		out.Write(paxos.SetFloors{Floors: t.floors.encode()})
	}
	for _, id := range t.expired {
		out.Write(paxos.DropSession{ID: id})
	}
	t.expired = t.expired[:0]
	if len(t.dirty) == 0 {
		return
	}
	states := make([]paxos.SessionState, 0, len(t.dirty))
	for _, r := range t.dirty {
		// One that was dirty and expired may have given its number to another one.
		if s := t.all.at(r); s.dirty {
			s.dirty = false
			states = append(states, s.SessionState)
		}
	}
	if len(states) > 0 {
		out.Write(paxos.PutSessions{States: states})
	}
	t.dirty = t.dirty[:0]
}

// maxFloors is how many owners have a floor of their own. Beyond it the lowest becomes everybody's.
const maxFloors = 256

// floors are those of owners: unknown sessions of one that were born below its floor have expired. They
// are above the floor of everybody, and only rise. So who makes more sessions than are remembered
// expires its own, and no new one of somebody else.
type floors struct {
	of      map[paxos.Owner]paxos.Instance
	changed bool // since it was written
}

// raise raises the floor of an owner, and returns what becomes everybody's, 0 if nothing does.
func (f *floors) raise(owner paxos.Owner, floor paxos.Instance) (everybody paxos.Instance) {
	if f.of[owner] >= floor {
		return 0
	}
	f.of[owner], f.changed = floor, true
	if len(f.of) <= maxFloors {
		return 0
	}
	everybody = floor
	for _, x := range f.of {
		everybody = min(everybody, x)
	}
	return everybody
}

// drop forgets those that are not above the floor of everybody.
func (f *floors) drop(everybody paxos.Instance) {
	for owner, x := range f.of {
		if x <= everybody {
			delete(f.of, owner)
			f.changed = true
		}
	}
}

// encode is f in its one form: how many, and, sorted, each owner and its floor; "" if there are none.
func (f *floors) encode() paxos.Floors {
	if len(f.of) == 0 {
		return ""
	}
	b := binary.AppendUvarint(nil, uint64(len(f.of)))
	for _, owner := range slices.SortedFunc(maps.Keys(f.of), func(a, b paxos.Owner) int { return bytes.Compare(a[:], b[:]) }) {
		b = binary.AppendUvarint(append(b, owner[:]...), uint64(f.of[owner]))
	}
	return paxos.Floors(b)
}

// readFloors reads what encode wrote, and reports whether it is in that form.
func readFloors(kept paxos.Floors) (f floors, ok bool) {
	f.of = map[paxos.Owner]paxos.Instance{}
	if kept == "" {
		return f, true
	}
	d := paxos.Canonical{Rest: []byte(kept)}
	n := d.Number()
	if d.Bad || n == 0 || n > maxFloors {
		return f, false
	}
	var last paxos.Owner
	for i := range n {
		var owner paxos.Owner
		copy(owner[:], d.Take(uint64(len(owner))))
		floor := paxos.Instance(d.Number())
		if d.Bad || floor == 0 || i > 0 && bytes.Compare(last[:], owner[:]) >= 0 {
			return f, false
		}
		f.of[owner], last = floor, owner
	}
	return f, d.Whole()
}

// covered reports whether no floor of f is above what another state has, with a floor of everybody
// and these of owners.
func (f *floors) covered(everybody paxos.Instance, kept paxos.Floors) bool {
	other, _ := readFloors(kept)
	for owner, floor := range f.of {
		if floor > max(everybody, other.of[owner]) {
			return false
		}
	}
	return true
}
