package learner

import "github.com/paxlog/paxlog/paxos"

// pacing is when the next page is fetched.
type pacing struct {
	wait     paxos.Ticks  // after fetches that did not help: doubles up to fetchMax
	relayed  int          // bytes of new values since a page was asked for
	resume   paxos.NodeID // the source of the next page, when its pause is over; "" if none waits
	resumeAt paxos.Timer
}

// slower waits longer before the next fetch: the last one did not help.
func (p *pacing) slower(retry paxos.Ticks) {
	p.wait = min(max(2*p.wait, retry/2), fetchMax*retry)
}

// rest reports whether the next page waits, since clients append meanwhile; see pause.
func (p *pacing) rest(from paxos.NodeID, size int, now, askedAt paxos.Ticks) bool {
	grown := p.relayed
	p.relayed = 0
	if grown == 0 || growth*grown >= size {
		return false
	}
	p.resume = from
	p.resumeAt.Set(now + pause*(now-askedAt))
	return true
}

// misses reports whether something above applied is known of, or may be.
func (l *Learner) misses() bool {
	return l.behind() || l.highest > l.state.Applied || l.cutOff()
}

// nextFetch is when the next page is asked for.
func (l *Learner) nextFetch() paxos.Ticks {
	f := &l.copying
	if l.install != nil {
		return l.install.late.At()
	}
	switch {
	case !l.misses(), l.control.stuck != 0: // else, whoever has more, it is of no use here
		return paxos.Never
	case f.resume != "":
		return f.resumeAt.At()
	case f.asked != "":
		return f.askedAt + slowRetries*l.cfg.RetryTicks
	}
	wait := max(l.cfg.RetryTicks/2, f.wait)
	if l.sources.maxHeld() > l.state.Applied+far && !f.failed {
		wait = 0
	}
	at := l.progressAt + wait
	if f.failed {
		at = max(at, f.askedAt+wait)
	}
	return at
}

// tickFetch fetches if something is missing and it is time.
func (l *Learner) tickFetch() {
	f := &l.copying
	if k := l.install; k != nil {
		if k.late.Due(l.now) {
			l.install = nil
		}
		return
	}
	if !l.misses() {
		l.progressAt, f.wait, f.resume = l.now, 0, ""
		return
	}
	if l.now < l.nextFetch() {
		return
	}
	if f.resume != "" {
		l.fetchMore(f.resume)
		return
	}
	if f.asked != "" {
		f.asked, f.failed = "", true // a slow source is switched
		if l.now < l.nextFetch() {
			return
		}
	}
	if e := l.above[l.state.Applied+1]; e != nil {
		if v, isChosen := e.chosen(l.members.At(l.state.Applied + 1)); isChosen && v == nil {
			l.switchRelay() // voted for by a quorum, but its value does not come
		}
	}
	l.fetch(l.nextSource())
}

// cutOff reports whether no acceptor can be reached, but another learner can: that
// one may have learned what this one cannot hear of.
func (l *Learner) cutOff() bool {
	return !l.sources.isUp(paxos.RoleAcceptor) && l.sources.isUp(paxos.RoleLearner)
}
