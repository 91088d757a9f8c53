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
	room   paxos.Room // on its disk, as it says
	free   uint64
	stream
	held, highest paxos.Instance // told last
}

// stream is what a subscriber is told without asking. See the package doc, "What is told
// without being asked".
type stream struct {
	stays bool // it wants that
	ended bool // something may be lost: it says so until the subscriber asks anew
	told  paxos.Ticks
}

// onPoll subscribes a learner and tells the read point. The answer is sent after
// the votes that it counts are durable.
func (a *Acceptor) onPoll(from paxos.NodeID, m *paxos.Poll) {
	admitted := a.admission.admitted // else it may have forgotten votes, which a read would miss
	a.subscribe(subscriber{
		id: from, until: a.now + a.cfg.IdleTicks, values: m.Values, room: m.Room, free: m.DiskFree,
		stream: stream{stays: m.Stay && admitted, told: a.now}, held: a.held, highest: a.highest,
	})
	if admitted {
		a.After(from, &paxos.PollReply{Nonce: m.Nonce, Held: a.held, Highest: a.highest, Stays: m.Stay})
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
	a.standbys = slices.DeleteFunc(a.standbys, func(s standby) bool { return s.id == id })
}

func (a *Acceptor) expireSubscribers() {
	a.subs = slices.DeleteFunc(a.subs, func(s subscriber) bool { return s.until <= a.now })
	a.standbys = slices.DeleteFunc(a.standbys, func(s standby) bool { return s.until <= a.now })
}

// endStreams ends what id is told without asking, since something of it may be lost. It is
// told that, again and again, until it asks anew.
func (a *Acceptor) endStreams(id paxos.NodeID) {
	for i := range a.subs {
		if a.subs[i].id == id {
			a.subs[i].ended = true
		}
	}
	for i := range a.standbys {
		if a.standbys[i].id == id {
			a.standbys[i].ended = true
		}
	}
}

// hears notes that a subscriber is told votes: these show it what a PollReply would.
func (s *subscriber) hears(a *Acceptor, m *paxos.Accepted) {
	s.told, s.held = a.now, m.Held
	for _, r := range m.Runs {
		s.highest = max(s.highest, r.Last)
	}
}

// tellSubscribers tells what a Poll would be answered now to those subscribers that have
// not heard it from votes, at most once in a heartbeat interval.
func (a *Acceptor) tellSubscribers() {
	for i := range a.subs {
		if s := &a.subs[i]; a.now >= s.due(a) {
			s.told, s.held, s.highest = a.now, a.held, a.highest
			a.After(s.id, &paxos.PollReply{Held: a.held, Highest: a.highest, Ended: s.ended})
		}
	}
}

// due is when s has to be told.
func (s *subscriber) due(a *Acceptor) paxos.Ticks {
	if !s.stays || !a.admission.admitted || !s.ended && s.held == a.held && s.highest == a.highest {
		return paxos.Never
	}
	return s.told + a.cfg.HeartbeatTicks
}
