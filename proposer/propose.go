package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// propose sends Phase 2a for i: "If the proposer receives a response to its prepare
// requests from a majority of acceptors, then it sends an accept request to each of
// those acceptors for a proposal numbered n with a value v" (Paxos Made Simple, 2.2).
//
// With quiet it goes on without the votes: it is told them later.
func (l *leading) propose(p *Proposer, i paxos.Instance, v paxos.Value, quiet bool) {
	if l.open[i] != nil {
		p.Violated("a leader proposes once at an instance", "ballot", l.ballot, "instance", i)
		return
	}
	l.assertAgain(p, i, v)
	o := &proposal{value: v, born: p.now, quiet: quiet, wait: resendRetries * p.cfg.RetryTicks}
	if quiet {
		o.wait = max(o.wait, 2*p.cfg.HeartbeatTicks) // its votes come with answers to heartbeats
	}
	o.again.Set(p.now + o.wait)
	l.resendAt(o.again)
	l.open[i] = o
	l.openBytes += len(v.Batch)
	m := l.accept(i)
	m.Quiet = quiet
	to := l.takers(p, i, &v)
	for place, id := range p.members.Acceptors {
		if to.Has(place) {
			p.Send(id, m)
		}
	}
	l.rooms.propose(p.now, &v)
	l.announced = l.chosenUpTo
	l.hints.unasked = quiet
}

func (l *leading) accept(i paxos.Instance) *paxos.Accept {
	return &paxos.Accept{Ballot: l.ballot, Instance: i, Value: l.open[i].value, ChosenUpTo: l.chosenUpTo}
}

// onAppend queues, or refuses when the queue is full.
func (l *leading) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	x := queued{from, p.sender(from, m), m}
	if !l.queue.takes(x, p.cfg.QueueBytes) {
		p.refuse(from, m, paxos.RefuseBusy, fmt.Sprintf("%d bytes of appends are waiting already", l.queue.bytes))
		return
	}
	l.takeHint(m)
	if why := l.overQuota(p, x); why != "" && m.First > 0 {
		p.refuse(from, m, paxos.RefuseBusy, why)
		return
	}
	if why := l.lacksRoom(p); why != "" && !l.isLeaving() && m.First > 0 { // a fence is little, and somebody wants to know
		p.refuse(from, m, paxos.RefuseNoSpace, why)
		return
	}
	l.queue.push(x)
}

// room reports whether one more value may be in flight.
func (l *leading) room(p *Proposer) bool {
	return l.next-1-l.chosenUpTo < l.window(p) && l.openBytes < p.cfg.WindowBytes && l.mayReach(p)
}

// fill proposes no-ops up to the highest vote heard of: nobody of the Phase 1
// quorum reported one there, and readers wait until it is known what such an instance
// chooses.
func (l *leading) fill(p *Proposer) {
	for ; l.wantsFill(p); l.next++ {
		l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall}, false)
	}
}

// wantsFill reports whether fill has something to propose: what readers wait for, or what
// brings the next configuration in force.
func (l *leading) wantsFill(p *Proposer) bool {
	return !l.isLeaving() && l.next > l.upTo && (l.next <= l.seen || l.isComing(p)) && l.room(p)
}

// isLeaving reports whether a leader that hands over gets chosen what is in flight, and
// proposes nothing new: what it is sent waits.
func (l *leading) isLeaving() bool { return l.handing != nil && l.handing.chosen != "" }

// due reports whether what waits should be proposed now.
func (l *leading) due(p *Proposer) bool {
	return l.unanswered() < eagerInstances || l.queue.bytes >= p.cfg.BatchBytes/fullShare && !l.isBrief(p) || p.now >= l.packAt(p)
}

// isBrief reports whether little is put in flight at a time, for the sake of those who have little waiting. See
// the package doc, "Those who append little".
func (l *leading) isBrief(p *Proposer) bool { return p.now < l.briefUntil }

// beBrief has what those append next who have little waiting not be behind all of the others'. It is told now and then:
// whoever loads wonders why that is slower.
func (l *leading) beBrief(p *Proposer) {
	if p.now >= l.briefTold {
		p.Info("values are small as long as clients that append little do so beside others that have much waiting, which get less meanwhile",
			"clients_with_much", l.queue.large, "bytes_waiting", l.queue.bytes)
		l.briefTold = p.now + warnTicks
	}
	l.briefUntil = p.now + briefTicks
}

// batchBytes is how much a value of several appends may carry.
func (l *leading) batchBytes(p *Proposer) int {
	if l.isBrief(p) {
		return p.cfg.LittleBytes
	}
	return p.cfg.BatchBytes
}

