package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// deciding is what a leader gets chosen beside appends: control commands, one at a time and
// behind them.
type deciding struct {
	waiting    []byte         // the one that is proposed next, nil if there is none
	early      *paxos.Decide  // a learner's, that came before the one in flight was known to be chosen, or nil
	proposed   paxos.Instance // of the latest one
	grown      int            // bytes of values chosen since the newest Mark, or since this leader began
	order      *order         // under way, or nil
	settling   *settling      // likewise
	permitting *permitting    // likewise
	roster     *rosterOrder   // likewise
	retain     retaining
	raise      *raising    // under way, or nil
	stale      paxos.Timer // when a checkpoint that does not come on is given up
}

// abandon answers all who wait for a command of this leader, which leads no more, or begins anew: what
// was not proposed yet is not done, and of the rest nobody knows.
func (l *leading) abandon(p *Proposer, why string) {
	d := &l.deciding
	tell := func(asker paxos.NodeID, nonce uint64, proposed bool, declined paxos.Message) {
		if proposed {
			declined = &paxos.Unsettled{Nonce: nonce, Why: why + mayBeDone}
		}
		p.Send(asker, declined)
	}
	undone := why + "; try again"
	if o := d.order; o != nil {
		tell(o.asker, o.nonce, o.trimmed, &paxos.Ordered{Nonce: o.nonce, Why: undone})
	}
	if w := d.settling; w != nil {
		tell(w.asker, w.nonce, w.proposed, p.settingAnswer(w.nonce, w.command, undone))
	}
	if w := d.permitting; w != nil {
		tell(w.asker, w.ask.Nonce, w.proposed, &paxos.Permitted{Nonce: w.ask.Nonce, Why: undone})
	}
	if o := d.roster; o != nil {
		tell(o.asker, o.nonce, o.proposed, &paxos.Membered{Nonce: o.nonce, Why: undone})
	}
	if r := d.raise; r != nil {
		tell(r.asker, r.nonce, r.proposed, &paxos.Raised{Nonce: r.nonce, Why: undone})
	}
	d.order, d.settling, d.permitting, d.roster, d.raise = nil, nil, nil, nil, nil
}

// mayBeDone goes with what nobody knows of.
const mayBeDone = "; what was asked for may be done all the same: look how it is, and ask again if it is not"

// isFree reports whether no command waits, and none is in flight.
func (l *leading) isFree() bool {
	return l.deciding.waiting == nil && l.deciding.proposed <= l.chosenUpTo
}

// onDecide takes a part of a checkpoint, if it is the one that comes next as far as is known
// to be chosen, and none is in flight. Of two learners that send the same one is taken.
func (l *leading) onDecide(p *Proposer, m *paxos.Decide) {
	d := &l.deciding
	if d.proposed > l.chosenUpTo {
		d.early = m // a learner has heard of a vote before this leader has
		return
	}
	if d.waiting != nil || d.raise != nil || len(m.Batch) > MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes) {
		return
	}
	c, err := control.Parse(m.Batch)
	if err != nil || control.Needs(c) > p.control.Level { // R10, whatever a learner sends
		return
	}
	u := p.control.Under
	fits := false
	switch c := c.(type) {
	case control.Chunk:
		fits = c.T == u.T && u.By == "" && c.Offset == u.Offset
	case control.Close:
		fits = c.T == u.T && u.By == "" && c.Size == u.Offset
	case control.Confirm:
		fits = c.T == u.T // with another sum it is an objection, which the others must see
	}
	if fits {
		d.waiting = m.Batch
	}
}

// wantsMark reports whether it is time for a checkpoint: the log has grown by several times
// the size of the newest one since that, or the one under way does not come on.
func (l *leading) wantsMark(p *Proposer) bool {
	d, s := &l.deciding, &p.control
	orders := d.order != nil && !d.order.trimmed && !d.order.covered(p)
	switch {
	case s.Level == 0 || p.cfg.MarkBytes == 0 || len(p.learners) == 0 || d.proposed > l.chosenUpTo || p.stopping:
		return false
	case s.Under.T != 0:
		return d.stale.Due(p.now)
	}
	newest := s.Newest()
	return orders || d.retain.mark || l.rooms.wantsMark(p, &d.retain) || d.grown >= max(p.cfg.MarkBytes, markShare*int(newest.Size)) || l.chosenUpTo >= max(newest.T, s.Since)+paxos.Instance(p.cfg.MarkInstances)
}

