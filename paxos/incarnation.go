package paxos

import "fmt"

// Incarnations remembers, durably, under which incarnation each acceptor is
// known, so that a directory initialised anew under an old id is found out.
type Incarnations map[NodeID]uint64

// Vouch answers m: it remembers an acceptor that was unknown, and tells the
// incarnation it remembers otherwise.
func (k Incarnations) Vouch(o *Outbox, members Membership, from NodeID, m *Vouch) {
	if members.Place(from) < 0 {
		return
	}
	known, ok := k[from]
	if !ok {
		known = m.Incarnation
		k[from] = known
		o.Write(SetPeer{ID: from, Incarnation: known})
		o.Out.Sync = true
	} else if known != m.Incarnation {
		o.Warn("refused an acceptor whose data directory was initialised anew", "peer", string(from),
			"remembered", fmt.Sprintf("%016x", known), "shown", fmt.Sprintf("%016x", m.Incarnation))
	}
	o.After(from, &Vouched{Asked: m.Incarnation, Known: known})
}

// IsStranger reports whether an acceptor that connects shows another incarnation
// than is remembered: its votes must not count.
func (k Incarnations) IsStranger(m *PeerUp) bool {
	known, ok := k[m.ID]
	return ok && m.Incarnation != 0 && m.Incarnation != known
}
