package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// attachment is a session whose results a connection waits for. A session has at
// most one: whoever attached it last is told.
type attachment struct {
	session paxos.SessionID
	conn    ref
	told    uint64 // the last command told as just applied, 0 if none was
	gapTold bool   // a gap was told since the last command was applied
	// stored is the load under way of what became of commands, 0 if there is none; and first to
	// last, if first is not 0, what is loaded next. However often a client asks, no more is read.
	stored, first, last uint64
	pages               int // loaded since somebody asked, of what fills more than one
}

func (l *Learner) onAttach(from paxos.NodeID, m *paxos.Attach) {
	l.Send(from, &paxos.Attached{
		Nonce: m.Nonce, Session: m.Session, Applied: l.state.Applied, MaxEntry: l.cfg.EntryBytes, MaxBatch: l.cfg.BatchBytes, LastIndex: l.last(),
		Stamp: l.stamp(from),
	})
	if m.Session == (paxos.SessionID{}) {
		return
	}
	l.attach(l.connection(from), m.Session)
	if s := l.sessions.get(m.Session); s != nil && (s.Last >= m.From || s.Closed) {
		l.answerStored(m.Session, m.From, s.Last)
	} else if s == nil && l.isBelow(m.Session) {
		l.answerStored(m.Session, m.From, 1<<62)
	}
}

// stamp is what goes into the ids of sessions that a client makes here.
func (l *Learner) stamp(of paxos.NodeID) paxos.Stamp {
	if l.control.state.Level < control.LevelRights {
		return paxos.Stamp{}
	}
	return paxos.NewStamp(l.control.state.Log, l.gate.Owner(of))
}

// attach makes conn the connection that is told of a session. The latest Attach wins,
// since only a client that is alive can have sent it: an earlier connection may be
// one that broke and whose end is not noticed yet.
func (l *Learner) attach(conn ref, session paxos.SessionID) {
	cs := &l.clients
	if r := cs.attachedTo[session]; r != 0 {
		if cs.attachments.at(r).conn == conn {
			cs.byUse.renew(&cs.all.at(conn).attached, r)
			return
		}
		l.detach(r)
	}
	c := cs.all.at(conn)
	switch {
	case c.attached.n >= maxAttached:
		l.detach(c.attached.oldest)
	case len(cs.attachedTo) >= maxAttachedAll:
		most := l.most(func(c *connection) int { return c.attached.n })
		l.detach(cs.all.at(most).attached.oldest)
	}
	r := cs.attachments.add(attachment{session: session, conn: conn})
	cs.attachedTo[session] = r
	cs.byUse.join(&c.attached, r)
	l.checkBound("sessions attached by one connection", c.attached.n, maxAttached)
}

// detach forgets an attachment, and says so: else its client would wait for results
// that never come.
func (l *Learner) detach(r ref) {
	a := l.clients.attachments.at(r)
	c, session := l.clients.all.at(a.conn), a.session
	l.tellResults(c)
	l.forget(r)
	l.Send(c.id, &paxos.Detached{Session: session})
}

// forget ends an attachment.
func (l *Learner) forget(r ref) {
	cs := &l.clients
	a := cs.attachments.at(r)
	if a.stored != 0 {
		l.abandon(a.stored)
	}
	delete(cs.attachedTo, a.session)
	cs.byUse.leave(&cs.all.at(a.conn).attached, r)
	cs.attachments.remove(r)
}

func (l *Learner) onDetach(from paxos.NodeID, m *paxos.Detach) {
	if a := l.attachment(m.Session); a != nil && l.clients.all.at(a.conn).id == from {
		l.forget(l.clients.attachedTo[m.Session])
	}
}

// attachment returns who is told of a session, nil if nobody is.
func (l *Learner) attachment(session paxos.SessionID) *attachment {
	if r := l.clients.attachedTo[session]; r != 0 {
		return l.clients.attachments.at(r)
	}
	return nil
}

// tellApplied tells that a run was applied to whoever is attached to its session:
// in one message, all that this client waits for out of one instance.
func (l *Learner) tellApplied(rec *paxos.LogRecord, run paxos.AppliedRun) {
	cs := &l.clients
	r := cs.attachedTo[run.Session]
	if r == 0 {
		return
	}
	a := cs.attachments.at(r)
	if run.First <= a.told {
		l.Violated("results of a session are told in order, each once", "session", run.Session, "told", a.told, "next", run.First)
	}
	a.told, a.gapTold = run.First+run.Count-1, false
	c := cs.all.at(a.conn)
	cs.byUse.renew(&c.attached, r)
	if c.results.Instance != rec.Instance || len(c.results.Applied) >= maxResults {
		l.tellResults(c)
		c.results.Instance, c.results.Origin, c.results.Time = rec.Instance, rec.Origin, rec.Time
		l.activate(a.conn)
	}
	c.results.Add(run)
}

