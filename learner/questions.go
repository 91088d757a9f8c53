package learner

import "github.com/paxlog/paxlog/paxos"

// question is a Locate, Read or Lookup that has not been answered. It stands in two
// chains: of its connection, and of those that wait for the same thing.
type question struct {
	conn  ref // 0: the learner's own, at its start
	nonce uint64
	waits waitsFor
	// key says which entry (its index), round (its nonce) or load (its tag).
	key uint64

	// Of a Read:
	from, upTo paxos.Index
	bytes      int
	// Of a Locate:
	at      paxos.UnixNanos
	patient paxos.Ticks // for how long its client listens, 0 if that is not known
	arrived paxos.Ticks // when its round began
}

// waitsFor is what a question waits for.
type waitsFor byte

const (
	forNothing waitsFor = iota // it is being answered
	forEntry                   // that its entry is applied: connections.parked
	forStart                   // that its round begins: reads.waiting
	forRound                   // that its round is decided: round.asked
	forPage                    // a load that it shares: pageLoad.readers
	forLoad                    // a load of its own
)

// questionID is how a client names its question.
type questionID struct {
	conn  ref
	nonce uint64
}

// ask adds a question of a connection. An earlier one of the same nonce is not waited
// for any more.
func (l *Learner) ask(q question, at *chain) ref {
	cs := &l.clients
	id := questionID{q.conn, q.nonce}
	if old := cs.byNonce[id]; old != 0 {
		l.drop(old)
	}
	r := cs.questions.add(q)
	cs.byNonce[id] = r
	cs.byArrival.join(at, r)
	return r
}

// onWithdraw forgets a question that nobody waits for any more: nothing is read or
// sent for it from now on.
func (l *Learner) onWithdraw(from paxos.NodeID, m *paxos.Withdraw) {
	if r := l.clients.byNonce[questionID{l.clients.byID[from], m.Nonce}]; r != 0 {
		l.drop(r)
	}
}

// wait makes a question that waits for nothing wait for what members wait for.
func (l *Learner) wait(members *chain, r ref, what waitsFor, key uint64) {
	q := l.clients.questions.at(r)
	q.waits, q.key = what, key
	l.clients.together.join(members, r)
}

// next takes the oldest one out of those that wait for the same thing.
func (l *Learner) next(members *chain) (ref, *question) {
	r := members.oldest
	l.clients.together.leave(members, r)
	q := l.clients.questions.at(r)
	q.waits = forNothing
	return r, q
}

// drop forgets a question, wherever it waits.
func (l *Learner) drop(r ref) {
	cs := &l.clients
	q := cs.questions.at(r)
	switch q.waits {
	case forEntry:
		members := cs.parked[paxos.Index(q.key)]
		cs.together.leave(&members, r)
		l.setParked(paxos.Index(q.key), members)
		cs.parkedSize--
	case forStart:
		cs.together.leave(&l.reads.waiting, r)
	case forRound:
		for _, round := range l.reads.rounds {
			if round.nonce == q.key {
				cs.together.leave(&round.asked, r)
				break
			}
		}
	case forPage:
		p := l.loads[q.key].(*pageLoad)
		if cs.together.leave(&p.readers, r); p.readers.n == 0 {
			l.abandon(q.key)
			delete(l.reading, q.from)
		} else {
			l.handOn(q.key, q.conn, cs.questions.at(p.readers.oldest).conn)
		}
	case forLoad:
		l.abandon(q.key)
	}
	if q.conn != 0 {
		c := cs.all.at(q.conn)
		at := &c.asked
		if q.waits == forEntry {
			at = &c.parked
		}
		cs.byArrival.leave(at, r)
		delete(cs.byNonce, questionID{q.conn, q.nonce})
	}
	cs.questions.remove(r)
}

// client is whose question it is.
func (l *Learner) client(q *question) *connection { return l.clients.all.at(q.conn) }

// lookupLoad is a load of where a command is.
type lookupLoad struct {
	question ref
	last     uint64      // the last command of the session that was applied then
	found    paxos.Found // what was known when it was asked; the load sees at least as much
}

func (l *Learner) onLookup(from paxos.NodeID, m *paxos.Lookup) {
	found := paxos.Found{Nonce: m.Nonce, Future: m.Session.Birth() > l.state.Applied}
	last := uint64(0)
	if s := l.sessions.get(m.Session); s != nil {
		found.Closed, last = s.Closed, s.Last
	} else {
		found.Expired = l.isBelow(m.Session)
	}
	conn := l.connection(from)
	if !l.mayAsk(conn) {
		return // what was not looked up has no answer that would not be taken for one
	}
	r := l.ask(question{conn: conn, nonce: m.Nonce}, &l.clients.all.at(conn).asked)
	tag := l.loadFor(conn, l.runs(m.Session, m.Seq, m.Seq), &lookupLoad{r, last, found})
	q := l.clients.questions.at(r)
	q.waits, q.key = forLoad, tag
}

func (k *lookupLoad) loaded(l *Learner, m *paxos.Loaded) {
	f, id, seq := &k.found, m.Load.Session, m.Load.Seq
	switch {
	case len(m.Runs) > 0:
		if f.Index = m.Runs[0].Index; f.Index < l.state.FirstIndex {
			f.Below = l.state.FirstIndex
		}
	case seq <= k.last && l.mayBeTrimmed(id):
		f.Below, f.Future = l.state.FirstIndex, true // who does not know Below must not take it for none
	case f.Expired && l.mayBeTrimmed(id):
		f.Forgotten, f.Future, f.Expired = true, true, false
	}
	if l.ofAncestor(id, f); f.Index == 0 && l.isOfAnotherLog(id) {
		*f = paxos.Found{Nonce: f.Nonce, Future: true}
	}
	l.answer(k.question, f)
}

// answer answers a question that has a load of its own, which is done.
func (l *Learner) answer(r ref, m paxos.Message) {
	q := l.clients.questions.at(r)
	q.waits = forNothing
	l.Send(l.client(q).id, m)
	l.drop(r)
}
