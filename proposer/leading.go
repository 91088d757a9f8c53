package proposer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// leading is Phase 2 of every instance from start on, under one ballot.
type leading struct {
	ballot     paxos.Ballot
	since      paxos.Ticks
	start      paxos.Instance // max(held)+1 over the Phase 1 quorum
	next       paxos.Instance // of the next value
	chosenUpTo paxos.Instance // every instance at or below is chosen
	announced  paxos.Instance // chosenUpTo as the acceptors were last told
	// open holds every proposal of this ballot that is not known to be chosen, and
	// those above chosenUpTo that are. A proposal leaves only when it is chosen, so
	// that no second value is proposed at its instance under this ballot (P2).
	open      map[paxos.Instance]*proposal
	openBytes int            // of the values in open
	seen      paxos.Instance // highest instance that an acceptor has accepted, as far as heard

	queue    []queued
	queued   int         // bytes in queue
	packedAt paxos.Ticks // when a value was last packed
	took     paxos.Ticks // from the proposal of the instance chosen last until then

	fresh paxos.ByPlace[paxos.Ticks] // when the latest heartbeat answered was sent
	// voted is when each acceptor last answered a heartbeat since it connected, 0 if it
	// has not: such a one may vote, and is not about to be found to have forgotten votes.
	voted       paxos.ByPlace[paxos.Ticks]
	heartbeatAt paxos.Ticks
	repair      *quorumRead // a repair read under way, or nil
	repairAt    paxos.Ticks // when the last repair began
	repaired    bool        // there was one

	rejoin rejoiner       // may vote again
	upTo   paxos.Instance // once it holds everything up to it
}

type proposal struct {
	value  paxos.Value
	votes  paxos.Set
	chosen bool
	born   paxos.Ticks
	sentAt paxos.Ticks
	wait   paxos.Ticks // before it is sent again
}

type queued struct {
	from paxos.NodeID
	msg  *paxos.Append
}

// lead starts Phase 2 after a Phase 1 quorum answered in full. At each instance
// above held that anybody of the quorum voted for it proposes what is forced;
// holes below the highest such instance are filled with no-ops, "a special
// no-op command that leaves the state unchanged" (Paxos Made Simple, 3).
func (p *Proposer) lead(c *preparing) {
	held := c.read.held()
	l := &leading{
		ballot: c.ballot, since: p.now, start: held + 1, next: held + 1, chosenUpTo: held,
		open: map[paxos.Instance]*proposal{}, fresh: make([]paxos.Ticks, len(p.cfg.Membership.Acceptors)),
		voted:       make([]paxos.Ticks, len(p.cfg.Membership.Acceptors)),
		heartbeatAt: p.now - p.cfg.HeartbeatTicks,
	}
	for i := range l.fresh {
		l.fresh[i] = p.now // the promises are fresh
	}
	p.phase = l
	p.failed = 0
	values, reported := c.read.forced()
	again, noops := 0, 0
	if n := len(reported); n > 0 {
		for last := reported[n-1]; l.next <= last; l.next++ {
			v, ok := values[l.next]
			if ok {
				again++
			} else {
				v = paxos.Value{Origin: l.ballot, Time: p.wall}
				noops++
			}
			l.propose(p, l.next, v)
		}
	}
	l.rejoin, l.upTo = c.rejoin, l.next-1
	p.Info("leader elected", "ballot", l.ballot.String(), "reason", c.why, "from_instance", uint64(l.start),
		"proposed_again", again, "filled", noops)
	l.beat(p)
	if l.rejoin.id != "" {
		p.Now(l.rejoin.id, l.grant(p))
	}
}

func (l *leading) name() string                  { return "leading" }
func (l *leading) leader(*Proposer) paxos.Ballot { return l.ballot }

// resendRetries is how many times RetryTicks a proposal waits for votes before it
// is sent again: connections lose only what a full queue drops, or what was under
// way when they broke, which is sent again at once when they are back.
const resendRetries = 5

// propose sends Phase 2a for i.
func (l *leading) propose(p *Proposer, i paxos.Instance, v paxos.Value) {
	if l.open[i] != nil {
		p.Out.Halt = fmt.Sprintf("a second proposal at instance %d under ballot %s: this is a bug", i, l.ballot)
		return
	}
	l.open[i] = &proposal{value: v, born: p.now, sentAt: p.now, wait: resendRetries * p.cfg.RetryTicks}
	l.openBytes += len(v.Batch)
	p.broadcast(l.accept(i))
	l.announced = l.chosenUpTo
}

