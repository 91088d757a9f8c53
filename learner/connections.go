package learner

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/paxos/rights"
)

// connection is a client's connection that waits for something.
type connection struct {
	id       paxos.NodeID
	attached chain // its sessions: attached or told of longest ago first
	parked   chain // its reads that wait for an entry, oldest first
	asked    chain // its other questions that are not answered yet
	due      chain // loads for it that wait for their turn
	// results is what is told next: runs applied out of one instance since the last
	// message to this connection. It is owned here until it is sent.
	results paxos.Results
	burst   int  // bytes of pages sent since the last Flush
	active  bool // in connections.active
}

// connections are those that wait for something, and all that they wait for.
type connections struct {
	connected []paxos.NodeID // all clients, sorted, also those that wait for nothing

	byID   map[paxos.NodeID]ref
	all    pool[connection]
	active []ref // those with results or a burst, to be dealt with at the next Flush

	attachments pool[attachment]
	attachedTo  map[paxos.SessionID]ref
	byUse       links // of attachments, in connection.attached

	questions  pool[question]
	byNonce    map[questionID]ref
	byArrival  links                 // of questions, in connection.parked or asked
	together   links                 // of questions that wait for the same thing
	parked     map[paxos.Index]chain // those that wait for the entry at an index
	parkedSize int
}

func newConnections() connections {
	return connections{
		byID: map[paxos.NodeID]ref{}, attachedTo: map[paxos.SessionID]ref{},
		byNonce: map[questionID]ref{}, parked: map[paxos.Index]chain{},
	}
}

// connection returns the connection of a client, which is remembered until PeerDown.
func (l *Learner) connection(id paxos.NodeID) ref {
	c := &l.clients
	r := c.byID[id]
	if r == 0 {
		r = c.all.add(connection{id: id})
		c.byID[id] = r
	}
	return r
}

// most is the connection that has most of something.
func (l *Learner) most(of func(*connection) int) ref {
	most := ref(1)
	for i := range l.clients.all.items {
		if of(&l.clients.all.items[i]) > of(l.clients.all.at(most)) {
			most = ref(i + 1)
		}
	}
	return most
}

// mayAsk reports whether one more question of a connection is taken.
func (l *Learner) mayAsk(conn ref) bool {
	cs := &l.clients
	n := cs.all.at(conn).asked.n
	return n < maxAsked && (len(cs.byNonce)-cs.parkedSize < maxAskedAll || n < maxAskedAll/len(cs.byID))
}

// activate sees to it that the next Flush deals with a connection.
func (l *Learner) activate(r ref) {
	if c := l.clients.all.at(r); !c.active {
		c.active = true
		l.clients.active = append(l.clients.active, r)
	}
}

// flushConnections sends the results that were collected.
func (l *Learner) flushConnections() {
	for _, r := range l.clients.active {
		c := l.clients.all.at(r)
		l.tellResults(c)
		c.burst, c.active = 0, false
	}
	l.clients.active = l.clients.active[:0]
}

// disconnect forgets a client and all that it waits for. Loads that are under way
// for it alone come to nothing.
func (l *Learner) disconnect(id paxos.NodeID) {
	if i, is := slices.BinarySearch(l.clients.connected, id); is {
		l.clients.connected = slices.Delete(l.clients.connected, i, i+1)
	}
	r := l.clients.byID[id]
	if r == 0 {
		return
	}
	c := l.clients.all.at(r)
	for c.attached.n > 0 {
		l.forget(c.attached.oldest)
	}
	for c.parked.n > 0 {
		l.drop(c.parked.oldest)
	}
	for c.asked.n > 0 {
		l.drop(c.asked.oldest)
	}
	if c.active {
		l.clients.active = slices.DeleteFunc(l.clients.active, func(a ref) bool { return a == r })
	}
	l.clients.all.remove(r)
	delete(l.clients.byID, id)
}

// A drained learner is about to be stopped. It learns and serves as ever, and tells its
// clients so: those that reach another learner leave it, and the others are better served
// here than not at all. Clients of version 2 do not understand it and stay.

