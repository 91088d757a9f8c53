package learner

import "github.com/paxlog/paxlog/paxos"

// wanting is the wait for the value of the next instance, which is known to be chosen. See
// the package doc, "A value that does not come".
type wanting struct {
	instance paxos.Instance // that was wanted last
	since    paxos.Ticks
	asked    bool // somebody was asked for it
	inRow    int  // instances in a row that somebody was asked for
}

// want notes that the value of i, the next instance, is missing.
func (l *Learner) want(i paxos.Instance) {
	if l.wanting.instance != i {
		l.wanting = wanting{instance: i, since: l.now, inRow: l.wanting.inRow}
	}
}

// got notes that an instance is applied.
func (w *wanting) got() {
	if !w.asked {
		w.inRow = 0
	}
	*w = wanting{inRow: w.inRow}
}

// nextWanting is when somebody is asked for the value.
func (l *Learner) nextWanting() paxos.Ticks {
	if w := &l.wanting; w.instance == l.state.Applied+1 && !w.asked {
		return w.since + valueTicks
	}
	return paxos.Never
}

// tickWanting asks one that voted for the value, if it is time. Its answer is taken as any
// page; with this nonce it is no answer to a fetch.
func (l *Learner) tickWanting() {
	if l.now < l.nextWanting() {
		return
	}
	l.apply() // it may have come in this turn
	if l.now < l.nextWanting() {
		return
	}
	w := &l.wanting
	w.asked = true
	w.inRow++
	id := l.voterOf(w.instance)
	if id == "" {
		return
	}
	l.Send(id, &paxos.Fetch{From: w.instance, Values: true})
	if w.inRow >= asksInRow && id != l.relay {
		w.inRow, l.relay = 0, id
		l.pollAll()
	}
}

// voterOf is an acceptor of the quorum that chose i, another one than the relay if there is
// one: what the relay has sent was dropped here, or lost. It is "" if none is connected.
func (l *Learner) voterOf(i paxos.Instance) (voter paxos.NodeID) {
	for _, t := range l.above[i].ballots {
		if !l.members.At(i).IsPhase2(t.votes) {
			continue
		}
		for place, id := range l.members.Acceptors {
			if t.votes.Has(place) && l.sources.of(id).up && (voter == "" || voter == l.relay) {
				voter = id
			}
		}
	}
	return voter
}
