package check

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

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
		state, err := d.state.Apply(i, v.Batch, control.Level)
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
	if s, err := control.Decode(has); err == nil {
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
}

// proposesControl checks a proposal against the level in force: nothing is proposed that it
// does not allow: a log begins once, and has no other command before.
func (c *Checker) proposesControl(n *Process, m *paxos.Accept) {
	if !paxos.IsControl(m.Value.Batch) {
		return
	}
	cmd, err := control.Parse(m.Value.Batch)
	if err != nil {
		c.Fail("R10", "%s proposes at instance %d what it does not know: %v", n.ID, m.Instance, err)
	}
	at, _ := c.stateAt(m.Instance - 1)
	if _, begins := cmd.(control.Genesis); !begins && at.level == 0 {
		c.Fail("R10", "%s proposes %T at instance %d, where the level does not allow it", n.ID, cmd, m.Instance)
	} else if begins && at.level > 0 {
		c.Fail("control", "%s proposes at instance %d that a log begins which has begun at %d", n.ID, m.Instance, at.from)
	}
}
