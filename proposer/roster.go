package proposer

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/configuration"
	"github.com/paxlog/paxlog/paxos/control"
)

// Who the proposers and learners are stands in the log, once somebody has changed it. It needs no
// campaign and no instance from which it is in force: no quorum is counted of them.

// enrol takes a roster that is newer than the one known here. What acceptors showed is a hint:
// whoever leads goes on from what was chosen.
func (p *Proposer) enrol(r configuration.Roster) {
	if r.Version <= p.named.Version && (len(r.List) == 0 || p.named.List != nil) {
		return
	}
	was := p.isEnrolled()
	p.named = r
	p.deriveRoster()
	if _, waits := p.phase.(*standby); waits && was != p.isEnrolled() {
		p.standBy(p.reason, 0) // it is patient for another time from now on
	}
}

// deriveRoster goes by the roster that is known, or by a newer one that is tried.
func (p *Proposer) deriveRoster() {
	p.enrolled = p.named
	if t := p.tried.state; t != nil && t.Roster.Version > p.named.Version {
		p.enrolled = t.Roster
	}
	p.learners = p.enrolled.Of(paxos.RoleLearner)
}

// enrolChosen takes the roster of the log that this process leads, by what was chosen: whatever
// somebody has shown, of whom a Phase 1 quorum knows nothing, is dropped.
func (p *Proposer) enrolChosen(r configuration.Roster) {
	switch {
	case r.Version > 0:
		p.named = r
	case p.named.Version > 0:
		p.named = configuration.Enrol(p.cfg.Processes)
	case p.tried.state == nil:
		return
	}
	p.tried.by, p.tried.state = "", nil
	p.deriveRoster()
}

// isEnrolled reports whether this process is a proposer of the log, as far as it knows: else it
// does not campaign, unless nobody has led for long. It does so then whatever it was shown: one of
// whom nobody knows may have been named in what nobody holds any more (configuration.Roster), and
// one that is named no more has that from a single acceptor, which may have made it up for all
// proposers. Acceptors promise nothing to whom the log does not name, and Phase 1 shows whether it
// does.
func (p *Proposer) isEnrolled() bool { return names(&p.enrolled, p.cfg.ID) }

func names(r *configuration.Roster, id paxos.NodeID) bool {
	x, is := r.Find(id)
	return is && x.Role == paxos.RoleProposer || len(r.List) == 0
}

// isNamed reports whether the log names this process, by what its Phase 1 has found.
func (p *Proposer) isNamed(state control.State, held paxos.Instance, values map[paxos.Instance]paxos.Value, reported []paxos.Instance) bool {
	for _, i := range reported {
		if v := values[i]; i > held && paxos.IsControl(v.Batch) {
			if next, err := state.Apply(i, v.Batch, p.cfg.Knows); err == nil {
				state = next
			}
		}
	}
	r := state.Roster
	if r.Version == 0 {
		r = configuration.Enrol(p.cfg.Processes)
	}
	return names(&r, p.cfg.ID)
}

func (p *Proposer) notEnrolled() string {
	return fmt.Sprintf("%s is no proposer of this log: `paxlog member add %s --role proposer --addr HOST:PORT` makes it one; if it was one, it can be stopped", p.cfg.ID, p.cfg.ID)
}

// tellDirectory tells clients who the processes are, when that has changed.
func (p *Proposer) tellDirectory() {
	h, r, told := p.newest(), &p.enrolled, p.directory
	if told == nil && !h.Changed() && r.Version == 0 || told != nil && told.Epoch >= h.Now.Epoch && told.Version >= r.Version {
		return
	}
	p.directory = control.DirectoryOf(&h, r)
	for _, c := range p.clients {
		p.Send(c, p.directory)
	}
}

// Roster is the newest that this process has heard of.
func (p *Proposer) Roster() *configuration.Roster { return &p.enrolled }

// rosterOrder is a roster that somebody waits for.
type rosterOrder struct {
	asker    paxos.NodeID
	nonce    uint64
	next     configuration.Roster
	answer   paxos.Membered
	proposed bool
}

// rosterNow is what a change begins with: what was chosen, and before the first change what the
// cluster file says.
func (p *Proposer) rosterNow() configuration.Roster {
	r := p.control.Roster
	if r.Version == 0 {
		r = configuration.Enrol(p.cfg.Processes)
	}
	now := p.newest().Now
	return r.Only(&now)
}

// onRoster takes an order to change the proposers or learners, or says why not.
func (l *leading) onRoster(p *Proposer, from paxos.NodeID, m *paxos.Member) {
	answer := paxos.Membered{Nonce: m.Nonce}
	var next configuration.Roster
	if answer.Why = l.refusesChange(p, "proposers and learners", control.LevelRoster); answer.Why == "" {
		next, answer.Why = p.rosterOf(m, &answer)
	}
	if answer.Why == "" {
		answer.Why = p.risksOf(m, &next, &answer)
	}
	if answer.Why != "" || m.Plan {
		l.describe(p, &answer)
		p.Send(from, &answer)
		return
	}
	l.deciding.roster = &rosterOrder{asker: from, nonce: m.Nonce, next: next, answer: answer}
}

