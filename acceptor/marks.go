package acceptor

import "github.com/paxlog/paxlog/paxos"

// marks are this acceptor's mark and what it remembers of the others', by place.
func (a *Acceptor) marks() []paxos.Mark {
	marks := make([]paxos.Mark, len(a.cfg.Membership.Acceptors))
	for i, id := range a.cfg.Membership.Acceptors {
		if marks[i] = a.peers[id].Mark; id == a.cfg.ID {
			marks[i] = a.mark
		}
	}
	return marks
}

// takeMarks learns from a leader how far it knows the acceptors to be.
func (a *Acceptor) takeMarks(marks []paxos.Mark) {
	if len(marks) != len(a.cfg.Membership.Acceptors) {
		return
	}
	for i, id := range a.cfg.Membership.Acceptors {
		switch {
		case id != a.cfg.ID:
			a.remember(id, marks[i])
		case a.contradicts(marks[i]):
			a.forget("the leader has seen", marks[i])
		}
	}
}

func (a *Acceptor) remember(id paxos.NodeID, m paxos.Mark) {
	before := a.peers[id].Mark
	if !a.peers.Take(id, m) {
		return
	}
	if a.peers[id].Mark.Forgets(before) {
		a.Violated("what is remembered of a peer is never lowered", "peer", id, "was", before, "is", a.peers[id].Mark)
	}
	a.Write(paxos.SetPeer{ID: id, Peer: a.peers[id]})
}
