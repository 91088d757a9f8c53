package acceptor

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// What a message claims is judged before anything is taken from it: whose ballot it is,
// and whether its numbers can be. Whoever claims what cannot be is refused, counted and
// told; it stops nobody.

// refused counts messages of peers that claimed what cannot be.
type refused struct {
	count uint64
	warn  paxos.Timer
}

// refuse notes that what from said is not believed.
func (a *Acceptor) refuse(from paxos.NodeID, why string, kv ...any) {
	r := &a.refused
	r.count++
	if r.warn.Due(a.now) {
		r.warn.Set(a.now + warnTicks)
		a.Warn("refused what a peer claims: "+why, append([]any{"peer", string(from), "refused_so_far", r.count}, kv...)...)
	}
}

// owns reports whether from may use ballot b: it made it, it is a proposer of the log, and the round is no further from what was promised than elections can bring it.
// Else it is refused. An acceptor that has promised nothing cannot judge rounds: the log may
// be old, and it is new.
//
// Example: a proposer with a fault sends an Accept with round 2^61. Were that promised, no
// other proposer could ever be promised anything less, and each would go on from there.
func (a *Acceptor) owns(from paxos.NodeID, b paxos.Ballot, nonce uint64) bool {
	switch {
	case b.Proposer != from:
		a.refuse(from, "it uses a ballot of another proposer", "ballot", b.String())
		return false
	case !a.mayPropose(from):
		a.refuse(from, "it is no proposer of this log, as far as this acceptor holds it: `paxlog member add ID --role proposer --addr HOST:PORT` makes it one", "ballot", b.String())
	case a.far(b):
		a.refuse(from, "its round is further ahead than elections can bring it", "ballot", b.String(), "promised", a.promised.String())
	default:
		return true
	}
	a.reject(from, b, nonce, paxos.RejectClaim)
	return false
}

// mayPropose reports whether id is a proposer, by what the log has decided, and before that by the
// cluster file. One of whom nothing is known may have come since (configuration.Roster): it is let
// through when nobody was heard for long, and from then on as long as nobody else is promised more.
func (a *Acceptor) mayPropose(id paxos.NodeID) bool {
	if len(a.proposers) == 0 || slices.Contains(a.proposers, id) {
		return true
	}
	s := &a.control.state
	isNew := s.Level >= control.LevelRoster && !s.Roster.IsGone(id) && !slices.Contains(a.cfg.Proposers, id)
	return isNew && (a.promised.Proposer == id || a.hearing.silent(a.now) >= paxos.StrangerShare*a.cfg.ElectionTicks)
}

// far reports whether b is so far above what was promised that no elections can have
// brought it there.
func (a *Acceptor) far(b paxos.Ballot) bool {
	return b.Round > a.promised.Round+paxos.MaxJump && !a.promised.IsZero()
}

// survey is where the others are in the log. An acceptor that was away for long, or is new,
// is far behind, and cannot tell by itself whether an instance is far ahead of the log.
// So it asks. Until a quorum, with itself, has answered, it takes no such instance.
type survey struct {
	nonce    uint64
	answered paxos.Set
	highest  paxos.Instance // that any of them holds
	shown    paxos.Instance // highest, of the latest survey that a quorum answered
	again    paxos.Timer
}

// near reports whether instance i, of which from speaks, is where the log can be.
func (a *Acceptor) near(from paxos.NodeID, i paxos.Instance) bool {
	s := &a.survey
	if i <= max(a.highest, s.shown)+paxos.MaxJump {
		return true
	}
	if !s.again.Due(a.now) && a.isQuorum(s.answered) {
		a.refuse(from, "its instance is far ahead of what a quorum of acceptors holds", "instance", uint64(i), "held", uint64(s.shown))
	}
	if s.again.Due(a.now) {
		s.again.Set(a.now + a.cfg.RetryTicks)
		s.nonce++
		s.answered, s.highest = 0, a.held
		if place := a.members.Place(a.cfg.ID); place >= 0 {
			s.answered = s.answered.With(place)
		}
		for _, id := range a.members.Acceptors {
			if id != a.cfg.ID {
				a.Send(id, &paxos.Fetch{Nonce: s.nonce, From: paxos.Bound - 1})
			}
		}
	}
	return false
}

// onSurvey takes an answer, and reports whether the page was one.
func (a *Acceptor) onSurvey(from paxos.NodeID, m *paxos.Page) bool {
	s, place := &a.survey, a.members.Place(from)
	if m.Nonce != s.nonce || place < 0 {
		return false
	}
	s.answered, s.highest = s.answered.With(place), max(s.highest, m.Held)
	if a.isQuorum(s.answered) {
		s.shown = s.highest
	}
	return true
}

// isQuorum reports whether some quorum could be made of s.
func (a *Acceptor) isQuorum(s paxos.Set) bool {
	m := a.members.Newest()
	return (s & m.Members).Len() >= min(m.Phase1, m.Phase2)
}
