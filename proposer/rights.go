package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/paxos/rights"
)

// judging is what a proposer knows of who may do what, beside the state that it leads by (package
// rights, "Who judges").
type judging struct {
	gate  rights.Gate
	heard bool           // enough acceptors have said since when rights are as they are, or it has led
	since paxos.Instance // the latest of which enough say that
	shown granted        // the latest that enough have shown
}

// believe takes what enough acceptors say by now.
func (j *judging) believe(p *Proposer) {
	if at, heard := p.grantedSince(); heard {
		j.heard, j.since = true, at
	}
	if s := p.agreed(sinceOf, sameGrants); s != nil && s.GrantedAt > j.shown.at {
		j.shown = grantedIn(s)
	}
}

// granted is who may do what, and have how much, from an instance on.
type granted struct {
	rights.Grants
	control.Settings
	at paxos.Instance
}

// grantedIn is what a state says.
func grantedIn(s *control.State) granted { return granted{s.Grants, s.Settings, s.GrantedAt} }

// ahead is who may do what once a new leader has got chosen again what its Phase 1 quorum has
// shown: somebody may have been told already that this holds.
func ahead(s control.State, values map[paxos.Instance]paxos.Value, reported []paxos.Instance, knows uint64) granted {
	for _, i := range reported {
		if v := values[i]; paxos.IsControl(v.Batch) {
			s, _ = s.Apply(i, v.Batch, knows) // what is not known has been refused
		}
	}
	return grantedIn(&s)
}

// granted returns who may do what as far as this process knows, and whether it knows that.
func (p *Proposer) granted() (g granted, known bool) {
	g = grantedIn(&p.control)
	if l, leads := p.phase.(*leading); leads {
		if l.granted.at > g.at {
			g = l.granted
		}
		return g, true
	}
	if p.judging.shown.at > g.at {
		g = p.judging.shown
	}
	return g, p.judging.heard && p.judging.since <= g.at
}

// Settings is what the log has decided of how much everybody may have, as far as this process knows, and
// the instance at which that changed last.
func (p *Proposer) Settings() (control.Settings, paxos.Instance) {
	g := grantedIn(&p.control)
	if _, leads := p.phase.(*leading); !leads && p.judging.shown.at > g.at {
		g = p.judging.shown
	}
	return g.Settings, g.at
}

// denies answers a client that may not send m, and reports whether it was one. Whoever does not lead
// does nothing for a client but to pass appends on and to be drained.
func (p *Proposer) denies(from paxos.NodeID, m paxos.Message) bool {
	g, known := p.granted()
	if denied := p.judging.gate.Judge(from, m, g.Grants); denied != nil {
		p.Send(from, denied)
		return true
	}
	if d, drains := m.(*paxos.Drain); drains && !known {
		p.Send(from, &paxos.Drained{Nonce: d.Nonce, Drained: p.drained, Why: fmt.Sprintf(
			"%s has not heard from %d acceptors yet who has which rights: try again when it reaches so many (`paxlog status`)", p.cfg.ID, p.enough())})
		return true
	}
	return false
}

// mayAppend refuses an append that its client may not send, and reports whether it has not. A
// standby looks at whose session it is, says who sent it, and leaves the rest to the leader, which
// knows more.
func (p *Proposer) mayAppend(from paxos.NodeID, m *paxos.Append) bool {
	reason, why := paxos.RefuseRights, p.refusesAppend(from, m)
	if l, leads := p.phase.(*leading); leads {
		reason, why = l.refusesNow(p, m, why)
	}
	if why != "" {
		p.refuse(from, m, reason, why)
	}
	return why == ""
}

// refusesNow is how a leader refuses an append, if it does. RefuseRights is final, so a leader that another
// one may have deposed says it of nothing that the other may have decided otherwise meanwhile.
//
// Example: p1 is cut off, p2 leads and raises the log to level 6, and grants app append. A client of app
// asks p1 to go on with a session that the log has by now. It is told to try elsewhere.
func (l *leading) refusesNow(p *Proposer, m *paxos.Append, why string) (paxos.RefuseReason, string) {
	s := &p.control
	switch {
	case why != "" && !l.isHeard(p):
		return paxos.RefuseNoLeader, fmt.Sprintf("%s may lead no more, and refuses by what it knew: %s", p.cfg.ID, why)
	case why != "" || !m.Session.IsOwned():
		return paxos.RefuseRights, why
	case !s.Log.IsZero() && !m.Session.IsOf(s.Log):
		return paxos.RefuseRights, fmt.Sprintf("session %s is of another log than %s", m.Session, s.Log)
	case s.Level < control.LevelRights:
		// Learners begin such sessions at a level that has them: another leader has raised it, or the
		// command is among what this one still has to get chosen.
		return paxos.RefuseNoLeader, fmt.Sprintf("%s knows the log at level %d, which has no such sessions: it has just been elected, or leads no more", p.cfg.ID, s.Level)
	}
	return 0, ""
}

// isHeard reports whether a Phase 2 quorum has answered what was sent within the shortest election
// timeout: until then nobody else can have been elected, but by a handover.
func (l *leading) isHeard(p *Proposer) bool {
	var heard paxos.Set
	for i, t := range l.gone {
		if p.now < t.At()-p.freshUntil(0)+p.cfg.ElectionMin {
			heard = heard.With(i)
		}
	}
	return p.members.At(l.chosenUpTo + 1).IsPhase2(heard)
}

