package acceptor

import (
	"cmp"
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// subscriber is a learner that is told every vote.
type subscriber struct {
	id     paxos.NodeID
	until  paxos.Ticks
	values bool
}

// onPoll subscribes a learner and tells the read point. The answer is sent after
// the votes that it counts are durable.
func (a *Acceptor) onPoll(from paxos.NodeID, m *paxos.Poll) {
	a.subscribe(subscriber{id: from, until: a.now + a.cfg.IdleTicks, values: m.Values})
	if a.admission.admitted { // else it may have forgotten votes, which a read would miss
		a.After(from, &paxos.PollReply{Nonce: m.Nonce, Held: a.held, Highest: a.highest})
	}
	if m.Stuck > 0 {
		a.tellLeader(m.Stuck)
	}
}

func (a *Acceptor) subscribe(s subscriber) {
	i, found := slices.BinarySearchFunc(a.subs, s.id, func(s subscriber, id paxos.NodeID) int { return cmp.Compare(s.id, id) })
	if found {
		a.subs[i] = s
		return
	}
	a.subs = slices.Insert(a.subs, i, s)
}

func (a *Acceptor) unsubscribe(id paxos.NodeID) {
	a.subs = slices.DeleteFunc(a.subs, func(s subscriber) bool { return s.id == id })
}

func (a *Acceptor) expireSubscribers() {
	a.subs = slices.DeleteFunc(a.subs, func(s subscriber) bool { return s.until <= a.now })
}
