package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// sure is the newest configuration that Phase 1, or enough acceptors, have shown; zero if this
// process knows only that of the cluster file.
func (p *Proposer) sure() configuration.History { return newer(p.control.Members, &p.shown) }

// newest is sure, or a newer one that is tried.
func (p *Proposer) newest() configuration.History {
	t := p.tried.history()
	return newer(p.sure(), &t)
}

func newer(h configuration.History, s *configuration.History) configuration.History {
	if s.Now.Epoch > h.Now.Epoch || s.Now.Epoch == h.Now.Epoch && h.Alpha == 0 {
		return *s
	}
	return h
}

// electorate is whom to ask, by what this process has heard of, and a change that its Phase 1
// has to reckon with. Where that Phase 1 has to start is judged when it is over (mayLead).
func (p *Proposer) electorate(found *configuration.Found) configuration.Electorate {
	h := p.newest()
	e, err := electorateOf(h, h.From, found, p.cfg.Membership)
	if err != nil {
		e, _ = electorateOf(h, h.From, nil, p.cfg.Membership)
	}
	return e
}

func electorateOf(h configuration.History, start paxos.Instance, found *configuration.Found, m paxos.Membership) (configuration.Electorate, error) {
	if h.IsZero() {
		return configuration.Sole(m), nil
	}
	return h.Electorate(start, found)
}

// adopt makes e the members of the phase that begins. What is known of each goes with it.
func (p *Proposer) adopt(e configuration.Electorate) {
	marks, shown := make(paxos.ByPlace[paxos.Mark], len(e.Acceptors)), make(paxos.ByPlace[uint64], len(e.Acceptors))
	for i, id := range e.Acceptors {
		if old := p.members.Place(id); old >= 0 {
			marks[i], shown[i] = p.marks[old], p.rounds.shown[old]
		}
	}
	p.members, p.marks, p.rounds = e, marks, rounds{shown, e.Translate(p.rounds.heard, &p.members)}
	p.judging.believe(p)
	p.limitTime()
}

// of says whose the marks are that this process sends, by place: nothing as long as they are
// those of the cluster file.
func (p *Proposer) of() paxos.ByPlace[paxos.NodeID] {
	if slices.Equal(p.members.Acceptors, p.cfg.Membership.Acceptors) {
		return nil
	}
	return slices.Clone(p.members.Acceptors)
}

// byPlace puts marks in the order of the members.
func (p *Proposer) byPlace(marks paxos.ByPlace[paxos.Mark], of paxos.ByPlace[paxos.NodeID]) (paxos.ByPlace[paxos.Mark], bool) {
	if len(of) == 0 {
		of = p.cfg.Membership.Acceptors
	}
	if len(marks) != len(of) {
		return nil, false
	}
	if slices.Equal(of, p.members.Acceptors) {
		return marks, true
	}
	out := make(paxos.ByPlace[paxos.Mark], len(p.members.Acceptors))
	for k, id := range of {
		if i := p.place(id); i >= 0 {
			out[i] = marks[k]
		}
	}
	return out, true
}

// foundIn returns what the log has decided about its acceptors, with the alpha that may be
// among what was voted for above held, and the change that is, if it means something.
func foundIn(state *control.State, held paxos.Instance, values map[paxos.Instance]paxos.Value, reported []paxos.Instance) (configuration.History, *configuration.Found) {
	h := state.Members
	for _, i := range reported {
		if v := values[i]; i > held && paxos.IsControl(v.Batch) {
			c, _ := control.Parse(v.Batch) // what is not known has been refused
			switch c := c.(type) {
			case control.Alpha:
				if next, err := h.Decide(c.Alpha); err == nil {
					h = next
				}
			case control.Change:
				if _, err := h.Apply(i, c.Change); err == nil {
					return h, &configuration.Found{At: i, Change: c.Change}
				}
			}
		}
	}
	return h, nil
}

