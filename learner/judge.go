package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

// hold takes the mark that an acceptor claims: everything up to held is chosen. One far
// above what was applied counts once a quorum of acceptors shows that the log has come near
// it. A lone acceptor that claims 2^50 would else keep this learner behind for ever, asking
// everybody for what is nowhere.
//
// A learner that is new to an old log hears far marks only, and of a quorum. Acceptors that
// hold nothing say nothing against them: they are new, too.
func (l *Learner) hold(s *source, held paxos.Instance) {
	if held <= l.state.Applied+paxos.MaxJump {
		s.held, s.claimed = max(s.held, held), 0
		return
	}
	s.claimed = held
	shown, heard := l.sources.shown(l.members.Newest())
	reach := max(l.state.Applied, shown) + paxos.MaxJump
	for i := range l.sources {
		if x := &l.sources[i]; x.claimed <= reach {
			x.held, x.claimed = max(x.held, x.claimed), 0
		}
	}
	if held > reach && heard {
		l.contradicted(s, "it claims to hold instances far above what a quorum of acceptors holds", held)
	}
}

// shown is the highest mark that as many acceptors claim as the smaller quorum has, if so
// many have claimed any.
func (s sources) shown(m configuration.Group) (paxos.Instance, bool) {
	var claims []paxos.Instance
	for i := range s {
		if c := max(s[i].held, s[i].claimed); c > 0 {
			claims = append(claims, c)
		}
	}
	need := min(m.Phase1, m.Phase2)
	if len(claims) < need {
		return 0, false
	}
	slices.Sort(claims)
	return claims[len(claims)-need], true
}