// isOfRoster reports whether an order is one about proposers or learners.
func (p *Proposer) isOfRoster(m *paxos.Member) bool {
	if m.Order == paxos.MemberAdd {
		return m.Role == paxos.RoleProposer || m.Role == paxos.RoleLearner
	}
	r := p.rosterNow()
	x, is := r.Find(m.ID)
	return is && x.Role != paxos.RoleAcceptor
}

// rosterOf is the roster that m asks for, or why there is none.
func (p *Proposer) rosterOf(m *paxos.Member, answer *paxos.Membered) (next configuration.Roster, why string) {
	now := p.rosterNow()
	comes := configuration.Process{Role: m.Role, ID: m.With, Addr: m.Addr}
	if m.Order != paxos.MemberAdd {
		gone, is := now.Find(m.ID)
		switch {
		case !is || gone.Role == paxos.RoleAcceptor:
			return next, fmt.Sprintf("%s is no process of this log: `paxlog member list` shows them", m.ID)
		case m.Role != 0 && m.Role != gone.Role:
			return next, fmt.Sprintf("%s is a %s, and no %s", m.ID, gone.Role, m.Role)
		case m.ID == p.cfg.ID && m.With != m.ID:
			return next, fmt.Sprintf("%s leads: `paxlog leader transfer` first, and then try again", m.ID)
		}
		comes.Role = gone.Role
	}
	if m.Order == paxos.MemberRemove {
		comes = configuration.Process{}
	} else {
		members, found := p.newest(), false
		for _, a := range slices.Concat(members.Now.Acceptors, members.Gone) {
			found = found || a.ID == comes.ID
		}
		if other, is := now.Find(comes.ID); is && (m.Order == paxos.MemberAdd || m.With != m.ID) || found {
			return next, fmt.Sprintf("%s is a process of this log already, or was an acceptor of it (%s %s): take another id", comes.ID, other.Role, other.Addr)
		}
		if comes.Role == paxos.RoleLearner && now.IsGone(comes.ID) {
			return next, fmt.Sprintf("%s was a process of this log, and nobody lets it copy the log as a learner: take another id", comes.ID)
		}
	}
	next = now.With(comes, m.ID)
	if err := next.Valid(); err != nil {
		return next, err.Error()
	}
	return next, ""
}

// risksOf counts how many proposers may be lost before and after a change, as far as they are
// connected here, and returns why that is too few, or "". Whether learners have what they need is
// asked by who wants them changed: a leader hears of none.
func (p *Proposer) risksOf(m *paxos.Member, next *configuration.Roster, answer *paxos.Membered) string {
	lives := func(r *configuration.Roster) (n int) {
		for _, id := range r.Of(paxos.RoleProposer) {
			if id == p.cfg.ID || p.up[id] || id == m.With {
				n++ // the newcomer was asked by who wants it
			}
		}
		return n
	}
	now := p.rosterNow()
	answer.Before, answer.After = lives(&now)-1, lives(next)-1
	answer.During = min(answer.Before, answer.After)
	if answer.After < min(answer.Before, 1) && !m.Force {
		return fmt.Sprintf("%s may be lost now, and none after it: start another one, and add it first; --force does it all the same", proposers(answer.Before))
	}
	return ""
}

// followRoster proposes the roster that somebody waits for, and answers when it is chosen.
func (l *leading) followRoster(p *Proposer) {
	d := &l.deciding
	switch o := d.roster; {
	case o == nil || !l.isFree():
	case o.proposed:
		d.roster = nil
		o.answer.Nonce = o.nonce
		if p.control.Roster.Version < o.next.Version {
			o.answer.Why = "another change came before: try again"
		}
		l.describe(p, &o.answer)
		p.Send(o.asker, &o.answer)
	default:
		o.proposed = true
		d.waiting = control.Batch(control.SetRoster{Roster: o.next})
	}
}

// describeRoster adds who the proposers and learners are.
func (p *Proposer) describeRoster(m *paxos.Membered) {
	r := p.rosterNow()
	m.Version = r.Version
	for _, x := range r.List {
		switch {
		case x.Role == paxos.RoleAcceptor:
			for i := range m.List {
				if a := &m.List[i]; a.ID == x.ID && a.Addr == "" {
					a.Addr = x.Addr
				}
			}
		default:
			m.List = append(m.List, paxos.MemberState{Role: x.Role, ID: x.ID, Addr: x.Addr, IsMember: true, Up: x.ID == p.cfg.ID || p.up[x.ID]})
		}
	}
	for _, x := range r.Gone {
		m.List = append(m.List, paxos.MemberState{Role: x.Role, ID: x.ID, Addr: x.Addr, Gone: true})
	}
}

// proposers is a number of them as people read it.
func proposers(n int) string {
	if n == 1 {
		return "one proposer"
	}
	return fmt.Sprintf("%d proposers", n)
}