// mayLead reports whether c asked those whom it had to ask, by what its Phase 1 has shown. Else
// it begins anew (R5, R7a): with a newer configuration, or without a member that a change
// replaces which somebody has voted for. changeAt is where such a change has to be proposed
// again.
func (p *Proposer) mayLead(c *preparing, state control.State, values map[paxos.Instance]paxos.Value, reported []paxos.Instance) (changeAt paxos.Instance, ok bool) {
	held := max(c.read.held(), state.FirstInstance()-1)
	h, found := foundIn(&state, held, values, reported)
	need, err := electorateOf(h, held+1, found, p.cfg.Membership)
	if err != nil {
		c.fail(p, "somebody has voted for a change at instance %d that cannot come there: %v", found.At, err)
		return 0, false
	}
	planned := p.order != nil && found == nil
	switch {
	case found != nil && p.order != nil && !found.Change.Config.Equal(p.order.change.Config):
		p.dropOrder("another change is under way: `paxlog member list` shows it")
	case found != nil && p.order != nil:
		p.order.at = found.At // an earlier leader has proposed it
	case planned:
		plan := &configuration.Found{At: configuration.Unset, Change: p.order.change}
		e, err := h.Electorate(held+1, plan)
		if err != nil {
			p.dropOrder(err.Error() + "; try again")
			planned = false
			break
		}
		need = e
		p.order.at = 0 // where this process proposed it before, nobody of a quorum has voted for it
		p.order.giveUp.Set(p.now + p.cfg.StallTicks)
	}
	if !p.members.Covers(&need) {
		p.shown, p.control = h, state
		if planned {
			found = &configuration.Found{At: configuration.Unset, Change: p.order.change}
		}
		p.campaignFor(fmt.Sprintf("Phase 1 shows another configuration than %s knew", p.cfg.ID), rejoiner{}, found)
		return 0, false
	}
	if p.members.From = need.From; need.After.IsZero() {
		p.members.After, p.members.From = configuration.Group{}, 0
	}
	if found != nil {
		changeAt = found.At
	}
	return changeAt, true
}

// onConfigured takes what an acceptor shows of what the log has decided. It is a hint: who leads by a
// configuration has found it in a Phase 1 quorum.
func (p *Proposer) onConfigured(from paxos.NodeID, m *paxos.Configured) {
	s, err := control.Decode(m.State, p.cfg.Knows)
	if err != nil || s.Level > p.cfg.Knows || !p.control.Log.IsZero() && p.control.Log != s.Log {
		return
	}
	if w := p.wordOf(from); w != nil {
		w.state = &s
		p.believe()
	}
}

// believe takes what enough acceptors say, after one of them has said something else.
func (p *Proposer) believe() {
	p.judging.believe(p)
	if s := p.agreed(versionOf, sameRoster); s != nil {
		if _, leads := p.phase.(*leading); !leads {
			p.enrol(s.Roster)
		}
	}
	s, known := p.agreed(epochOf, sameMembers), p.newest()
	if s == nil || s.Members.Now.Epoch <= known.Now.Epoch {
		return
	}
	p.shown = s.Members
	why := fmt.Sprintf("acceptors hold a newer configuration, of epoch %d", s.Members.Now.Epoch)
	switch phase := p.phase.(type) {
	case *standby:
		p.standBy(p.reason, 0)
	case *preparing:
		phase.fail(p, "%s", why)
	case *leading:
		// Its own change is told by those who copied it before this leader has heard the votes.
		if p.control.Members.Now.Epoch < s.Members.Now.Epoch && phase.changeAt != s.Members.At {
			phase.resign(p, why, 0)
		}
	}
}

// Members is the newest configuration that this process has heard of, and goes by.
func (p *Proposer) Members() *configuration.History {
	switch known := &p.control.Members; {
	case p.tried.state != nil && p.tried.state.Members.Now.Epoch > max(p.shown.Now.Epoch, known.Now.Epoch):
		return &p.tried.state.Members
	case p.shown.Now.Epoch > known.Now.Epoch:
		return &p.shown
	default:
		return known
	}
}

// Passed is the instance up to which a leader needs nothing of the configuration before the
// newest one any more: 0 until the change is complete, and if this process does not lead.
func (p *Proposer) Passed() paxos.Instance {
	if l, leads := p.phase.(*leading); leads && l.isComplete(p) && p.control.Members.Changed() {
		return p.control.Members.From - 1
	}
	return 0
}