func (l *leading) accept(i paxos.Instance) *paxos.Accept {
	return &paxos.Accept{Ballot: l.ballot, Instance: i, Value: l.open[i].value, ChosenUpTo: l.chosenUpTo}
}

// onAppend queues, or refuses when the queue is full.
func (l *leading) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	if l.queued+len(m.Batch) > p.cfg.QueueBytes && l.queued > 0 {
		p.refuse(from, m, paxos.RefuseBusy, fmt.Sprintf("%d bytes of appends are waiting already", l.queued))
		return
	}
	l.queue = append(l.queue, queued{from, m})
	l.queued += len(m.Batch)
}

// room reports whether one more value may be in flight.
func (l *leading) room(p *Proposer) bool {
	return l.next-1-l.chosenUpTo < paxos.Instance(p.cfg.Window) && l.openBytes < p.cfg.WindowBytes
}

// fill proposes no-ops up to the highest vote heard of: nobody of the Phase 1
// quorum reported one there, and readers wait until such an instance is decided.
func (l *leading) fill(p *Proposer) {
	for ; l.next <= l.seen && l.room(p); l.next++ {
		l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall})
	}
}

// Each instance costs every process about the same, however much it carries. So
// what arrives while eagerInstances are in flight waits for one of them to be chosen,
// unless it fills a share of a batch (1/fullShare), or the latest instance is older
// than a share (1/patience) of what instances take: then a long round trip does not
// make every append wait for a whole one before its own.
const (
	eagerInstances = 2
	fullShare      = 16
	patience       = 4
)

// due reports whether what waits should be proposed now.
func (l *leading) due(p *Proposer) bool {
	return l.next-1-l.chosenUpTo < eagerInstances || l.queued >= p.cfg.BatchBytes/fullShare || p.now-l.packedAt > l.took/patience
}

// pack turns what is waiting into values, while the window has room: under light
// load an append is a value of its own, under heavy load one carries thousands.
func (l *leading) pack(p *Proposer) {
	taken := 0
	for taken < len(l.queue) && l.room(p) && l.due(p) {
		l.packedAt = p.now
		first, size := taken, 0
		for taken < len(l.queue) && (taken == first || size+len(l.queue[taken].msg.Batch) <= p.cfg.BatchBytes) {
			size += len(l.queue[taken].msg.Batch)
			taken++
		}
		batch := l.queue[first].msg.Batch
		if taken > first+1 {
			batch = make([]byte, 0, size)
			for _, q := range l.queue[first:taken] {
				batch = append(batch, q.msg.Batch...)
			}
		}
		l.queued -= size
		l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall, Batch: batch})
		l.next++
	}
	if taken > 0 {
		l.queue = slices.Delete(l.queue, 0, taken)
	}
}

func (l *leading) step(p *Proposer, from paxos.NodeID, m paxos.Message) {
	place := p.place(from)
	if place < 0 {
		if r, ok := m.(*paxos.Repair); ok {
			l.onRepair(p, r)
		}
		return
	}
	switch m := m.(type) {
	case *paxos.Accepted:
		p.see(place, m.Mark)
		l.onAccepted(p, place, m)
	case *paxos.Page:
		l.onHeld(p, from, m)
	case *paxos.HeartbeatAck:
		// Only the answer to a heartbeat of this ballot is evidence; the nonce is
		// when it was sent.
		if sent := paxos.Ticks(m.Nonce); m.Ballot == l.ballot && sent <= p.now {
			l.fresh[place] = max(l.fresh[place], sent)
			l.voted[place] = max(l.voted[place], sent)
			l.seen = max(l.seen, m.Highest)
		}
	case *paxos.Reject:
		if m.Ballot == l.ballot && l.ballot.Less(m.Promised) {
			l.onOutvoted(p, place)
		}
	case *paxos.Promise:
		if l.repair != nil && l.repair.onPromise(p, from, m) && p.cfg.Membership.IsPhase1(l.repair.done) {
			l.finishRepair(p)
		}
	case *paxos.Repair:
		l.onRepair(p, m)
	case *paxos.Rejoin:
		l.onRejoin(p, place, m)
	case *paxos.PeerUp:
		l.voted[place] = 0
		l.resendTo(p, place)
	}
}

