package proposer

import (
	"fmt"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// onMember takes an order to change the acceptors, or says why not.
func (p *Proposer) onMember(from paxos.NodeID, m *paxos.Member) {
	answer := paxos.Membered{Nonce: m.Nonce}
	l, leads := p.phase.(*leading)
	if !leads {
		answer.Why = fmt.Sprintf("%s does not lead (`paxlog status` shows who does)", p.cfg.ID)
		p.Send(from, &answer)
		return
	}
	if m.Order == paxos.MemberList {
		l.describe(p, &answer)
		p.Send(from, &answer)
		return
	}
	if p.isOfRoster(m) {
		l.onRoster(p, from, m)
		return
	}
	var change configuration.Change
	if m.Order == paxos.MemberCancel {
		m, answer.Why = l.cancels(p, m)
	}
	if answer.Why == "" {
		answer.Why = l.refusesChange(p, "acceptors", control.LevelMembers)
	}
	if answer.Why == "" && !l.isComplete(p) {
		answer.Why = fmt.Sprintf("the change before is not complete: a quorum of the acceptors of epoch %d has to hold everything below instance %d first; "+
			"`paxlog member list` shows who is behind", p.newest().Now.Epoch, p.members.From)
	}
	if answer.Why == "" {
		change, answer.Why = l.changeOf(p, m)
	}
	if answer.Why == "" {
		answer.Why = l.risks(p, m, change, &answer)
	}
	if answer.Why != "" || m.Plan {
		l.describe(p, &answer)
		p.Send(from, &answer)
		return
	}
	p.order = &memberOrder{asker: from, nonce: m.Nonce, change: change, answer: answer}
	p.order.giveUp.Set(p.now + p.cfg.StallTicks)
	l.refuseQueue(p, paxos.RefuseNoLeader, "the leader renews its ballot to change the acceptors")
	p.campaignFor(fmt.Sprintf("the acceptors are to change, to epoch %d", change.Config.Epoch), rejoiner{}, &configuration.Found{At: configuration.Unset, Change: change})
}

// coming is the newcomer of the newest change, as long as it has not arrived, as far as this leader
// has heard; "" if there is none.
func (l *leading) coming(p *Proposer) paxos.NodeID {
	h, answer := p.newest(), p.not(l.doubtful)
	for _, a := range h.Now.Acceptors {
		i := p.place(a.ID)
		if _, was := h.Before.Find(a.ID); h.Changed() && !was && !answer.Has(i) && (i < 0 || l.held[i]+1 < h.From) {
			return a.ID
		}
	}
	return ""
}

// cancels is the order by which the newest change is cancelled, or why there is none: another
// newcomer takes the place of the one that has not arrived, or nobody does (package configuration,
// "A newcomer that never arrives").
func (l *leading) cancels(p *Proposer, m *paxos.Member) (*paxos.Member, string) {
	h, coming := p.newest(), l.coming(p)
	switch {
	case p.now-l.since < p.cfg.ElectionMax:
		return m, fmt.Sprintf("%s has just been elected, and has not heard from everybody yet: try again", p.cfg.ID)
	case coming == "":
		return m, fmt.Sprintf("nothing is to be cancelled: the acceptors of epoch %d are %v, and none of them has still to arrive", h.Now.Epoch, acceptorsOf(h.Now))
	case m.ID != "" && m.ID != coming:
		return m, fmt.Sprintf("it is %s that has not arrived, and not %s", coming, m.ID)
	case m.With != "":
		return &paxos.Member{Nonce: m.Nonce, Order: paxos.MemberReplace, ID: coming, With: m.With, Plan: m.Plan, Force: m.Force}, ""
	}
	remove := &paxos.Member{Nonce: m.Nonce, Order: paxos.MemberRemove, ID: coming, Phase1: m.Phase1, Phase2: m.Phase2, Plan: m.Plan, Force: m.Force}
	if h.Replaced == "" && m.Phase1 == 0 { // it was added: the configuration before comes back
		remove.Phase1, remove.Phase2 = int(h.Before.Phase1), int(h.Before.Phase2)
	}
	return remove, ""
}

// refusesChange returns why those processes, which can change from a level on, cannot be changed now, or "".
func (l *leading) refusesChange(p *Proposer, which string, level uint64) string {
	switch {
	case p.control.Level < level:
		return fmt.Sprintf("the log has level %d, and its %s can change from level %d on: `paxlog upgrade status` says what keeps it", p.control.Level, which, level)
	case p.order != nil || l.deciding.roster != nil:
		return "another change is under way: `paxlog member list` shows it; try again when it is done"
	case p.stopping || l.handing != nil:
		return fmt.Sprintf("%s hands over: try again", p.cfg.ID)
	case l.next <= l.upTo:
		return fmt.Sprintf("%s has just been elected, and proposes again what others voted for: try again", p.cfg.ID)
	}
	return ""
}

// changeOf is the change that m asks for, or why there is none.
func (l *leading) changeOf(p *Proposer, m *paxos.Member) (x configuration.Change, why string) {
	h := p.newest()
	now := h.Now
	if m.Order == paxos.MemberReplace || m.Order == paxos.MemberRemove {
		if _, is := now.Find(m.ID); !is {
			return x, fmt.Sprintf("%s is no acceptor of this log: its acceptors are %v", m.ID, acceptorsOf(now))
		}
	}
	var newcomer configuration.Acceptor
	if m.Order != paxos.MemberRemove {
		if newcomer, why = l.newcomer(p, &h, m.With); why != "" {
			return x, why
		}
	}
	n := uint64(len(now.Acceptors))
	switch m.Order {
	case paxos.MemberReplace:
		x = now.Replacement(m.ID, newcomer)
	case paxos.MemberAdd:
		phase1, phase2 := sizes(m, now, n+1)
		x = now.Addition(newcomer, phase1, phase2)
	case paxos.MemberRemove:
		phase1, phase2 := sizes(m, now, n-1)
		x = now.Removal(m.ID, phase1, phase2)
	default:
		return x, fmt.Sprintf("order %d is not known here", m.Order)
	}
	if _, err := h.Electorate(l.next, &configuration.Found{At: configuration.Unset, Change: x}); err != nil {
		return x, err.Error()
	}
	return x, ""
}

// sizes are the quorums among n acceptors: those asked for, majorities if they are now, else as
// they are.
func sizes(m *paxos.Member, now configuration.Configuration, n uint64) (phase1, phase2 uint64) {
	majority := uint64(len(now.Acceptors))/2 + 1
	phase1, phase2 = now.Phase1, now.Phase2
	if phase1 == majority && phase2 == majority {
		phase1, phase2 = n/2+1, n/2+1
	}
	if m.Phase1 > 0 && m.Phase2 > 0 {
		phase1, phase2 = uint64(m.Phase1), uint64(m.Phase2)
	}
	return phase1, phase2
}

// newcomer is the acceptor that joins under an id, or why it cannot become a member.
func (l *leading) newcomer(p *Proposer, h *configuration.History, id paxos.NodeID) (a configuration.Acceptor, why string) {
	j, joins := p.joiners[id]
	_, is := h.Now.Find(id)
	switch {
	case is && !joins:
		return a, fmt.Sprintf("%s is an acceptor of this log already; if its disk is gone, `paxlog init --join --id %s --anew --data DIR` makes another directory, and those that have joined are %v", id, id.Stem(), p.joinerIDs())
	case is:
		return a, fmt.Sprintf("%s is an acceptor of this log already", id)
	case h.WasReplaced(id):
		return a, fmt.Sprintf("%s was an acceptor of this log, and does not come back: initialise the newcomer under another id", id)
	case !joins || p.known[id] == 0:
		return a, fmt.Sprintf("no acceptor %s has joined: `paxlog init --join --role acceptor --id %s --addr HOST:PORT --data DIR` on its host, and start it; "+
			"those that have joined: %s. A proposer or learner is added by `paxlog member add %s --role proposer|learner --addr HOST:PORT`", id, id, p.joinerIDs(), id)
	}
	if behind := l.chosenUpTo - min(j.held, l.chosenUpTo); behind > maxBehind {
		return a, fmt.Sprintf("%s has not caught up: it is %d instances behind, and %d is the most; try again in a while (`paxlog member list`)", id, behind, maxBehind)
	}
	return configuration.Acceptor{ID: id, Incarnation: p.known[id], Addr: j.addr}, ""
}

// risks counts how many acceptors may be lost before, while and after the change is made, and
// returns why that is too few, or "".
func (l *leading) risks(p *Proposer, m *paxos.Member, x configuration.Change, answer *paxos.Membered) string {
	fresh := p.not(l.gone)
	votes := func(c configuration.Configuration, without paxos.NodeID) (n int) {
		for _, a := range c.Acceptors {
			if a.ID != without && fresh.Has(p.place(a.ID)) {
				n++
			}
		}
		return n
	}
	need := func(c configuration.Configuration) int { return int(max(c.Phase1, c.Phase2)) }
	now := p.newest().Now
	without := votes(x.Config, "") - need(x.Config) // until a newcomer has arrived
	answer.Before = votes(now, "") - need(now)
	answer.During = votes(now, x.Replaces) - need(now)
	answer.After = without
	if m.Order != paxos.MemberRemove {
		answer.After++ // the newcomer, which has caught up
	}
	if m.Order != paxos.MemberReplace {
		answer.During = min(answer.During, answer.After)
	}
	switch {
	case m.Order == paxos.MemberReplace && len(now.Acceptors) < 3:
		return fmt.Sprintf("with %d acceptors there is no quorum without %s: what is left is to restore its directory, or a backup", len(now.Acceptors), m.ID)
	case m.Order == paxos.MemberReplace && m.With.Stem() == m.ID.Stem() && fresh.Has(p.place(m.ID)): // --force makes no difference
		return fmt.Sprintf("%s lives and votes, so its disk is not gone, and %s, which has joined for it, was begun by mistake: stop that one", m.ID, m.With)
	case answer.During < 0:
		return fmt.Sprintf("%d acceptors that vote are needed meanwhile beside %s, and there are %d: start the others first", need(now), m.ID, votes(now, x.Replaces))
	case m.Order == paxos.MemberAdd && without < 0 && answer.Before >= 0 && !m.Force:
		return fmt.Sprintf("until %s has arrived, %d acceptors that vote would be needed and there are %d: were %s lost meanwhile, nothing could be appended ever again, nor this be cancelled; "+
			"start those that are down, or replace one of them (`paxlog member replace ID --with %s`); --force adds it all the same",
			m.With, need(x.Config), votes(x.Config, ""), m.With, m.With)
	case answer.After < 0:
		return fmt.Sprintf("fewer than a quorum of %v would vote: start the others first", acceptorsOf(x.Config))
	case m.Order == paxos.MemberReplace && fresh.Has(p.place(m.ID)) && !m.Force:
		return fmt.Sprintf("%s lives and votes: add %s, and then remove %s, and the log survives as many losses at any moment; "+
			"--force replaces it although only %d may be lost meanwhile, where %d may be lost now", m.ID, m.With, m.ID, answer.During, answer.Before)
	case min(answer.During, answer.After) < answer.Before && !m.Force:
		return fmt.Sprintf("%d acceptors may be lost now, %d while the change is made, and %d after it: start those that are down first; --force does it all the same",
			answer.Before, answer.During, answer.After)
	}
	return ""
}

func acceptorsOf(c configuration.Configuration) (ids []paxos.NodeID) {
	for _, a := range c.Acceptors {
		ids = append(ids, a.ID)
	}
	return ids
}
