package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// leading is Phase 2 of every instance from start on, under one ballot.
type leading struct {
	ballot     paxos.Ballot
	since      paxos.Ticks
	start      paxos.Instance // max(held)+1 over the Phase 1 quorum
	next       paxos.Instance // of the next value
	chosenUpTo paxos.Instance // every instance at or below is chosen
	granted    granted        // who may do what, by what this leader proposes again
	announced  paxos.Instance // chosenUpTo as the acceptors were last told
	hints      hints
	// open holds every proposal of this ballot that is not known to be chosen, and
	// those above chosenUpTo that are. A proposal leaves only when its instance is chosen, so
	// that no second value is proposed there under this ballot (P2). At or below chosenUpTo are
	// those of a repair (dropRepairs).
	open      map[paxos.Instance]*proposal
	openBytes int            // of the values in open
	underWay  underWay       // of the appends in open, by principal
	again     paxos.Timer    // before it nothing in open is sent again
	seen      paxos.Instance // highest instance that an acceptor has accepted, as far as heard

	queue      appends
	packedAt   paxos.Ticks // when a value was last packed
	took       paxos.Ticks // from the proposal of the instance chosen last until then
	quickest   quickest
	briefUntil paxos.Ticks // until then little is put in flight at a time
	briefTold  paxos.Ticks // when that may be told again

	// gone is when each acceptor's latest answer to a heartbeat says nothing any more.
	gone paxos.ByPlace[paxos.Timer]
	// doubtful is the same of answers since the acceptor connected: one that has answered
	// none may be about to be found to have forgotten votes.
	doubtful  paxos.ByPlace[paxos.Timer]
	heartbeat paxos.Timer // when the next one is due

	repair      *quorumRead // a repair read under way, or nil
	repairEnd   paxos.Timer // when it is given up
	repairAgain paxos.Timer // when another one may begin
	repairStale paxos.Timer // when the oldest proposal of a repair is given up

	handing *handover // under way, or nil

	deciding deciding
	rooms    rooms

	held     paxos.ByPlace[paxos.Instance] // what each acceptor holds, as far as heard
	knows    paxos.ByPlace[uint64]         // the highest level that each knows, as far as heard
	below    bool                          // R3: its Phase 1 has no quorum of the next configuration, and it proposes below that only
	changeAt paxos.Instance                // where this ballot proposes a change of the acceptors; 0: nowhere

	rejoin rejoiner                       // may vote again, once it holds everything up to upTo
	upTo   paxos.Instance                 // the last instance that is proposed again, since somebody of the Phase 1 quorum voted there
	forced map[paxos.Instance]paxos.Value // what is proposed there, as far as it is reported and not proposed yet
}

type proposal struct {
	value  paxos.Value
	votes  paxos.Set
	chosen bool
	born   paxos.Ticks
	again  paxos.Timer // when it is sent again
	wait   paxos.Ticks // and how long after that once more
	// quiet says that its votes were not asked for, and answered that its client has the
	// result: it is chosen, most likely.
	quiet, answered bool
	of              []owned // whose appends it has, as far as they count as under way
}

