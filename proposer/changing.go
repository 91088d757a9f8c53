package proposer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// memberOrder is a change of the acceptors that somebody waits for. It takes a campaign of its
// own: the leader asks a quorum of both configurations, and, if the change replaces a member,
// nothing of that one (package configuration, R3 and R7). In office it decides alpha, if that is
// not decided; lets appends wait until all that is in flight is chosen and held; proposes the
// change; and fills with no-ops what lies below the instance where it comes in force.
type memberOrder struct {
	asker  paxos.NodeID
	nonce  uint64
	change configuration.Change
	at     paxos.Instance // of the change; 0 while it is not proposed
	giveUp paxos.Timer    // when it is given up if it is not proposed: appends wait for it
	answer paxos.Membered
}

// dropOrder ends the order that is under way, if there is one, and says why.
func (p *Proposer) dropOrder(why string) {
	o := p.order
	if o == nil {
		return
	}
	p.order = nil
	p.Info("the acceptors are not changed", "reason", why)
	if o.at != 0 { // it is proposed
		p.Send(o.asker, &paxos.Unsettled{Nonce: o.nonce, Why: why + mayBeDone})
		return
	}
	p.Send(o.asker, &paxos.Membered{Nonce: o.nonce, Why: why})
}

// tickOrder gives an order up that cannot be proposed, since too few hold what is chosen.
func (l *leading) tickOrder(p *Proposer) {
	if o := p.order; o != nil && o.at == 0 && o.giveUp.Due(p.now) {
		p.members.After, p.members.From = configuration.Group{}, 0
		p.dropOrder(fmt.Sprintf("no quorum of the acceptors that stay holds everything up to instance %d within %d ms: `paxlog member list` shows who is behind", l.chosenUpTo, p.cfg.StallTicks))
	}
}

// nextOrder is when tickOrder has something to do.
func (p *Proposer) nextOrder() paxos.Ticks {
	if o := p.order; o != nil && o.at == 0 {
		return o.giveUp.At()
	}
	return paxos.Never
}

// change goes on with the order that is under way. It reports whether appends wait for that.
func (l *leading) change(p *Proposer) (waits bool) {
	o, d := p.order, &l.deciding
	switch h := &p.control.Members; {
	case o.at != 0:
		if l.chosenUpTo >= p.members.From-1 && p.members.From != configuration.Unset {
			p.order = nil
			p.Info("the acceptors have changed", "epoch", o.change.Config.Epoch, "from_instance", uint64(p.members.From))
			o.answer.Nonce, o.answer.From = o.nonce, p.members.From
			l.describe(p, &o.answer)
			p.Send(o.asker, &o.answer)
		}
		return false
	case h.Alpha == 0:
		if d.waiting == nil && d.proposed <= l.chosenUpTo {
			d.waiting = control.Batch(control.Alpha{Alpha: max(configuration.LeastAlpha, paxos.Instance(p.cfg.Window))})
		}
		return false
	}
	if !l.mayChange(p) || !l.room(p) {
		return true
	}
	o.at, l.changeAt = l.next, l.next
	p.members.From = l.next + p.control.Members.Alpha
	p.Info("the acceptors are to change", "epoch", o.change.Config.Epoch, "instance", uint64(o.at), "in_force_from", uint64(p.members.From))
	d.proposed = l.next
	l.propose(p, l.next, paxos.Value{Origin: l.ballot, Time: p.wall, Batch: control.Batch(control.Change{Change: o.change})}, false)
	l.next++
	return false
}

// mayChange is R7b: everything below the next instance is chosen, and a Phase 2 quorum, without
// the member that is replaced, holds it.
func (l *leading) mayChange(p *Proposer) bool {
	return len(l.open) == 0 && l.chosenUpTo == l.next-1 && p.members.Before.IsPhase2(l.holding(l.chosenUpTo))
}

// holding are the acceptors that hold everything up to an instance, as far as heard.
func (l *leading) holding(upTo paxos.Instance) (s paxos.Set) {
	for i, held := range l.held {
		if held >= upTo {
			s = s.With(i)
		}
	}
	return s
}

// window is how many instances may be in flight: R3 allows alpha.
func (l *leading) window(p *Proposer) paxos.Instance {
	w := paxos.Instance(p.cfg.Window)
	if alpha := p.control.Members.Alpha; alpha != 0 {
		w = min(w, alpha)
	}
	return w
}

