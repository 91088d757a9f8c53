package main

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// configs are the ways in which Raft is asked; the first is the library's own.
var configs = []options{{}, {preVote: true}, {checkQuorum: true}, {preVote: true, checkQuorum: true}}

// patientFor is for how long a user of the stories waits.
const patientFor = 1000

// find looks for a value in the logs of Raft processes.
func (s *side) find(value string) string {
	for _, n := range s.nodes {
		for k, c := range n.state.entries {
			if c.value == value {
				return fmt.Sprintf("it is in the log, at index %d", k+1)
			}
		}
	}
	return "it is in no log"
}

// outcomeOf says what a user was told, and, where nobody can be asked, what is so.
func (s *side) outcomeOf(k *call) string {
	text := k.String()
	if s.nodes != nil {
		text += "; " + s.find(k.value)
	}
	return text
}

// thrownAway: what a client is told of a value that its leader could not commit.
func thrownAway(st *stage) {
	for _, make := range []func() *side{
		func() *side { return newPaxlog(st.seed, 5, 1) },
		func() *side { return newRaft(st.seed, 5, options{}) },
	} {
		goOn := func(s *side, c *caller) {
			s.minority(c)
			s.Run(30 * sim.Millisecond)
			s.answeredIn(s.callers[1].Append("8"))
			s.Run(2 * sim.Second)
			s.Net.Heal()
			s.Run(3 * sim.Second)
		}
		st.alone(make, func(s *side) {
			c := s.waiting()
			goOn(s, c)
			s.fact("the others had a leader and went on: %s", s.outcomeOf(c.calls[1]))
		})
		st.alone(make, func(s *side) {
			c := s.waiting()
			c.retry, c.patience = 100, 0
			goOn(s, c)
			s.fact("the same, and the client has not given up but sends 5 again, under the same id: %s", c.calls[1])
		})
		st.alone(make, func(s *side) {
			c := s.waiting()
			s.minority(c)
			s.Run(30 * sim.Millisecond)
			for host := 1; host <= s.n; host++ {
				s.isolate(host)
			}
			s.Run(2 * sim.Second)
			s.crash(4)
			s.crash(5)
			s.Net.Heal()
			s.Run(3 * sim.Second)
			s.fact("nobody led until A, B and C were joined: %s", s.outcomeOf(c.calls[1]))
		})
		st.alone(make, func(s *side) {
			c := s.waiting()
			for _, id := range s.processes() {
				s.Net.Cut(id, c.id)
			}
			c.Append("5")
			s.Run(2 * sim.Second)
			s.Net.Heal()
			s.Run(3 * sim.Second)
			s.fact("only the answer was lost: %s", s.outcomeOf(c.calls[1]))
		})
	}
}

// waiting has B lead A to E with w in the log, and returns a client that sends once
// and waits.
func (s *side) waiting() *caller {
	c := s.caller(1)
	s.caller(3)
	s.lead(2)
	s.answeredIn(c.Append("w"))
	s.Run(100 * sim.Millisecond)
	c.retry, c.patience = 0, patientFor
	return c
}

// minority cuts {A,B} from {C,D,E}; c, which sends 5 to A, reaches both, as do the
// learners.
func (s *side) minority(c *caller) {
	s.split(s.hosts(1, 2), s.hosts(3, 4, 5))
	c.Append("5")
}

