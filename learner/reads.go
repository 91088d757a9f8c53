package learner

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// reads are the linearizable reads: those that wait for the next poll round, and
// the rounds under way. All reads of a round share its polls.
type reads struct {
	waiting chain
	rounds  []*round // oldest first
	nonce   uint64
}

// round is one poll of the acceptors, sent after all its reads arrived.
type round struct {
	nonce   uint64
	beganAt paxos.Ticks
	giveUp  paxos.Ticks                     // before it no read of the round is given up
	resend  paxos.Timer                     // when those that have not answered are polled again
	answers map[paxos.NodeID]paxos.Instance // highest instance held or accepted
	// R6: of the configuration that was in force above what had been applied when it began.
	epoch  uint64
	of     []paxos.NodeID
	phase2 int
	asked  chain
}

// point is the read point so far; see paxos.Membership.ReadPoint.
func (r *round) point() (paxos.Instance, bool) {
	var answers []paxos.Instance
	for _, id := range r.of {
		if i, ok := r.answers[id]; ok {
			answers = append(answers, i)
		}
	}
	return paxos.ReadPoint(len(r.of), r.phase2, answers)
}

// askOwn asks what the learner itself waits for at its start: it is ready when this is
// answered.
func (l *Learner) askOwn() {
	r := l.clients.questions.add(question{})
	l.wait(&l.reads.waiting, r, forStart, 0)
}

func (l *Learner) onLocate(from paxos.NodeID, m *paxos.Locate) {
	conn := l.connection(from)
	c := l.clients.all.at(conn)
	why := ""
	switch {
	case m.Stale && m.Time == 0:
		l.Send(from, l.ends(m.Nonce))
		return
	case !l.mayAsk(conn):
		why = fmt.Sprintf("%d questions of this client wait at %s already", c.asked.n, l.cfg.ID)
	case !m.Stale && l.reads.waiting.n >= maxWaiting:
		why = fmt.Sprintf("%d reads wait at %s already", l.reads.waiting.n, l.cfg.ID)
	}
	if why != "" {
		l.sendOpen(from, m.Nonce, l.state.Applied+1, why)
		return
	}
	r := l.ask(question{conn: conn, nonce: m.Nonce, at: m.Time, patient: m.Wait}, &c.asked)
	if m.Stale {
		l.located(r)
		return
	}
	l.wait(&l.reads.waiting, r, forStart, 0)
}

// sendOpen answers a Locate that could not be decided.
func (l *Learner) sendOpen(to paxos.NodeID, nonce uint64, open paxos.Instance, why string) {
	l.Send(to, &paxos.Located{Nonce: nonce, First: l.first(), Last: l.last(), Open: open, Detail: why})
}

// flushReads starts a round for the reads that wait, and answers those of which
// the point is applied.
func (l *Learner) flushReads() {
	rs := &l.reads
	rs.rounds = slices.DeleteFunc(rs.rounds, func(r *round) bool {
		point, ok := r.point()
		if !ok || point > l.state.Applied {
			return false
		}
		if r.epoch != l.epoch() { // R6: what was answered since may be in the next one only
			for r.asked.n > 0 {
				q, _ := l.next(&r.asked)
				l.wait(&rs.waiting, q, forStart, 0)
			}
			return true
		}
		for r.asked.n > 0 {
			q, _ := l.next(&r.asked)
			l.located(q)
		}
		return true
	})
	n := len(rs.rounds)
	if rs.waiting.n == 0 || n >= maxRounds || (n > 0 && l.now-rs.rounds[n-1].beganAt < l.cfg.RetryTicks) {
		return
	}
	rs.nonce++
	next := &round{nonce: rs.nonce, beganAt: l.now, giveUp: paxos.Never, answers: map[paxos.NodeID]paxos.Instance{}, epoch: l.epoch()}
	next.of, next.phase2 = l.inForce()
	next.resend.Set(l.now + l.cfg.RetryTicks)
	for rs.waiting.n > 0 {
		r, q := l.next(&rs.waiting)
		q.arrived = l.now
		next.giveUp = min(next.giveUp, l.now+l.patience(r))
		l.wait(&next.asked, r, forRound, next.nonce)
	}
	rs.rounds = append(rs.rounds, next)
	for _, id := range next.of {
		l.pollOne(id, next.nonce)
	}
}

func (l *Learner) onReadAnswer(from paxos.NodeID, m *paxos.PollReply) {
	for _, r := range l.reads.rounds {
		if _, ok := r.answers[from]; r.nonce == m.Nonce && !ok {
			r.answers[from] = max(m.Held, m.Highest)
		}
	}
}

