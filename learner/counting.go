package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
)

// evidence is what is known of one instance above applied.
type evidence struct {
	// ballots are the votes, for each ballot apart: a newer one never erases an
	// older one, and equal values at different ballots never add up.
	ballots []tally
	held    *paxos.Value // from a node that holds the instance
}

// tally is the votes at one ballot, and the value proposed under it if known.
type tally struct {
	ballot paxos.Ballot
	votes  paxos.Set
	value  *paxos.Value
}

// at is the tally at b, nil if there are too many ballots to tell one more apart: then the
// instance is learned from who holds it.
func (e *evidence) at(b paxos.Ballot) *tally {
	for i := range e.ballots {
		if e.ballots[i].ballot == b {
			return &e.ballots[i]
		}
	}
	if len(e.ballots) >= maxBallots {
		return nil
	}
	e.ballots = append(e.ballots, tally{ballot: b})
	return &e.ballots[len(e.ballots)-1]
}

// chosen returns the chosen value if it is known to be chosen and known. A value
// is chosen when a Phase 2 quorum voted for it at one ballot (Paxos Made Simple,
// 2.3), or when a node holds it. R4: m are the members of the configuration in force at the
// instance, by the source of each; votes of others are there, and do not count. The votes of a quorum go before the word of one node.
// isChosen says that some value is chosen, even if it is missing.
func (e *evidence) chosen(m configuration.Group) (v *paxos.Value, isChosen bool) {
	for i := range e.ballots {
		if t := &e.ballots[i]; m.IsPhase2(t.votes) {
			isChosen = true
			if t.value != nil {
				return t.value, true
			}
		}
	}
	if e.held != nil {
		return e.held, true
	}
	return nil, isChosen
}

// secondChoice returns the ballot at which another value than v is chosen, if there is
// one. A quorum votes for one value only (P2), so somebody has sent a value that is not the
// one voted for.
func (e *evidence) secondChoice(m configuration.Group, v *paxos.Value) (paxos.Ballot, bool) {
	for i := range e.ballots {
		if t := &e.ballots[i]; t.value != nil && t.value != v && m.IsPhase2(t.votes) && !t.value.Equal(*v) {
			return t.ballot, true
		}
	}
	return paxos.Ballot{}, false
}

// evidence returns what is known of i, or nil if i is applied or too far ahead.
func (l *Learner) evidence(i paxos.Instance) *evidence {
	if i <= l.state.Applied || i > l.state.Applied+maxAhead {
		return nil
	}
	e := l.above[i]
	if e == nil {
		e = &evidence{}
		l.above[i] = e
	}
	return e
}

func (l *Learner) onAccepted(from paxos.NodeID, m *paxos.Accepted) {
	s := l.sources.voter(from)
	if s == nil {
		return
	}
	l.hold(s, m.Held)
	if l.peers.Take(from, m.Mark) {
		l.marked = l.marked.With(s.place)
	}
	l.addVotes(s.place, m.Runs)
}

func (l *Learner) addVotes(place int, runs []paxos.VoteRun) {
	room := paxos.Instance(maxCounted)
	for _, r := range runs {
		l.sawVote(r.Last)
		first, last := max(r.First, l.state.Applied+1), min(r.Last, l.state.Applied+maxAhead)
		if last < first {
			continue
		}
		n := min(last-first+1, room)
		room -= n
		for i := first; i < first+n; i++ {
			if t := l.evidence(i).at(r.Ballot); t != nil {
				t.votes = t.votes.With(place)
			}
		}
	}
}

// sawVote notes that somebody has voted at i, unless that is far above all that is known:
// then this learner would ask for it for ever.
func (l *Learner) sawVote(i paxos.Instance) {
	if i <= max(l.state.Applied, l.sources.maxHeld())+paxos.MaxJump {
		l.highest = max(l.highest, i)
	}
}

func (l *Learner) onRelay(from paxos.NodeID, m *paxos.Relay) {
	if s := l.sources.voter(from); s != nil {
		l.addValue(s, m.Instance, m.Ballot, m.Value, false)
	}
}

// addValue keeps a value that a source says was proposed at i under b, or is held. Above
// the next instance it is dropped when too much is kept already; it is fetched when its
// turn comes.
func (l *Learner) addValue(s *source, i paxos.Instance, b paxos.Ballot, v paxos.Value, held bool) {
	if i > l.state.Applied+1 && l.aheadBytes > l.cfg.AheadBytes {
		return
	}
	e := l.evidence(i)
	if e == nil {
		return
	}
	target := &e.held
	if !held {
		t := e.at(b)
		if t == nil {
			return
		}
		target = &t.value
	}
	switch known := *target; {
	case known != nil && !known.Equal(v):
		l.contradicted(s, "another value was said to be held, or proposed under that ballot", i)
		return
	case known != nil:
		return
	}
	if held {
		if known, _ := e.chosen(l.members.At(i)); known != nil && !known.Equal(v) {
			l.contradicted(s, "a quorum voted for another value than is said to be held", i)
			return
		}
	}
	*target = &v
	l.aheadBytes += len(v.Batch)
}

// forgetEvidence forgets what is known of an instance that is applied.
func (l *Learner) forgetEvidence(i paxos.Instance) {
	e := l.above[i]
	if e.held != nil {
		l.aheadBytes -= len(e.held.Batch)
	}
	for _, t := range e.ballots {
		if t.value != nil {
			l.aheadBytes -= len(t.value.Batch)
		}
	}
	delete(l.above, i)
}

// apply applies every chosen instance that follows what was applied.
func (l *Learner) apply() {
	for {
		i := l.state.Applied + 1
		e := l.above[i]
		if e == nil {
			return
		}
		v, isChosen := e.chosen(l.members.At(i))
		if v == nil {
			if isChosen {
				l.want(i)
			}
			return
		}
		if b, bad := e.secondChoice(l.members.At(i), v); bad {
			l.doubt(i, e, b)
			return
		}
		if !l.knows(i, v) || !l.fits(v) {
			return
		}
		l.forgetEvidence(i)
		l.wanting.got()
		l.applyValue(*v)
		l.progressAt, l.appliedAt, l.copying.wait = l.now, l.now, 0
	}
}

// doubt forgets the values at i, of which two are said to be chosen: which one is not is not
// known here. It is fetched again, from whoever holds it. Nothing is applied before.
//
// Example: 1.p1 and then 2.p2 got the same value chosen, and a faulty acceptor relays
// another one for 2.p2. Were that the end of this learner, one process could end all of them.
func (l *Learner) doubt(i paxos.Instance, e *evidence, b paxos.Ballot) {
	for k := range e.ballots {
		if t := &e.ballots[k]; t.value != nil {
			l.aheadBytes -= len(t.value.Batch)
			t.value = nil
		}
	}
	l.doubts++
	if l.doubtful.Due(l.now) {
		l.doubtful.Set(l.now + warnTicks)
		l.Warn("two values are said to be chosen at one instance: an acceptor has sent another value than was voted for, by a bug or faulty memory; it is fetched again. "+
			"Compare the logs of the acceptors, and report this line", "instance", uint64(i), "one_of_them_at", b.String(), "times", l.doubts)
	}
}

// behind reports whether something above applied is known to be chosen.
func (l *Learner) behind() bool {
	if l.sources.maxHeld() > l.state.Applied {
		return true
	}
	if e := l.above[l.state.Applied+1]; e != nil {
		_, isChosen := e.chosen(l.members.At(l.state.Applied + 1))
		return isChosen
	}
	return false
}
