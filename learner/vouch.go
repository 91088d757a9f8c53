package learner

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

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
