package acceptor

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// configure takes what the log has decided about its processes, as far as this acceptor holds
// it, and tells it to those who may know less.
func (a *Acceptor) configure() {
	h, old := &a.control.state.Members, a.members
	a.members = configuration.Sole(a.cfg.Membership)
	if h.Changed() {
		e, err := h.Electorate(1, nil)
		if err != nil {
			a.Violated("a history has an electorate", "error", err)
			return
		}
		a.members = e
	}
	version := a.enrolled
	a.enrol()
	a.admission.forgetWitnesses(a)
	a.tellGrants()
	moved := !slices.Equal(old.Acceptors, a.members.Acceptors) || old.From != a.members.From
	if moved && h.Changed() {
		v := &a.admission
		v.vouched = a.members.Translate(v.vouched, &old)
		a.survey.answered = 0
	}
	if moved && h.Changed() || version != a.enrolled {
		for _, id := range slices.Concat(a.proposers, a.sources) {
			a.tellConfiguration(id)
		}
	}
	if moved {
		a.leave()
	}
}

// enrol finds out who the proposers are, and whom this acceptor copies from: the acceptors of the
// cluster file and those that came later, and the learners.
func (a *Acceptor) enrol() {
	r := &a.control.state.Roster
	a.enrolled = r.Version
	a.proposers, a.sources = a.cfg.Proposers, a.cfg.Sources
	var later []paxos.NodeID
	if r.Version > 0 {
		a.proposers, later = r.Of(paxos.RoleProposer), r.Of(paxos.RoleLearner)
		a.sources = slices.DeleteFunc(slices.Clone(a.cfg.Sources), func(id paxos.NodeID) bool {
			return a.cfg.Membership.Place(id) < 0 && !slices.Contains(later, id)
		})
	}
	if a.control.state.Members.Changed() {
		later = slices.Concat(later, a.members.Acceptors)
	}
	for _, id := range later {
		if id != a.cfg.ID && !slices.Contains(a.sources, id) {
			a.sources = append(slices.Clip(a.sources), id)
		}
	}
}

// tellConfiguration tells a peer what the log has decided about its processes, if that is another
// thing than the cluster file says, and who may do what, if the log says so.
func (a *Acceptor) tellConfiguration(to paxos.NodeID) {
	s := &a.control.state
	tells := s.Members.Changed() || s.GrantedAt > 0 || a.enrolled > 0
	if a.up[to] && tells && (slices.Contains(a.proposers, to) || slices.Contains(a.sources, to)) {
		a.After(to, &paxos.Configured{State: a.control.encoded})
	}
}

// onConfigured hears from another acceptor that the log has decided something about its processes
// that this one does not hold: it copies that, also if nobody leads. Example: nobody but the
// proposer that was named last is left, and this acceptor would not let it through.
func (a *Acceptor) onConfigured(from paxos.NodeID, m *paxos.Configured) {
	s, err := control.Decode(m.State, a.cfg.Knows)
	if own := &a.control.state; err == nil && slices.Contains(a.sources, from) && (own.Log.IsZero() || own.Log == s.Log) && a.near(from, s.At) {
		a.known = max(a.known, s.At)
	}
}

// tellGrants tells proposers who may do what, if that has changed.
func (a *Acceptor) tellGrants() {
	if at := a.control.state.GrantedAt; a.granted != at {
		a.granted = at
		for _, id := range a.proposers {
			a.tellConfiguration(id)
		}
	}
}

// isMember reports whether this acceptor may promise and vote, as far as it holds what the log
// has decided: it is a member by the incarnation of its directory (R4); and one that came by a
// change holds everything below the instance from which on it is one. A promise of it then
// begins there, so it is counted in quorums of the new configuration only.
func (a *Acceptor) isMember() bool {
	h := &a.control.state.Members
	if !h.Changed() {
		return a.members.Place(a.cfg.ID) >= 0
	}
	was, inBefore := h.Before.Find(a.cfg.ID)
	is, inNow := h.Now.Find(a.cfg.ID)
	passed := a.held+1 >= h.From
	switch {
	case inNow && (inBefore || passed):
		return is.Incarnation == 0 || is.Incarnation == a.cfg.Incarnation
	case inBefore && !inNow && h.Replaced != a.cfg.ID && !passed:
		return was.Incarnation == 0 || was.Incarnation == a.cfg.Incarnation
	}
	return false
}

// isNewcomer reports whether this acceptor copies the log to become a member.
func (a *Acceptor) isNewcomer() bool {
	h := &a.control.state.Members
	return a.cfg.Membership.Place(a.cfg.ID) < 0 && !a.isMember() && !h.WasReplaced(a.cfg.ID)
}

// leave has one that is a member no more vote no more.
func (a *Acceptor) leave() {
	if v := &a.admission; v.admitted && a.control.state.Members.Changed() && !a.isMember() {
		v.suspend(a)
		a.Warn("this acceptor does not vote any more", "reason", a.whyNoMember())
	}
}

// whyNoMember says why an acceptor that is no member is none.
func (a *Acceptor) whyNoMember() string {
	h := &a.control.state.Members
	is, inNow := h.Now.Find(a.cfg.ID)
	switch {
	case h.Changed() && inNow && is.Incarnation != 0 && is.Incarnation != a.cfg.Incarnation:
		return fmt.Sprintf("the log names %s by incarnation %016x, and this data directory is %016x: it is another one's, or was initialised anew", a.cfg.ID, is.Incarnation, a.cfg.Incarnation)
	case h.Changed() && inNow:
		return fmt.Sprintf("it is a member from instance %d on, and holds everything up to %d so far", h.From, a.held)
	case h.WasReplaced(a.cfg.ID):
		return fmt.Sprintf("%s is an acceptor of this log no more, since instance %d: it can be switched off, and its directory deleted", a.cfg.ID, h.At)
	}
	return fmt.Sprintf("%s copies the log and is no member: `paxlog member add %s`, or `paxlog member replace ID --with %s`, makes it one", a.cfg.ID, a.cfg.ID, a.cfg.ID)
}

// isChange reports whether a value changes the acceptors.
func (a *Acceptor) isChange(batch []byte) bool {
	c, err := control.Parse(batch)
	_, is := c.(control.Change)
	return err == nil && is
}

// tickJoin has a newcomer say that it would be a member, to every proposer.
func (a *Acceptor) tickJoin() {
	if !a.isNewcomer() || !a.joined.Due(a.now) {
		return
	}
	a.joined.Set(a.now + joinTicks)
	for _, id := range a.proposers {
		if a.up[id] {
			a.Send(id, &paxos.Join{Addr: a.cfg.Addr, Held: a.held})
		}
	}
}

func (a *Acceptor) nextJoin() paxos.Ticks {
	if !a.isNewcomer() {
		return paxos.Never
	}
	return a.joined.At()
}

// of says whose the marks are that this acceptor sends, by place: nothing as long as they are
// those of the cluster file.
func (a *Acceptor) of() paxos.ByPlace[paxos.NodeID] {
	if !a.control.state.Members.Changed() {
		return nil
	}
	return a.members.Acceptors
}
