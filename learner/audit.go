package learner

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// auditing finds out whether this learner, or the one that has told another chain, has what
// was chosen. From the newest instance at which both had the same on, it fetches what
// acceptors hold, page by page, and computes the chain of it. Where that is first another one
// than this learner has, it asks all acceptors what they hold there.
type auditing struct {
	peer paxos.NodeID   // whose chain
	at   paxos.Instance // where that differs from this learner's

	next  paxos.Instance // what is looked at next
	chain paxos.Chain    // of what acceptors hold below
	own   []paxos.Chain  // this learner's from next on, as its disk has them
	tag   uint64         // of the load of own, 0 if none is under way

	place  int          // rotation over acceptors
	source paxos.NodeID // of the page that is waited for, "" if none is
	nonce  uint64
	failed int         // sources in a row that did not help
	asked  paxos.Ticks // when
	wake   paxos.Timer // when the next page is asked for, or this one given up

	// voices are what acceptors hold at next, once that differs: a chain stands for the value.
	voices []voice
	split  bool
}

type voice struct {
	place int
	chain paxos.Chain
}

// beginAudit is called when the chain of another learner is not this one's. Which of the two
// is wrong they do not vote on. A learner that lies can make the others do this again and
// again: so they rest for twice as long each time, and serve meanwhile.
func (l *Learner) beginAudit(s *source, said paxos.Chained) {
	if l.audit != nil || !s.again.Due(l.now) {
		return
	}
	s.again.Set(l.now + auditRest<<min(s.audits, auditDoublings))
	s.audits++
	from := l.common(s, said.Instance)
	l.Warn("another learner has another chain than this one: what was chosen is fetched again, to find out who is wrong", "peer", string(s.id),
		"instance", uint64(said.Instance), "from", uint64(from.Instance+1))
	l.audit = &auditing{peer: s.id, at: said.Instance, next: from.Instance + 1, chain: from.Chain}
	l.audit.load(l)
}

// common is the newest instance below i of which the chain is known to be right, or to be
// the same at s: where both agreed, a complete checkpoint, or where the log begins here.
func (l *Learner) common(s *source, i paxos.Instance) paxos.Chained {
	best := paxos.Chained{Instance: l.state.FirstInstance - 1, Chain: l.state.Below}
	consider := func(c paxos.Chained) {
		if c.Instance < i && c.Instance > best.Instance && !c.Chain.IsZero() {
			best = c
		}
	}
	consider(s.agreed)
	for _, c := range l.control.state.Complete {
		consider(paxos.Chained{Instance: c.T, Chain: c.Chain})
	}
	return best
}

// load reads this learner's own chains.
func (a *auditing) load(l *Learner) {
	a.tag = l.load(paxos.Load{Kind: paxos.LoadVotes, From: a.next, To: a.at, MaxBytes: l.cfg.PageBytes}, a)
}

func (a *auditing) loaded(l *Learner, m *paxos.Loaded) {
	a.tag = 0
	if len(m.Votes) == 0 || m.Votes[0].Instance != a.next {
		l.giveUpAudit("what is to be compared was trimmed")
		return
	}
	a.own = m.Chains
	a.fetch(l)
}

// fetch asks an acceptor for the values, another one after each failure. Acceptors may not
// know yet that what was applied just now is chosen.
func (a *auditing) fetch(l *Learner) {
	acceptors := l.members.Acceptors
	for range acceptors {
		a.place = (a.place + 1) % len(acceptors)
		s := l.sources.of(acceptors[a.place])
		if s != nil && s.up && !s.stranger && s.held >= a.next && s.first <= a.next {
			l.auditNonce++
			a.source, a.nonce, a.asked = s.id, l.auditNonce, l.now
			a.wake.Set(l.now + slowRetries*l.cfg.RetryTicks)
			l.Send(s.id, &paxos.Fetch{Nonce: a.nonce, From: a.next, Values: true})
			return
		}
	}
	a.source = ""
	if a.failed++; a.failed >= auditTries {
		l.giveUpAudit("no acceptor holds what is to be compared, or none can be reached")
		return
	}
	a.wake.Set(l.now + l.cfg.RetryTicks)
}

// nextAudit is when tickAudit has something to do.
func (l *Learner) nextAudit() paxos.Ticks {
	if l.audit == nil || l.audit.tag != 0 {
		return paxos.Never
	}
	return l.audit.wake.At()
}

func (l *Learner) tickAudit() {
	a := l.audit
	if l.now < l.nextAudit() {
		return
	}
	switch {
	case a.split:
		l.judge()
	case a.source != "":
		a.fail(l)
	default:
		a.fetch(l)
	}
}

// fail goes on with another acceptor, unless none has helped.
func (a *auditing) fail(l *Learner) {
	if a.failed++; a.failed >= auditTries {
		l.giveUpAudit("no acceptor shows what is to be compared")
		return
	}
	a.fetch(l)
}

// onAudited takes a page of what an acceptor holds, and reports whether m was one that the
// audit asked for.
func (l *Learner) onAudited(s *source, m *paxos.Page) bool {
	a := l.audit
	if a == nil || s.kind != paxos.RoleAcceptor || a.nonce != m.Nonce || s.stranger {
		return false
	}
	switch {
	case a.split:
		l.onVoice(s, m)
	case a.source == s.id:
		l.onAuditPage(m)
	default:
		return false
	}
	return true
}

