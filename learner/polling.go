package learner

import "github.com/paxlog/paxlog/paxos"

// pollAll renews the subscription at every acceptor that is connected.
func (l *Learner) pollAll() {
	for i := range l.sources {
		if s := &l.sources[i]; s.kind == paxos.RoleAcceptor && s.up && s.place >= 0 {
			l.pollOne(s.id, 0)
		}
	}
}

// pollOne asks an acceptor to tell its votes, and what changes, from now on.
func (l *Learner) pollOne(id paxos.NodeID, nonce uint64) {
	m := &paxos.Poll{Nonce: nonce, Values: id == l.relay, Stay: true}
	if l.isStuck() {
		m.Stuck = l.state.Applied + 1
	}
	s := l.sources.voter(id)
	s.polled, s.stays = l.now, false
	l.Send(id, m)
}

// tickPolls asks those acceptors anew of which it is time.
func (l *Learner) tickPolls() {
	for i := range l.sources {
		if s := &l.sources[i]; l.now >= l.pollDue(s) {
			l.pollOne(s.id, 0)
		}
	}
}

// nextPoll is when tickPolls has something to do.
func (l *Learner) nextPoll() paxos.Ticks {
	at := paxos.Never
	for i := range l.sources {
		at = min(at, l.pollDue(&l.sources[i]))
	}
	return at
}

// pollDue is when an acceptor is asked anew. One that tells by itself what changes is asked
// rarely, to find out that it still does; a learner that gets no further asks more often,
// for its question has an acceptor pass on to the leader that it is stuck.
func (l *Learner) pollDue(s *source) paxos.Ticks {
	switch {
	case s.kind != paxos.RoleAcceptor || !s.up || s.place < 0:
		return paxos.Never
	case !s.stays:
		return s.polled + l.cfg.PollTicks
	}
	return min(s.polled+l.cfg.RenewTicks, max(s.polled+l.cfg.RetryTicks, l.stuckAt()))
}

// stuckAt is from when on what is missing counts as not to be had.
func (l *Learner) stuckAt() paxos.Ticks {
	if !l.behind() || l.control.stuck != 0 {
		return paxos.Never
	}
	return l.progressAt + stuckRetries*l.cfg.RetryTicks + 1
}

func (l *Learner) isStuck() bool { return l.now >= l.stuckAt() }

// endStream notes that something of what an acceptor was asked, or has told, may be lost: it
// is asked anew.
func (l *Learner) endStream(id paxos.NodeID) {
	if s := l.sources.voter(id); s != nil {
		s.stays = false
	}
}

func (l *Learner) onPollReply(from paxos.NodeID, m *paxos.PollReply) {
	s := l.sources.voter(from)
	if s == nil {
		return
	}
	s.stays = (s.stays || m.Stays) && !m.Ended
	l.hold(s, m.Held)
	l.sawVote(m.Highest)
	if m.Nonce != 0 {
		l.onReadAnswer(from, m)
	}
	if s.held > l.state.Applied+far {
		l.tickFetch()
	}
}
