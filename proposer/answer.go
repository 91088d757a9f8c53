package proposer

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// answer is what an acceptor said last of whom it hears: when it was asked, or by itself.
type answer struct {
	asked paxos.Ticks // when it was asked last
	// When it was asked lately, for an answer says which question it follows. A message that
	// was on its way for seconds could make an acceptor repeat the question of an earlier
	// process, at a time that this process has just reached: it has not asked that.
	questions [lateQuestions]paxos.Ticks
	next      int         // where in questions the next one goes
	stays     bool        // it tells by itself what changes, as it has said since
	at        paxos.Ticks // when it said the following
	stale     paxos.Timer // when that says nothing any more; the zero answer never did
	ripe      paxos.Timer // when it counts as a hint, if it is of silence
	paxos.QueryReply
}

// lateQuestions: answers to older questions count no more. A standby that is about to
// campaign asks again every few milliseconds.
const lateQuestions = 16

// asks notes that the acceptor is asked now.
func (a *answer) asks(now paxos.Ticks) {
	a.asked, a.stays = now, false
	a.questions[a.next] = now
	a.next = (a.next + 1) % lateQuestions
}

// follows reports whether this process asked the question of that time.
func (a *answer) follows(sent paxos.Ticks) bool {
	return sent > 0 && slices.Contains(a.questions[:], sent)
}

// sentAt is when the query was sent after which a was said.
func (a *answer) sentAt() paxos.Ticks { return paxos.Ticks(a.Nonce) }

// known reports whether the acceptor has lately said whom it hears, and has not said since
// that it does not say it any more.
func (a *answer) known(p *Proposer) bool { return !a.stale.Due(p.now) }

// confirms reports whether it was said after a query of the last election timeout.
func (a *answer) confirms(p *Proposer) bool {
	return a.known(p) && a.sentAt()+p.cfg.ElectionMin >= p.now && a.follows(a.sentAt())
}

// lasts reports whether the acceptor has heard nobody for so long that it says when it does
// again: until then its silence grows.
func (a *answer) lasts(p *Proposer) bool { return a.Silent >= p.cfg.ElectionMin }

// silence is for how long the acceptor has heard nobody, as far as is known here.
func (a *answer) silence(p *Proposer) paxos.Ticks {
	if a.lasts(p) {
		return a.Silent + p.now - a.at
	}
	return a.Silent
}

// nextChange is when a says something else, because time goes on: its silence counts as a
// hint, or rules a leader out, or it grows stale.
func (a *answer) nextChange(p *Proposer) paxos.Ticks {
	if !a.known(p) {
		return paxos.Never
	}
	at := a.stale.At()
	for _, then := range []paxos.Ticks{a.ripe.At(), a.at + p.cfg.ElectionMax - a.Silent} {
		if a.lasts(p) && then > p.now {
			at = min(at, then)
		}
	}
	return at
}

// hinted are the acceptors that have heard nobody for long enough, as far as is known here,
// or that let this proposer through.
func (s *standby) hinted(p *Proposer) paxos.Set {
	hinted := s.letThrough(p)
	for i := range s.answers {
		if a := &s.answers[i]; a.known(p) && a.lasts(p) && a.ripe.Due(p.now) {
			hinted = hinted.With(i)
		}
	}
	return hinted
}

// ask asks the i-th acceptor whom it hears, and to tell from then on when that changes.
func (s *standby) ask(p *Proposer, i int) {
	if id := p.members.Acceptors[i]; p.up[id] {
		s.answers[i].asks(p.now)
		p.Send(id, &paxos.Query{Nonce: uint64(p.now), Stay: true})
	}
}

// askAt is when the i-th acceptor is asked without a reason. One that tells by itself what
// changes is asked rarely, to find out that it still does.
func (s *standby) askAt(p *Proposer, i int) paxos.Ticks {
	a := &s.answers[i]
	switch {
	case !p.up[p.members.Acceptors[i]]:
		return paxos.Never
	case a.asked == 0:
		return p.now
	case a.stays:
		return a.asked + p.cfg.RenewTicks
	}
	return a.asked + p.cfg.HeartbeatTicks
}

// onReply takes what the i-th acceptor says of whom it hears.
func (s *standby) onReply(p *Proposer, i int, m *paxos.QueryReply) {
	if !p.hear(i, m.Promised.Round) {
		return // it promises nothing that anybody else can use
	}
	sent := paxos.Ticks(m.Nonce)
	if i < 0 || sent > p.now || sent < s.answers[i].sentAt() {
		return
	}
	a := &s.answers[i]
	ripe := p.now + s.timeout - m.Silent
	if !m.Stays { // it was not asked, and tells all standbys in the same moment
		ripe = max(ripe, p.now+s.spread(p))
	}
	if a.known(p) && a.lasts(p) {
		ripe = min(ripe, a.ripe.At())
	}
	a.ripe.Set(ripe)
	a.QueryReply, a.at = *m, p.now
	a.stays = (a.stays || m.Stays) && !m.Ended
	stale := sent + p.cfg.ElectionMin + 1
	if a.stays { // it would say what changes, for as long as its answer to the next question may take
		stale += p.cfg.RenewTicks
	}
	a.stale.Set(max(stale, a.stale.At()))
}

// spread is the random part of the timeout, as a part of a heartbeat interval. All standbys
// hear in the same moment that a leader has resigned, and if all campaigned then, they would
// stop each other.
func (s *standby) spread(p *Proposer) paxos.Ticks {
	return (s.timeout - p.cfg.ElectionMin) * p.cfg.HeartbeatTicks / max(1, p.cfg.ElectionMax-p.cfg.ElectionMin)
}

// answering is how many acceptors answer.
func (s *standby) answering(p *Proposer) (n int) {
	for i := range s.answers {
		if s.answers[i].known(p) {
			n++
		}
	}
	return n
}
