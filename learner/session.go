package learner

import (
	"cmp"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// session is one client session that is remembered.
type session struct {
	paxos.SessionState
	dirty bool // in sessions.dirty
}

// sessions are the sessions that are remembered, in the order of their last use
// in the log. It knows no clock: all learners expire the same ones.
type sessions struct {
	byID  map[paxos.SessionID]ref
	all   pool[session]
	links links
	used  chain // the least recently used one first
	// What is stored is not what is here: of dirty ones, and of those that expired.
	dirty   []ref
	expired []paxos.SessionID
}

func newSessions(stored []paxos.SessionState) sessions {
	t := sessions{byID: make(map[paxos.SessionID]ref, len(stored))}
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
	r := t.all.add(session{SessionState: st})
	t.byID[st.ID] = r
	t.links.join(&t.used, r)
	return r
}

// use makes r the most recently used session, and returns it.
func (t *sessions) use(r ref, used uint64) *session {
	s := t.all.at(r)
	s.Used = used
	t.links.renew(&t.used, r)
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, r)
	}
	return s
}

// expire forgets the least recently used session and returns its id.
func (t *sessions) expire() paxos.SessionID {
	r := t.used.oldest
	id := t.all.at(r).ID
	t.links.leave(&t.used, r)
	t.all.remove(r) // if it is in dirty, it is not dirty any more
	delete(t.byID, id)
	t.expired = append(t.expired, id)
	return id
}

// write writes the sessions that changed or expired since the last call. None both
// expired and began anew: what expires raises the floor above its birth.
func (t *sessions) write(out *paxos.Outbox) {
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
