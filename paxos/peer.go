package paxos

// Mark says how far an acceptor's durable state has come. What an acceptor sends
// shows its mark, so that its peers notice when its directory has lost commits that
// it spoke of: the end of its log was damaged, or an old copy was put back.
type Mark struct {
	Commits uint64 // commits waited for that it made, over all its processes, while it could vote
	Process uint64 `bound:"none"` // random bits of the process that says so
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
	Incarnation uint64 `bound:"none"` // of its data directory; 0 if only its life is known
	Mark        Mark
}

// Peers is what a process remembers, durably, of each acceptor: under which
// incarnation it is known, and how far it has come. So a directory that was
// initialised anew under an old id, or that has forgotten commits, is found out.
type Peers map[NodeID]Peer

// Vouching is how an acceptor that introduced itself is known.
type Vouching byte

// The ways to be known.
const (
	VouchedBefore Vouching = iota // as it shows itself, and by this very process
	VouchedNow                    // not at all, or as it shows itself: its mark is remembered from now on
	KnownAnew                     // by another incarnation: its directory was initialised anew
	KnownFurther                  // by a higher mark: its directory has forgotten commits
)

// Vouch says how the acceptor id, which shows itself by m, is known. After VouchedNow
// k has changed, and the caller writes k[id] before it answers.
//
// A mark is remembered only of a process that is vouched for. Example: a2 has lost its last
// three commits of ten and starts with mark 7. Were that mark taken, a2's next three
// commits would bring it to 10 again, and the loss would not be seen any more.
func (k Peers) Vouch(id NodeID, m *Vouch) Vouching {
	known := k[id]
	switch {
	case known.Incarnation != 0 && known.Incarnation != m.Incarnation:
		return KnownAnew
	case known.Incarnation != 0 && known.Mark.Process == m.Mark.Process && known.Mark.Life == m.Mark.Life:
		return VouchedBefore
	case m.Mark.Forgets(known.Mark):
		return KnownFurther
	}
	k[id] = Peer{Incarnation: m.Incarnation, Mark: m.Mark}
	return VouchedNow
}

// Take notes the mark that an acceptor shows, and reports whether it is news, which
// the caller has to write.
func (k Peers) Take(id NodeID, m Mark) (news bool) {
	known := k[id]
	if known.Mark.Life.Less(m.Life) {
		known.Mark.Life, known.Mark.Commits, news = m.Life, 0, true
	}
	if known.Incarnation != 0 && known.Mark.Process == m.Process && known.Mark.Life == m.Life && known.Mark.Commits < m.Commits {
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
