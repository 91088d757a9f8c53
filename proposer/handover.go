package proposer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// handover is how a leader leaves office in good order (package doc, "Handing over"). It
// asks who could lead, stops taking appends, and gets chosen what is in flight. Then it
// names its successor and is yielding.
type handover struct {
	asker paxos.NodeID // who wants it, "" if the process stops
	nonce uint64       // of the asker's message
	drain bool         // the asker wants this proposer drained
	to    paxos.NodeID // who shall lead; "": whoever reaches most acceptors

	began  paxos.Ticks
	asked  []paxos.NodeID // those that could lead, by what they say
	able   map[paxos.NodeID]*paxos.AbleReply
	chosen paxos.NodeID // of them; "" as long as answers are missing
	since  paxos.Ticks  // when appends began to wait
	again  paxos.Timer  // when those that could not lead are asked once more
	giveUp paxos.Timer  // when what is under way has taken too long
}

// handOver begins to hand over. It returns why it cannot, or "".
func (l *leading) handOver(p *Proposer, h *handover) string {
	if l.handing != nil {
		return fmt.Sprintf("%s is handing over already: `paxlog status` shows who leads", p.cfg.ID)
	}
	h.asked = slices.DeleteFunc(slices.Clone(p.proposers), func(id paxos.NodeID) bool { return !p.enrolled.Has(paxos.RoleProposer, id) })
	if h.to != "" {
		h.asked = []paxos.NodeID{h.to}
	}
	switch {
	case h.to == p.cfg.ID:
		return fmt.Sprintf("%s leads already", p.cfg.ID)
	case h.to != "" && !p.up[h.to]:
		return fmt.Sprintf("%s is not connected to %s, which leads: start it, or name another proposer", h.to, p.cfg.ID)
	case len(h.asked) == 0:
		return fmt.Sprintf("no other proposer is connected to %s: start one", p.cfg.ID)
	}
	h.able = map[paxos.NodeID]*paxos.AbleReply{}
	h.giveUp.Set(p.now + p.cfg.RetryTicks)
	l.handing = h
	h.ask(p)
	return ""
}

// ask asks all who could lead. Who has just started is able to in a moment.
func (h *handover) ask(p *Proposer) {
	h.began = p.now
	h.again.Set(p.now + p.cfg.HeartbeatTicks/askAgain)
	clear(h.able)
	for _, id := range h.asked {
		p.Send(id, &paxos.Able{Nonce: uint64(h.began), Level: p.control.Level})
	}
}

// onAbleReply takes what a proposer says of itself.
func (l *leading) onAbleReply(p *Proposer, from paxos.NodeID, m *paxos.AbleReply) {
	h := l.handing
	if h == nil || h.chosen != "" || paxos.Ticks(m.Nonce) != h.began || !slices.Contains(h.asked, from) {
		return
	}
	h.able[from] = m
	if len(h.able) == len(h.asked) && h.best() != "" {
		l.chooseSuccessor(p)
	}
}

// chooseSuccessor takes the best of those that have answered: from now on nothing new is
// proposed.
func (l *leading) chooseSuccessor(p *Proposer) {
	h := l.handing
	best := h.best()
	if best == "" {
		l.keepOffice(p, h.refusal(p))
		return
	}
	h.chosen, h.since = best, p.now
	h.giveUp.Set(p.now + p.cfg.ElectionMax)
}

// best is who reaches most acceptors of those that could lead, "" if nobody could.
func (h *handover) best() (best paxos.NodeID) {
	for _, id := range h.asked {
		if r := h.able[id]; r != nil && r.Why == "" && (best == "" || r.Reach > h.able[best].Reach) {
			best = id
		}
	}
	return best
}

// refusal says why nobody could lead.
func (h *handover) refusal(p *Proposer) string {
	var why []string
	for _, id := range h.asked {
		if r := h.able[id]; r != nil {
			why = append(why, fmt.Sprintf("%s cannot lead: %s", id, r.Why))
		} else {
			why = append(why, fmt.Sprintf("%s has not answered within %d ms: it hangs, or is of a release that cannot take over (`paxlog status`)", id, p.cfg.RetryTicks))
		}
	}
	return strings.Join(why, "; ")
}

