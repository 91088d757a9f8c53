package sim

import (
	"github.com/paxlog/paxlog/paxos"
)

// Network carries messages between nodes. Without faults each link keeps order
// and loses nothing, as a connection does.
type Network struct {
	w *World
	// Faults, in thousandths of the messages sent.
	Loss, Duplicate, Reorder, Replay uint64
	MaxDelay                         Micros

	cut  map[[2]paxos.NodeID]bool   // one-way: from, to
	last map[[2]paxos.NodeID]Micros // when the latest message of a link arrives
	// Observe, if set, sees every message that is delivered.
	Observe func(from, to paxos.NodeID, m paxos.Message)
	// Filter, if set, may take a message over: it is not delivered if it returns false.
	Filter func(from, to paxos.NodeID, m paxos.Message) bool
}

func newNetwork(w *World) *Network {
	return &Network{w: w, MaxDelay: 300, cut: map[[2]paxos.NodeID]bool{}, last: map[[2]paxos.NodeID]Micros{}}
}

func (t *Network) send(n *Node, e paxos.Envelope) {
	w := t.w
	to := w.nodes[e.To]
	if to == nil {
		return
	}
	w.Check.onSend(n, e)
	if t.Filter != nil && !t.Filter(n.ID, e.To, e.Msg) {
		return
	}
	if w.chance(t.Loss) {
		w.Events["message lost"]++
		return
	}
	link := [2]paxos.NodeID{n.ID, e.To}
	at := w.now + w.between(20, t.MaxDelay)
	if w.chance(t.Reorder) {
		w.Events["message reordered"]++
		at += w.between(0, 50*Millisecond)
	} else {
		at = max(at, t.last[link])
		t.last[link] = at
	}
	t.deliver(n, to, e.Msg, at)
	if w.chance(t.Duplicate) {
		w.Events["message duplicated"]++
		t.deliver(n, to, e.Msg, at+w.between(0, 20*Millisecond))
	}
	if w.chance(t.Replay) {
		w.Events["message replayed"]++
		t.deliver(n, to, e.Msg, at+w.between(100*Millisecond, 3*Second))
	}
}

func (t *Network) deliver(from, to *Node, m paxos.Message, at Micros) {
	w := t.w
	w.after(at-w.now, func() {
		if t.cut[[2]paxos.NodeID{from.ID, to.ID}] || !to.Up {
			return
		}
		if w.Trace != nil {
			w.trace("%s -> %s  %T%+v", from.ID, to.ID, m, m)
		}
		if t.Observe != nil {
			t.Observe(from.ID, to.ID, m)
		}
		to.receive(from.ID, m)
	})
}

func (t *Network) connect(a, b *Node) {
	if !t.open(a.ID, b.ID) {
		return
	}
	a.receive(a.ID, &paxos.PeerUp{ID: b.ID, Role: b.Role})
	b.receive(b.ID, &paxos.PeerUp{ID: a.ID, Role: a.Role})
}

// disconnect tells n that its connection to gone ended.
func (t *Network) disconnect(n, gone *Node) { n.receive(n.ID, &paxos.PeerDown{ID: gone.ID}) }

func (t *Network) open(a, b paxos.NodeID) bool {
	return !t.cut[[2]paxos.NodeID{a, b}] && !t.cut[[2]paxos.NodeID{b, a}]
}

// Cut drops everything from a to b from now on. A connection needs both ways, so
// it ends for both after a while.
func (t *Network) Cut(a, b paxos.NodeID) {
	if t.cut[[2]paxos.NodeID{a, b}] {
		return
	}
	was := t.open(a, b)
	t.cut[[2]paxos.NodeID{a, b}] = true
	t.w.trace("cut %s -> %s", a, b)
	t.w.Events["link cut"]++
	if was {
		t.w.after(t.w.between(0, 500*Millisecond), func() {
			if x, y := t.w.nodes[a], t.w.nodes[b]; !t.open(a, b) && x.Up && y.Up {
				t.disconnect(x, y)
				t.disconnect(y, x)
			}
		})
	}
}

// CutBoth separates a and b.
func (t *Network) CutBoth(a, b paxos.NodeID) { t.Cut(a, b); t.Cut(b, a) }

// Join lets everything pass between a and b again.
func (t *Network) Join(a, b paxos.NodeID) {
	if t.open(a, b) {
		return
	}
	delete(t.cut, [2]paxos.NodeID{a, b})
	delete(t.cut, [2]paxos.NodeID{b, a})
	t.w.trace("join %s and %s", a, b)
	x, y := t.w.nodes[a], t.w.nodes[b]
	t.w.after(t.w.between(0, 20*Millisecond), func() {
		if x.Up && y.Up && t.open(a, b) {
			t.connect(x, y)
		}
	})
}

// Heal joins everything and stops all faults.
func (t *Network) Heal() {
	t.Loss, t.Duplicate, t.Reorder, t.Replay = 0, 0, 0, 0
	for _, a := range t.w.order {
		for _, b := range t.w.order {
			if a < b {
				t.Join(a, b)
			}
		}
	}
}