// mayReach is R3 at the next instance: where a configuration would be in force that is proposed
// below and not known to be chosen, nothing is proposed.
func (l *leading) mayReach(p *Proposer) bool {
	if l.below && !p.members.After.IsZero() && l.next >= p.members.From {
		return false
	}
	return l.changeAt == 0 || l.chosenUpTo >= l.changeAt || l.next < p.members.From
}

// isBelow reports whether this leader has got chosen all that it may propose, below the next
// configuration, of which its Phase 1 has no quorum.
func (l *leading) isBelow(p *Proposer) bool {
	return l.below && !p.members.After.IsZero() && l.chosenUpTo+1 >= p.members.From
}

// goOn campaigns once more, among the members of the configuration that is in force now. By then
// a newcomer can arrive: it holds all below.
func (l *leading) goOn(p *Proposer) {
	l.keepOffice(p, fmt.Sprintf("%s renews its ballot first: try again", p.cfg.ID))
	l.refuseQueue(p, paxos.RefuseNoLeader, "the leader renews its ballot")
	p.campaign(fmt.Sprintf("the configuration of instance %d is in force", p.members.From), rejoiner{})
}

// isComing reports whether the next configuration is not in force at the next instance, and has
// been proposed.
func (l *leading) isComing(p *Proposer) bool {
	e := &p.members
	return !e.After.IsZero() && e.From != configuration.Unset && l.next < e.From
}

// isComplete is R8: a Phase 2 quorum of the newest configuration holds everything below the
// instance from which on it is in force.
func (l *leading) isComplete(p *Proposer) bool {
	e := &p.members
	return e.After.IsZero() || e.From != configuration.Unset && l.chosenUpTo >= e.From-1 && e.After.IsPhase2(l.holding(e.From-1))
}

// describe adds how the acceptors are.
func (l *leading) describe(p *Proposer, m *paxos.Membered) {
	h := p.newest()
	m.Epoch, m.Phase1, m.Phase2, m.Coming = h.Now.Epoch, int(h.Now.Phase1), int(h.Now.Phase2), l.coming(p)
	fresh := p.not(l.gone)
	add := func(s paxos.MemberState) {
		s.Role = paxos.RoleAcceptor
		if i := p.place(s.ID); i >= 0 {
			s.Held, s.Votes = l.held[i], fresh.Has(i)
		} else if j, ok := p.joiners[s.ID]; ok {
			s.Held = j.held
		}
		s.Up = p.up[s.ID]
		s.Behind = uint64(l.chosenUpTo - min(s.Held, l.chosenUpTo))
		m.List = append(m.List, s)
	}
	for _, a := range h.Now.Acceptors {
		// An acceptor that was not there when the log began has none in it: it is as this leader met it.
		add(paxos.MemberState{ID: a.ID, Addr: a.Addr, Incarnation: cmp.Or(a.Incarnation, p.known[a.ID]), IsMember: true})
	}
	for _, id := range p.joinersInOrder() {
		if _, is := h.Now.Find(id); !is {
			add(paxos.MemberState{ID: id, Addr: p.joiners[id].addr, Incarnation: p.known[id]})
		}
	}
	for _, a := range h.Gone {
		add(paxos.MemberState{ID: a.ID, Addr: a.Addr, Incarnation: a.Incarnation, Gone: true})
	}
	p.describeRoster(m)
}

// joiner is an acceptor that is no member, and copies the log.
type joiner struct {
	addr string
	held paxos.Instance
}

// maxJoiners bounds those that are remembered.
const maxJoiners = 16

func (p *Proposer) onJoin(from paxos.NodeID, m *paxos.Join) {
	if _, known := p.joiners[from]; p.up[from] && p.known[from] != 0 && (known || len(p.joiners) < maxJoiners) {
		p.joiners[from] = joiner{m.Addr, m.Held}
	}
}

func (p *Proposer) joinersInOrder() (ids []paxos.NodeID) {
	for id := range p.joiners {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// joinerIDs are they as people read it.
func (p *Proposer) joinerIDs() string {
	var ids []string
	for _, id := range p.joinersInOrder() {
		ids = append(ids, string(id))
	}
	return cmp.Or(strings.Join(ids, ", "), "none")
}
