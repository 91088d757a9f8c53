package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// pending is what a load of the store is for: its fields say what was asked and by
// whom. These are the kinds:
//
//	pageLoad      entries, for all reads that wait for the same ones
//	timeLoad      the index at a time, for a Locate
//	lookupLoad    the index of a command, for a Lookup
//	storedAnswer  what became of commands, for a client attached to their session
//	copyLoad      chosen values, for an acceptor, another learner, or a backup
//	abandoned     nothing any more: whoever asked has left, or given up
type pending interface {
	// loaded is told the result, when the load is no longer among those under way.
	loaded(l *Learner, m *paxos.Loaded)
}

type abandoned struct{}

func (abandoned) loaded(*Learner, *paxos.Loaded) {}

// load reads the store, for p, and returns the load's tag.
func (l *Learner) load(q paxos.Load, p pending) uint64 {
	q.Tag = l.expect(p)
	l.Load(q)
	return q.Tag
}

// expect gives p a tag of its own: what is loaded under it is for p.
func (l *Learner) expect(p pending) uint64 {
	if len(l.loads) == 0 {
		l.tag = 0 // each load is answered once: no answer to an earlier one can come
	}
	l.tag++
	l.loads[l.tag] = p
	return l.tag
}

// abandon makes a load come to nothing. If the store was not asked for it yet, it is not.
func (l *Learner) abandon(tag uint64) {
	if l.withdrawLoad(tag) {
		return
	}
	if i := slices.IndexFunc(l.Out.Loads, func(q paxos.Load) bool { return q.Tag == tag }); i >= 0 {
		l.Out.Loads = slices.Delete(l.Out.Loads, i, i+1)
		delete(l.loads, tag)
		delete(l.due.loaded, tag)
		return
	}
	l.loads[tag] = abandoned{}
}

func (l *Learner) onLoaded(m *paxos.Loaded) {
	p, ok := l.loads[m.Load.Tag]
	if !ok {
		l.Violated("a load is answered once", "tag", m.Load.Tag)
		return
	}
	delete(l.loads, m.Load.Tag)
	delete(l.due.loaded, m.Load.Tag)
	if m.Load.Kind == paxos.LoadRuns {
		l.due.searching.spend(l.now, len(m.Runs)-m.Load.MaxRuns)
	}
	p.loaded(l, m)
}

// copyLoad is a load of chosen values for whoever fetches them.
type copyLoad struct {
	to    paxos.NodeID
	nonce uint64
}

// onFetch lets an acceptor or another learner copy what was chosen. All of it
// has been applied here, so all of it is held.
func (l *Learner) onFetch(from paxos.NodeID, m *paxos.Fetch) {
	first := max(m.From, 1)
	if !m.Values || first > l.state.Applied || first < l.state.FirstInstance {
		l.Send(from, l.page(m.Nonce, m.From))
		return
	}
	if l.copies >= maxCopies {
		return // it asks again
	}
	l.copies++
	l.loadValues(from, m.Nonce, m.From)
}

// onCopy lets a client copy what was chosen. So few of them do at once that acceptors and
// learners that copy hardly notice.
func (l *Learner) onCopy(from paxos.NodeID, m *paxos.Copy) {
	if m.From > l.state.Applied || m.From < l.state.FirstInstance || l.backups >= maxBackups {
		l.Send(from, l.page(m.Nonce, m.From))
		return
	}
	l.backups++
	l.loadValues(from, m.Nonce, m.From)
}

// loadValues reads chosen values for whoever copies them.
func (l *Learner) loadValues(to paxos.NodeID, nonce uint64, from paxos.Instance) {
	q := paxos.Load{Kind: paxos.LoadVotes, From: from, To: l.state.Applied, MaxBytes: l.cfg.PageBytes}
	l.load(q, &copyLoad{to, nonce})
}

func (c *copyLoad) loaded(l *Learner, m *paxos.Loaded) {
	if c.to.IsClient() {
		l.backups--
	} else {
		l.copies--
	}
	p := l.page(c.nonce, m.Load.From)
	p.Values = m.Votes
	l.Send(c.to, p)
}

// page says what is held here; it has no values yet.
func (l *Learner) page(nonce uint64, from paxos.Instance) *paxos.Page {
	p := &paxos.Page{Nonce: nonce, From: from, Held: l.state.Applied, First: l.state.FirstInstance}
	if from < p.First && p.First == l.control.state.FirstInstance() {
		p.Control = l.control.encoded
	}
	return p
}

// due are the loads for clients that wait for their turn at the store. A few are under way at
// once, and connections take turns. So a client that asks for much waits for itself; what it
// asked for and gave up, or left behind, costs the store nothing; and whoever copies waits for
// a few loads of clients, however many there are.
type due struct {
	all       pool[dueLoad]
	byTag     map[uint64]ref
	order     links           // of all, in connection.due
	turns     []ref           // connections with loads that wait, the next one first
	loaded    map[uint64]bool // tags of those under way
	searching searching
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

// flushDue asks the store for as much as may be under way, one load of each connection in turn. Those
// of runs wait while too many were found lately.
func (l *Learner) flushDue() {
	d := &l.due
	for i := 0; i < len(d.turns) && len(d.loaded) < MaxLoads; {
		conn := d.turns[i]
		r := l.clients.all.at(conn).due.oldest
		if q := d.all.at(r).load; q.Kind == paxos.LoadRuns {
			if d.searching.left(l.now) <= 0 {
				i++
				continue
			}
			d.searching.spend(l.now, 1+q.MaxRuns)
		}
		d.turns = slices.Delete(d.turns, i, i+1)
		q, left := l.takeDue(r)
		if left > 0 {
			d.turns = append(d.turns, conn)
		}
		d.loaded[q.Tag] = true
		l.Load(q)
	}
	l.checkBound("loads for clients under way", len(d.loaded), MaxLoads)
}

// nextDue is when flushDue may ask for more although nothing was loaded.
func (l *Learner) nextDue() paxos.Ticks {
	if d := &l.due; len(d.turns) > 0 && len(d.loaded) < MaxLoads {
		return d.searching.at(l.now)
	}
	return paxos.Never
}

// searching bounds how many runs are found for clients: searchBurst at once, and searchRate a tick from then on.
// Each takes a look into the store of its own, at whatever is oldest there, and a client asks for
// thousands with one message. A connection's own later questions wait with it; those of others do not.
type searching struct {
	spent int // of searchBurst, at since
	since paxos.Ticks
}

// left is how many runs may be found now.
func (s *searching) left(now paxos.Ticks) int {
	s.spent = int(max(0, paxos.Ticks(s.spent)-searchRate*(now-s.since)))
	s.since = now
	return searchBurst - s.spent
}

// spend counts so many: as many as may be found when a load is asked for, and what was not found back when it is done.
func (s *searching) spend(now paxos.Ticks, runs int) {
	s.left(now)
	s.spent = max(0, s.spent+runs)
}

// at is when some may be found again, now or later.
func (s *searching) at(now paxos.Ticks) paxos.Ticks {
	if over := -s.left(now); over >= 0 {
		return now + 1 + paxos.Ticks(over)/searchRate
	}
	return now
}
