package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
)

// retaining is how a leader keeps the log within what the log itself says (package control).
// It has a checkpoint made when so much has come that it should be possible to trim up to
// there, and trims when a complete one shows that there is too much.
type retaining struct {
	commands uint64      // of sessions, chosen since the newest Mark, or since this leader began
	fresh    bool        // something but control values was, as far as is known
	again    paxos.Timer // before it no checkpoint is asked for by age or entries
	trimmed  paxos.Index // up to which a trim was proposed

	changed bool        // something was chosen since the last look
	at      paxos.Timer // when to look although nothing was
	to      paxos.Index // up to which entries were beyond Retention then
	mark    bool        // and whether it needed a checkpoint
}

// took takes a value that was chosen.
func (r *retaining) took(p *Proposer, v *paxos.Value) {
	r.changed = true
	if len(v.Batch) == 0 || paxos.IsControl(v.Batch) {
		return
	}
	r.fresh = true
	if p.control.Retention.Entries > 0 {
		r.commands += commandsIn(v.Batch)
	}
}

// commandsIn is how many commands of sessions a batch has, of which learners may drop some.
func commandsIn(batch []byte) (n uint64) {
	for len(batch) > 0 {
		run, rest, err := paxos.NextRun(batch)
		if err != nil {
			return n
		}
		n += run.Count
		batch = rest
	}
	return n
}

// marked begins anew at a Mark that was chosen.
func (r *retaining) marked(p *Proposer) {
	r.commands, r.fresh, r.mark, r.changed = 0, false, false, true
	r.again.Set(p.now + markPause)
}

// needsMark reports whether Retention needs a checkpoint.
func (r *retaining) needsMark(p *Proposer, grown int) bool {
	keep, newest := p.control.Retention, p.control.Newest()
	switch {
	case !r.fresh:
		return false
	case keep.Bytes > 0 && grown >= max(int(keep.Bytes/control.RetentionShare), markShare*int(newest.Size)):
		return true
	case !r.again.Due(p.now):
		return false
	case keep.Entries > 0 && r.commands >= max(1, keep.Entries/control.RetentionShare):
		return true
	}
	return keep.Age > 0 && r.untilMark(p) <= 0
}

// untilMark is how long it takes until Age needs a checkpoint.
func (r *retaining) untilMark(p *Proposer) paxos.Ticks {
	if p.control.Retention.Age == 0 || !r.fresh {
		return paxos.Never
	}
	since := paxos.Ticks((p.wall - p.control.Newest().Time) / 1e6)
	return max(p.control.Retention.Age/control.RetentionShare-since, r.again.At()-p.now)
}

// look looks at what Retention asks for, when something was chosen or its time has come. The wall
// clock decides what is old, and may run otherwise than the one that a machine is driven by: so it
// is looked at only when that one says so.
func (r *retaining) look(p *Proposer, grown int) {
	if !r.changed && !r.at.Due(p.now) {
		return
	}
	r.changed = false
	r.to, r.mark = p.control.Beyond(p.wall), r.needsMark(p, grown)
	wait := p.control.NextBeyond(p.wall)
	if !r.mark { // else the next look is when that checkpoint is complete
		wait = min(wait, r.untilMark(p))
	}
	if r.fresh && !r.again.Due(p.now) && p.control.Retention.Entries > 0 {
		wait = min(wait, r.again.At()-p.now)
	}
	r.at.Stop()
	if wait != paxos.Never {
		r.at.Set(p.now + max(wait, 1))
	}
}

// trims reports whether Retention asks for a trim that was not proposed yet.
func (r *retaining) trims() bool { return r.to > r.trimmed }

// settling is a setting that somebody waits for: how much is kept, or a hold.
type settling struct {
	asker    paxos.NodeID
	nonce    uint64
	command  control.Command
	proposed bool
}

// onSettle answers how much of the log is kept, and sets it before if it is asked to.
func (p *Proposer) onSettle(from paxos.NodeID, m *paxos.Settle) {
	c := control.SetRetention{Retention: control.Retention{Age: m.Age, Bytes: m.Bytes, Entries: m.Entries}}
	p.onSetting(from, m.Nonce, c, m.Set && c.Retention != p.control.Retention)
}

// onRetain sets, moves or releases a hold.
func (p *Proposer) onRetain(from paxos.NodeID, m *paxos.Retain) {
	c := control.SetHold{Hold: paxos.Hold{Name: m.Name, At: m.At}}
	if m.At > 0 {
		c.Time = p.wall
	}
	p.onSetting(from, m.Nonce, c, true)
}

// onAdjust answers what the log decides of how much everybody may have, and changes that before if it is
// asked to.
func (p *Proposer) onAdjust(from paxos.NodeID, m *paxos.Adjust) {
	c := control.Adjust{Setting: m.Setting, Unset: m.Unset}
	after, may := p.control.Settings.With(c)
	p.onSetting(from, m.Nonce, c, (m.Set || m.Unset) && (!may || !slices.Equal(after, p.control.Settings)))
}