// lead starts Phase 2 after a Phase 1 quorum answered in full.
func (p *Proposer) lead(c *preparing) {
	c.assertElected(p)
	values, reported := c.read.forced()
	state, err := c.read.stateOf(p.cfg.Knows, values)
	if err != nil {
		c.fail(p, "%v", err)
		return
	}
	if p.trimmed.At > state.At {
		state = p.trimmed
	}
	if !p.isNamed(state, c.read.held(), values, reported) {
		p.enrol(state.Roster)
		c.fail(p, "%s", p.notEnrolled())
		return
	}
	changeAt, ok := p.mayLead(c, state, values, reported)
	if !ok {
		return
	}
	p.control, p.wall = state, p.bounded(p.clock) // the promises have said what acceptors' clocks show
	p.enrolChosen(state.Roster)
	held, n := max(c.read.held(), state.FirstInstance()-1), len(p.members.Acceptors)
	l := &leading{
		changeAt: changeAt, below: !c.read.isQuorum(p), held: c.read.allHeld(), knows: c.read.allKnow(),
		ballot: c.ballot, since: p.now, start: held + 1, next: held + 1, chosenUpTo: held, announced: held, rejoin: c.rejoin,
		open: map[paxos.Instance]*proposal{}, gone: make([]paxos.Timer, n), doubtful: make([]paxos.Timer, n),
		rooms: rooms{acceptors: make(paxos.ByPlace[paxos.RoomOf], n), learners: make(paxos.ByPlace[[]paxos.RoomOf], n)},
	}
	l.queue.little, l.queue.now = p.cfg.LittleBytes, p.now
	l.again.Stop()
	l.repairStale.Stop()
	l.deciding.stale.Set(p.now + p.cfg.MarkTicks)
	l.deciding.retain.fresh, l.deciding.retain.changed = true, true // it is not known
	for i := range l.gone {
		l.gone[i].Set(p.freshUntil(p.now)) // the promises are fresh
	}
	l.granted = ahead(state, values, reported, p.cfg.Knows)
	p.judging.heard = true
	p.phase = l
	p.failed = 0
	// Not what was reported up to held: whoever holds it reports nothing there, so another
	// one's vote is of an older ballot. A repair may have to propose something else.
	maps.DeleteFunc(values, func(i paxos.Instance, _ paxos.Value) bool { return i <= held })
	l.forced, l.upTo = values, held
	if n := len(reported); n > 0 {
		l.upTo = max(held, reported[n-1])
	}
	again, _ := slices.BinarySearch(reported, held+1)
	again = len(reported) - again
	noops := uint64(l.upTo-held) - uint64(again)
	// A log begins at the level that this leader and its whole quorum know. Where that is 0 it
	// begins with an entry, as a log of an earlier release.
	level := c.read.known(p.cfg.Knows)
	if _, voted := values[1]; level > 0 && !p.cfg.LogID.IsZero() && held == 0 && !voted {
		l.forced[1], l.upTo = paxos.Value{Origin: l.ballot, Time: p.wall, Batch: control.Batch(p.genesis(level))}, max(l.upTo, 1)
		noops = uint64(l.upTo) - uint64(again) - 1
		p.Info("this log begins", "log", p.cfg.LogID.String(), "level", level)
	}
	l.deciding.proposed = l.upTo // among what was reported there may be commands
	l.proposeAgain(p)
	p.Info("leader elected", "ballot", l.ballot.String(), "reason", c.why, "from_instance", uint64(l.start),
		"proposed_again", again, "filled", noops)
	l.beat(p)
	if l.rejoin.id != "" {
		p.Send(l.rejoin.id, l.grant(p))
	}
}

// proposeAgain proposes, at each instance above held that anybody of the quorum voted
// for, what is forced. Holes below the highest such instance are filled with no-ops, "a
// special no-op command that leaves the state unchanged" (Paxos Made Simple, 3). It proposes
// as much at once as may be in flight, and the rest when that is chosen. Nothing else is
// proposed before.
//
// Example: an acceptor reports a vote at instance 2^32, for another one had a fault. A leader
// that proposed all before it at once would not come back to hear anybody.
func (l *leading) proposeAgain(p *Proposer) {
	for l.next <= l.upTo && l.room(p) {
		v, ok := l.forced[l.next]
		if l.next == l.changeAt && !l.mayChange(p) {
			return
		}
		if !ok {
			v = paxos.Value{Origin: l.ballot, Time: p.wall}
		}
		l.propose(p, l.next, v, false)
		delete(l.forced, l.next)
		l.next++
	}
}

func (l *leading) name() string                  { return "leading" }
func (l *leading) leader(*Proposer) paxos.Ballot { return l.ballot }

