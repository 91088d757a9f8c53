package acceptor

import "github.com/paxlog/paxlog/paxos"

// marks are this acceptor's mark and what it remembers of the others', by place.
func (a *Acceptor) marks() []paxos.Mark {
	marks := make([]paxos.Mark, len(a.members.Acceptors))
	for i, id := range a.members.Acceptors {
		if marks[i] = a.peers[id].Mark; id == a.cfg.ID {
			marks[i] = a.mark
		}
	}
	return marks
}

// takeMarks learns from a leader how far it knows the acceptors to be.
func (a *Acceptor) takeMarks(from paxos.NodeID, marks []paxos.Mark, of paxos.ByPlace[paxos.NodeID]) {
	if len(of) == 0 {
		of = a.cfg.Membership.Acceptors
	}
	if len(marks) != len(of) {
		return
	}
	for i, id := range of {
		switch {
		case id != a.cfg.ID:
			a.remember(from, id, marks[i])
		case a.farLife(from, marks[i]):
		case a.contradicts(marks[i]):
			a.forget("the leader has seen", marks[i])
		}
	}
}

// farLife refuses a mark whose life began under a ballot that cannot be: who takes it
// waits for a grant that no leader can give.
func (a *Acceptor) farLife(from paxos.NodeID, m paxos.Mark) bool {
	if !a.far(m.Life) {
		return false
	}
	a.refuse(from, "an acceptor rejoined under a round further ahead than elections can bring it", "life", m.Life.String(), "promised", a.promised.String())
	return true
}

// remember takes the mark of acceptor id that from shows.
func (a *Acceptor) remember(from, id paxos.NodeID, m paxos.Mark) {
	if a.farLife(from, m) {
		return
	}
	before := a.peers[id].Mark
	if !a.peers.Take(id, m) {
		return
	}
	if a.peers[id].Mark.Forgets(before) {
		a.Violated("what is remembered of a peer is never lowered", "peer", id, "was", before, "is", a.peers[id].Mark)
	}
	a.Write(paxos.SetPeer{ID: id, Peer: a.peers[id]})
}
