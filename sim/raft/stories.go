package main

import (
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// stories are all scenarios, in the order of the list. Those that the six questions
// of docs/raft.md are answered by are in questions.go.
var stories = []story{
	{"basic", "one value, by Basic Paxos in one instance; in Raft, an election and one entry", basic},
	{"multi", "three values: the first in two phases, the following ones in one", multi},
	{"election", "an election when all start, and one when the leader is gone", election},
	{"replication", "two entries, and how the others hear that they are committed", replication},
	{"partition", "B leads; {A,B} is cut from {C,D,E}; 5 is sent to A and 8 to C; then it heals", partition},
	{"thrown-away", "question 1: what becomes of a value that the old leader could not commit, and who is told", thrownAway},
	{"behind", "question 2: what heartbeats carry, how a leader finds out who is behind, and what it costs", behind},
	{"numbers", "question 3: terms and ballots without a counter that all share", numbers},
	{"return", "question 4: can one that was cut off depose a healthy leader when it returns?", returning},
	{"vote", "question 5: how a voter knows that it has voted", vote},
	{"split", "question 6: candidates split the vote", split},
}

func findStory(name string) (story, bool) {
	for _, s := range stories {
		if s.name == name {
			return s, true
		}
	}
	return story{}, false
}

// settle is how long what is under way may take to come to rest.
const settle = 20 * sim.Millisecond

// answeredIn runs until a call is answered.
func (s *side) answeredIn(k *call) {
	s.wait(func() bool { return k.outcome != pending })
}

func basic(st *stage) {
	st.set(3, options{})
	st.do("A campaigns, while a client waits with x", func(s *side) {
		c := s.caller(1)
		c.retry = 0
		s.lead(1)
		x := c.Append("x")
		s.answeredIn(x)
		s.Run(settle)
		s.fact("%s", x)
	})
}

func multi(st *stage) {
	st.set(3, options{})
	var c *caller
	st.do("A campaigns, then the client sends x: two phases", func(s *side) {
		c = s.caller(1)
		s.lead(1)
		s.answeredIn(c.Append("x"))
		s.Run(settle)
	})
	for _, value := range []string{"y", "z"} {
		st.do("the client sends "+value+": one phase", func(s *side) {
			s.answeredIn(s.callers[0].Append(value))
			s.Run(settle)
		})
	}
	st.do("what is in the log", func(s *side) {
		for _, k := range s.callers[0].calls {
			s.fact("%s", k)
		}
	})
}

func election(st *stage) {
	st.set(3, options{})
	st.do("all start at once; nobody leads", func(s *side) {
		s.startAll()
		s.wait(func() bool { return s.leader() != 0 })
		s.Run(settle)
		s.fact("host %s leads, %s", host(s.leader()), s.ballot())
	})
	st.do("the leader's host stops", func(s *side) {
		old, from := s.leader(), s.Now()
		s.crash(old)
		s.wait(func() bool { return s.leader() != 0 && s.leader() != old })
		took := s.Now() - from
		s.Run(settle)
		s.fact("host %s leads, %s, %d ms after host %s stopped", host(s.leader()), s.ballot(), took/sim.Millisecond, host(old))
	})
}

// host is what a host is called.
func host(i int) string {
	if i == 0 {
		return "nobody"
	}
	return string(names[i-1])
}

func replication(st *stage) {
	st.set(3, options{})
	st.do("A leads", func(s *side) {
		s.seen.hide = true
		s.caller(1)
		s.lead(1)
		s.Run(settle)
		s.seen.hide = false
	})
	for _, value := range []string{"x", "y"} {
		st.do("the client sends "+value, func(s *side) {
			s.answeredIn(s.callers[0].Append(value))
			s.fact("%s", s.callers[0].calls[len(s.callers[0].calls)-1])
			s.Run(2 * sim.Millisecond)
		})
	}
	st.do("nothing more is sent: the next heartbeat", func(s *side) {
		s.seen.all = true
		s.seen.only = func(_, _ paxos.NodeID, m paxos.Message) bool {
			switch m.(type) {
			case *paxos.Heartbeat, *sim.GuestMessage:
				return true
			}
			return false
		}
		s.Run(sim.HeartbeatTicks * sim.Millisecond)
	})
}

// partition: client 1 is with A and B, client 2 with C, D and E, and each half has a
// learner.
func partition(st *stage) {
	st.sides = []*side{newPaxlog(st.seed, 5, 2), newRaft(st.seed, 5, options{})}
	st.do("B leads A to E, and the log has w", func(s *side) {
		s.seen.hide = true
		s.caller(1)
		s.caller(3)
		s.lead(2)
		s.answeredIn(s.callers[0].Append("w"))
		s.Run(100 * sim.Millisecond)
		s.seen.hide = false
	})
	st.do("{A,B} is cut from {C,D,E}; 5 is sent to A", func(s *side) {
		s.halves()
		s.callers[0].retry = 0
		s.callers[0].Append("5")
		s.Run(30 * sim.Millisecond)
	})
	st.do("8 is sent to C until it is answered", func(s *side) {
		s.callers[1].retry = 100
		from := s.Now()
		eight := s.callers[1].Append("8")
		s.answeredIn(eight)
		s.Run(settle)
		s.fact("%s, %d ms after it was sent first; 5 has no answer", eight, (eight.ended-from)/sim.Millisecond)
	})
	st.do("it heals; the first 50 ms", func(s *side) {
		s.Net.Heal()
		s.Run(50 * sim.Millisecond)
		s.seen.hide = true
		s.Run(950 * sim.Millisecond)
		s.seen.hide = false
		s.fact("a second after healing, %s", s.callers[0].calls[1])
	})
	st.do("the client sends 5 again", func(s *side) {
		s.callers[0].retry = 100
		s.answeredIn(s.callers[0].calls[1])
		s.Run(settle)
		s.fact("%s", s.callers[0].calls[1])
	})
}

// halves cuts {A,B} from {C,D,E}, each with a client and, if there are two, a learner.
func (s *side) halves() {
	left, right := s.hosts(1, 2), s.hosts(3, 4, 5)
	if len(s.others) == 2 {
		left, right = append(left, s.others[0]), append(right, s.others[1])
	}
	left = append(left, s.callers[0].id)
	if len(s.callers) > 1 {
		right = append(right, s.callers[1].id)
	}
	s.split(left, right)
}
