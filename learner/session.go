package learner

import (
	"cmp"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// session is one client session that is remembered.
type session struct {
	paxos.SessionState
	older, newer *session // in order of last use; a ring through sessions.order
	dirty        bool     // in sessions.dirty
	expired      bool
}

// sessions are the sessions that are remembered, in the order of their last use
// in the log. It knows no clock: all learners expire the same ones.
type sessions struct {
	byID  map[paxos.SessionID]*session
	order session // its newer is the least recently used one
	dirty []*session
}

func newSessions(stored []paxos.SessionState) *sessions {
	t := &sessions{byID: make(map[paxos.SessionID]*session, len(stored))}
	t.order.older, t.order.newer = &t.order, &t.order
	stored = slices.Clone(stored)
	slices.SortFunc(stored, func(a, b paxos.SessionState) int { return cmp.Compare(a.Used, b.Used) })
	for _, st := range stored {
		t.add(st)
	}
	return t
}

func (t *sessions) len() int                        { return len(t.byID) }
func (t *sessions) get(id paxos.SessionID) *session { return t.byID[id] }

// add remembers a session as the most recently used one.
func (t *sessions) add(st paxos.SessionState) *session {
	s := &session{SessionState: st}
	t.byID[st.ID] = s
	t.append(s)
	return s
}

func (t *sessions) append(s *session) {
	s.older, s.newer = t.order.older, &t.order
	s.older.newer, s.newer.older = s, s
}

func (s *session) remove() { s.older.newer, s.newer.older = s.newer, s.older }

// use makes s the most recently used session.
func (t *sessions) use(s *session, used uint64) {
	s.Used = used
	s.remove()
	t.append(s)
	t.touch(s)
}

// touch notes that what is stored of s is not what it is now.
func (t *sessions) touch(s *session) {
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, s)
	}
}

// expire forgets the least recently used session and returns its id.
func (t *sessions) expire() paxos.SessionID {
	s := t.order.newer
	s.remove()
	delete(t.byID, s.ID)
	s.expired = true
	t.touch(s)
	return s.ID
}

// write writes the sessions that changed or expired since the last call. None both
// expired and began anew: what expires raises the floor above its birth.
func (t *sessions) write(out *paxos.Outbox) {
	if len(t.dirty) == 0 {
		return
	}
	states := make([]paxos.SessionState, 0, len(t.dirty))
	for _, s := range t.dirty {
		s.dirty = false
		if s.expired {
			out.Write(paxos.DropSession{ID: s.ID})
		} else {
			states = append(states, s.SessionState)
		}
	}
	if len(states) > 0 {
		out.Write(paxos.PutSessions{States: states})
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
}
