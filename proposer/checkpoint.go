package proposer

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// deciding is what a leader gets chosen beside appends: control commands, one at a time and
// behind them.
type deciding struct {
	waiting  []byte         // the one that is proposed next, nil if there is none
	proposed paxos.Instance // of the latest one
	grown    int            // bytes of values chosen since the newest Mark, or since this leader began
	stale    paxos.Timer    // when a checkpoint that does not come on is given up
}

// onDecide takes a part of a checkpoint, if it is the one that comes next as far as is known
// to be chosen, and none is in flight. Of two learners that send the same one is taken.
func (l *leading) onDecide(p *Proposer, m *paxos.Decide) {
	d := &l.deciding
	if d.waiting != nil || d.proposed > l.chosenUpTo || len(m.Batch) > MaxAppend(p.cfg.BatchBytes, p.cfg.EntryBytes) {
		return
	}
	c, err := control.Parse(m.Batch)
	if err != nil {
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
	switch {
	case s.Level == 0 || p.cfg.MarkBytes == 0 || len(p.cfg.Learners) == 0 || d.proposed > l.chosenUpTo || p.stopping:
		return false
	case s.Under.T != 0:
		return d.stale.Due(p.now)
	}
	newest := s.Newest()
	return d.grown >= max(p.cfg.MarkBytes, markShare*int(newest.Size)) || l.chosenUpTo >= max(newest.T, s.Since)+paxos.Instance(p.cfg.MarkInstances)
}

// decide proposes the command that waits, behind the appends.
func (l *leading) decide(p *Proposer) {
	d := &l.deciding
	if d.waiting == nil && l.wantsMark(p) {
		d.waiting = control.Batch(control.Mark{Learners: slices.Clone(p.cfg.Learners)})
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
	if p.control.At == before.At {
		return
	}
	d.stale.Set(p.now + p.cfg.MarkTicks)
	if p.control.Under.T == p.control.At {
		d.grown = 0
	}
}

// nextDecide is when a checkpoint that does not come on is given up.
func (l *leading) nextDecide(p *Proposer) paxos.Ticks {
	switch {
	case !l.room(p) || l.isLeaving() || l.next <= l.upTo || p.stopping:
		return paxos.Never
	case l.deciding.waiting != nil || l.wantsMark(p):
		return p.now
	case p.control.Under.T != 0 && p.cfg.MarkBytes != 0 && l.deciding.proposed <= l.chosenUpTo && len(p.cfg.Learners) > 0:
		return l.deciding.stale.At()
	}
	return paxos.Never
}
