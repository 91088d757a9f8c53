package acceptor

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// onVouch tells an acceptor that introduces itself how it is known here. One that was
// unknown is remembered, durably, before it is told so.
func (a *Acceptor) onVouch(from paxos.NodeID, m *paxos.Vouch) {
	if a.members.Place(from) < 0 {
		return
	}
	how := a.peers.Vouch(from, m)
	known := a.peers[from]
	switch how {
	case paxos.VouchedNow:
		a.Write(paxos.SetPeer{ID: from, Peer: known})
		a.Out.Sync = true
	case paxos.KnownAnew, paxos.KnownFurther:
		a.warnOf(from, how, m, known)
	}
	a.After(from, &paxos.Vouched{Asked: m.Mark, Known: known.Incarnation, Mark: known.Mark})
}

// warnOf tells once in a while of an acceptor that cannot be vouched for: it asks
// again and again.
func (a *Acceptor) warnOf(id paxos.NodeID, how paxos.Vouching, m *paxos.Vouch, known paxos.Peer) {
	t := a.warned[id]
	if !t.Due(a.now) {
		return
	}
	t.Set(a.now + warnTicks)
	a.warned[id] = t
	if how == paxos.KnownAnew {
		a.Warn("an acceptor shows another directory than the one remembered: it is not vouched for, and nothing it says counts", "peer", string(id),
			"remembered", fmt.Sprintf("%016x", known.Incarnation), "shown", fmt.Sprintf("%016x", m.Incarnation))
		return
	}
	a.Warn("an acceptor has forgotten commits that it spoke of", "peer", string(id),
		"remembered", known.Mark.Commits, "shown", m.Mark.Commits, "life", known.Mark.Life.String())
}