// behind: C is cut off while others append; then it is back.
func behind(st *stage) {
	opts := options{preVote: true, checkQuorum: true}
	st.set(3, opts)
	st.do("A leads; C is cut off, and misses eight entries", func(s *side) {
		s.seen.hide = true
		c := s.caller(1)
		s.lead(1)
		s.answeredIn(c.Append("a"))
		s.Run(100 * sim.Millisecond)
		s.isolate(3)
		for _, value := range strings.Split("b c d e f g h i", " ") {
			s.answeredIn(c.Append(value))
		}
		s.Run(100 * sim.Millisecond)
		s.seen.hide = false
	})
	st.do("C is back; nothing is appended", func(s *side) {
		s.seen.all, s.seen.only = true, about("C", "a3")
		s.join(1, 3)
		s.join(2, 3)
		s.Run(170 * sim.Millisecond)
	})
	for _, size := range []int{300, 3000} {
		for _, make := range []func() *side{
			func() *side { return newPaxlog(st.seed, 3, 1) },
			func() *side { return newRaft(st.seed, 3, opts) },
			func() *side {
				opts := opts
				opts.compact = 50
				return newRaft(st.seed, 3, opts).named("Raft that makes snapshots")
			},
		} {
			st.alone(make, func(s *side) {
				a := s.away(size, 100)
				s.fact("C misses 100 of %d entries of 100 bytes: %d bytes go to it, %d of them from the leader; %d from it",
					size, a.to, a.leader, a.from)
			})
		}
	}
}

// about lets a ladder show what goes to or from the processes of one host of either
// side, without the questions that learners and clients ask.
func about(ids ...paxos.NodeID) func(from, to paxos.NodeID, m paxos.Message) bool {
	return func(from, to paxos.NodeID, m paxos.Message) bool {
		for _, id := range ids {
			if from == id || to == id {
				switch m.(type) {
				case *sim.GuestMessage, *paxos.Heartbeat, *paxos.Fetch, *paxos.Page, *paxos.Accept, *paxos.Accepted:
					return true
				}
			}
		}
		return false
	}
}

// numbers: each takes numbers of its own, and the higher one counts.
func numbers(st *stage) {
	st.set(3, options{})
	st.do("A leads; C is cut off for two seconds", func(s *side) {
		s.seen.hide = true
		s.caller(1)
		s.lead(1)
		s.Run(100 * sim.Millisecond)
		s.isolate(3)
		s.seen.hide, s.seen.only = false, func(_, _ paxos.NodeID, _ paxos.Message) bool { return false }
		s.Run(2 * sim.Second)
		s.fact("while C is cut off: %s", s.numbers())
	})
	st.do("C is back", func(s *side) {
		s.seen.only = nil
		s.join(1, 3)
		s.join(2, 3)
		s.Run(500 * sim.Millisecond)
		s.fact("half a second after: %s", s.numbers())
	})
}

// numbers are the terms of all, or the ballot that is led under.
func (s *side) numbers() string {
	var parts []string
	for i, n := range s.nodes {
		parts = append(parts, fmt.Sprintf("%s is in term %d", names[i], n.library.BasicStatus().GetTerm()))
	}
	return strings.Join(append(parts, fmt.Sprintf("host %s leads, %s", host(s.leader()), s.ballot())), ", ")
}

// returning: what one that was cut off does to a healthy leader.
func returning(st *stage) {
	cuts := []struct {
		name string
		cut  func(s *side)
	}{
		{"C was cut off for two seconds and is back", func(s *side) { s.isolate(3) }},
		{"C could not hear A for two seconds", func(s *side) { s.cutTo(1, 3) }},
	}
	for _, k := range cuts {
		play := func(s *side) {
			s.caller(1)
			s.lead(1)
			s.answeredIn(s.callers[0].Append("w"))
			s.Run(200 * sim.Millisecond)
			before := s.ballot()
			k.cut(s)
			s.Run(2 * sim.Second)
			s.Net.Heal()
			s.Run(sim.Second)
			if after := s.ballot(); after != before {
				s.fact("%s: A is deposed, %s becomes %s", k.name, before, after)
				return
			}
			s.fact("%s: A leads as before, %s", k.name, before)
		}
		st.alone(func() *side { return newPaxlog(st.seed, 3, 1) }, play)
		for _, c := range configs {
			st.alone(func() *side { return newRaft(st.seed, 3, c) }, play)
		}
	}
}