func (l *Learner) onAuditPage(m *paxos.Page) {
	a := l.audit
	before := a.next
	a.source = ""
	for n := range m.Values {
		v := &m.Values[n]
		if v.Instance != a.next || v.Instance > m.Held || len(a.own) == 0 {
			break
		}
		if !a.chain.IsZero() || !a.own[0].IsZero() {
			chain := a.chain.Next(a.next, &v.Value)
			if chain != a.own[0] {
				l.split()
				return
			}
			a.chain = chain
		}
		a.own = a.own[1:]
		a.next++
	}
	switch {
	case a.next == before:
		a.fail(l)
	case a.next > a.at:
		l.Warn("this learner has what acceptors hold: the other one is wrong, or says something else than it has", "peer", string(a.peer), "instance", uint64(a.at))
		l.endAudit()
	case len(a.own) == 0:
		a.failed = 0
		a.load(l)
	default:
		a.failed = 0
		a.wake.Set(l.now + pause*(l.now-a.asked)) // clients have the others' time
	}
}

// split asks all acceptors what they hold at the first instance that differs.
func (l *Learner) split() {
	a := l.audit
	a.split = true
	l.auditNonce++
	a.nonce = l.auditNonce
	a.wake.Set(l.now + slowRetries*l.cfg.RetryTicks)
	for _, id := range l.members.Acceptors {
		if s := l.sources.of(id); s != nil && s.up && !s.stranger {
			l.Send(id, &paxos.Fetch{Nonce: a.nonce, From: a.next, Values: true})
		}
	}
}

// onVoice takes what one acceptor holds there.
func (l *Learner) onVoice(s *source, m *paxos.Page) {
	a := l.audit
	if s.place < 0 || len(m.Values) == 0 || m.Values[0].Instance != a.next || a.next > m.Held {
		return
	}
	for _, x := range a.voices {
		if x.place == s.place {
			return
		}
	}
	a.voices = append(a.voices, voice{s.place, a.chain.Next(a.next, &m.Values[0].Value)})
	if len(a.voices) == len(l.members.Acceptors) {
		l.judge()
	}
}

// judge ends an audit that has found another value. This learner is wrong if a Phase 2
// quorum holds that other value, which is what it means that it was chosen. The word of fewer
// ends nobody's service: they may be the ones whose disks have changed.
func (l *Learner) judge() {
	a := l.audit
	force := l.members.At(a.next)
	var others, own paxos.Set
	for _, x := range a.voices {
		if x.chain == a.own[0] {
			own = own.With(x.place)
		}
	}
	for _, x := range a.voices {
		var same paxos.Set
		for _, y := range a.voices {
			if y.chain == x.chain && x.chain != a.own[0] {
				same = same.With(y.place)
			}
		}
		if force.IsPhase2(same) {
			others = same
		}
	}
	if others != 0 && !force.IsPhase2(own) {
		l.condemn(fmt.Sprintf("from instance %d on at the latest its log is not what was chosen", a.next), a.next)
		return
	}
	l.giveUpAudit(fmt.Sprintf("of %d acceptors too few hold one value of instance %d: compare their directories with `paxlog inspect --verify`", len(a.voices), a.next))
}

// giveUpAudit ends an audit that has found out nothing. What differs is told again, and then
// looked at again.
func (l *Learner) giveUpAudit(why string) {
	l.Warn("it could not be found out which learner is wrong: "+why, "peer", string(l.audit.peer), "instance", uint64(l.audit.at))
	l.endAudit()
}

// endAudit ends an audit, if one is under way.
func (l *Learner) endAudit() {
	if a := l.audit; a != nil && a.tag != 0 {
		l.abandon(a.tag)
	}
	l.audit = nil
}

// condemn ends this learner's service for good: what it has is not what follows from what was
// chosen, as far as instance i shows. That is written before anything else is told, so that a
// restart does not forget it.
func (l *Learner) condemn(why string, i paxos.Instance) {
	if l.wrong != "" {
		return
	}
	l.wrong = why
	l.Write(paxos.SetWrong{Why: why})
	l.Out.Sync = true
	l.checkpoint = checkpointing{}
	l.abandonReplay()
	l.endAudit()
	l.sayWrong(i)
}

// sayWrong says what a wrong learner is good for. It does so at each start, too.
func (l *Learner) sayWrong(i paxos.Instance) {
	l.Warn("this learner is wrong: "+l.wrong+"; it serves nobody any more. Keep its directory if you want to find out why, and make another one "+
		"(`paxlog init`), so that it learns again from the others", "instance", uint64(i))
}

// silence takes back what a wrong learner was about to tell clients and whoever copies from
// it (R2). What operators ask it answers.
func (l *Learner) silence() {
	if l.wrong == "" {
		return
	}
	l.Out.SendNow = slices.DeleteFunc(l.Out.SendNow, func(e paxos.Envelope) bool {
		switch e.Msg.(type) {
		case *paxos.StatusReply, *paxos.Drained, *paxos.Poll, *paxos.Fetch:
			return false
		}
		return true
	})
}