// packAt is when what waits is proposed, whatever is in flight: where values are brief a tick after the latest,
// unless an instance in flight is late by then.
func (l *leading) packAt(p *Proposer) paxos.Ticks {
	if !l.isBrief(p) {
		return l.packedAt + l.took/patience + 1
	}
	at := l.packedAt + 1
	if o := l.open[l.chosenUpTo+1]; o != nil && at > o.born+2*l.quickest.least()+1 {
		return l.briefUntil
	}
	return min(at, l.briefUntil)
}

// quickest is the least time that an instance has taken lately, from its proposal until it was chosen: in this
// window of time and the one before. It is what the way takes, and a disk that has nothing else to do.
type quickest struct {
	now, before paxos.Ticks
	until       paxos.Ticks // the end of this window
}

func (q *quickest) add(now, took paxos.Ticks) {
	switch {
	case q.until == 0: // the first
		q.before, q.now, q.until = took, took, now+quickestTicks
	case now >= q.until:
		q.before, q.now, q.until = q.now, took, now+quickestTicks
	}
	q.now = min(q.now, took)
}

func (q *quickest) least() paxos.Ticks { return min(q.now, q.before) }

// pack turns what is waiting into values, while the window has room: under light
// load an append is a value of its own, under heavy load one carries thousands.
func (l *leading) pack(p *Proposer) {
	if l.proposeAgain(p); l.next <= l.upTo {
		return // what was reported goes first
	}
	if l.isLeaving() || p.order != nil && l.change(p) {
		return
	}
	l.refuseWithoutRoom(p)
	for l.queue.n > 0 && l.room(p) && l.due(p) {
		l.packOne(p)
	}
	l.refuseWithoutRoom(p) // with what was proposed just now
	l.decide(p)
}

// packOne proposes one value of what is waiting.
func (l *leading) packOne(p *Proposer) {
	l.packedAt = p.now
	alone, large, small, most := l.queue.n == 1, l.queue.large, l.queue.small, l.batchBytes(p)
	var of []owned
	first := l.take(p, &of)
	batch, taken := first.Batch, 1
	for l.queue.n > 0 && len(batch)+len(l.queue.next().Batch) <= most {
		if taken == 1 {
			batch = append(make([]byte, 0, min(most, len(batch)+l.queue.bytes)), batch...)
		}
		batch = append(batch, l.take(p, &of).Batch...)
		taken++
	}
	if large > 0 && l.queue.small > small && l.quickest.least() < longWay && p.cfg.LittleBytes > 0 {
		l.beBrief(p)
	}
	quiet := alone && first.Answered > 0 && l.mayBeQuiet(p)
	if quiet {
		l.hints.expect(l.next, first)
	}
	l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall, Batch: batch}, quiet)
	l.open[l.next].of = of
	l.next++
}

// take takes the append whose turn it is, for a proposal, and notes in of whose it is.
func (l *leading) take(p *Proposer, of *[]owned) *paxos.Append {
	x := l.queue.pop()
	if len(p.control.Settings) > 0 {
		l.underWay.enter(of, x)
	}
	return x.msg
}

// onAppend refuses what could not be proposed, and leaves the rest to the phase.
func (p *Proposer) onAppend(from paxos.NodeID, m *paxos.Append) {
	if err := p.checkAppend(m); err != nil {
		p.refuse(from, m, paxos.RefuseMalformed, err.Error())
		return
	}
	if p.stopping && !p.isHandingOver() {
		p.refuse(from, m, paxos.RefuseNoLeader, string(p.cfg.ID)+" is stopping")
		return
	}
	if p.mayAppend(from, m) {
		p.phase.onAppend(p, from, m)
	}
}

// isHandingOver reports whether appends wait until somebody else leads.
func (p *Proposer) isHandingOver() bool {
	switch phase := p.phase.(type) {
	case *leading:
		return phase.handing != nil
	case *yielding:
		return true
	}
	return false
}

// checkAppend returns an error unless m is one well-formed run or fence, of the
// session and place that it says, within the limits.
func (p *Proposer) checkAppend(m *paxos.Append) error {
	if most := MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes); len(m.Batch) > most {
		return fmt.Errorf("%d bytes at once, and %s takes %d: its limits.entry_bytes is %d, limits.batch_bytes %d",
			len(m.Batch), p.cfg.ID, most, p.cfg.EntryBytes, p.cfg.BatchBytes)
	}
	r, rest, err := paxos.NextRun(m.Batch)
	if err != nil {
		return err
	}
	if len(rest) > 0 || r.Session != m.Session || r.First != m.First {
		return paxos.ErrBatch
	}
	return paxos.CheckBatch(m.Batch, p.cfg.EntryBytes)
}

