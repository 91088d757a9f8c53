package learner

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// reads are the linearizable reads: those that wait for the next poll round, and
// the round under way. All reads of a round share its polls.
type reads struct {
	waiting []*read
	round   *round
	nonce   uint64
}

// read waits until everything up to its read point is applied.
type read struct {
	client  paxos.NodeID
	locate  *paxos.Locate
	arrived paxos.Ticks
	startup bool // the learner's own, at its start: it is ready when this is done
}

// round is one poll of the acceptors, sent after all its reads arrived.
type round struct {
	nonce   uint64
	sentAt  paxos.Ticks
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
	l.reads.waiting = append(l.reads.waiting, &read{client: from, locate: m, arrived: l.now})
}

// flushReads starts a round for the reads that wait, and answers those of the
// current round whose point is applied.
func (l *Learner) flushReads() {
	rs := &l.reads
	if rs.round != nil {
		if point, ok := rs.round.point(l.cfg.Membership); ok && point <= l.state.Applied {
			for _, r := range rs.round.reads {
				l.finish(r)
			}
			rs.round = nil
		}
	}
	// One round at a time, unless it cannot be decided: then fresh reads must not
	// wait for it.
	if len(rs.waiting) == 0 || (rs.round != nil && l.now-rs.round.sentAt < l.cfg.RetryTicks) {
		return
	}
	rs.nonce++
	next := &round{nonce: rs.nonce, sentAt: l.now, answers: map[int]paxos.Instance{}, reads: rs.waiting}
	if rs.round != nil {
		// The reads of the old round arrived earlier still: the new polls serve them.
		next.reads = append(rs.round.reads, next.reads...)
	}
	rs.waiting, rs.round = nil, next
	for place := range l.cfg.Membership.Acceptors {
		l.pollOne(place, next.nonce)
	}
}

func (l *Learner) onReadAnswer(place int, m *paxos.PollReply) {
	if r := l.reads.round; r != nil && r.nonce == m.Nonce {
		if _, ok := r.answers[place]; !ok {
			r.answers[place] = max(m.Held, m.Highest)
		}
	}
}

// tickReads polls those again that have not answered, and gives up on reads that
// cannot be decided.
func (l *Learner) tickReads() {
	rs := &l.reads
	if rs.round == nil {
		return
	}
	if l.now-rs.round.sentAt >= l.cfg.RetryTicks && len(rs.waiting) == 0 {
		rs.round.sentAt = l.now
		for place := range l.cfg.Membership.Acceptors {
			if _, ok := rs.round.answers[place]; !ok {
				l.pollOne(place, rs.round.nonce)
			}
		}
	}
	open, why := l.undecided(rs.round)
	rs.round.reads = slices.DeleteFunc(rs.round.reads, func(r *read) bool {
		if r.arrived == 0 {
			r.arrived = l.now
		}
		if l.now-r.arrived < l.cfg.ReadTicks {
			return false
		}
		if r.startup {
			l.becomeReady()
			l.Warn("ready, but not caught up", "reason", why)
		} else {
			l.Now(r.client, &paxos.Located{Nonce: r.locate.Nonce, First: l.first(), Last: l.last(), Open: open, Detail: why})
		}
		return true
	})
	if len(rs.round.reads) == 0 {
		rs.round = nil
	}
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
	if rs.round != nil {
		rs.round.reads = slices.DeleteFunc(rs.round.reads, gone)
	}
}
