package learner

import (
	"cmp"
	"container/list"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// session is one client session that is remembered.
type session struct {
	paxos.SessionState
	place *list.Element
	dirty bool
}

// sessions are the sessions that are remembered, in the order of their last use
// in the log. It knows no clock: all learners expire the same ones.
type sessions struct {
	byID  map[paxos.SessionID]*session
	order *list.List // of *session, least recently used first
	dirty []paxos.SessionID
}

func newSessions(stored []paxos.SessionState) *sessions {
	t := &sessions{byID: make(map[paxos.SessionID]*session, len(stored)), order: list.New()}
	stored = slices.Clone(stored)
	slices.SortFunc(stored, func(a, b paxos.SessionState) int { return cmp.Compare(a.Used, b.Used) })
	for _, st := range stored {
		s := &session{SessionState: st}
		s.place = t.order.PushBack(s)
		t.byID[st.ID] = s
	}
	return t
}

func (t *sessions) len() int                        { return len(t.byID) }
func (t *sessions) get(id paxos.SessionID) *session { return t.byID[id] }

// use makes id the most recently used session, creating it if it is unknown.
func (t *sessions) use(id paxos.SessionID, used uint64) *session {
	s := t.byID[id]
	if s == nil {
		s = &session{SessionState: paxos.SessionState{ID: id}}
		s.place = t.order.PushBack(s)
		t.byID[id] = s
	}
	s.Used = used
	t.order.MoveToBack(s.place)
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, id)
	}
	return s
}

// expire forgets the least recently used session and returns its id.
func (t *sessions) expire() paxos.SessionID {
	s := t.order.Remove(t.order.Front()).(*session)
	delete(t.byID, s.ID)
	if !s.dirty {
		t.dirty = append(t.dirty, s.ID)
	}
	return s.ID
}

// takeDirty returns the sessions that changed or expired since the last call, in
// the order of their first change.
func (t *sessions) takeDirty() []paxos.SessionID {
	ids := t.dirty
	t.dirty = nil
	for _, id := range ids {
		if s := t.byID[id]; s != nil {
			s.dirty = false
		}
	}
	return ids
}
