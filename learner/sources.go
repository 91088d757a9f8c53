package learner

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// source is a process that tells this one what was chosen.
type source struct {
	id    paxos.NodeID
	kind  paxos.Role // an acceptor votes; another learner only has values
	place int        // of an acceptor, among the members: votes are counted by it; -1 if it is none
	up    bool
	// stranger says that an acceptor is connected under another incarnation than is
	// remembered: it is told what is remembered, and nothing it says counts.
	stranger bool
	held     paxos.Instance // an acceptor's mark, as far as heard and believed
	claimed  paxos.Instance // a mark that is not believed yet, or 0
	first    paxos.Instance // it has trimmed what is below, as far as heard
	polled   paxos.Ticks    // when an acceptor was last asked to tell what changes
	stays    bool           // it has granted that, since
	warn     paxos.Timer    // when its contradictions are told again
	vouch    paxos.Timer    // when it is told again that it cannot be vouched for
	compared
	// contradictions counts what it said that contradicts what is known here.
	contradictions uint64
}

// sources are all of them. The list grows when an acceptor becomes a member; what is known of
// each changes.
type sources []source

func newSources(cfg Config) sources {
	var out sources
	for place, id := range cfg.Membership.Acceptors {
		out = append(out, source{id: id, kind: paxos.RoleAcceptor, place: place})
	}
	for _, id := range cfg.Learners {
		out = append(out, source{id: id, kind: paxos.RoleLearner, place: -1})
	}
	return out
}

// of returns what is known of a process, nil if it is no source. There are few.
func (s sources) of(id paxos.NodeID) *source {
	for i := range s {
		if s[i].id == id {
			return &s[i]
		}
	}
	return nil
}

// voter returns what is known of an acceptor that is a member, nil if id is none.
func (s sources) voter(id paxos.NodeID) *source {
	if x := s.of(id); x != nil && x.kind == paxos.RoleAcceptor && x.place >= 0 {
		return x
	}
	return nil
}

// learner returns what is known of another learner, nil if id is none.
func (s sources) learner(id paxos.NodeID) *source {
	if x := s.of(id); x != nil && x.kind == paxos.RoleLearner {
		return x
	}
	return nil
}

// maxHeld is the highest instance that some acceptor holds, as far as heard.
func (s sources) maxHeld() paxos.Instance {
	var h paxos.Instance
	for i := range s {
		h = max(h, s[i].held)
	}
	return h
}

// isUp reports whether some source of that kind can be asked.
func (s sources) isUp(kind paxos.Role) bool {
	return slices.ContainsFunc(s, func(x source) bool { return x.kind == kind && x.up })
}

// contradicted refuses what a source said, since it contradicts what is known here. It
// stops nobody: the fault may be the sender's, or on the way. It is told once in a
// while, and counted.
func (l *Learner) contradicted(s *source, what string, i paxos.Instance) {
	s.contradictions++
	if s.warn.Due(l.now) {
		s.warn.Set(l.now + warnTicks)
		l.Warn("a process contradicts what is known here, and is not believed", "peer", string(s.id), "what", what,
			"instance", uint64(i), "times", s.contradictions)
	}
}

// onVouch tells an acceptor that introduces itself how it is known here. One that was
// unknown is remembered, durably, before it is told so.
func (l *Learner) onVouch(from paxos.NodeID, m *paxos.Vouch) {
	source := l.sources.voter(from)
	if source == nil {
		return
	}
	how := l.peers.Vouch(from, m)
	known := l.peers[from]
	switch how {
	case paxos.VouchedNow:
		l.Write(paxos.SetPeer{ID: from, Peer: known})
		l.Out.Sync = true
	case paxos.KnownAnew, paxos.KnownFurther:
		l.warnOf(source, how, m, known)
	}
	l.After(from, &paxos.Vouched{Asked: m.Mark, Known: known.Incarnation, Mark: known.Mark})
}

