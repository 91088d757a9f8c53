package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

func (l *Learner) onRead(from paxos.NodeID, m *paxos.Read) {
	conn := l.connection(from)
	q := question{conn: conn, nonce: m.Nonce, from: max(m.From, 1), upTo: m.UpTo, bytes: l.cfg.PageBytes}
	if m.MaxBytes > 0 {
		q.bytes = min(q.bytes, m.MaxBytes)
	}
	c := l.clients.all.at(conn)
	switch {
	case q.from <= l.last() && q.from >= l.state.FirstIndex && l.mayAsk(conn):
		l.readPage(l.ask(q, &c.asked))
	case q.from > l.last() && m.Wait:
		l.park(q)
	default: // it is not there, or was trimmed, which First says
		l.sendEmpty(from, m.Nonce)
	}
}

// sendEmpty answers a read with a page without entries.
func (l *Learner) sendEmpty(to paxos.NodeID, nonce uint64) {
	l.Send(to, &paxos.LogPage{Nonce: nonce, First: l.first(), Last: l.last()})
}

// park lets a read wait for its entry. At the bounds the oldest read of the connection
// that waits for most has to ask again.
func (l *Learner) park(q question) {
	cs := &l.clients
	switch {
	case cs.all.at(q.conn).parked.n >= maxParkedHere:
		l.sendAway(q.conn)
	case cs.parkedSize >= maxParked:
		l.sendAway(l.most(func(c *connection) int { return c.parked.n }))
	}
	r := l.ask(q, &cs.all.at(q.conn).parked)
	members := cs.parked[q.from]
	l.wait(&members, r, forEntry, uint64(q.from))
	l.setParked(q.from, members)
	cs.parkedSize++
	l.checkBound("reads of one connection that wait", cs.all.at(q.conn).parked.n, maxParkedHere)
}

// sendAway answers the oldest read that waits on a connection.
func (l *Learner) sendAway(conn ref) {
	c := l.clients.all.at(conn)
	r := c.parked.oldest
	l.sendEmpty(c.id, l.clients.questions.at(r).nonce)
	l.drop(r)
}

func (l *Learner) setParked(from paxos.Index, members chain) {
	if members.n == 0 {
		delete(l.clients.parked, from)
		return
	}
	l.clients.parked[from] = members
}

// unpark serves the reads for which there is an entry now: those from the index first
// on, which was the next one before this Flush.
func (l *Learner) unpark(first paxos.Index) {
	parked := l.clients.parked
	if len(parked) == 0 {
		return
	}
	if paxos.Index(len(parked)) > l.last()-first {
		for from := first; from < l.state.Next; from++ {
			if members, ok := parked[from]; ok {
				l.serve(from, members)
			}
		}
		return
	}
	var ready []paxos.Index
	for from := range parked {
		if from <= l.last() {
			ready = append(ready, from)
		}
	}
	slices.Sort(ready)
	for _, from := range ready {
		l.serve(from, parked[from])
	}
}

// serve reads one page for all that waited for the entry at an index.
func (l *Learner) serve(from paxos.Index, waiting chain) {
	cs := &l.clients
	delete(cs.parked, from)
	for waiting.n > 0 {
		r, q := l.next(&waiting)
		cs.parkedSize--
		c := cs.all.at(q.conn)
		cs.byArrival.leave(&c.parked, r)
		cs.byArrival.join(&c.asked, r)
		l.readPage(r)
	}
}

// pageLoad is a load of entries, for all reads from the same index on.
type pageLoad struct{ readers chain }

// readPage reads the entries that a question is for. A load that is under way for
// another question from the same index on does, also if it is for fewer: a page may be
// short, and what follows is asked for next.
func (l *Learner) readPage(r ref) {
	q := l.clients.questions.at(r)
	tag := l.reading[q.from]
	if tag == 0 {
		upTo := l.last()
		if q.upTo != 0 {
			upTo = min(upTo, q.upTo)
		}
		tag = l.loadFor(q.conn, paxos.Load{Kind: paxos.LoadLog, Index: q.from, UpTo: upTo, MaxBytes: q.bytes}, &pageLoad{})
		l.reading[q.from] = tag
	}
	l.wait(&l.loads[tag].(*pageLoad).readers, r, forPage, tag)
}

func (p *pageLoad) loaded(l *Learner, m *paxos.Loaded) {
	delete(l.reading, m.Load.Index)
	for p.readers.n > 0 {
		r, q := l.next(&p.readers)
		c := l.client(q)
		records, size := clip(m.Log, q)
		if c.burst > 0 && c.burst+size > l.cfg.BurstBytes {
			records = nil
		} else {
			c.burst += size
			l.activate(q.conn)
		}
		l.Send(c.id, &paxos.LogPage{Nonce: q.nonce, Records: records, First: l.first(), Last: l.last()})
		l.drop(r)
	}
}

// clip returns those of records that a read asked for, and how many bytes they count.
func clip(records []paxos.LogRecord, q *question) (wanted []paxos.LogRecord, size int) {
	for i := range records {
		n := len(records[i].Log) + itemBytes
		if i > 0 && (size+n > q.bytes || q.upTo != 0 && records[i].First > q.upTo) {
			return records[:i:i], size
		}
		size += n
	}
	return records, size
}