// MaxAppend is the longest batch that one Append may carry, in bytes.
func MaxAppend(batchBytes, entryBytes int) int { return max(batchBytes, entryBytes) + appendOverhead }

// refuse says that m is dropped here, and never queued.
func (p *Proposer) refuse(to paxos.NodeID, m *paxos.Append, why paxos.RefuseReason, detail string) {
	p.Send(to, &paxos.Refused{Session: m.Session, First: m.First, Attempt: m.Attempt, Client: m.Client, Reason: why, Detail: detail})
}

// resend sends proposals again that have been waiting for votes, for each twice
// as long as before.
func (l *leading) resend(p *Proposer) {
	if !l.again.Due(p.now) {
		return
	}
	var due []paxos.Instance
	l.again.Stop()
	for i, o := range l.open {
		switch {
		case o.chosen:
		case o.again.Due(p.now):
			due = append(due, i)
		default:
			l.resendAt(o.again)
		}
	}
	slices.Sort(due)
	for _, i := range due {
		o := l.open[i]
		o.wait *= 2
		o.again.Set(p.now + o.wait)
		l.resendAt(o.again)
		for place, id := range p.members.Acceptors {
			if !o.votes.Has(place) && p.up[id] && p.members.At(i).Members.Has(place) {
				p.Send(id, l.accept(i))
			}
		}
	}
}

// resendAt has resend look at that time.
func (l *leading) resendAt(t paxos.Timer) { l.again.Set(min(l.again.At(), t.At())) }

// resendTo sends an acceptor that has just connected what it has not voted for.
func (l *leading) resendTo(p *Proposer, place int) {
	for _, i := range slices.Sorted(maps.Keys(l.open)) {
		if !l.open[i].votes.Has(place) && p.members.At(i).Members.Has(place) {
			p.Send(p.members.Acceptors[place], l.accept(i))
		}
	}
}

// hints are what a leader knows of instances in flight beside the votes that it was told.
// Nothing is counted by them, announced or learned: they only say whether what arrives
// should wait. See the package doc, "Votes that wait".
type hints struct {
	// expected are instances of one append each whose votes were not asked for.
	expected []expected
	answered int            // how many open proposals are answered
	unasked  bool           // votes of the latest proposal were not asked for
	until    paxos.Instance // votes are asked for up to it: something had to wait
}

// expected is an instance, and by what the leader will see that its client was answered.
type expected struct {
	instance paxos.Instance
	session  paxos.SessionID
	first    uint64
}

// unanswered is how many instances are in flight, as far as the leader can tell.
func (l *leading) unanswered() paxos.Instance {
	return l.next - 1 - l.chosenUpTo - paxos.Instance(l.hints.answered)
}

// mayBeQuiet reports whether a leader can go on without the votes of its next proposal.
func (l *leading) mayBeQuiet(p *Proposer) bool {
	return !p.stopping && l.handing == nil && l.next > l.hints.until &&
		quietShare*(l.next-l.chosenUpTo) <= paxos.Instance(p.cfg.Window) && quietShare*l.openBytes < p.cfg.WindowBytes
}

// expect notes that m alone is proposed at i.
func (h *hints) expect(i paxos.Instance, m *paxos.Append) {
	if len(h.expected) < maxExpected {
		h.expected = append(h.expected, expected{i, m.Session, m.First})
	}
}

// takeHint looks at what a client says that it has results of.
func (l *leading) takeHint(m *paxos.Append) {
	h := &l.hints
	kept := h.expected[:0]
	for _, e := range h.expected {
		o := l.open[e.instance]
		switch {
		case o == nil: // chosen
		case e.session == m.Session && e.first < m.Answered:
			o.answered = true
			h.answered++
			l.underWay.leave(o)
		default:
			kept = append(kept, e)
		}
	}
	h.expected = kept
}

// waits reports whether something waits for votes: appends, or the end of an office.
func (l *leading) waits(p *Proposer) bool {
	return l.queue.n > 0 || p.stopping || l.handing != nil
}

// hurry asks for votes at once if something waits for them that were not asked for.
func (l *leading) hurry(p *Proposer) {
	if l.queue.n > 0 {
		l.hints.until = l.next + crowded
	}
	if l.hints.unasked && len(l.open) > 0 && l.waits(p) {
		l.beat(p)
	}
}
