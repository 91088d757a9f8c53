package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// attachment is a client connection that waits for results of a session.
type attachment struct {
	*client
	gapTold bool // a gap was told since the last command was applied
}

// client is a connection with attached sessions.
type client struct {
	id       paxos.NodeID
	sessions []paxos.SessionID // oldest first
	// results is what the next applied run is added to, as long as it is not flushed
	// and nothing else was told meanwhile.
	results *paxos.Results
	flush   uint64
}

// maxResults bounds the runs that one message tells of.
const maxResults = 1024

// maxSessionsPerClient bounds the sessions attached by one connection; beyond it
// the oldest is detached. A client asks again for results that do not come.
const maxSessionsPerClient = 16384

func (l *Learner) onAttach(from paxos.NodeID, m *paxos.Attach) {
	l.Now(from, &paxos.Attached{
		Nonce: m.Nonce, Session: m.Session, Applied: l.state.Applied, MaxEntry: l.cfg.EntryBytes, MaxBatch: l.cfg.BatchBytes, LastIndex: l.last(),
	})
	if m.Session == (paxos.SessionID{}) {
		return
	}
	c := l.clients[from]
	if c == nil {
		c = &client{id: from}
		l.clients[from] = c
	}
	if !slices.ContainsFunc(l.attached[m.Session], func(a attachment) bool { return a.client == c }) {
		c.sessions = append(c.sessions, m.Session)
		if len(c.sessions) > maxSessionsPerClient {
			l.detachOne(c, c.sessions[0])
			c.sessions = c.sessions[1:]
		}
		l.attached[m.Session] = append(l.attached[m.Session], attachment{client: c})
	}
	if s := l.sessions.get(m.Session); s != nil && (s.Last >= m.From || s.Closed) {
		l.answerFrom(from, m.Session, m.From, s.Last)
	} else if s == nil && m.Session.Birth() < l.state.Floor {
		l.answerFrom(from, m.Session, m.From, 1<<62)
	}
}

func (l *Learner) detach(id paxos.NodeID) {
	if c := l.clients[id]; c != nil {
		for _, s := range c.sessions {
			l.detachOne(c, s)
		}
		delete(l.clients, id)
	}
	l.parked = slices.DeleteFunc(l.parked, func(p parked) bool { return p.client == id })
	l.reads.drop(id)
}

func (l *Learner) detachOne(c *client, id paxos.SessionID) {
	list := slices.DeleteFunc(l.attached[id], func(a attachment) bool { return a.client == c })
	if l.attached[id] = list; len(list) == 0 {
		delete(l.attached, id)
	}
}

// tellApplied tells that a run was applied to whoever is attached to its session:
// in one message, all that this client waits for out of one instance.
func (l *Learner) tellApplied(rec *paxos.LogRecord, run paxos.AppliedRun) {
	list := l.attached[run.Session]
	for i := range list {
		c := list[i].client
		list[i].gapTold = false
		if r := c.results; r == nil || c.flush != l.flushes || r.Instance != rec.Instance || len(r.Applied) >= maxResults {
			c.results, c.flush = &paxos.Results{Instance: rec.Instance, Origin: rec.Origin, Time: rec.Time}, l.flushes
			l.Now(c.id, c.results)
		}
		c.results.Add(run)
	}
}

// tell sends a result to whoever is attached to the session.
func (l *Learner) tell(id paxos.SessionID, r *paxos.Result) {
	for _, a := range l.attached[id] {
		a.results = nil // what is applied later is told later
		l.Now(a.id, r)
	}
}

// tellGap says, once, which command is expected next.
func (l *Learner) tellGap(id paxos.SessionID, expected uint64) {
	list := l.attached[id]
	for i := range list {
		if a := &list[i]; !a.gapTold {
			a.gapTold, a.results = true, nil
			l.Now(a.id, &paxos.Result{Session: id, Kind: paxos.ResultGap, First: expected})
		}
	}
}

// answerStored answers commands first .. last, of which none was applied now,
// from the log: they were applied before, or never will be.
func (l *Learner) answerStored(id paxos.SessionID, first, last uint64) {
	for _, a := range l.attached[id] {
		l.answerFrom(a.id, id, first, last)
	}
}