// tickHandover goes on with a handover.
func (l *leading) tickHandover(p *Proposer) {
	h := l.handing
	switch {
	case h == nil:
	case h.chosen == "" && h.giveUp.Due(p.now):
		l.chooseSuccessor(p)
	case h.chosen == "" && h.again.Due(p.now) && len(h.able) == len(h.asked):
		h.ask(p)
	case h.chosen == "":
	case !p.up[h.chosen]:
		l.keepOffice(p, fmt.Sprintf("%s was lost while %s finished what was in flight", h.chosen, p.cfg.ID))
	case h.giveUp.Due(p.now):
		l.keepOffice(p, fmt.Sprintf("instance %d was not chosen within %d ms, so %s goes on leading: look at the disks of the acceptors, and try again",
			l.chosenUpTo+1, p.cfg.ElectionMax, p.cfg.ID))
	}
}

// nextHandover is when tickHandover has something to do.
func (l *leading) nextHandover(p *Proposer) paxos.Ticks {
	switch h := l.handing; {
	case h == nil:
		return paxos.Never
	case h.chosen != "" && !p.up[h.chosen]:
		return p.now
	case h.chosen == "" && len(h.able) == len(h.asked):
		return min(h.giveUp.At(), h.again.At())
	default:
		return h.giveUp.At()
	}
}

// keepOffice ends a handover, if there is one, without a successor.
func (l *leading) keepOffice(p *Proposer, why string) {
	h := l.handing
	if h == nil {
		return
	}
	l.handing = nil
	p.Info("not handed over", "ballot", l.ballot.String(), "reason", why)
	h.answer(p, &paxos.Transferred{Why: why})
}

// answer tells whoever wanted the handover what came of it.
func (h *handover) answer(p *Proposer, m *paxos.Transferred) {
	if h.drain {
		p.drained = m.Why == ""
	}
	switch {
	case h.asker == "":
	case h.drain:
		p.Send(h.asker, &paxos.Drained{Nonce: h.nonce, Drained: p.drained, Why: m.Why})
	default:
		m.Nonce = h.nonce
		p.Send(h.asker, m)
	}
}

// yield names the successor, in the last heartbeat of this ballot, once nothing is in
// flight.
func (l *leading) yield(p *Proposer) {
	h := l.handing
	if h == nil || h.chosen == "" || len(l.open) > 0 || l.repair != nil {
		return
	}
	p.Info("handing over", "ballot", l.ballot.String(), "to", string(h.chosen), "chosen_up_to", uint64(l.chosenUpTo), "waiting", l.queue.n)
	p.broadcast(&paxos.Heartbeat{
		Ballot: l.ballot, Nonce: uint64(p.now), ChosenUpTo: l.chosenUpTo, Resign: true, Marks: slices.Clone(p.marks), Of: p.of(), Next: h.chosen,
	})
	over := fmt.Sprintf("%s hands over to %s", p.cfg.ID, h.chosen)
	p.dropOrder(over + "; try again")
	l.abandon(p, over)
	y := &yielding{handover: h, ballot: l.ballot, queue: l.queue}
	y.giveUp.Set(p.now + p.cfg.ElectionMax)
	p.reason = fmt.Sprintf("it hands over to %s", h.chosen)
	p.phase = y
}

// yielding has led and named its successor. What it is sent waits until that one leads:
// then it is refused, and clients, which have been told who leads, have sent it there.
type yielding struct {
	*handover
	ballot paxos.Ballot // under which it led
	queue  appends
}

func (y *yielding) name() string { return "standby" }

// leader is still told to be the old one: clients are to wait, not to search.
func (y *yielding) leader(*Proposer) paxos.Ballot { return y.ballot }

func (y *yielding) nextTick(*Proposer) paxos.Ticks { return y.giveUp.At() }

func (y *yielding) step(*Proposer, paxos.NodeID, paxos.Message) {}

func (y *yielding) onAppend(p *Proposer, from paxos.NodeID, m *paxos.Append) {
	x := queued{from, p.sender(from, m), m}
	if !y.queue.takes(x, p.cfg.QueueBytes) {
		p.refuse(from, m, paxos.RefuseBusy, fmt.Sprintf("%d bytes of appends wait for %s to lead", y.queue.bytes, y.chosen))
		return
	}
	y.queue.push(x)
}