// warnOf tells once in a while of an acceptor that cannot be vouched for: it asks
// again and again.
func (l *Learner) warnOf(s *source, how paxos.Vouching, m *paxos.Vouch, known paxos.Peer) {
	if !s.vouch.Due(l.now) {
		return
	}
	s.vouch.Set(l.now + warnTicks)
	if how == paxos.KnownAnew {
		l.Warn("an acceptor shows another directory than the one remembered: it is not vouched for, and nothing it says counts", "peer", string(s.id),
			"remembered", fmt.Sprintf("%016x", known.Incarnation), "shown", fmt.Sprintf("%016x", m.Incarnation))
		return
	}
	l.Warn("an acceptor has forgotten commits that it spoke of", "peer", string(s.id),
		"remembered", known.Mark.Commits, "shown", m.Mark.Commits, "life", known.Mark.Life.String())
}

// pollAll renews the subscription at every acceptor that is connected.
func (l *Learner) pollAll() {
	for i := range l.sources {
		if s := &l.sources[i]; s.kind == paxos.RoleAcceptor && s.up && s.place >= 0 {
			l.pollOne(s.id, 0)
		}
	}
}

// pollOne asks an acceptor to tell its votes, and what changes, from now on.
func (l *Learner) pollOne(id paxos.NodeID, nonce uint64) {
	m := &paxos.Poll{Nonce: nonce, Values: id == l.relay && !l.afar, Stay: true, Room: l.room.values, DiskFree: l.room.free}
	if l.isStuck() {
		m.Stuck = l.state.Applied + 1
	}
	s := l.sources.voter(id)
	s.polled, s.stays = l.now, false
	l.Send(id, m)
}

// tickPolls asks those acceptors anew of which it is time.
func (l *Learner) tickPolls() {
	for i := range l.sources {
		if s := &l.sources[i]; l.now >= l.pollDue(s) {
			l.pollOne(s.id, 0)
		}
	}
}

// nextPoll is when tickPolls has something to do.
func (l *Learner) nextPoll() paxos.Ticks {
	at := paxos.Never
	for i := range l.sources {
		at = min(at, l.pollDue(&l.sources[i]))
	}
	return at
}

// pollDue is when an acceptor is asked anew. One that tells by itself what changes is asked
// rarely, to find out that it still does; a learner that gets no further asks more often,
// for its question has an acceptor pass on to the leader that it is stuck.
func (l *Learner) pollDue(s *source) paxos.Ticks {
	switch {
	case s.kind != paxos.RoleAcceptor || !s.up || s.place < 0:
		return paxos.Never
	case !s.stays:
		return s.polled + l.cfg.PollTicks
	}
	return min(s.polled+l.cfg.RenewTicks, max(s.polled+l.cfg.RetryTicks, l.stuckAt()))
}

// stuckAt is from when on what is missing counts as not to be had.
func (l *Learner) stuckAt() paxos.Ticks {
	if !l.behind() || l.control.stuck != 0 || l.isOut() {
		return paxos.Never
	}
	return l.progressAt + stuckRetries*l.cfg.RetryTicks + 1
}

func (l *Learner) isStuck() bool { return l.now >= l.stuckAt() }

// endStream notes that something of what an acceptor was asked, or has told, may be lost: it
// is asked anew.
func (l *Learner) endStream(id paxos.NodeID) {
	if s := l.sources.voter(id); s != nil {
		s.stays = false
	}
}

func (l *Learner) onPollReply(from paxos.NodeID, m *paxos.PollReply) {
	s := l.sources.voter(from)
	if s == nil {
		return
	}
	s.stays = (s.stays || m.Stays) && !m.Ended
	l.hold(s, m.Held)
	l.sawVote(m.Highest)
	if m.Nonce != 0 {
		l.onReadAnswer(from, m)
	}
	if s.held > l.state.Applied+far {
		l.tickFetch()
	}
}

// writeMarks writes the marks that acceptors have shown.
func (l *Learner) writeMarks() {
	for place, id := range l.members.Acceptors {
		if l.marked.Has(place) {
			l.Write(paxos.SetPeer{ID: id, Peer: l.peers[id]})
		}
	}
	l.marked = 0
}