// onOutvoted: the acceptor promised a higher ballot and will never vote for this
// one again. The leader resigns when too few are left; else it campaigns once
// more, above that promise, so that the acceptor takes part again. The others
// allow it, since it is this run that they hear.
func (l *leading) onOutvoted(p *Proposer, place int) {
	who := p.cfg.Membership.Acceptors[place]
	l.fresh[place] = p.now - p.cfg.ElectionMax - 1
	switch {
	case !l.quorum(p):
		l.resign(p, fmt.Sprintf("%s promised a higher ballot", who), 0)
	case p.now-l.since > p.cfg.ElectionMax:
		l.refuseQueue(p, "the leader renews its ballot")
		p.campaign(fmt.Sprintf("%s promised a higher ballot than %s, which a quorum follows", who, l.ballot), rejoiner{})
	}
}

// onAccepted counts votes: "a value is chosen when a single proposal with that
// value has been accepted by a majority of the acceptors" (Paxos Made Simple,
// 2.3). Votes at other ballots are not for this leader's proposals.
func (l *leading) onAccepted(p *Proposer, place int, m *paxos.Accepted) {
	for _, r := range m.Runs {
		if r.Ballot != l.ballot {
			continue
		}
		if r.Last >= r.First && uint64(r.Last-r.First) <= uint64(len(l.open)) {
			for i := r.First; i <= r.Last; i++ {
				l.vote(p, i, place)
			}
			continue
		}
		for _, i := range slices.Sorted(maps.Keys(l.open)) {
			if r.First <= i && i <= r.Last {
				l.vote(p, i, place)
			}
		}
	}
}

func (l *leading) vote(p *Proposer, i paxos.Instance, place int) {
	o := l.open[i]
	if o == nil || o.chosen {
		return
	}
	o.votes = o.votes.With(place)
	if p.cfg.Membership.IsPhase2(o.votes) {
		l.took = p.now - o.born
		l.choose(i)
	}
}

// choose notes that the proposal at i is chosen.
func (l *leading) choose(i paxos.Instance) {
	if i <= l.chosenUpTo { // a repaired instance
		l.close(i)
		return
	}
	l.open[i].chosen = true
	for o := l.open[l.chosenUpTo+1]; o != nil && o.chosen; o = l.open[l.chosenUpTo+1] {
		l.chosenUpTo++
		l.close(l.chosenUpTo)
	}
}

func (l *leading) close(i paxos.Instance) {
	l.openBytes -= len(l.open[i].value.Batch)
	delete(l.open, i)
}

// refuseQueue drops what was not proposed, and says so.
func (l *leading) refuseQueue(p *Proposer, why string) {
	for _, q := range l.queue {
		p.refuse(q.from, q.msg, paxos.RefuseNoLeader, why)
	}
	l.queue, l.queued = nil, 0
}

// onHeld takes the answer to an Accept at an instance that the acceptor holds:
// the value chosen there. If it is not what this leader proposed, a higher ballot
// chose it, and announcing anything above would be a lie.
func (l *leading) onHeld(p *Proposer, from paxos.NodeID, m *paxos.Page) {
	for _, v := range m.Values {
		o := l.open[v.Instance]
		if o == nil || o.chosen || v.Instance > m.Held {
			continue
		}
		if !o.value.Equal(v.Value) {
			l.resign(p, fmt.Sprintf("%s holds another value at instance %d: a later leader has taken over", from, v.Instance), 0)
			return
		}
		l.choose(v.Instance)
	}
}

// resign steps down: the acceptors are told, so that others may campaign at once,
// and what is queued is refused. This proposer does not campaign for wait ticks.
func (l *leading) resign(p *Proposer, reason string, wait paxos.Ticks) {
	p.Warn("stepped down", "ballot", l.ballot.String(), "reason", reason, "in_flight", len(l.open), "refused", len(l.queue))
	p.broadcast(&paxos.Heartbeat{Ballot: l.ballot, Nonce: uint64(p.now), ChosenUpTo: l.chosenUpTo, Resign: true})
	l.refuseQueue(p, "the leader stepped down: "+reason)
	p.standBy("stepped down: "+reason, wait)
	p.Out.Stopped = p.stopping
}
