package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// due are the loads for clients that wait for their turn at the store. A few are under way at
// once, and connections take turns. So a client that asks for much waits for itself; what it
// asked for and gave up, or left behind, costs the store nothing; and whoever copies waits for
// a few loads of clients, however many there are.
type due struct {
	all    pool[dueLoad]
	byTag  map[uint64]ref
	order  links           // of all, in connection.due
	turns  []ref           // connections with loads that wait, the next one first
	loaded map[uint64]bool // tags of those under way
}

// dueLoad is a load that waits, for a connection.
type dueLoad struct {
	load paxos.Load
	conn ref
}

func newDue() due { return due{byTag: map[uint64]ref{}, loaded: map[uint64]bool{}} }

// loadFor reads the store for a connection when it is its turn, and returns the load's tag.
func (l *Learner) loadFor(conn ref, q paxos.Load, p pending) uint64 {
	q.Tag = l.expect(p)
	l.addDue(dueLoad{q, conn})
	return q.Tag
}

func (l *Learner) addDue(x dueLoad) {
	d, c := &l.due, l.clients.all.at(x.conn)
	r := d.all.add(x)
	d.byTag[x.load.Tag] = r
	if c.due.n == 0 {
		d.turns = append(d.turns, x.conn)
	}
	d.order.join(&c.due, r)
}

// withdrawLoad forgets a load that waits, and reports whether it did.
func (l *Learner) withdrawLoad(tag uint64) bool {
	d := &l.due
	r := d.byTag[tag]
	if r == 0 {
		return false
	}
	l.dropDue(r)
	delete(l.loads, tag)
	return true
}

// takeDue takes a load out of those that wait, and returns it and the connection's number of
// others. Without any a connection has no turn.
func (l *Learner) takeDue(r ref) (q paxos.Load, left int) {
	d := &l.due
	x := *d.all.at(r)
	c := l.clients.all.at(x.conn)
	d.order.leave(&c.due, r)
	d.all.remove(r)
	delete(d.byTag, x.load.Tag)
	return x.load, c.due.n
}

// dropDue takes a load out of those that wait, whenever the turn of its connection is.
func (l *Learner) dropDue(r ref) paxos.Load {
	d := &l.due
	conn := d.all.at(r).conn
	q, left := l.takeDue(r)
	if left == 0 {
		d.turns = slices.DeleteFunc(d.turns, func(c ref) bool { return c == conn })
	}
	return q
}

// handOn has a load that waits be another connection's: the one that it was asked for has left.
func (l *Learner) handOn(tag uint64, from, to ref) {
	d := &l.due
	r := d.byTag[tag]
	if r == 0 || d.all.at(r).conn != from {
		return
	}
	l.addDue(dueLoad{l.dropDue(r), to})
}

// flushDue asks the store for as much as may be under way, one load of each connection in turn.
func (l *Learner) flushDue() {
	d := &l.due
	for len(d.turns) > 0 && len(d.loaded) < maxLoads {
		conn := d.turns[0]
		d.turns = d.turns[1:]
		q, left := l.takeDue(l.clients.all.at(conn).due.oldest)
		if left > 0 {
			d.turns = append(d.turns, conn)
		}
		d.loaded[q.Tag] = true
		l.Load(q)
	}
	l.checkBound("loads for clients under way", len(d.loaded), maxLoads)
}
