package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// stateOf is the state that a new leader begins with: the latest one that its Phase 1
// quorum shows. It is an error if the log, or a value that has to be proposed again, asks for what
// this process does not know: it must not lead (R10).
func (q *quorumRead) stateOf(knows uint64, values map[paxos.Instance]paxos.Value) (control.State, error) {
	var state control.State
	held := q.held()
	for place, c := range q.promises {
		if !q.done.Has(place) || c.control == "" {
			continue
		}
		s, err := control.Decode(c.control, knows)
		if err != nil {
			return state, err
		}
		if s.At > state.At {
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

// allHeld is what each acceptor holds, as it promised.
func (q *quorumRead) allHeld() paxos.ByPlace[paxos.Instance] {
	held := make(paxos.ByPlace[paxos.Instance], len(q.promises))
	for place, c := range q.promises {
		held[place] = c.held
	}
	return held
}

// allKnow is the highest level that each acceptor knows, as it promised.
func (q *quorumRead) allKnow() paxos.ByPlace[uint64] {
	knows := make(paxos.ByPlace[uint64], len(q.promises))
	for place, c := range q.promises {
		knows[place] = c.knows
	}
	return knows
}

// firstKept is the first instance that some acceptor of the quorum keeps, as far as it has
// trimmed.
func (q *quorumRead) firstKept(knows uint64) paxos.Instance {
	var first paxos.Instance
	for place, c := range q.promises {
		if s, err := control.Decode(c.control, knows); err == nil && q.done.Has(place) {
			first = max(first, s.FirstInstance())
		}
	}
	return first
}

// onTrimmed takes from an acceptor that it has trimmed where this leader proposes. What it
// proposes there is what was chosen, if it still leads, and others may vote for it. If too
// few do, it resigns as any leader whose proposals are not chosen, and begins above with
// its next ballot.
func (p *Proposer) onTrimmed(m *paxos.Page) {
	s, err := control.Decode(m.Control, p.cfg.Knows)
	if err == nil && m.Control != "" && s.At > p.trimmed.At && s.FirstInstance() == m.First {
		p.trimmed = s
	}
}

// known is the highest level that this process, which knows levels up to knows, and all
// acceptors of the quorum know.
func (q *quorumRead) known(knows uint64) uint64 {
	least := knows
	for place, c := range q.promises {
		if q.done.Has(place) {
			least = min(least, c.knows)
		}
	}
	return least
}

// genesis is what begins a log at a level, or founds a log of level 0.
func (p *Proposer) genesis(level uint64) control.Genesis {
	return control.Genesis{
		Log: p.cfg.LogID, Level: level, Time: p.wall, Sessions: uint64(p.cfg.Membership.Sessions),
		Config: control.ConfigurationOf(p.cfg.Membership, func(id paxos.NodeID) uint64 { return p.known[id] }),
	}
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
	p.enrolChosen(state.Roster)
}
