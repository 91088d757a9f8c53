package main

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/wire"
)

// contender is a column of the table.
type contender struct {
	name        string
	raft        bool
	make, small func(seed uint64, n int) *side // small has one learner, apart
}

var contenders = []contender{
	{"Paxlog", false,
		func(seed uint64, n int) *side { return newPaxlog(seed, n, n).settled() },
		func(seed uint64, n int) *side { return newPaxlog(seed, n, 1) }},
	raftContender(options{}),
	raftContender(options{preVote: true, checkQuorum: true}),
}

func raftContender(opts options) contender {
	make := func(seed uint64, n int) *side { return newRaft(seed, n, opts) }
	return contender{opts.name(), true, make, make}
}

// harm is what befalls a cluster of n hosts that host leader leads.
type harm struct {
	name      string
	n, leader int
	before    func(s *side) // with time to follow
	do        func(s *side)
}

// harms are those of the table: in each the client reaches every host.
var harms = []harm{
	{"the leader's host crashes (3 hosts)", 3, 1, nil, func(s *side) { s.crash(1) }},
	{"all hosts crash, and start again after 100 ms (3 hosts)", 3, 1, nil, func(s *side) {
		for host := 1; host <= s.n; host++ {
			s.crash(host)
		}
		s.Run(100 * sim.Millisecond)
		s.startAll()
	}},
	{"the leader hears nobody (3 hosts)", 3, 1, nil, func(s *side) {
		for host := 2; host <= s.n; host++ {
			s.cutTo(host, 1)
		}
	}},
	{"nobody hears the leader (3 hosts)", 3, 1, nil, func(s *side) {
		for host := 2; host <= s.n; host++ {
			s.cutTo(1, host)
		}
	}},
	{"quorum loss: only A reaches all, C led (5 hosts)", 5, 3, nil, star},
	{"constrained election: the same, but A is behind and cut off from C", 5, 3, func(s *side) { s.cut(1, 3) }, star},
	{"chained: A - B - C, C led (3 hosts)", 3, 3, nil, func(s *side) { s.cut(1, 3) }},
}

// star leaves only the links of A, as far as they are.
func star(s *side) {
	for i := 2; i <= s.n; i++ {
		for j := i + 1; j <= s.n; j++ {
			s.cut(i, j)
		}
	}
}

// A harm is watched for a while, and until an append is answered, but not for ever.
const (
	watched = 1500 * sim.Millisecond
	longest = 10 * sim.Second
)

// outage is the longest time that an append waited for its answer after a harm;
// longest if one was not answered.
func (s *side) outage(h harm) sim.Micros {
	c := s.caller(s.all()...)
	c.every, c.retry = 10, 20
	s.lead(h.leader)
	s.wait(func() bool { return len(c.calls) > 3 && s.leader() == h.leader })
	if h.before != nil {
		h.before(s)
		s.Run(200 * sim.Millisecond)
	}
	from := s.Now()
	h.do(s)
	s.Run(watched)
	c.every = 0
	s.RunUntil(longest-watched, func() bool { return len(c.waiting) == 0 })
	s.Check.End()
	worst := sim.Micros(0)
	for _, k := range c.calls {
		switch {
		case k.outcome == pending:
			return longest
		case k.ended > from:
			worst = max(worst, k.ended-max(k.issued, from))
		}
	}
	return worst
}

// effort is what one append takes.
type effort struct{ messages, syncs float64 }

// effortOf counts what appends take that come one after the other, beyond what the
// cluster does when nothing is appended.
func (s *side) effortOf() effort {
	const appends = 50
	c := s.caller(1)
	c.retry = 0
	s.lead(1)
	s.answeredIn(c.Append("first"))
	s.Run(200 * sim.Millisecond)
	count := func(do func()) (messages, syncs float64, took sim.Micros) {
		from, was, at := s.Net.Delivered(), s.syncs(), s.Now()
		do()
		return float64(s.Net.Delivered() - from), float64(s.syncs() - was), s.Now() - at
	}
	messages, syncs, took := count(func() {
		for k := range appends {
			s.answeredIn(c.Append(fmt.Sprint(k)))
			s.Run(5 * sim.Millisecond)
		}
		s.Run(200 * sim.Millisecond)
	})
	idle, idleSyncs, _ := count(func() { s.Run(took) })
	return effort{(messages - idle) / appends, (syncs - idleSyncs) / appends}
}

func (s *side) syncs() (all uint64) {
	for _, id := range s.processes() {
		all += s.Node(id).Syncs()
	}
	return all
}

// bytesOf is how long a message is on the wire.
func bytesOf(m paxos.Message) int {
	if g, ok := m.(*sim.GuestMessage); ok {
		return len(g.Body)
	}
	b, err := wire.Append(nil, m)
	if err != nil {
		panic(err) // every message that travels can be encoded
	}
	return len(b)
}

// traffic is how many bytes go to a host, those of them that the leader sends, and
// how many come from the host.
type traffic struct{ to, leader, from int }

// away cuts C off while it misses entries of 100 bytes, and returns what it costs to
// bring it up to date, beyond what an idle cluster says.
func (s *side) away(all, missed int) traffic {
	c := s.caller(1)
	s.lead(1)
	next := 0
	add := func(n int) {
		for ; n > 0; n-- {
			next++
			s.answeredIn(c.Append(fmt.Sprintf("%04d", next) + strings.Repeat(".", 96)))
		}
		s.Run(500 * sim.Millisecond)
	}
	add(all - missed)
	s.isolate(3)
	add(missed)
	s.join(1, 3)
	s.join(2, 3)
	back := s.traffic(3)
	idle := s.traffic(3)
	return traffic{back.to - idle.to, back.leader - idle.leader, back.from - idle.from}
}

// traffic counts the bytes of a host for three seconds.
func (s *side) traffic(host int) (t traffic) {
	in := map[paxos.NodeID]bool{}
	for _, id := range s.hosts(host) {
		in[id] = true
	}
	leader := s.servers[0]
	s.count = func(from, to paxos.NodeID, m paxos.Message) {
		switch {
		case in[to] && !in[from]:
			t.to += bytesOf(m)
			if from == leader {
				t.leader += bytesOf(m)
			}
		case in[from] && !in[to]:
			t.from += bytesOf(m)
		}
	}
	s.Run(3 * sim.Second)
	s.count = nil
	return t
}
