package learner

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// reads are the linearizable reads: those that wait for the next poll round, and
// the rounds under way. All reads of a round share its polls.
type reads struct {
	waiting []*read
	rounds  []*round // oldest first
	nonce   uint64
}

// maxRounds bounds the rounds under way. While polls are slow, or a round cannot
// be decided, a new one begins every RetryTicks, beside the older ones.
const maxRounds = 8

// read waits until everything up to its read point is applied.
type read struct {
	client  paxos.NodeID
	locate  *paxos.Locate
	arrived paxos.Ticks // when its round began
	startup bool        // the learner's own, at its start: it is ready when this is done
}

// round is one poll of the acceptors, sent after all its reads arrived.
type round struct {
	nonce   uint64
	beganAt paxos.Ticks
	sentAt  paxos.Ticks            // when those that have not answered were last polled
	answers map[int]paxos.Instance // by place: highest instance held or accepted
	reads   []*read
}

// point is the read point so far; see paxos.Membership.ReadPoint.
func (r *round) point(m paxos.Membership) (paxos.Instance, bool) {
	var answers []paxos.Instance
	for place := range m.Acceptors {
		if i, ok := r.answers[place]; ok {
			answers = append(answers, i)
		}
	}
	return m.ReadPoint(answers)
}

func (l *Learner) onLocate(from paxos.NodeID, m *paxos.Locate) {
	if m.Stale {
		l.located(from, m)
		return
	}
	if len(l.reads.waiting) >= maxParked {
		l.Now(from, &paxos.Located{Nonce: m.Nonce, First: l.first(), Last: l.last(), Open: l.state.Applied + 1,
			Detail: fmt.Sprintf("%d reads wait at %s already", len(l.reads.waiting), l.cfg.ID)})
		return
	}
	l.reads.waiting = append(l.reads.waiting, &read{client: from, locate: m})
}

// flushReads starts a round for the reads that wait, and answers those of which
// the point is applied.
func (l *Learner) flushReads() {
	rs := &l.reads
	rs.rounds = slices.DeleteFunc(rs.rounds, func(r *round) bool {
		point, ok := r.point(l.cfg.Membership)
		if !ok || point > l.state.Applied {
			return false
		}
		for _, rd := range r.reads {
			l.finish(rd)
		}
		return true
	})
	n := len(rs.rounds)
	if len(rs.waiting) == 0 || n >= maxRounds || (n > 0 && l.now-rs.rounds[n-1].beganAt < l.cfg.RetryTicks) {
		return
	}
	rs.nonce++
	next := &round{nonce: rs.nonce, beganAt: l.now, sentAt: l.now, answers: map[int]paxos.Instance{}, reads: rs.waiting}
	for _, r := range rs.waiting {
		r.arrived = l.now
	}
	rs.waiting, rs.rounds = nil, append(rs.rounds, next)
	for place := range l.cfg.Membership.Acceptors {
		l.pollOne(place, next.nonce)
	}
}

func (l *Learner) onReadAnswer(place int, m *paxos.PollReply) {
	for _, r := range l.reads.rounds {
		if _, ok := r.answers[place]; r.nonce == m.Nonce && !ok {
			r.answers[place] = max(m.Held, m.Highest)
		}
	}
}

// tickReads polls those again that have not answered, and gives up on reads that
// cannot be decided.
func (l *Learner) tickReads() {
	rs := &l.reads
	rs.rounds = slices.DeleteFunc(rs.rounds, func(r *round) bool {
		if l.now-r.sentAt >= l.cfg.RetryTicks {
			r.sentAt = l.now
			for place := range l.cfg.Membership.Acceptors {
				if _, ok := r.answers[place]; !ok {
					l.pollOne(place, r.nonce)
				}
			}
		}
		r.reads = slices.DeleteFunc(r.reads, func(rd *read) bool {
			// As long as this learner catches up, it will get there.
			if l.now-max(rd.arrived, l.appliedAt) < l.patience(rd) {
				return false
			}
			open, why := l.undecided(r)
			if rd.startup {
				l.becomeReady()
				l.Warn("ready, but not caught up", "reason", why)
			} else {
				l.Now(rd.client, &paxos.Located{Nonce: rd.locate.Nonce, First: l.first(), Last: l.last(), Open: open, Detail: why})
			}
			return true
		})
		return len(r.reads) == 0
	})
}

// patience is for how long a read may wait: the client wants to hear why while it
// still listens.
func (l *Learner) patience(r *read) paxos.Ticks {
	if r.locate != nil && r.locate.Wait > 0 {
		return min(l.cfg.ReadTicks, r.locate.Wait)
	}
	return l.cfg.ReadTicks
}

// undecided says which instance keeps a round from being answered, and why.
func (l *Learner) undecided(r *round) (paxos.Instance, string) {
	m := l.cfg.Membership
	open := l.state.Applied + 1
	point, ok := r.point(m)
	if !ok {
		return open, fmt.Sprintf("%d of %d acceptors answered, a linearizable read needs %d", len(r.answers), len(m.Acceptors), len(m.Acceptors)-m.Phase2+1)
	}
	var voters []paxos.NodeID
	for place, id := range m.Acceptors {
		if r.answers[place] >= open {
			voters = append(voters, id)
		}
	}
	return open, fmt.Sprintf("instance %d is open: of the %d acceptors that answered, %v have votes up to instance %d, and %s knows it to be chosen only up to %d; "+
		"a leader, or another acceptor, would decide it", open, len(r.answers), voters, point, l.cfg.ID, l.state.Applied)
}

func (l *Learner) finish(r *read) {
	if r.startup {
		l.becomeReady()
		return
	}
	l.located(r.client, r.locate)
}

func (l *Learner) becomeReady() {
	if !l.ready {
		l.ready, l.Out.Ready = true, true
	}
}

// located answers with the log as it is now.
func (l *Learner) located(to paxos.NodeID, m *paxos.Locate) {
	answer := &paxos.Located{Nonce: m.Nonce, First: l.first(), Last: l.last(), AtTime: l.last() + 1}
	if m.Time == 0 {
		l.Now(to, answer)
		return
	}
	l.load(paxos.Load{Kind: paxos.LoadTime, Time: m.Time}, func(r *paxos.Loaded) {
		if r.Index != 0 && r.Index <= answer.Last {
			answer.AtTime = r.Index
		}
		l.Now(to, answer)
	})
}

func (rs *reads) drop(client paxos.NodeID) {
	gone := func(r *read) bool { return !r.startup && r.client == client }
	rs.waiting = slices.DeleteFunc(rs.waiting, gone)
	for _, r := range rs.rounds {
		r.reads = slices.DeleteFunc(r.reads, gone)
	}
}
