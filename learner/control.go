package learner

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// controlled is what the log has decided about itself, up to the applied instance.
type controlled struct {
	state   control.State
	encoded paxos.Encoded
	// stuck is an instance with a control command that is not known here: nothing from
	// there on is applied. Why says what it is.
	stuck paxos.Instance
	why   string
}

func newControlled(l *Learner, st State) controlled {
	c := controlled{encoded: st.Control}
	var err error
	if c.state, err = control.Decode(st.Control, l.cfg.Knows); err != nil {
		l.Violated("what a learner stored of its log it knows", "error", err)
	}
	return c
}

// knows reports whether this process knows what v, chosen at i, asks for. Where it does not
// it applies nothing from i on (R10), and says so once. What it has applied it still serves:
// that is a log that ends earlier, and it tells nobody that the log ends there.
func (l *Learner) knows(i paxos.Instance, v *paxos.Value) bool {
	err := paxos.KnownRuns(v.Batch, control.Runs(l.cfg.Knows))
	if paxos.IsControl(v.Batch) {
		_, err = l.control.state.Apply(i, v.Batch, l.cfg.Knows)
	}
	if c := &l.control; err != nil && c.stuck != i {
		c.stuck, c.why = i, err.Error()
		l.Warn("the log has a command that this version does not know: nothing from there on is applied here; use a newer version of paxlog",
			"instance", uint64(i), "error", c.why)
	}
	return err == nil
}

// applyControl applies a control value that knows has let pass: it has no entries.
func (l *Learner) applyControl(i paxos.Instance, v *paxos.Value) {
	c := &l.control
	state, err := c.state.Apply(i, v.Batch, l.cfg.Knows)
	if err != nil {
		l.Violated("a control command is applied by those who know it", "instance", i, "error", err)
		return
	}
	before := c.state
	c.state = state
	l.extendChain(v) // a checkpoint of i, which may begin now, has it
	if encoded := state.Encode(); encoded != c.encoded {
		c.encoded = encoded
		l.Write(paxos.SetControl{State: encoded})
		l.configure()
	}
	l.trim()
	l.judgeAgain(&before)
	l.onControl(&before, v.Batch)
}

// isOfAncestor reports whether a session is of a log that this one was restored from: nothing
// of it is applied here.
func (l *Learner) isOfAncestor(id paxos.SessionID) bool {
	_, is := l.control.state.AncestorOf(id.Birth())
	return is
}

// isOfAnotherLog reports whether a session names another log than this one and those that it was
// restored from. It says so also where that log's instances are as far as this one's.
func (l *Learner) isOfAnotherLog(id paxos.SessionID) bool {
	s := &l.control.state
	if ancestor, is := s.AncestorOf(id.Birth()); is && (ancestor.IsZero() || id.IsOf(ancestor)) {
		return false
	}
	return !id.IsOf(s.Log)
}

// hasRestored reports whether all that was restored from another log is here: only then is it
// known of a command that it is not in it. What was trimmed of that, or has not come yet, may
// have it.
func (l *Learner) hasRestored() bool {
	d := &l.control.state.Descent
	return l.state.Applied >= d.Upto && l.state.FirstIndex <= d.First
}

// ofAncestor completes what is known of a command whose session may be of a log that this
// one was restored from: it is where it is among what was restored, or nothing is known of it.
// A learner that has not got all of that yet cannot tell.
func (l *Learner) ofAncestor(id paxos.SessionID, f *paxos.Found) {
	log, is := l.control.state.AncestorOf(id.Birth())
	switch {
	case !is:
	case f.Index != 0:
		f.Closed, f.Expired = true, false
	case l.state.Applied < l.control.state.Descent.Upto:
		*f = paxos.Found{Nonce: f.Nonce, Future: true}
	case !l.hasRestored(): // some of it was trimmed: f says that nothing is known
	default: // who does not know OfAncestor must not take it for none
		*f = paxos.Found{Nonce: f.Nonce, Future: true, OfAncestor: true, Ancestor: log}
	}
}
