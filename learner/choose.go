package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// slot is what is known of one instance above applied.
type slot struct {
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

func (s *slot) at(b paxos.Ballot) *tally {
	for i := range s.ballots {
		if s.ballots[i].ballot == b {
			return &s.ballots[i]
		}
	}
	s.ballots = append(s.ballots, tally{ballot: b})
	return &s.ballots[len(s.ballots)-1]
}

// chosen returns the chosen value if it is known to be chosen and known. A value
// is chosen when a Phase 2 quorum voted for it at one ballot (Paxos Made Simple,
// 2.3), or when a node holds it. elected says that it is chosen, even if the
// value is missing.
func (s *slot) chosen(m paxos.Membership) (v *paxos.Value, elected bool) {
	if s.held != nil {
		return s.held, true
	}
	for i := range s.ballots {
		if t := &s.ballots[i]; m.IsPhase2(t.votes) {
			elected = true
			if t.value != nil {
				return t.value, true
			}
		}
	}
	return nil, elected
}

// slot returns the slot of i, or nil if i is applied or too far ahead.
func (l *Learner) slot(i paxos.Instance) *slot {
	if i <= l.state.Applied || i > l.state.Applied+maxAhead {
		return nil
	}
	s := l.slots[i]
	if s == nil {
		s = &slot{}
		l.slots[i] = s
	}
	return s
}

func (l *Learner) onAccepted(from paxos.NodeID, m *paxos.Accepted) {
	place := l.cfg.Membership.Place(from)
	if place < 0 {
		return
	}
	l.heldBy[place] = max(l.heldBy[place], m.Held)
	if l.peers.Take(from, m.Mark) {
		l.marked = l.marked.With(place)
	}
	l.addVotes(place, m.Runs)
}

func (l *Learner) addVotes(place int, runs []paxos.VoteRun) {
	for _, r := range runs {
		l.highest = max(l.highest, r.Last)
		last := min(r.Last, l.state.Applied+maxAhead)
		for i := max(r.First, l.state.Applied+1); i <= last; i++ {
			t := l.slot(i).at(r.Ballot)
			t.votes = t.votes.With(place)
		}
	}
}

func (l *Learner) onRelay(from paxos.NodeID, m *paxos.Relay) {
	if l.cfg.Membership.Place(from) >= 0 {
		l.fetching.relayed += len(m.Value.Batch)
		l.addValue(m.Instance, m.Ballot, m.Value, false)
	}
}

// addValue keeps a value proposed at i under b. Above the next instance it is
// dropped when too much is kept already; it is fetched when its turn comes.
func (l *Learner) addValue(i paxos.Instance, b paxos.Ballot, v paxos.Value, held bool) {
	if i > l.state.Applied+1 && l.aheadBytes > l.cfg.AheadBytes {
		return
	}
	s := l.slot(i)
	if s == nil {
		return
	}
	target := &s.held
	if !held {
		target = &s.at(b).value
	}
	if *target == nil {
		*target = &v
		l.aheadBytes += len(v.Batch)
	}
}

// dropSlot forgets the slot of an applied instance.
func (l *Learner) dropSlot(i paxos.Instance) {
	s := l.slots[i]
	if s.held != nil {
		l.aheadBytes -= len(s.held.Batch)
	}
	for _, t := range s.ballots {
		if t.value != nil {
			l.aheadBytes -= len(t.value.Batch)
		}
	}
	delete(l.slots, i)
}

// apply applies every chosen instance that follows what was applied.
func (l *Learner) apply() {
	for {
		s := l.slots[l.state.Applied+1]
		if s == nil {
			return
		}
		v, _ := s.chosen(l.cfg.Membership)
		if v == nil {
			return
		}
		l.dropSlot(l.state.Applied + 1)
		l.applyValue(*v)
		l.progressAt, l.appliedAt, l.fetching.wait = l.now, l.now, 0
	}
}

// behind reports whether something above applied is known to be chosen.
func (l *Learner) behind() bool {
	if l.maxHeld() > l.state.Applied {
		return true
	}
	if s := l.slots[l.state.Applied+1]; s != nil {
		_, elected := s.chosen(l.cfg.Membership)
		return elected
	}
	return false
}

// poll renews the subscription at every acceptor.
func (l *Learner) poll() {
	l.polled, l.polledAt = true, l.now
	for place := range l.cfg.Membership.Acceptors {
		l.pollOne(place, 0)
	}
}

// stuckRetries is how many times RetryTicks a learner tries to get an instance
// from other nodes before it asks the leader to repair it.
const stuckRetries = 10

func (l *Learner) pollOne(place int, nonce uint64) {
	m := &paxos.Poll{Nonce: nonce, Values: place == l.source}
	if l.behind() && l.now-l.progressAt > stuckRetries*l.cfg.RetryTicks {
		m.Stuck = l.state.Applied + 1
	}
	l.Now(l.cfg.Membership.Acceptors[place], m)
}

// switchSource takes values from the next acceptor that is connected.
func (l *Learner) switchSource() {
	n := len(l.cfg.Membership.Acceptors)
	for range n {
		l.source = (l.source + 1) % n
		if l.up[l.cfg.Membership.Acceptors[l.source]] {
			break
		}
	}
	l.poll()
}

// fetching is the copy of instances that this learner missed: one page at a time
// from one source, and votes from all acceptors.
type fetching struct {
	asked   paxos.NodeID // the source of values, "" if no fetch is outstanding
	askedAt paxos.Ticks
	nonce   uint64
	next    int // rotation over sources
	failed  bool
	wait    paxos.Ticks // after fetches that did not help: doubles up to fetchMax

	relayed  int          // bytes of new values since the last page
	resume   paxos.NodeID // the source of the next page, at resumeAt; "" if none waits
	resumeAt paxos.Ticks
}

// Where a learner copies much while clients append, both share processors and
// disks. So it rests for pause times as long as a page took, unless the log grows by more
// than a share (1/growth) of what it copies: then it would not come closer soon.
const (
	pause  = 3
	growth = 4
)

// fetchMax is the longest pause between fetches that do not help, in times
// RetryTicks. What is not decided yet may take long, and its votes are told
// anyway when it is.
const fetchMax = 10

// far is how many held instances behind a learner fetches without delay.
const far = 64

func (l *Learner) tickFetch() {
	f := &l.fetching
	cutOff := l.cutOff()
	if !l.behind() && l.highest <= l.state.Applied && !cutOff {
		l.progressAt, f.wait, f.resume = l.now, 0, ""
		return
	}
	if f.resume != "" {
		if l.now >= f.resumeAt {
			l.fetchMore(f.resume)
		}
		return
	}
	if f.asked != "" {
		if l.now-f.askedAt < 10*l.cfg.RetryTicks {
			return
		}
		f.asked, f.failed = "", true // a slow source is switched
	}
	wait := max(l.cfg.RetryTicks/2, f.wait)
	if l.maxHeld() > l.state.Applied+far && !f.failed {
		wait = 0
	}
	if l.now-l.progressAt < wait || (f.failed && l.now-f.askedAt < wait) {
		return
	}
	if s := l.slots[l.state.Applied+1]; s != nil {
		if v, elected := s.chosen(l.cfg.Membership); elected && v == nil {
			l.switchSource() // voted for by a quorum, but its value does not come
		}
	}
	l.fetch(l.nextSource())
}

// cutOff reports whether no acceptor can be reached, but another learner can: that
// one may have learned what this one cannot hear of.
func (l *Learner) cutOff() bool {
	for _, id := range l.cfg.Membership.Acceptors {
		if l.up[id] {
			return false
		}
	}
	for _, id := range l.cfg.Learners {
		if l.up[id] {
			return true
		}
	}
	return false
}

// nextSource picks whom to ask for values: acceptors that hold the next instance
// first, then any acceptor, then another learner, each time another one.
func (l *Learner) nextSource() paxos.NodeID {
	f := &l.fetching
	f.next++
	acceptors := l.cfg.Membership.Acceptors
	var good, other []paxos.NodeID
	for place, id := range acceptors {
		switch {
		case !l.up[id]:
		case l.heldBy[place] > l.state.Applied && !f.failed:
			good = append(good, id)
		default:
			other = append(other, id)
		}
	}
	if len(good) == 0 {
		good = other
		for _, id := range l.cfg.Learners {
			if l.up[id] {
				good = append(good, id)
			}
		}
	}
	if len(good) == 0 {
		return ""
	}
	return good[f.next%len(good)]
}

// fetch asks source for values, and all other acceptors for their votes.
func (l *Learner) fetch(source paxos.NodeID) {
	f := &l.fetching
	f.nonce++
	f.asked, f.askedAt, f.failed = source, l.now, false
	from := l.state.Applied + 1
	for _, id := range l.cfg.Membership.Acceptors {
		if id != source && l.up[id] {
			l.Now(id, &paxos.Fetch{Nonce: f.nonce, From: from})
		}
	}
	if source != "" {
		l.Now(source, &paxos.Fetch{Nonce: f.nonce, From: from, Values: true})
	}
}

func (l *Learner) onPage(from paxos.NodeID, m *paxos.Page) {
	place := l.cfg.Membership.Place(from)
	if place < 0 && !slices.Contains(l.cfg.Learners, from) {
		return
	}
	if place >= 0 {
		l.heldBy[place] = max(l.heldBy[place], m.Held)
		l.addVotes(place, m.Runs)
	}
	size := 0
	for _, v := range m.Values {
		size += len(v.Value.Batch)
		l.addValue(v.Instance, v.Ballot, v.Value, v.Instance <= m.Held)
	}
	f := &l.fetching
	if f.asked != from || m.Nonce != f.nonce {
		l.apply()
		return
	}
	f.asked = ""
	before := l.state.Applied
	l.apply()
	switch {
	case l.state.Applied == before:
		f.failed = true
		f.wait = min(max(2*f.wait, l.cfg.RetryTicks/2), fetchMax*l.cfg.RetryTicks)
	case m.Held > l.state.Applied:
		// More where that came from: only the values, one page after the other.
		grown := f.relayed
		f.relayed = 0
		if grown > 0 && growth*grown < size {
			f.resume, f.resumeAt = from, l.now+pause*(l.now-f.askedAt)
			return
		}
		l.fetchMore(from)
	}
}

// fetchMore asks for the values that follow.
func (l *Learner) fetchMore(from paxos.NodeID) {
	f := &l.fetching
	f.nonce++
	f.asked, f.askedAt, f.resume = from, l.now, ""
	l.Now(from, &paxos.Fetch{Nonce: f.nonce, From: l.state.Applied + 1, Values: true})
}

func (l *Learner) onPollReply(from paxos.NodeID, m *paxos.PollReply) {
	place := l.cfg.Membership.Place(from)
	if place < 0 {
		return
	}
	l.heldBy[place] = max(l.heldBy[place], m.Held)
	l.highest = max(l.highest, m.Highest)
	if m.Nonce != 0 {
		l.onReadAnswer(place, m)
	}
	if m.Held > l.state.Applied+far {
		l.tickFetch()
	}
}