// refusesAppend returns why whoever sent m may not, or "".
func (p *Proposer) refusesAppend(from paxos.NodeID, m *paxos.Append) string {
	g, _ := p.granted()
	_, leads := p.phase.(*leading)
	if leads && len(g.Grants) > 0 {
		if why := rights.Refuses(p.sender(from, m), m, g.Grants); why != "" {
			return why
		}
	}
	if p.owns(from, m) || !leads && m.First == 0 {
		return ""
	}
	return rights.RefusesSession(p.sender(from, m), m, g.Grants)
}

// owns reports whether the session of m is that of whoever sent it.
func (p *Proposer) owns(from paxos.NodeID, m *paxos.Append) bool {
	if _, isClient := p.judging.gate.Who(from); isClient || p.judging.gate.Blind {
		return p.judging.gate.Owns(from, &m.Session)
	}
	owner := m.Session.Owner()
	return owner == paxos.Owner{} || owner == paxos.OwnerOf(m.Principal) || m.Principal == ""
}

// vouched is what a standby says of who sent what it passes on: nothing, if it cannot tell clients
// apart.
func (p *Proposer) vouched(from paxos.NodeID, m *paxos.Append) paxos.Principal {
	if p.judging.gate.Blind {
		return ""
	}
	return p.sender(from, m)
}

// sender is whose append m is: of a client that is connected here, or as the standby that passed
// it on says. A client's own word does not count.
func (p *Proposer) sender(from paxos.NodeID, m *paxos.Append) paxos.Principal {
	who, isClient := p.judging.gate.Who(from)
	if !isClient && m.Principal != "" {
		return m.Principal
	}
	return who
}

// hearGranted takes from an acceptor since when rights are as it knows them.
func (p *Proposer) hearGranted(from paxos.NodeID, at paxos.Instance) {
	if w := p.wordOf(from); w != nil && (!w.heard || w.granted != at) {
		w.heard, w.granted = true, at
		p.judging.believe(p)
	}
}

// permitting is a change of rights that somebody waits for.
type permitting struct {
	asker    paxos.NodeID
	who      paxos.Principal
	ask      *paxos.Permit
	proposed bool
}

// onPermit answers who has which rights, and changes that before if it is asked to.
func (p *Proposer) onPermit(from paxos.NodeID, m *paxos.Permit) {
	l, leads := p.phase.(*leading)
	who, _ := p.judging.gate.Who(from)
	why := ""
	switch {
	case !leads:
		why = fmt.Sprintf("%s does not lead (`paxlog status` shows who does)", p.cfg.ID)
	case m.Grant|m.Revoke == 0:
		p.Send(from, p.permitted(m.Nonce))
		return
	case p.control.Level < control.LevelRights:
		why = fmt.Sprintf("the log has level %d, and rights need level %d (`paxlog upgrade status`)", p.control.Level, control.LevelRights)
	case l.deciding.permitting != nil:
		why = "another change of rights is under way: try again when that is done"
	case p.stopping || l.handing != nil:
		why = fmt.Sprintf("%s hands over: try again", p.cfg.ID)
	default:
		_, why = p.grantOf(who, m)
	}
	if why != "" {
		p.Send(from, &paxos.Permitted{Nonce: m.Nonce, Why: why})
		return
	}
	l.deciding.permitting = &permitting{asker: from, who: who, ask: m}
}

// grantOf is what m changes, or why it cannot be changed so, by who: package rights, "What the log
// grants".
func (p *Proposer) grantOf(who paxos.Principal, m *paxos.Permit) (c control.SetGrant, why string) {
	after, may := p.control.Grants.Changed(m.Name, m.Grant, m.Revoke)
	switch {
	case !m.Name.IsValid():
		return c, fmt.Sprintf("%.64q is no name of a principal: it has 1 to 64 letters, digits, and characters out of `-_.`", string(m.Name))
	case (m.Grant|m.Revoke)&^paxos.AllRights != 0:
		return c, "there are rights among these that this version does not know"
	case may && !after.Of(who).Has(paxos.RightAdmin):
		return c, fmt.Sprintf("then %s, who asks for it, could not undo it: ask as somebody who has admin afterwards, too", who)
	case !after.HasAdmin():
		return c, "then nobody could undo it: grant admin to somebody else first"
	case !may:
		return c, fmt.Sprintf("a log grants rights to at most %d principals: revoke one that is not needed any more", rights.MaxGrants)
	}
	return control.SetGrant{Permission: paxos.Permission{Name: m.Name, Rights: after.Named(m.Name)}}, ""
}

func (p *Proposer) permitted(nonce uint64) *paxos.Permitted {
	return &paxos.Permitted{Nonce: nonce, List: slices.Clone(p.control.Grants.List())}
}

// permit proposes a change of rights that somebody waits for, and answers when it is chosen. It is
// judged once more by what was chosen since it was asked for.
func (l *leading) permit(p *Proposer) {
	d := &l.deciding
	w := d.permitting
	if w == nil || !l.isFree() || !l.room(p) || p.stopping { // when nextDecide asks for no time
		return
	}
	c, why := p.grantOf(w.who, w.ask)
	switch {
	case w.proposed || why == "" && p.control.Grants.Named(c.Name) == c.Rights:
		d.permitting = nil
		p.Send(w.asker, p.permitted(w.ask.Nonce))
	case why != "":
		d.permitting = nil
		p.Send(w.asker, &paxos.Permitted{Nonce: w.ask.Nonce, Why: why})
	default:
		w.proposed = true
		d.waiting = control.Batch(c)
	}
}