// tellResults sends what a connection is to be told.
func (l *Learner) tellResults(c *connection) {
	if len(c.results.Applied) == 0 {
		return
	}
	m := c.results
	c.results = paxos.Results{}
	l.Send(c.id, &m)
}

// tell sends a result to whoever is attached to its session, after what was applied
// before it.
func (l *Learner) tell(r *paxos.Result) {
	if a := l.attachment(r.Session); a != nil {
		c := l.clients.all.at(a.conn)
		l.tellResults(c)
		l.Send(c.id, r)
	}
}

// tellGap says, once, which command is expected next.
func (l *Learner) tellGap(id paxos.SessionID, expected uint64) {
	if a := l.attachment(id); a != nil && !a.gapTold {
		a.gapTold = true
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultGap, First: expected})
	}
}

// answerStored answers commands first .. last, of which none was applied now, from the
// log: they were applied before, or never will be.
func (l *Learner) answerStored(id paxos.SessionID, first, last uint64) {
	a := l.attachment(id)
	switch {
	case a == nil:
		return
	case a.stored != 0 && a.first != 0:
		a.first, a.last = min(a.first, first), max(a.last, last)
		return
	case a.stored != 0:
		a.first, a.last = first, last
		return
	}
	answer := &storedAnswer{}
	if s := l.sessions.get(id); s != nil {
		answer.last = s.Last
	}
	q := l.runs(id, first, last)
	q.MaxRuns = firstRuns << min(2*a.pages, 4) // 16, 64, 256
	a.stored = l.loadFor(a.conn, q, answer)
}

// runs is a load of where commands of a session are.
func (l *Learner) runs(id paxos.SessionID, first, last uint64) paxos.Load {
	return paxos.Load{Kind: paxos.LoadRuns, Session: id, Seq: first, UpToSeq: last, From: l.state.FirstInstance}
}

// storedAnswer is a load of where commands of a session are, for a client that is
// attached to it. It is abandoned when that client waits no more.
type storedAnswer struct {
	last uint64 // the last command of the session that was applied when it was asked
}

// mayBeTrimmed reports whether commands of a session may have been in what was trimmed: it was
// born below that.
func (l *Learner) mayBeTrimmed(id paxos.SessionID) bool {
	return l.state.FirstInstance > 1 && id.Birth() < l.state.FirstInstance
}

// tellBelow tells that commands first .. last, if there are any, were applied, and that where
// they are was trimmed.
func (l *Learner) tellBelow(id paxos.SessionID, first, last uint64) {
	if first <= last && l.mayBeTrimmed(id) {
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultBelow, First: first, Count: last - first + 1, Index: l.state.FirstIndex})
	}
}

func (s *storedAnswer) loaded(l *Learner, m *paxos.Loaded) {
	id, first, last := m.Load.Session, m.Load.Seq, m.Load.UpToSeq
	a := l.attachment(id)
	a.stored = 0
	for _, r := range m.Runs {
		l.tellBelow(id, first, r.First-1)
		l.tell(&paxos.Result{
			Session: id, Kind: paxos.ResultApplied, First: r.First, Count: r.Count,
			Index: r.Index, Instance: r.Instance, Origin: r.Origin, Time: r.Time,
		})
		first = r.First + r.Count
	}
	if m.More {
		a.pages++
		l.answerStored(id, first, last)
		return
	}
	a.pages = 0
	if next, upTo := a.first, a.last; next != 0 {
		a.first, a.last = 0, 0
		l.answerStored(id, next, upTo)
	}
	x := l.sessions.get(id)
	if x != nil {
		l.tellBelow(id, first, min(last, s.last))
	}
	switch {
	case first <= last && l.isOfAncestor(id) && l.hasRestored():
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultOfAncestor, First: first})
	case x == nil && first <= last && l.isBelow(id) && l.mayBeTrimmed(id):
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultForgotten, First: first})
	case x == nil && first <= last && l.isBelow(id):
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultExpired, First: first})
	case x != nil && x.Closed:
		l.tell(&paxos.Result{Session: id, Kind: paxos.ResultFenced, First: x.Last + 1})
	}
}
