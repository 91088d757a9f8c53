package learner

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// warnTicks is how often one trouble that lasts is told, at most.
const warnTicks = paxos.Ticks(60_000)

// onVouch tells an acceptor that introduces itself how it is known here. One that was
// unknown is remembered, durably, before it is told so.
func (l *Learner) onVouch(from paxos.NodeID, m *paxos.Vouch) {
	if l.cfg.Membership.Place(from) < 0 {
		return
	}
	how := l.peers.Vouch(from, m)
	known := l.peers[from]
	switch how {
	case paxos.VouchedNow:
		l.Write(paxos.SetPeer{ID: from, Peer: known})
		l.Out.Sync = true
	case paxos.KnownAnew, paxos.KnownFurther:
		l.warnOf(from, how, m, known)
	}
	l.After(from, &paxos.Vouched{Asked: m.Mark, Known: known.Incarnation, Mark: known.Mark})
}

// warnOf tells once in a while of an acceptor that cannot be vouched for: it asks
// again and again.
func (l *Learner) warnOf(id paxos.NodeID, how paxos.Vouching, m *paxos.Vouch, known paxos.Peer) {
	t := l.warned[id]
	if !t.Due(l.now) {
		return
	}
	t.Set(l.now + warnTicks)
	l.warned[id] = t
	if how == paxos.KnownAnew {
		l.Warn("an acceptor shows another directory than the one remembered: it is not vouched for, and nothing it says counts", "peer", string(id),
			"remembered", fmt.Sprintf("%016x", known.Incarnation), "shown", fmt.Sprintf("%016x", m.Incarnation))
		return
	}
	l.Warn("an acceptor has forgotten commits that it spoke of", "peer", string(id),
		"remembered", known.Mark.Commits, "shown", m.Mark.Commits, "life", known.Mark.Life.String())
}
