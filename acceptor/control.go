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
	stuck paxos.Instance // held cannot pass it: a command there that is not known here
	warn  paxos.Timer
}

// newControlled is what st has of it.
func newControlled(a *Acceptor, st State) controlled {
	c := controlled{encoded: st.Control, votes: map[paxos.Instance]string{}}
	var err error
	if c.state, err = control.Decode(st.Control); err != nil {
		a.Violated("what an acceptor stored of its log it knows", "error", err)
	}
	for i, batch := range st.Controls {
		c.votes[i] = batch
		c.bytes += len(batch)
	}
	return c
}

// takes reports whether this acceptor may vote for a value: not for a control command that
// it does not know (R10), and not while it keeps too many of them.
func (a *Acceptor) takes(from paxos.NodeID, m *paxos.Accept) bool {
	c := &a.control
	if !paxos.IsControl(m.Value.Batch) {
		return true
	}
	err := control.Known(m.Value.Batch, a.cfg.Knows)
	if err != nil && c.warn.Due(a.now) {
		c.warn.Set(a.now + warnTicks)
		a.Warn("does not vote for a control command that it does not know: it needs the version of paxlog that the leader has",
			"leader", string(from), "instance", uint64(m.Instance), "error", err.Error())
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
			a.Write(paxos.SetControl{State: encoded})
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
// in the name of another, and its word would be enough (package control, D3).
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
	case by != from:
		a.refuse(from, "a learner speaks of a checkpoint in the name of another one", "by", string(by))
	case a.hearing.silent(a.now) < a.cfg.ElectionTicks && !a.hearing.ballot.IsZero():
		a.Send(a.hearing.ballot.Proposer, m)
	}
}