// settingAnswer tells somebody who asked about settings what there is, or why nothing was done.
func (p *Proposer) settingAnswer(nonce uint64, c control.Command, why string) paxos.Message {
	_, adjusts := c.(control.Adjust)
	switch {
	case adjusts && why != "":
		return &paxos.Adjusted{Nonce: nonce, Why: why}
	case adjusts:
		return &paxos.Adjusted{Nonce: nonce, Sessions: p.control.SessionLimit(), List: slices.Clone(p.control.Settings)}
	case why != "":
		return &paxos.Settled{Nonce: nonce, Why: why}
	}
	return p.settled(nonce)
}

// onSetting takes a setting that is to be made, or answers what there is.
func (p *Proposer) onSetting(from paxos.NodeID, nonce uint64, c control.Command, change bool) {
	l, leads := p.phase.(*leading)
	why := ""
	switch need := control.Needs(c); {
	case !leads:
		why = fmt.Sprintf("%s does not lead (`paxlog status` shows who does)", p.cfg.ID)
	case p.control.Level < need:
		what := map[uint64]string{control.LevelRetention: "retention needs", control.LevelHolds: "holds need", control.LevelSettings: "settings need"}[need]
		why = fmt.Sprintf("the log has level %d, and %s level %d (`paxlog upgrade status`)", p.control.Level, what, need)
	case !change:
		p.Send(from, p.settingAnswer(nonce, c, ""))
		return
	case l.deciding.settling != nil:
		why = "another setting is under way: try again when that is done"
	case p.stopping || l.handing != nil:
		why = fmt.Sprintf("%s hands over: try again", p.cfg.ID)
	default:
		why = p.refusesSetting(c)
	}
	if why != "" {
		p.Send(from, p.settingAnswer(nonce, c, why))
		return
	}
	l.deciding.settling = &settling{asker: from, nonce: nonce, command: c}
}

// refusesSetting says why a setting would change nothing, or no process would know it; "" if it
// can be made.
func (p *Proposer) refusesSetting(c control.Command) string {
	s := &p.control
	switch c := c.(type) {
	case control.SetRetention:
		if !c.Retention.Valid() {
			return "no log can keep so much"
		}
	case control.SetHold:
		switch has := s.Holds.Has(c.Name); {
		case !paxos.IsName(c.Name):
			return fmt.Sprintf("%.64q is no name of a hold: it has 1 to 64 letters, digits, and characters out of `-_.`", c.Name)
		case c.At == 0 && !has:
			return fmt.Sprintf("there is no hold %s (`paxlog hold list` shows those that there are)", c.Name)
		case c.At != 0 && c.At < s.FirstIndex:
			return fmt.Sprintf("%d was trimmed already, so nobody can hold it: the first index is %d", c.At, s.FirstIndex)
		case c.At >= paxos.Bound:
			return fmt.Sprintf("no log reaches index %d", c.At)
		case !has && len(s.Holds) >= control.MaxHolds:
			return fmt.Sprintf("a log has at most %d holds: release one that is not needed any more (`paxlog hold list`)", control.MaxHolds)
		}
	case control.Adjust:
		switch _, may := s.Settings.With(c); {
		case !c.IsValid():
			return fmt.Sprintf("no log can have %s at %d (`paxlog settings set --help` shows what there is)", c.KeyText(), c.Value)
		case !may:
			return fmt.Sprintf("a log has at most %d settings: set one to default that is not needed any more (`paxlog settings show`)", control.MaxSettings)
		}
	}
	return ""
}

func (p *Proposer) settled(nonce uint64) *paxos.Settled {
	s := &p.control
	newest := s.Newest()
	return &paxos.Settled{
		Nonce: nonce, Age: s.Retention.Age, Bytes: s.Retention.Bytes, Entries: s.Retention.Entries, Holds: slices.Clone(s.Holds),
		First: s.FirstIndex, Checkpoint: newest.Next, At: newest.Time, Kept: newest.Bytes - min(newest.Bytes, s.Base.Bytes),
	}
}

// settle proposes a setting that somebody waits for, and answers when it is chosen. It is judged
// once more by what was chosen since it was asked for: a trim may have come before a hold.
func (l *leading) settle(p *Proposer) {
	d := &l.deciding
	w := d.settling
	if w == nil || !l.isFree() || !l.room(p) || p.stopping { // when nextDecide asks for no time
		return
	}
	if w.proposed {
		d.settling = nil
		p.Send(w.asker, p.settingAnswer(w.nonce, w.command, ""))
		return
	}
	if why := p.refusesSetting(w.command); why != "" {
		d.settling = nil
		p.Send(w.asker, p.settingAnswer(w.nonce, w.command, why))
		return
	}
	w.proposed = true
	d.waiting = control.Batch(w.command)
}
