package check

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// Newest is the highest level that any simulated process knows: one that a later release adds,
// of which this code knows only that it is higher.
const Newest = control.Level + 1

// decided is what the log has decided about itself, computed from what was chosen.
type decided struct {
	state   control.State
	upTo    paxos.Instance // every instance at or below is in state
	changes []change       // ascending
}

// change is a state that is in force from an instance on.
type change struct {
	from  paxos.Instance
	state paxos.Encoded
	level uint64
}

// catchUp takes what is chosen by now.
func (c *Checker) catchUp() {
	d := &c.decided
	for ; d.upTo < c.chosenUpTo; d.upTo++ {
		i := d.upTo + 1
		v, _ := c.known(i)
		if !paxos.IsControl(v.Batch) {
			continue
		}
		state, err := d.state.Apply(i, v.Batch, Newest)
		if err != nil {
			c.Fail("R10", "at instance %d a control command is chosen that nobody knows: %v", i, err)
		}
		if state.Level < d.state.Level || !d.state.Log.IsZero() && state.Log != d.state.Log {
			c.Fail("control", "at instance %d the log goes from level %d to %d, and from %v to %v", i, d.state.Level, state.Level, d.state.Log, state.Log)
		}
		cmd, _ := control.Parse(v.Batch) // as Apply did
		c.onCommand(i, cmd, &d.state, &state)
		d.state = state
		d.changes = append(d.changes, change{i, state.Encode(), state.Level})
	}
}

// Level is the level that the log has.
func (c *Checker) Level() uint64 {
	c.catchUp()
	return c.decided.state.Level
}

// stateAt is what the log has decided up to instance i, which is chosen.
func (c *Checker) stateAt(i paxos.Instance) (change, bool) {
	c.catchUp()
	var at change
	for _, x := range c.decided.changes {
		if x.from <= i {
			at = x
		}
	}
	return at, i <= c.decided.upTo
}

// hasState checks that a process which has passed every instance up to i has the state that
// follows from them, and no other.
func (c *Checker) hasState(n *Process, i paxos.Instance, has paxos.Encoded) {
	if s, err := control.Decode(has, Newest); err == nil {
		i = max(i, s.At) // an acceptor may have taken it from one that was further
	}
	if want, ok := c.stateAt(i); ok && want.state != has {
		c.Fail("control", "%s has passed instance %d, and does not have the state that the log has there (%d bytes for %d)", n.ID, i, len(has), len(want.state))
	}
}

// writesControl checks what an output makes of the state: it goes with the mark.
func (c *Checker) writesControl(n *Process, writes []paxos.Record, upTo paxos.Instance) {
	has := n.Disk.Visible().Control
	for _, r := range writes {
		switch s := r.(type) {
		case paxos.SetControl:
			has = s.State
		case paxos.Install:
			has = s.Control
		}
	}
	c.hasState(n, upTo, has)
	c.knowsState(n, has)
}

// knowsState checks that no process goes on with a log of a level that it does not know.
func (c *Checker) knowsState(n *Process, has paxos.Encoded) {
	if _, err := control.Decode(has, n.Knows); err != nil {
		c.Fail("R10", "%s, which knows level %d, goes on: %v", n.ID, n.Knows, err)
	}
}

// votesControl checks that no acceptor votes for a command that it does not know.
func (c *Checker) votesControl(n *Process, v *paxos.Vote) {
	if !paxos.IsControl(v.Value.Batch) {
		return
	}
	if err := control.Known(v.Value.Batch, n.Knows); err != nil {
		c.Fail("R10", "%s, which knows level %d, votes at instance %d: %v", n.ID, n.Knows, v.Instance, err)
	}
}

// proposesControl checks a proposal against the level in force (R10): nothing is proposed that
// its proposer does not know, or that is not allowed by a level which is chosen below.
func (c *Checker) proposesControl(n *Process, m *paxos.Accept) {
	if !paxos.IsControl(m.Value.Batch) {
		return
	}
	cmd, err := control.Parse(m.Value.Batch)
	if err != nil {
		c.Fail("R10", "%s proposes at instance %d what it does not know: %v", n.ID, m.Instance, err)
	}
	at, _ := c.stateAt(m.Instance - 1)
	need := control.Needs(cmd)
	if need > n.Knows {
		c.Fail("R10", "%s, which knows level %d, proposes %T at instance %d, which needs level %d", n.ID, n.Knows, cmd, m.Instance, need)
	}
	switch cmd.(type) {
	case control.Genesis: // a leader that has been deposed may not know of another one
	case control.Raise:
		if at.level == 0 {
			c.Fail("R10", "%s raises at instance %d the level of a log that has none", n.ID, m.Instance)
		}
	default:
		if need > at.level {
			c.Fail("R10", "%s proposes %T at instance %d, which needs level %d, and the log has level %d there", n.ID, cmd, m.Instance, need, at.level)
		}
	}
}
