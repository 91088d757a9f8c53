package proposer

import "github.com/paxlog/paxlog/paxos"

// hints are what a leader knows of instances in flight beside the votes that it was told.
// Nothing is counted by them, announced or learned: they only say whether what arrives
// should wait. See the package doc, "Votes that wait".
type hints struct {
	// expected are instances of one append each whose votes were not asked for.
	expected []expected
	answered int            // how many open proposals are answered
	unasked  bool           // votes of the latest proposal were not asked for
	until    paxos.Instance // votes are asked for up to it: something had to wait
}

// expected is an instance, and by what the leader will see that its client was answered.
type expected struct {
	instance paxos.Instance
	session  paxos.SessionID
	first    uint64
}

// unanswered is how many instances are in flight, as far as the leader can tell.
func (l *leading) unanswered() paxos.Instance {
	return l.next - 1 - l.chosenUpTo - paxos.Instance(l.hints.answered)
}

// mayBeQuiet reports whether a leader can go on without the votes of its next proposal.
func (l *leading) mayBeQuiet(p *Proposer) bool {
	return !p.stopping && l.handing == nil && l.next > l.hints.until &&
		quietShare*(l.next-l.chosenUpTo) <= paxos.Instance(p.cfg.Window) && quietShare*l.openBytes < p.cfg.WindowBytes
}

// expect notes that m alone is proposed at i.
func (h *hints) expect(i paxos.Instance, m *paxos.Append) {
	if len(h.expected) < maxExpected {
		h.expected = append(h.expected, expected{i, m.Session, m.First})
	}
}

// takeHint looks at what a client says that it has results of.
func (l *leading) takeHint(m *paxos.Append) {
	h := &l.hints
	kept := h.expected[:0]
	for _, e := range h.expected {
		o := l.open[e.instance]
		switch {
		case o == nil: // chosen
		case e.session == m.Session && e.first < m.Answered:
			o.answered = true
			h.answered++
		default:
			kept = append(kept, e)
		}
	}
	h.expected = kept
}

// waits reports whether something waits for votes: appends, or the end of an office.
func (l *leading) waits(p *Proposer) bool {
	return len(l.queue) > 0 || p.stopping || l.handing != nil
}

// hurry asks for votes at once if something waits for them that were not asked for.
func (l *leading) hurry(p *Proposer) {
	if len(l.queue) > 0 {
		l.hints.until = l.next + crowded
	}
	if l.hints.unasked && len(l.open) > 0 && l.waits(p) {
		l.beat(p)
	}
}