func (l *leading) step(p *Proposer, from paxos.NodeID, m paxos.Message) {
	if m, ok := m.(*paxos.Crowd); ok { // of the driver
		l.queue.crowd(m.Client)
		return
	}
	place := p.place(from)
	if place < 0 {
		return // of a connection to another proposer; a leader has nothing to do about it
	}
	switch m := m.(type) {
	case *paxos.Accepted:
		p.see(place, m.Mark)
		l.held[place] = max(l.held[place], m.Held)
		l.countVotes(p, place, m.Runs)
	case *paxos.Page:
		l.onHeld(p, from, m)
	case *paxos.HeartbeatAck:
		l.onHeartbeatAck(p, place, m)
	case *paxos.Reject:
		if m.Ballot == l.ballot && l.ballot.Less(m.Promised) {
			l.onOutvoted(p, place)
		}
	case *paxos.Promise:
		if l.repair != nil && l.repair.onPromise(p, from, m) && p.members.Newest().IsPhase1(l.repair.done) {
			l.finishRepair(p)
		}
	case *paxos.Repair:
		l.onRepair(p, m)
	case *paxos.Decide:
		l.onDecide(p, m)
	case *paxos.Rejoin:
		l.onRejoin(p, place, m)
	case *paxos.PeerUp:
		l.doubtful[place].Set(0)
		l.resendTo(p, place)
	}
}

// onHeartbeatAck: only the answer to a heartbeat of this ballot is evidence that the
// acceptor follows it. The nonce is when that heartbeat was sent.
func (l *leading) onHeartbeatAck(p *Proposer, place int, m *paxos.HeartbeatAck) {
	sent := paxos.Ticks(m.Nonce)
	if m.Ballot != l.ballot || sent > p.now {
		return
	}
	if len(m.Runs) > 0 {
		p.see(place, m.Mark)
		l.countVotes(p, place, m.Runs)
	}
	l.held[place] = max(l.held[place], m.Held)
	until := p.freshUntil(sent)
	p.hearClock(place, m.Clock)
	l.gone[place].Set(max(l.gone[place].At(), until))
	l.doubtful[place].Set(max(l.doubtful[place].At(), until))
	if m.Highest > l.next+paxos.MaxJump {
		p.disbelieve(place, "it has voted far above the log", "instance", uint64(m.Highest), "next", uint64(l.next))
		return
	}
	l.seen = max(l.seen, m.Highest)
	l.onShown(place, sent, m.Knows)
	l.onRoom(p, place, m)
}

// freshUntil is until when an answer to what was sent at that time is evidence.
func (p *Proposer) freshUntil(sent paxos.Ticks) paxos.Ticks { return sent + p.cfg.ElectionMax + 1 }

// onOutvoted: the acceptor promised a higher ballot and will never vote for this one
// again. The leader resigns when too few are left. Else it campaigns once more, above
// that promise, so that the acceptor takes part again. The others allow it, since it is
// this very proposer that they hear.
func (l *leading) onOutvoted(p *Proposer, place int) {
	who := p.members.Acceptors[place]
	l.gone[place].Set(0)
	switch {
	case !l.quorum(p):
		l.resign(p, fmt.Sprintf("%s promised a higher ballot", who), 0)
	case p.now-l.since > p.cfg.ElectionMax:
		l.keepOffice(p, fmt.Sprintf("%s renews its ballot first: try again", p.cfg.ID))
		l.refuseQueue(p, paxos.RefuseNoLeader, "the leader renews its ballot")
		p.campaign(fmt.Sprintf("%s promised a higher ballot than %s, which a quorum follows", who, l.ballot), rejoiner{})
	}
}

// refuseQueue drops what was not proposed, and says so.
func (l *leading) refuseQueue(p *Proposer, reason paxos.RefuseReason, why string) {
	l.queue.refuse(p, reason, why)
}

// resign steps down: the acceptors are told, so that others may campaign at once,
// and what is queued is refused. This proposer does not campaign for wait ticks.
func (l *leading) resign(p *Proposer, reason string, wait paxos.Ticks) {
	p.Warn("stepped down", "ballot", l.ballot.String(), "reason", reason, "in_flight", len(l.open), "refused", l.queue.n)
	p.broadcast(&paxos.Heartbeat{Ballot: l.ballot, Nonce: uint64(p.now), ChosenUpTo: l.chosenUpTo, Resign: true})
	down := fmt.Sprintf("%s has stepped down: %s", p.cfg.ID, reason)
	p.dropOrder(down + "; try again")
	l.abandon(p, down)
	l.keepOffice(p, fmt.Sprintf("%s has stepped down: %s (`paxlog status` shows who leads)", p.cfg.ID, reason))
	l.refuseQueue(p, paxos.RefuseNoLeader, "the leader stepped down: "+reason)
	p.standBy("stepped down: "+reason, wait)
	p.Out.Stopped = p.stopping
}