func (l *Learner) answerFrom(client paxos.NodeID, id paxos.SessionID, first, last uint64) {
	q := paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: first, UpToSeq: last}
	l.load(q, func(m *paxos.Loaded) {
		for _, r := range m.Runs {
			l.Now(client, &paxos.Result{
				Session: id, Kind: paxos.ResultApplied, First: r.First, Count: r.Count,
				Index: r.Index, Instance: r.Instance, Origin: r.Origin, Time: r.Time,
			})
			first = r.First + r.Count
		}
		if m.More {
			l.answerFrom(client, id, first, last)
			return
		}
		switch s := l.sessions.get(id); {
		case s == nil && first <= last && id.Birth() < l.state.Floor:
			l.Now(client, &paxos.Result{Session: id, Kind: paxos.ResultExpired, First: first})
		case s != nil && s.Closed:
			l.Now(client, &paxos.Result{Session: id, Kind: paxos.ResultFenced, First: s.Last + 1})
		}
	})
}

func (l *Learner) onLookup(from paxos.NodeID, m *paxos.Lookup) {
	found := &paxos.Found{Nonce: m.Nonce, Future: m.Session.Birth() > l.state.Applied}
	if s := l.sessions.get(m.Session); s != nil {
		found.Closed = s.Closed
	} else {
		found.Expired = m.Session.Birth() < l.state.Floor
	}
	l.load(paxos.Load{Kind: paxos.LoadRuns, Session: m.Session, Seq: m.Seq, UpToSeq: m.Seq}, func(r *paxos.Loaded) {
		if len(r.Runs) > 0 {
			found.Index = r.Runs[0].Index
		}
		l.Now(from, found)
	})
}

// parked is a read that waits for an entry.
type parked struct {
	client paxos.NodeID
	read   *paxos.Read
}

// maxParked bounds the waiting reads of all clients together; beyond it the
// oldest is answered with an empty page, and its client asks again.
const maxParked = 65536

func (l *Learner) onRead(from paxos.NodeID, m *paxos.Read) {
	switch {
	case m.From <= l.last():
		l.serve(from, m)
	case m.Wait:
		if len(l.parked) >= maxParked {
			l.Now(l.parked[0].client, &paxos.LogPage{Nonce: l.parked[0].read.Nonce, First: l.first(), Last: l.last()})
			l.parked = l.parked[1:]
		}
		l.parked = append(l.parked, parked{from, m})
	default:
		l.Now(from, &paxos.LogPage{Nonce: m.Nonce, First: l.first(), Last: l.last()})
	}
}

// unpark serves the reads for which there is an entry now.
func (l *Learner) unpark() {
	waiting := l.parked[:0]
	for _, p := range l.parked {
		if p.read.From <= l.last() {
			l.serve(p.client, p.read)
		} else {
			waiting = append(waiting, p)
		}
	}
	clear(l.parked[len(waiting):])
	l.parked = waiting
}

func (l *Learner) serve(to paxos.NodeID, m *paxos.Read) {
	upTo := l.last()
	if m.UpTo != 0 {
		upTo = min(upTo, m.UpTo)
	}
	size := l.cfg.PageBytes
	if m.MaxBytes > 0 {
		size = min(size, m.MaxBytes)
	}
	q := paxos.Load{Kind: paxos.LoadLog, Index: max(m.From, 1), UpTo: upTo, MaxBytes: size}
	l.load(q, func(r *paxos.Loaded) {
		l.Now(to, &paxos.LogPage{Nonce: m.Nonce, Records: r.Log, First: l.first(), Last: l.last()})
	})
}

// onFetch lets an acceptor or another learner copy what was chosen. All of it
// has been applied here, so all of it is held.
func (l *Learner) onFetch(from paxos.NodeID, m *paxos.Fetch) {
	if !m.Values || m.From > l.state.Applied {
		l.Now(from, &paxos.Page{Nonce: m.Nonce, From: m.From, Held: l.state.Applied})
		return
	}
	q := paxos.Load{Kind: paxos.LoadVotes, From: m.From, To: l.state.Applied, MaxBytes: l.cfg.PageBytes}
	l.load(q, func(r *paxos.Loaded) {
		l.Now(from, &paxos.Page{Nonce: m.Nonce, From: m.From, Held: l.state.Applied, Values: r.Votes})
	})
}
