package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// source is a process that tells this one what was chosen.
type source struct {
	id    paxos.NodeID
	kind  paxos.Role // an acceptor votes; another learner only has values
	place int        // of an acceptor, in the membership: votes are counted by it
	up    bool
	// stranger says that an acceptor is connected under another incarnation than is
	// remembered: it is told what is remembered, and nothing it says counts.
	stranger bool
	held     paxos.Instance // an acceptor's mark, as far as heard
	first    paxos.Instance // it has trimmed what is below, as far as heard
	warn     paxos.Timer    // when its contradictions are told again
	vouch    paxos.Timer    // when it is told again that it cannot be vouched for
	// contradictions counts what it said that contradicts what is known here.
	contradictions uint64
}

// sources are all of them. The list does not change while the learner runs; what is known
// of each does.
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

// voter returns what is known of an acceptor, nil if id is none.
func (s sources) voter(id paxos.NodeID) *source {
	if x := s.of(id); x != nil && x.kind == paxos.RoleAcceptor {
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