// tickReads polls those again that have not answered, and gives up on reads that
// cannot be decided.
func (l *Learner) tickReads() {
	rs := &l.reads
	rs.rounds = slices.DeleteFunc(rs.rounds, func(r *round) bool {
		if r.resend.Due(l.now) {
			r.resend.Set(l.now + l.cfg.RetryTicks)
			for _, id := range r.of {
				if _, ok := r.answers[id]; !ok && l.sources.voter(id) != nil {
					l.pollOne(id, r.nonce)
				}
			}
		}
		if l.now >= r.giveUp {
			l.giveUp(r)
		}
		return r.asked.n == 0
	})
}

// giveUp gives up on the reads of a round of which the time is over.
func (l *Learner) giveUp(r *round) {
	r.giveUp = paxos.Never
	for at := r.asked.oldest; at != 0; {
		q := at
		at = l.clients.together.after(at)
		// As long as this learner catches up, it will get there.
		if until := max(l.clients.questions.at(q).arrived, l.appliedAt) + l.patience(q); l.now < until {
			r.giveUp = min(r.giveUp, until)
		} else {
			l.undecided(r, q)
		}
	}
}

// nextRead is when tickReads, or flushReads, has something to do.
func (l *Learner) nextRead() paxos.Ticks {
	rs, at := &l.reads, paxos.Never
	for _, r := range rs.rounds {
		at = min(at, r.giveUp, r.resend.At())
		if r.asked.n == 0 {
			at = l.now // it is over
		}
	}
	if n := len(rs.rounds); rs.waiting.n > 0 && n > 0 && n < maxRounds {
		at = min(at, rs.rounds[n-1].beganAt+l.cfg.RetryTicks)
	}
	return at
}

// patience is for how long a read may wait: the client wants to hear why while it
// still listens.
func (l *Learner) patience(r ref) paxos.Ticks {
	if q := l.clients.questions.at(r); q.patient > 0 {
		return min(l.cfg.ReadTicks, q.patient)
	}
	return l.cfg.ReadTicks
}

// undecided gives up on a read, and says which instance keeps its round open.
func (l *Learner) undecided(r *round, asked ref) {
	open, why := l.openAt(r)
	if q := l.clients.questions.at(asked); q.conn != 0 {
		l.sendOpen(l.client(q).id, q.nonce, open, why)
	} else {
		l.becomeReady()
		l.Warn("ready, but not caught up", "reason", why)
	}
	l.drop(asked)
}

// openAt says which instance keeps a round from being answered, and why.
func (l *Learner) openAt(r *round) (paxos.Instance, string) {
	open := l.state.Applied + 1
	point, ok := r.point()
	if !ok {
		return open, fmt.Sprintf("%d of %d acceptors answered, a linearizable read needs %d", len(r.answers), len(r.of), len(r.of)-r.phase2+1)
	}
	var voters []paxos.NodeID
	for _, id := range r.of {
		if r.answers[id] >= open {
			voters = append(voters, id)
		}
	}
	return open, fmt.Sprintf("instance %d is open: of the %d acceptors that answered, %v have votes up to instance %d, and %s knows it to be chosen only up to %d; "+
		"a leader, or another acceptor, would decide it", open, len(r.answers), voters, point, l.cfg.ID, l.state.Applied)
}

func (l *Learner) becomeReady() {
	if !l.ready {
		l.ready, l.Out.Ready = true, true
	}
}

// ends says where the log starts and ends now.
func (l *Learner) ends(nonce uint64) *paxos.Located {
	return &paxos.Located{Nonce: nonce, First: l.first(), Last: l.last(), AtTime: l.last() + 1}
}

// timeLoad is a load of the first index at a time.
type timeLoad struct {
	question ref
	answer   paxos.Located
}

// located answers a question that waits for nothing with the log as it is now.
func (l *Learner) located(r ref) {
	q := l.clients.questions.at(r)
	switch {
	case q.conn == 0:
		l.becomeReady()
		l.drop(r)
	case q.at == 0:
		l.answer(r, l.ends(q.nonce))
	default:
		tag := l.loadFor(q.conn, paxos.Load{Kind: paxos.LoadTime, Time: q.at, Index: l.state.FirstIndex}, &timeLoad{r, *l.ends(q.nonce)})
		q.waits, q.key = forLoad, tag
	}
}

func (t *timeLoad) loaded(l *Learner, m *paxos.Loaded) {
	if m.Index != 0 && m.Index <= t.answer.Last {
		t.answer.AtTime = max(m.Index, t.answer.First)
	}
	l.answer(t.question, &t.answer)
}