// quorum reports whether a Phase 2 quorum answered heartbeats that were sent
// within the election timeout.
func (l *leading) quorum(p *Proposer) bool {
	return p.members.At(l.chosenUpTo + 1).IsPhase2(p.not(l.gone))
}

// not are the acceptors whose timer is not due.
func (p *Proposer) not(due paxos.ByPlace[paxos.Timer]) (set paxos.Set) {
	for i, t := range due {
		if !t.Due(p.now) {
			set = set.With(i)
		}
	}
	return set
}

func (l *leading) tick(p *Proposer) {
	l.queue.now = p.now
	if reason, wait := l.mustResign(p); reason != "" {
		l.resign(p, reason, wait)
		return
	}
	if l.heartbeat.Due(p.now) || l.announced < l.chosenUpTo && p.now-l.packedAt >= p.cfg.HeartbeatTicks/idleShare {
		l.beat(p) // else Accepts announce
	}
	if l.isBelow(p) {
		l.goOn(p)
		return
	}
	l.tickOrder(p)
	l.fill(p)
	l.resend(p)
	l.tickRepair(p)
	l.tickHandover(p)
}

// nextTick is when tick has something to do, or pack. That a quorum no longer answers shows at
// the end of one of the answers.
func (l *leading) nextTick(p *Proposer) paxos.Ticks {
	switch {
	case !l.quorum(p), l.wantsFill(p), l.finished(p), l.isBelow(p):
		return p.now
	}
	at := min(l.heartbeat.At(), l.nextRepair(), l.nextHandover(p), l.nextDecide(p), l.again.At(), p.nextOrder())
	for _, t := range l.gone {
		if !t.Due(p.now) {
			at = min(at, t.At())
		}
	}
	if l.announced < l.chosenUpTo {
		at = min(at, l.packedAt+p.cfg.HeartbeatTicks/idleShare)
	}
	if o := l.open[l.chosenUpTo+1]; o != nil {
		at = min(at, o.born+p.cfg.StallTicks+1)
	}
	if l.queue.n > 0 && l.room(p) && !l.isLeaving() {
		at = min(at, l.packAt(p))
	}
	return at
}

// finished reports whether a leader that is stopping has nothing left to do.
func (l *leading) finished(p *Proposer) bool {
	return p.stopping && l.handing == nil && l.queue.n == 0 && len(l.open) == 0
}

// mustResign says why a leader has to step down, or "", and for how long it should not
// campaign after that.
func (l *leading) mustResign(p *Proposer) (reason string, wait paxos.Ticks) {
	if !l.quorum(p) {
		return fmt.Sprintf("no answers of a Phase 2 quorum for %d ms", p.cfg.ElectionMax), p.rand.Between(0, p.cfg.ElectionMin)
	}
	if o := l.open[l.chosenUpTo+1]; o != nil && p.now-o.born > p.cfg.StallTicks {
		// Heartbeats go on, yet nothing gets chosen: disks hang, or a quorum can be
		// heard but not written to. Leave it to somebody who may reach another one.
		return fmt.Sprintf("instance %d has not been chosen for %d ms%s", l.chosenUpTo+1, p.cfg.StallTicks, l.missing(p, o)), 2 * p.cfg.ElectionMax
	}
	if l.finished(p) {
		return "the process is stopping", 0
	}
	return "", 0
}

// beat sends a heartbeat. It asks for votes as soon as they are there when something
// waits for them.
func (l *leading) beat(p *Proposer) {
	l.heartbeat.Set(p.now + p.cfg.HeartbeatTicks)
	l.announced = l.chosenUpTo
	ask := l.waits(p)
	if ask {
		l.hints.unasked = false
	}
	p.broadcast(&paxos.Heartbeat{
		Ballot: l.ballot, Nonce: uint64(p.now), ChosenUpTo: l.chosenUpTo, Marks: slices.Clone(p.marks), Ask: ask, Of: p.of(),
	})
}