// tick takes up again when the successor does not. Acceptors let it through, for it is the
// one that they hear, unless they have promised the successor by then.
func (y *yielding) tick(p *Proposer) {
	if !y.giveUp.Due(p.now) {
		return
	}
	why := fmt.Sprintf("%s has not said within %d ms that it leads, and %s campaigns again: `paxlog status` shows who leads", y.chosen, p.cfg.ElectionMax, p.cfg.ID)
	p.Warn("the successor does not take over", "ballot", y.ballot.String(), "to", string(y.chosen))
	y.answer(p, &paxos.Transferred{Why: why})
	y.refuseQueue(p, why)
	if p.stopping {
		p.standBy(why, 0)
		p.Out.Stopped = true
		return
	}
	p.campaign(fmt.Sprintf("%s did not take over", y.chosen), rejoiner{})
}

// onSuccessor: somebody leads under a later ballot.
func (y *yielding) onSuccessor(p *Proposer, b paxos.Ballot) {
	waited := p.now - y.since
	p.Info("handed over", "ballot", y.ballot.String(), "to", string(b.Proposer), "their_ballot", b.String(), "appends_waited_ms", int64(waited))
	p.standBy(fmt.Sprintf("it has handed over to %s", b.Proposer), 0)
	p.tellClients(b) // before the refusals: so they send again there, at once
	y.refuseQueue(p, fmt.Sprintf("%s leads by now", b.Proposer))
	y.answer(p, &paxos.Transferred{To: b.Proposer, Ballot: b, Waited: waited})
	p.Out.Stopped = p.stopping
}

func (y *yielding) refuseQueue(p *Proposer, why string) {
	y.queue.refuse(p, paxos.RefuseNoLeader, why)
}

// onTransfer hands over, or says why not.
func (p *Proposer) onTransfer(from paxos.NodeID, m *paxos.Transfer) {
	why := ""
	if l, ok := p.phase.(*leading); ok {
		why = l.handOver(p, &handover{asker: from, nonce: m.Nonce, to: m.To})
	} else {
		why = fmt.Sprintf("%s does not lead; %s (`paxlog status` shows who does)", p.cfg.ID, cmp.Or(p.reason, "nobody does"))
	}
	if why != "" {
		p.Send(from, &paxos.Transferred{Nonce: m.Nonce, Why: why})
	}
}

// onDrain keeps this proposer from leading, after it has handed over if it leads.
func (p *Proposer) onDrain(from paxos.NodeID, m *paxos.Drain) {
	why := ""
	if l, ok := p.phase.(*leading); ok && !m.Undo {
		if why = l.handOver(p, &handover{asker: from, nonce: m.Nonce, drain: true}); why == "" {
			return // it is answered when that is done
		}
	} else {
		p.drained = !m.Undo
	}
	p.Send(from, &paxos.Drained{Nonce: m.Nonce, Drained: p.drained, Why: why})
}

// onAble says whether this proposer could lead.
func (p *Proposer) onAble(from paxos.NodeID, m *paxos.Able) {
	r := &paxos.AbleReply{Nonce: m.Nonce}
	s, ok := p.phase.(*standby)
	switch {
	case p.stopping:
		r.Why = "it is stopping"
	case p.drained:
		r.Why = fmt.Sprintf("it is drained (`paxlog undrain %s` undoes that)", p.cfg.ID)
	case !p.isEnrolled():
		r.Why = p.notEnrolled()
	case m.Level > p.cfg.Knows:
		r.Why = fmt.Sprintf("the log has level %d, and its program knows levels up to %d: replace that first (`paxlog upgrade status`)", m.Level, p.cfg.Knows)
	case !ok:
		r.Why = fmt.Sprintf("it is %s itself", p.phase.name())
	default:
		r.Reach = s.answering(p)
		if need := p.members.Newest().Need(); r.Reach < need {
			r.Why = fmt.Sprintf("%d of %d acceptors answer %s, and %d are needed (`paxlog status` shows which are up)", r.Reach, len(s.answers), p.cfg.ID, need)
		}
	}
	p.Send(from, r)
}