func (l *Learner) onDrain(from paxos.NodeID, m *paxos.Drain) {
	before := l.sendsAway()
	l.drained = !m.Undo
	l.tellAway(before)
	l.Send(from, &paxos.Drained{Nonce: m.Nonce, Drained: l.drained})
}

// sendsAway reports whether clients had better use another learner.
func (l *Learner) sendsAway() bool { return l.drained || l.isOut() }

// tellAway tells clients if that has changed.
func (l *Learner) tellAway(before bool) {
	if away := l.sendsAway(); away != before {
		for _, id := range slices.Sorted(maps.Keys(l.clients.byID)) {
			l.Send(id, &paxos.Elsewhere{Drained: away})
		}
	}
}

// onClient takes a client that connects. It is remembered while this learner sends clients away, for
// it is told when that is over.
func (l *Learner) onClient(id paxos.NodeID) {
	if i, is := slices.BinarySearch(l.clients.connected, id); !is {
		l.clients.connected = slices.Insert(l.clients.connected, i, id)
	}
	if l.directory != nil {
		l.Send(id, l.directory)
	}
	if l.sendsAway() {
		l.connection(id)
		l.Send(id, &paxos.Elsewhere{Drained: true})
	}
}

// judgeAgain tells clients that may not wait any more for what they wait for, since the log has
// decided otherwise of who may do what. No entry above that is shown to them.
func (l *Learner) judgeAgain(before *control.State) {
	granted := l.control.state.Grants
	if l.control.state.GrantedAt == before.GrantedAt {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(l.clients.byID)) {
		who, _ := l.gate.Who(id)
		c := l.clients.all.at(l.clients.byID[id])
		if why := rights.Refuses(who, &paxos.Attach{}, granted); why != "" {
			l.tellResults(c)
			for c.attached.n > 0 {
				l.Send(id, &paxos.NotPermitted{Session: l.clients.attachments.at(c.attached.oldest).session, Why: why})
				l.forget(c.attached.oldest)
			}
		}
		if why := rights.Refuses(who, &paxos.Read{}, granted); why != "" {
			l.dropAll(&c.parked, id, why)
			l.dropAll(&c.asked, id, why)
		}
	}
}

// dropAll answers all questions in a chain that nothing is told of any more, and why. One about the
// fate of an append tells nothing that who asks does not know, and goes on.
func (l *Learner) dropAll(chain *chain, id paxos.NodeID, why string) {
	for r := chain.oldest; r != 0; {
		next := l.clients.byArrival.after(r)
		if q := l.clients.questions.at(r); !l.isLookup(q) {
			l.Send(id, &paxos.NotPermitted{Nonce: q.nonce, Why: why})
			l.drop(r)
		}
		r = next
	}
}

// isLookup reports whether a question is a Lookup.
func (l *Learner) isLookup(q *question) bool {
	if q.waits != forLoad {
		return false
	}
	_, is := l.loads[q.key].(*lookupLoad)
	return is
}

func (l *Learner) onPeerUp(m *paxos.PeerUp) {
	l.gate.Up(m)
	s := l.sources.of(m.ID)
	if s == nil {
		switch {
		case m.Role == paxos.RoleClient:
			l.onClient(m.ID)
		case len(l.others) < maxOthers:
			l.others[m.ID] = other{m.Role, m.Incarnation}
		}
		return
	}
	s.up, s.first = true, 0
	if s.kind == paxos.RoleAcceptor {
		s.stranger = l.peers.IsStranger(m) || l.isOther(m.ID, m.Incarnation)
		if s.place >= 0 {
			l.pollOne(m.ID, 0)
		}
	} else {
		l.telling.Set(l.now)
	}
}

func (l *Learner) onPeerDown(m *paxos.PeerDown) {
	delete(l.others, m.ID)
	l.gate.Down(m.ID)
	s := l.sources.of(m.ID)
	if s == nil {
		l.disconnect(m.ID)
		return
	}
	s.up = false
	if m.ID == l.relay {
		l.switchRelay()
	}
	if l.copying.asked == m.ID {
		l.copying.asked = ""
	}
	if l.copying.resume == m.ID {
		l.copying.resume = ""
	}
}
