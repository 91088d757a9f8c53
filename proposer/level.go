package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// raising is a level that somebody waits for. Before it is proposed every acceptor has to show
// that it knows it, since then: one that did not would not vote, and if too few are left, no
// leader could get anything chosen until their programs are replaced. Whether proposers and
// learners know it was asked by who wants it raised; one that does not stops, and nobody waits
// for it.
type raising struct {
	asker    paxos.NodeID
	nonce    uint64
	to       uint64
	before   uint64
	since    paxos.Ticks
	giveUp   paxos.Timer // when silent acceptors are waited for no more
	shown    paxos.Set   // acceptors that have answered a heartbeat sent since then
	knows    paxos.ByPlace[uint64]
	proposed bool
}

// onRaise takes the order to raise the level, or says why not.
func (p *Proposer) onRaise(from paxos.NodeID, m *paxos.Raise) {
	l, leads := p.phase.(*leading)
	why := ""
	switch {
	case !leads:
		why = fmt.Sprintf("%s does not lead (`paxlog status` shows who does)", p.cfg.ID)
	case m.Level == 0:
		why = fmt.Sprintf("level 0 is that of a log which has decided none, and a level is only raised: ask for one from 1 to %d (`paxlog upgrade status`)", p.cfg.Knows)
	case m.Level > p.cfg.Knows || p.cfg.LogID.IsZero():
		why = fmt.Sprintf("%s knows levels up to %d: replace its program first", p.cfg.ID, p.cfg.Knows)
	case p.stopping || l.handing != nil:
		why = fmt.Sprintf("%s hands over: try again", p.cfg.ID)
	case l.deciding.raise != nil && l.deciding.raise.to != m.Level:
		why = fmt.Sprintf("the level is being raised to %d already: try again when that is done", l.deciding.raise.to)
	}
	if why != "" {
		p.Send(from, &paxos.Raised{Nonce: m.Nonce, Why: why})
		return
	}
	if r := l.deciding.raise; r != nil {
		r.asker, r.nonce = from, m.Nonce // who asks again does so since its connection is gone
		return
	}
	r := &raising{asker: from, nonce: m.Nonce, to: m.Level, before: p.control.Level, since: p.now, knows: make([]uint64, len(p.members.Acceptors))}
	r.giveUp.Set(p.now + p.cfg.ElectionMax)
	l.deciding.raise = r
	l.beat(p)
}

// onShown notes that an acceptor has answered a heartbeat, and which levels it knows.
func (l *leading) onShown(place int, sent paxos.Ticks, knows uint64) {
	l.knows[place] = knows
	if r := l.deciding.raise; r != nil && sent >= r.since {
		r.shown, r.knows[place] = r.shown.With(place), knows
	}
}

// missing says which level the oldest proposal needs, and which acceptors answer and do not
// vote for it since they do not know that level; "" if that is not what keeps it.
func (l *leading) missing(p *Proposer, o *proposal) string {
	c, err := control.Parse(o.value.Batch)
	if err != nil {
		return "" // entries
	}
	need, text := control.Needs(c), ""
	for place, id := range p.members.Acceptors {
		if l.knows[place] < need && !l.gone[place].Due(p.now) {
			text += fmt.Sprintf(", %s knows levels up to %d", id, l.knows[place])
		}
	}
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; it needs level %d, and who does not know that does not vote for it: replace these programs first: %s", need, text[2:])
}

// obstacle says which acceptors are in the way, "" if none is.
func (r *raising) obstacle(p *Proposer) string {
	text := ""
	for place, id := range p.members.Acceptors {
		switch {
		case !p.members.Newest().Members.Has(place):
		case !r.shown.Has(place):
			text += fmt.Sprintf(", %s does not answer", id)
		case r.knows[place] < r.to:
			text += fmt.Sprintf(", %s knows levels up to %d", id, r.knows[place])
		}
	}
	if text == "" {
		return ""
	}
	return fmt.Sprintf("all acceptors must know level %d before the log has it: %s", r.to, text[2:])
}

// raiseDue reports whether an order to raise the level comes on now.
func (l *leading) raiseDue(p *Proposer) bool {
	d := &l.deciding
	r := d.raise
	switch {
	case r == nil || d.waiting != nil || d.proposed > l.chosenUpTo:
		return false
	case p.control.Level >= r.to || r.proposed:
		return true
	}
	members := p.members.Newest().Members
	return r.giveUp.Due(p.now) || r.shown&members == members
}

// until is when silent acceptors are waited for no more.
func (r *raising) until() paxos.Ticks {
	if r == nil || r.proposed {
		return paxos.Never
	}
	return r.giveUp.At()
}

// followRaise proposes the command that raises the level, and answers when it is chosen: from
// then on, and not before, this leader proposes what that level allows. A log of level 0 is
// founded so: it has no id before.
func (l *leading) followRaise(p *Proposer) {
	if !l.raiseDue(p) {
		return
	}
	d := &l.deciding
	r := d.raise
	why := ""
	switch {
	case p.control.Level >= r.to:
	case r.proposed: // another Genesis was chosen before, at a lower level
		r.proposed = false
		return
	default:
		why = r.obstacle(p)
	}
	if why != "" || p.control.Level >= r.to {
		d.raise = nil
		p.Send(r.asker, &paxos.Raised{Nonce: r.nonce, Before: r.before, After: p.control.Level, Log: p.control.Log, At: p.control.At, Why: why})
		return
	}
	r.proposed = true
	var c control.Command = control.Raise{Level: r.to}
	if p.control.Level == 0 {
		c = p.genesis(r.to)
	}
	p.Info("raises the level of the log", "from", r.before, "to", r.to)
	d.waiting = control.Batch(c)
}
