package sim

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
)

// Network carries messages between nodes. Without faults each link keeps order
// and loses nothing, as a connection does.
type Network struct {
	w *World
	// Faults, in thousandths of the messages sent.
	Loss, Duplicate, Reorder, Replay uint64
	MaxDelay                         Micros

	delivered uint64

	recent []packet // the latest messages delivered, to be replayed
	oldest int      // place in recent, once it is full
	// Observe, if set, sees every message that is delivered.
	Observe func(from, to paxos.NodeID, m paxos.Message)
	// Filter, if set, may take a message over: it is not delivered if it returns false.
	Filter func(from, to paxos.NodeID, m paxos.Message) bool
}

// link is one direction between two nodes.
type link struct {
	cut  bool
	last Micros // when the latest message arrives
	conn uint32 // grows when the connection is broken; what it carried is lost
	doom Micros // if not 0: it breaks under the next message, for so long
}

type packet struct {
	from, to *Node
	msg      paxos.Message
}

// overflow is how many thousandths of the messages that are lost its sender is told of, as
// of a queue that was full.
const overflow = 500

// remembered is how many delivered messages may be replayed.
const remembered = 512

func newNetwork(w *World) *Network { return &Network{w: w, MaxDelay: 300} }

func (t *Network) send(n *Node, e paxos.Envelope) {
	w := t.w
	to := w.Node(e.To)
	if to == nil {
		return
	}
	w.Check.OnSend(n.watched, e)
	if t.Filter != nil && !t.Filter(n.ID, e.To, e.Msg) {
		return
	}
	if w.chance(t.Loss) {
		w.Events["message lost"]++
		if w.chance(overflow) {
			n.receive(n.ID, &paxos.Dropped{ID: e.To})
		}
		return
	}
	l := &n.links[to.num]
	at := w.now + w.between(20, t.MaxDelay)
	if w.chance(t.Reorder) {
		w.Events["message reordered"]++
		at += w.between(0, 50*Millisecond)
	} else {
		at = max(at, l.last)
		l.last = at
	}
	t.deliver(n, to, e.Msg, at, l.conn)
	if l.doom > 0 {
		t.breakNow(n, to, l.doom)
	}
	if w.chance(t.Duplicate) {
		w.Events["message duplicated"]++
		t.deliver(n, to, e.Msg, at+w.between(0, 20*Millisecond), l.conn)
	}
	if w.chance(t.Replay) {
		w.Events["message replayed"]++
		t.deliver(n, to, e.Msg, at+w.between(100*Millisecond, 3*Second), 0)
	}
}

func (t *Network) deliver(from, to *Node, m paxos.Message, at Micros, conn uint32) {
	t.w.queue.push(at, work{kind: workDeliver, node: to, src: from, msg: m, conn: conn})
}

// arrive hands a message to its receiver, unless it was lost on the way.
func (t *Network) arrive(e *work) {
	w, from, to := t.w, e.src, e.node
	l := &from.links[to.num]
	if l.cut || !to.Up {
		return
	}
	if e.conn != 0 && e.conn != l.conn {
		w.Events["message lost with its connection"]++
		return
	}
	t.delivered++
	w.digest.delivery(w.now, from, to, e.msg)
	if w.Trace != nil {
		w.Trace(w.stamp() + traceText(from.ID, to.ID, e.msg))
	}
	if t.Observe != nil {
		t.Observe(from.ID, to.ID, e.msg)
	}
	w.Check.OnDeliver(from.watched, to.watched, e.msg)
	t.remember(from, to, e.msg)
	to.receive(from.ID, e.msg)
}

func (t *Network) remember(from, to *Node, m paxos.Message) {
	if len(t.recent) < remembered {
		t.recent = append(t.recent, packet{from, to, m})
		return
	}
	t.recent[t.oldest] = packet{from, to, m}
	t.oldest = (t.oldest + 1) % remembered
}

// ReplayOld delivers some of the latest messages once more, in the order that
// choose decides.
func (t *Network) ReplayOld(count int, choose *paxos.Rand) {
	t.w.trace("%d old packets are replayed", count)
	for ; count > 0 && len(t.recent) > 0; count-- {
		p := t.recent[choose.Uint64()%uint64(len(t.recent))]
		t.w.Events["old packet replayed"]++
		t.deliver(p.from, p.to, p.msg, t.w.now+between(choose, 0, 20*Millisecond), 0)
	}
}

func (t *Network) connect(a, b *Node) {
	if !t.open(a.ID, b.ID) {
		return
	}
	a.receive(a.ID, &paxos.PeerUp{ID: b.ID, Role: b.Role, Incarnation: b.incarnation, Principal: b.principal})
	b.receive(b.ID, &paxos.PeerUp{ID: a.ID, Role: a.Role, Incarnation: a.incarnation, Principal: a.principal})
}

// disconnect tells n that its connection to gone ended.
func (t *Network) disconnect(n, gone *Node) { n.receive(n.ID, &paxos.PeerDown{ID: gone.ID}) }

func (t *Network) link(a, b paxos.NodeID) *link { return &t.w.nodes[a].links[t.w.nodes[b].num] }

func (t *Network) open(a, b paxos.NodeID) bool { return !t.link(a, b).cut && !t.link(b, a).cut }

// Break ends the connection of a and b when the next message is under way on it,
// which is lost with all before it. Both hear of it, and connect again after a
// while.
func (t *Network) Break(a, b paxos.NodeID, again Micros) {
	t.link(a, b).doom, t.link(b, a).doom = again, again
}

func (t *Network) breakNow(x, y *Node, again Micros) {
	l, back := &x.links[y.num], &y.links[x.num]
	l.conn++
	back.conn++
	l.doom, back.doom = 0, 0
	t.w.trace("the connection of %s and %s breaks", x.ID, y.ID)
	t.w.Events["connection broken"]++
	if !x.Up || !y.Up {
		return
	}
	t.disconnect(x, y)
	t.disconnect(y, x)
	t.w.after(again, func() {
		if x.Up && y.Up && t.open(x.ID, y.ID) {
			t.connect(x, y)
		}
	})
}

// Cut drops everything from a to b from now on. A connection needs both ways, so
// it ends for both after a while.
func (t *Network) Cut(a, b paxos.NodeID) {
	if t.link(a, b).cut {
		return
	}
	was := t.open(a, b)
	t.link(a, b).cut = true
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
	t.link(a, b).cut, t.link(b, a).cut = false, false
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
	for _, n := range t.w.all {
		for k := range n.links {
			n.links[k].doom = 0
		}
	}
	for _, a := range t.w.order {
		for _, b := range t.w.order {
			if a < b {
				t.Join(a, b)
			}
		}
	}
}

// traceText is a message as a trace shows it.
func traceText(from, to paxos.NodeID, m paxos.Message) string {
	if g, ok := m.(*GuestMessage); ok {
		return fmt.Sprintf("%s -> %s  %s", from, to, g.Text)
	}
	return fmt.Sprintf("%s -> %s  %T%+v", from, to, m, m)
}
