package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// stateOf is the state that a new leader begins with: that of the highest held of its Phase 1
// quorum. It is an error if the log, or a value that has to be proposed again, asks for what
// this process does not know: it must not lead (R10).
func (q *quorumRead) stateOf(knows uint64, values map[paxos.Instance]paxos.Value) (control.State, error) {
	var state control.State
	held := q.held()
	for place, c := range q.promises {
		if !q.done.Has(place) || c.held != held {
			continue
		}
		s, err := control.Decode(c.control)
		if err == nil && s.Level > knows {
			err = fmt.Errorf("%w: the log has level %d, and this process knows level %d", control.ErrUnknown, s.Level, knows)
		}
		if err != nil {
			return state, err
		}
		if s.Level > state.Level {
			state = s
		}
	}
	for i, v := range values {
		if i <= held || !paxos.IsControl(v.Batch) {
			continue
		}
		if err := control.Known(v.Batch, knows); err != nil {
			return state, fmt.Errorf("instance %d: %w", i, err)
		}
	}
	return state, nil
}

// known is the highest level that all acceptors of the quorum know.
func (q *quorumRead) known() uint64 {
	least := uint64(control.Level)
	for place, c := range q.promises {
		if q.done.Has(place) {
			least = min(least, c.knows)
		}
	}
	return least
}

// genesis is the value that begins a log, if it may begin with one: this leader and every
// acceptor of its Phase 1 quorum know the level. Else it begins at level 0, as a log of an
// earlier release.
func (l *leading) genesis(p *Proposer, known uint64) (paxos.Value, bool) {
	if p.cfg.Knows == 0 || known == 0 || p.cfg.LogID.IsZero() {
		return paxos.Value{}, false
	}
	g := control.Genesis{
		Log: p.cfg.LogID, Level: min(p.cfg.Knows, known), Time: p.wall, Sessions: uint64(p.cfg.Membership.Sessions),
		Config: control.ConfigurationOf(p.cfg.Membership, func(id paxos.NodeID) uint64 { return p.known[id] }),
	}
	return paxos.Value{Origin: l.ballot, Time: p.wall, Batch: control.Batch(g)}, true
}

// learn takes what is chosen at i, the instance after all that p.control covers.
func (p *Proposer) learn(i paxos.Instance, v *paxos.Value) {
	if !paxos.IsControl(v.Batch) {
		return
	}
	state, err := p.control.Apply(i, v.Batch, p.cfg.Knows)
	if err != nil {
		p.Violated("a leader proposes what it knows", "instance", i, "error", err)
		return
	}
	p.control = state
}
