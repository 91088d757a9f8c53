package proposer

import (
	"maps"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// resend sends proposals again that have been waiting for votes, for each twice
// as long as before.
func (l *leading) resend(p *Proposer) {
	if !l.again.Due(p.now) {
		return
	}
	var due []paxos.Instance
	l.again.Stop()
	for i, o := range l.open {
		switch {
		case o.chosen:
		case o.again.Due(p.now):
			due = append(due, i)
		default:
			l.resendAt(o.again)
		}
	}
	slices.Sort(due)
	for _, i := range due {
		o := l.open[i]
		o.wait *= 2
		o.again.Set(p.now + o.wait)
		l.resendAt(o.again)
		for place, id := range p.members.Acceptors {
			if !o.votes.Has(place) && p.up[id] && p.members.At(i).Members.Has(place) {
				p.Send(id, l.accept(i))
			}
		}
	}
}

// resendAt has resend look at that time.
func (l *leading) resendAt(t paxos.Timer) { l.again.Set(min(l.again.At(), t.At())) }

// resendTo sends an acceptor that has just connected what it has not voted for.
func (l *leading) resendTo(p *Proposer, place int) {
	for _, i := range slices.Sorted(maps.Keys(l.open)) {
		if !l.open[i].votes.Has(place) && p.members.At(i).Members.Has(place) {
			p.Send(p.members.Acceptors[place], l.accept(i))
		}
	}
}
