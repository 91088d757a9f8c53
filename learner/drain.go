package learner

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// A drained learner is about to be stopped. It learns and serves as ever, and tells its
// clients so: those that reach another learner leave it, and the others are better served
// here than not at all. Clients of version 2 do not understand it and stay.

func (l *Learner) onDrain(from paxos.NodeID, m *paxos.Drain) {
	if l.drained != !m.Undo {
		l.drained = !m.Undo
		for _, id := range slices.Sorted(maps.Keys(l.clients.byID)) {
			l.Send(id, &paxos.Elsewhere{Drained: l.drained})
		}
	}
	l.Send(from, &paxos.Drained{Nonce: m.Nonce, Drained: l.drained})
}

// onClient takes a client that connects. It is remembered while this learner is drained, for
// it is told when that is undone.
func (l *Learner) onClient(id paxos.NodeID) {
	if l.drained {
		l.connection(id)
		l.Send(id, &paxos.Elsewhere{Drained: true})
	}
}
