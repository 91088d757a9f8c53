package paxos

import "fmt"

// Mark says how far an acceptor's durable state has come. What an acceptor sends
// shows its mark, so that its peers notice when its directory has lost commits that
// it spoke of: the end of its log was damaged, or an old copy was put back.
type Mark struct {
	Commits uint64 // commits waited for that it made, over all runs, while it could vote
	Run     uint64 // random bits of the process that says so
	Life    Ballot // the ballot under which it last rejoined, zero if it never did
}

// Forgets reports whether an acceptor that starts with mark m must have forgotten
// something, for it was known by mark old. A new life makes up for whatever was
// forgotten before it.
func (m Mark) Forgets(old Mark) bool {
	c := m.Life.Compare(old.Life)
	return c < 0 || c == 0 && m.Commits < old.Commits
}

// Peer is what is remembered of an acceptor.
type Peer struct {
	Incarnation uint64 // of its data directory; 0 if only its life is known
	Mark        Mark
}

// Peers remembers, durably, under which incarnation each acceptor is known and how
// far it has come, so that a directory that was initialised anew under an old id, or
// that has forgotten commits, is found out.
type Peers map[NodeID]Peer

// Vouch answers m: it remembers an acceptor that was unknown, and tells what it
// remembers otherwise. A mark is taken only from a run that was vouched for here:
// else the commits of a run that began with a loss would hide that loss.
func (k Peers) Vouch(o *Outbox, members Membership, from NodeID, m *Vouch) {
	if members.Place(from) < 0 {
		return
	}
	known := k[from]
	switch {
	case known.Incarnation != 0 && known.Incarnation != m.Incarnation:
		o.Warn("refused an acceptor whose data directory was initialised anew", "peer", string(from),
			"remembered", fmt.Sprintf("%016x", known.Incarnation), "shown", fmt.Sprintf("%016x", m.Incarnation))
	case known.Incarnation != 0 && known.Mark.Run == m.Mark.Run && known.Mark.Life == m.Mark.Life:
		// Asked again.
	case m.Mark.Forgets(known.Mark):
		o.Warn("an acceptor has forgotten commits that it spoke of", "peer", string(from),
			"remembered", known.Mark.Commits, "shown", m.Mark.Commits, "life", known.Mark.Life.String())
	default:
		known = Peer{Incarnation: m.Incarnation, Mark: m.Mark}
		k[from] = known
		o.Write(SetPeer{ID: from, Peer: known})
		o.Out.Sync = true
	}
	o.After(from, &Vouched{Asked: m.Mark, Known: known.Incarnation, Mark: known.Mark})
}

// Take notes the mark that an acceptor shows, and reports whether it is news, which
// the caller has to write.
func (k Peers) Take(id NodeID, m Mark) (news bool) {
	known := k[id]
	if known.Mark.Life.Less(m.Life) {
		known.Mark.Life, known.Mark.Commits, news = m.Life, 0, true
	}
	if known.Incarnation != 0 && known.Mark.Run == m.Run && known.Mark.Life == m.Life && known.Mark.Commits < m.Commits {
		known.Mark.Commits, news = m.Commits, true
	}
	if news {
		k[id] = known
	}
	return news
}

// IsStranger reports whether an acceptor that connects shows another incarnation
// than is remembered: its votes must not count.
func (k Peers) IsStranger(m *PeerUp) bool {
	known := k[m.ID].Incarnation
	return known != 0 && m.Incarnation != 0 && m.Incarnation != known
}