// decide proposes the command that waits, behind the appends.
func (l *leading) decide(p *Proposer) {
	d := &l.deciding
	if early := d.early; early != nil && d.proposed <= l.chosenUpTo {
		d.early = nil
		l.onDecide(p, early)
	}
	l.followOrder(p)
	if l.room(p) && !p.stopping { // as nextDecide has it
		l.followRaise(p)
		l.settle(p)
		l.permit(p)
		l.followRoster(p)
		if d.retain.look(p, d.grown); d.retain.trims() && l.isFree() {
			d.retain.trimmed = d.retain.to
			d.waiting = control.Batch(control.Trim{To: d.retain.to})
		}
	}
	if d.waiting == nil && l.wantsMark(p) {
		d.waiting = control.Batch(control.Mark{Learners: slices.Clone(p.learners)})
	}
	if d.waiting == nil || !l.room(p) || p.stopping {
		return
	}
	d.proposed = l.next
	l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall, Batch: d.waiting}, false)
	l.next++
	d.waiting = nil
}

// decided notes that v was chosen, of which p.control knows by now.
func (l *leading) decided(p *Proposer, before control.State, v *paxos.Value) {
	d := &l.deciding
	d.grown += len(v.Batch)
	d.retain.took(p, v)
	if p.control.At == before.At {
		return
	}
	d.stale.Set(p.now + p.cfg.MarkTicks)
	if p.control.Under.T == p.control.At {
		d.grown, l.rooms.mark = 0, false
		d.retain.marked(p)
	}
}

// nextDecide is when decide has something to do.
func (l *leading) nextDecide(p *Proposer) paxos.Ticks {
	d := &l.deciding
	at := min(d.order.until(), d.raise.until())
	switch {
	case l.isLeaving() || l.next <= l.upTo || p.stopping:
		return paxos.Never
	case !l.room(p): // nothing is proposed, and who waits is told all the same
		return at
	case d.waiting != nil || l.wantsMark(p) || l.orderDue(p) || l.raiseDue(p) || (d.settling != nil || d.permitting != nil || d.roster != nil || d.retain.trims()) && l.isFree():
		return p.now
	case !l.isFree():
		return at // what is in flight is chosen, or repeated
	case p.control.Under.T != 0 && p.cfg.MarkBytes != 0 && len(p.learners) > 0:
		at = min(at, d.stale.At()) // a checkpoint that does not come on is given up
	}
	return min(at, d.retain.at.At(), l.rooms.nextMark(&d.retain))
}

// order is a trim that somebody waits for. A checkpoint is made for it first, if the newest one
// is below what is asked for.
type order struct {
	asker   paxos.NodeID
	nonce   uint64
	to      paxos.Index
	before  paxos.Index
	since   paxos.Instance // chosenUpTo when it came
	giveUp  paxos.Timer    // when a checkpoint is waited for no more
	trimmed bool           // Trim was proposed
}

// covered reports whether there is a checkpoint that serves.
func (o *order) covered(p *Proposer) bool {
	newest := p.control.Newest()
	return newest.Next >= o.to || newest.T > o.since || o.giveUp.Due(p.now)
}

func (o *order) until() paxos.Ticks {
	if o == nil || o.trimmed {
		return paxos.Never
	}
	return o.giveUp.At()
}

// orderDue reports whether an order comes on now.
func (l *leading) orderDue(p *Proposer) bool {
	d := &l.deciding
	return d.order != nil && d.waiting == nil && d.proposed <= l.chosenUpTo && (d.order.trimmed || d.order.covered(p))
}

// followOrder proposes the Trim that somebody waits for, and answers when it is chosen.
func (l *leading) followOrder(p *Proposer) {
	d := &l.deciding
	switch o := d.order; {
	case !l.orderDue(p):
	case o.trimmed:
		d.order = nil
		p.Send(o.asker, &paxos.Ordered{Nonce: o.nonce, Before: o.before, After: p.control.FirstIndex, Checkpoint: p.control.Newest().Next, Holds: p.control.Holds.Below(o.to)})
	default:
		o.trimmed = true
		d.waiting = control.Batch(control.Trim{To: o.to})
	}
}

// onOrder takes an order, or says why not.
func (p *Proposer) onOrder(from paxos.NodeID, m *paxos.Order) {
	l, leads := p.phase.(*leading)
	why := ""
	switch {
	case !leads:
		why = fmt.Sprintf("%s does not lead (`paxlog status` shows who does)", p.cfg.ID)
	case p.control.Level == 0:
		why = "the log has level 0, as earlier releases write it, which has no trim: `paxlog upgrade status` says how it gets a level"
	case m.Trim == 0:
		why = "the first index is 1"
	case m.Trim >= paxos.Bound: // no process would know such a command
		why = fmt.Sprintf("no log reaches index %d", m.Trim)
	case l.deciding.order != nil:
		why = "another trim is under way: try again when that is done"
	case p.stopping || l.handing != nil:
		why = fmt.Sprintf("%s hands over: try again", p.cfg.ID)
	}
	if why != "" {
		p.Send(from, &paxos.Ordered{Nonce: m.Nonce, Why: why})
		return
	}
	o := &order{asker: from, nonce: m.Nonce, to: m.Trim, before: p.control.FirstIndex, since: l.chosenUpTo}
	o.giveUp.Set(p.now + orderRetries*p.cfg.RetryTicks)
	l.deciding.order = o
}