// vote: what a voter said it knows again after a crash.
func vote(st *stage) {
	st.set(3, options{})
	st.do("A leads; A is cut off, and another one is elected", func(s *side) {
		s.seen.hide = true
		s.caller(1)
		s.lead(1)
		s.answeredIn(s.callers[0].Append("w"))
		s.Run(100 * sim.Millisecond)
		s.isolate(1)
		s.seen.hide, s.seen.only = false, voting
		s.wait(func() bool { return s.leader() > 1 })
		s.Run(settle)
	})
	st.do("the one of B and C that only voted crashes, and starts again at once", func(s *side) {
		voter := 5 - s.leader()
		s.crash(voter)
		s.start(voter)
		s.Run(2 * sim.Millisecond)
		s.fact("host %s voted, crashed and started again: %s", host(voter), s.knows(voter))
		s.seen.hide = true
		s.Run(60 * sim.Millisecond)
		s.seen.hide = false
	})
	st.do("A is back, and sends x under its old number", func(s *side) {
		s.callers[0].retry = 0
		s.callers[0].Append("x")
		for host := 2; host <= s.n; host++ {
			s.join(1, host)
		}
		s.Run(8 * sim.Millisecond)
		s.fact("host %s leads, %s", host(s.leader()), s.ballot())
	})
	st.close()
	err := first(1, 20, options{forgetful: true})
	st.facts = append(st.facts, fact{"Raft", fmt.Sprintf("with a voter that tells before its disk has it, put there as a bug: %v", err)})
}

// voting shows elections, and what an old leader proposes.
func voting(_, to paxos.NodeID, m paxos.Message) bool {
	switch m := m.(type) {
	case *sim.GuestMessage:
		return true
	case *paxos.Prepare, *paxos.Promise, *paxos.Reject, *paxos.Accept, *paxos.Append:
		return true
	case *paxos.Accepted:
		return !strings.HasPrefix(string(to), "l") && len(m.Runs) > 0
	}
	return false
}

// knows is what a Raft process has found on its disk.
func (s *side) knows(h int) string {
	if s.nodes == nil {
		return "whom it promised shows when A is back"
	}
	st := s.nodes[h-1].library.BasicStatus()
	return fmt.Sprintf("term %d, its vote is for %s", st.GetTerm(), name(st.GetVote()))
}

// split: the first seed in which two candidates of Raft split the vote, and the first
// in which two of Paxlog do.
func split(st *stage) {
	st.sides = []*side{
		splitSeed(st.seed, func(seed uint64) *side { return newPaxlog(seed, 3, 1) }),
		splitSeed(st.seed, func(seed uint64) *side { return newRaft(seed, 3, options{}) }),
	}
	st.do("A leads; A stops; B and C campaign at once", func(s *side) {
		stop(s)
		s.wait(func() bool { return s.leader() > 1 })
		s.Run(settle)
		s.fact("seed %d: host %s leads, %s", s.Seed, host(s.leader()), s.ballot())
	})
}

// stop stops the leader.
func stop(s *side) {
	s.seen.hide = true
	s.caller(1)
	s.lead(1)
	s.answeredIn(s.callers[0].Append("w"))
	s.Run(100 * sim.Millisecond)
	s.seen.hide, s.seen.only = false, voting
	s.crash(1)
}

// mostSeeds is how many seeds are tried.
const mostSeeds = 1000

// splitSeed returns a side, not yet played, of the first seed in which B and C campaign
// at once, and neither wins.
func splitSeed(seed uint64, make func(seed uint64) *side) *side {
	for k := range uint64(mostSeeds) {
		s := make(seed + k)
		stop(s)
		s.wait(func() bool { return s.leader() > 1 })
		s.close()
		campaigns := 0
		for _, r := range s.seen.rungs {
			if strings.HasPrefix(r.text, "Prepare") || strings.HasPrefix(r.text, "RequestVote") {
				campaigns++
			}
		}
		if campaigns > 2 {
			return make(seed + k)
		}
	}
	panic(&impossible{fmt.Sprintf("no vote was split in %d seeds", mostSeeds)})
}
