package acceptor

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// controlled is what the log has decided about itself, as far as this acceptor has got.
type controlled struct {
	state   control.State
	encoded paxos.Encoded // of state; durable with held
	// votes are the control values among the votes above held. Whatever is passed is
	// applied, so they are kept in memory; other values are in the store only.
	votes map[paxos.Instance]string
	bytes int
	first paxos.Instance // the first instance that is kept
	stuck paxos.Instance // held cannot pass it: a command there that is not known here
	warn  paxos.Timer
}

// newControlled is what st has of it.
func newControlled(a *Acceptor, st State) controlled {
	c := controlled{encoded: st.Control, votes: map[paxos.Instance]string{}}
	var err error
	if c.state, err = control.Decode(st.Control, a.cfg.Knows); err != nil {
		a.Violated("what an acceptor stored of its log it knows", "error", err)
	}
	c.first = c.state.FirstInstance()
	for i, batch := range st.Controls {
		c.votes[i] = batch
		c.bytes += len(batch)
	}
	return c
}

// takes reports whether this acceptor may vote for a value: not for a command that it does
// not know (R10), of whichever kind, and not while it keeps too many control values.
//
// Example: a bit of a batch flips in a leader's memory, in the byte that says of which kind a
// run is. Were it chosen, every learner would stop before it, for ever. As it is, nobody votes
// for it, the leader resigns, and what was in it is appended again.
func (a *Acceptor) takes(from paxos.NodeID, m *paxos.Accept) bool {
	c, isControl := &a.control, paxos.IsControl(m.Value.Batch)
	err := paxos.KnownRuns(m.Value.Batch, control.Runs(a.cfg.Knows))
	if isControl {
		err = control.Known(m.Value.Batch, a.cfg.Knows)
	}
	if a.isChange(m.Value.Batch) && m.Instance != a.held+1 {
		return false // R7b: a vote for a change says that all below is held
	}
	if err != nil && c.warn.Due(a.now) {
		c.warn.Set(a.now + warnTicks)
		a.Warn("does not vote for a command that it does not know: it needs the version of paxlog that the leader has; if that is the same, the leader's memory may be faulty",
			"leader", string(from), "instance", uint64(m.Instance), "error", err.Error())
	}
	if !isControl {
		return err == nil
	}
	return err == nil && c.bytes+len(m.Value.Batch) <= maxControlBytes
}

// noteVote keeps a vote for a control value, and forgets one that is replaced.
func (c *controlled) noteVote(i paxos.Instance, batch []byte) {
	c.forget(i)
	if paxos.IsControl(batch) {
		c.votes[i] = string(batch)
		c.bytes += len(batch)
	}
}

func (c *controlled) forget(i paxos.Instance) {
	if len(c.votes) > 0 {
		c.bytes -= len(c.votes[i])
		delete(c.votes, i)
	}
}

// pass applies what is chosen at i, the instance after held, before held passes it. It
// reports false if this process does not know the command there (R10): held stops below it,
// and copies nothing above. What it writes is in the commit that raises held.
func (a *Acceptor) pass(i paxos.Instance, batch []byte) bool {
	c := &a.control
	if paxos.IsControl(batch) {
		state, err := c.state.Apply(i, batch, a.cfg.Knows)
		if err != nil {
			a.stopAt(i, err)
			return false
		}
		c.state = state
		if encoded := state.Encode(); encoded != c.encoded {
			c.encoded = encoded
			a.configure()
			before := c.first
			a.Write(paxos.SetControl{State: encoded})
			if c.first = state.FirstInstance(); c.first > before {
				a.Write(paxos.Trimmed{Instance: c.first})
			}
		}
	}
	c.forget(i)
	return true
}

// stopAt notes, and says once, that held cannot pass an instance.
func (a *Acceptor) stopAt(i paxos.Instance, err error) {
	if c := &a.control; c.stuck != i {
		c.stuck = i
		a.Warn("the log has a control command that this version does not know: nothing from there on is held here; use a newer version of paxlog",
			"instance", uint64(i), "error", err.Error())
	}
}

// onDecide passes a learner's command on to the leader that this acceptor hears. What a
// learner says in its own name must be its own: else one of them could confirm a checkpoint
// in the name of another, and its word would be enough (package control).
func (a *Acceptor) onDecide(from paxos.NodeID, m *paxos.Decide) {
	by := from
	switch c, err := control.Parse(m.Batch); c := c.(type) {
	case control.Close:
		by = c.By
	case control.Confirm:
		by = c.By
	case control.Chunk:
	default:
		a.refuse(from, "a learner may not ask for that command", "error", fmt.Sprint(err))
		return
	}
	switch {
	case !a.control.state.Roster.Has(paxos.RoleLearner, from):
		a.refuse(from, "it is no learner of this log, and has no part in a checkpoint: `paxlog member add ID --role learner --addr HOST:PORT` makes it one")
	case by != from:
		a.refuse(from, "a learner speaks of a checkpoint in the name of another one", "by", string(by))
	case a.hearing.silent(a.now) < a.cfg.ElectionTicks && !a.hearing.ballot.IsZero():
		a.Send(a.hearing.ballot.Proposer, m)
	}
}

// takeTrimmed takes what the log has decided about itself from a source that has trimmed what
// comes next here, and takes all below its first instance for held. It is all chosen, and a
// Phase 2 quorum holds the checkpoint that stands in its place (package control, R9). It is
// one source's word, as with every value that is copied.
//
// What was voted for down there is forgotten: no leader needs it. One whose Phase 1 quorum has
// this acceptor begins above held.
func (a *Acceptor) takeTrimmed(from paxos.NodeID, m *paxos.Page) bool {
	c := &a.control
	state, err := control.Decode(m.Control, a.cfg.Knows)
	switch {
	case m.First <= a.held+1 || m.Control == "":
		return false
	case err != nil: // others are asked: one peer's word ends no copying
		a.refuse(from, "the state of the log in place of what was trimmed is not one that this version knows; if all say so, use the version of paxlog that they have",
			"first", uint64(m.First), "error", err.Error())
		return false
	case state.FirstInstance() != m.First || state.At > m.Held || state.At < c.state.At ||
		!c.state.Log.IsZero() && c.state.Log != state.Log:
		a.refuse(from, "what it says of a trim cannot be", "first", uint64(m.First), "held", uint64(m.Held))
		return false
	}
	a.Info("what comes next here was trimmed: it goes on from the first instance that is kept", "from", uint64(a.held+1), "first", uint64(m.First), "peer", string(from))
	for i := range a.votes {
		if i < m.First {
			delete(a.votes, i)
		}
	}
	for i := range c.votes {
		if i < m.First {
			c.forget(i)
		}
	}
	c.state, c.encoded, c.first = state, m.Control, m.First
	a.configure()
	a.held = m.First - 1
	a.Write(paxos.SetControl{State: m.Control}, paxos.Trimmed{Instance: m.First})
	return true
}
