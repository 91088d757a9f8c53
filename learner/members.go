package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// other is a process that is connected and of which nothing is copied.
type other struct {
	role        paxos.Role
	incarnation uint64
}

// configure takes what the log has decided about its processes, up to applied.
func (l *Learner) configure() {
	l.enrol()
	l.sessions.allow(&l.control.state, l.cfg.Membership.Sessions)
	if d := l.control.state.Directory(); d != nil && (l.directory == nil || l.directory.Epoch != d.Epoch || l.directory.Version != d.Version) {
		l.directory = d
		for _, id := range l.clients.connected {
			l.Send(id, d)
		}
	}
	h := &l.control.state.Members
	if !h.Changed() {
		return
	}
	e, err := h.Electorate(1, nil)
	if err != nil {
		l.Violated("a history has an electorate", "error", err)
		return
	}
	old := l.members
	if l.members = e; slices.Equal(old.Acceptors, e.Acceptors) {
		return
	}
	if l.audit != nil {
		l.giveUpAudit("the acceptors have changed meanwhile") // voices are by place
	}
	for _, ev := range l.above {
		for k := range ev.ballots {
			ev.ballots[k].votes = e.Translate(ev.ballots[k].votes, &old)
		}
	}
	l.marked = e.Translate(l.marked, &old)
	for i := range l.sources {
		if s := &l.sources[i]; s.kind == paxos.RoleAcceptor {
			s.place = e.Place(s.id)
		}
	}
	if e.Place(l.relay) < 0 {
		l.relay = e.Acceptors[0]
	}
	for place, id := range e.Acceptors {
		if l.sources.of(id) != nil {
			continue
		}
		o, up := l.take(id, paxos.RoleAcceptor)
		l.sources = append(l.sources, source{id: id, kind: paxos.RoleAcceptor, place: place, up: up, stranger: up && l.isOther(id, o.incarnation)})
		if up {
			l.pollOne(id, 0)
		}
	}
}

// enrol finds out who the other learners are: whose chains are compared with this one's, and who
// may be copied from.
func (l *Learner) enrol() {
	r := &l.control.state.Roster
	if r.Version == 0 {
		return
	}
	for i := len(l.sources) - 1; i >= 0; i-- {
		if s := l.sources[i]; s.kind == paxos.RoleLearner && !r.Has(paxos.RoleLearner, s.id) {
			if s.up {
				l.onPeerDown(&paxos.PeerDown{ID: s.id})
				l.others[s.id] = other{role: paxos.RoleLearner}
			}
			l.sources = slices.Delete(l.sources, i, i+1)
		}
	}
	for _, id := range r.Of(paxos.RoleLearner) {
		if id != l.cfg.ID && l.sources.of(id) == nil {
			_, up := l.take(id, paxos.RoleLearner)
			l.sources = append(l.sources, source{id: id, kind: paxos.RoleLearner, place: -1, up: up})
		}
	}
}

// take returns whether a process that becomes a source is connected, in that role.
func (l *Learner) take(id paxos.NodeID, role paxos.Role) (o other, up bool) {
	o, up = l.others[id]
	delete(l.others, id)
	return o, up && o.role == role
}

// isOther reports whether the configuration names an acceptor by another incarnation than it
// shows: nothing that it says counts (R4).
func (l *Learner) isOther(id paxos.NodeID, incarnation uint64) bool {
	h := &l.control.state.Members
	a, is := h.Now.Find(id)
	if !is {
		a, is = h.Before.Find(id)
	}
	return h.Changed() && is && a.Incarnation != 0 && incarnation != 0 && a.Incarnation != incarnation
}

// epoch is that of the configuration in force above what was applied.
func (l *Learner) epoch() uint64 {
	if h := &l.control.state.Members; h.Changed() && l.state.Applied+1 < h.From {
		return h.Before.Epoch
	}
	return l.control.state.Members.Now.Epoch
}

// inForce are the members of that configuration, and the size of its Phase 2 quorums.
func (l *Learner) inForce() (ids []paxos.NodeID, phase2 int) {
	g := l.members.At(l.state.Applied + 1)
	for i, id := range l.members.Acceptors {
		if g.Members.Has(i) {
			ids = append(ids, id)
		}
	}
	return ids, g.Phase2
}

// onConfigured takes from an acceptor that there is a newer configuration than the one that was
// applied here: what is chosen is copied from it, too. Its votes count once it is found to be a
// member. Example: this learner was down while every acceptor that it knows was replaced.
func (l *Learner) onConfigured(from paxos.NodeID, m *paxos.Configured) {
	state, err := control.Decode(m.State, l.cfg.Knows)
	own := &l.control.state
	if err != nil || state.Members.Now.Epoch <= own.Members.Now.Epoch || !own.Log.IsZero() && own.Log != state.Log {
		return
	}
	s := l.sources.of(from)
	if o := l.others[from]; s == nil && o.role == paxos.RoleAcceptor && len(l.sources) < 2*paxos.MaxAcceptors {
		delete(l.others, from)
		l.sources = append(l.sources, source{id: from, kind: paxos.RoleAcceptor, place: -1, up: true})
		s = l.sources.of(from)
	}
	if s != nil {
		l.hold(s, state.Members.At)
	}
}
