package main

import (
	"fmt"
	"slices"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/check"
)

// result is what a run under random faults came to.
type result struct {
	appends, answered, unknown int
	resolved                   map[outcome]int // of the unknown ones, at the end
	messages                   uint64
	hash                       uint64
	events                     map[string]int
	err                        error
}

// clients of a random run.
const clients = 2

// userPatience is after how many ticks a user is told that the outcome is unknown.
const userPatience = 1000

// runRaft plays Raft under the random faults of a seed.
func runRaft(seed uint64, opts options) result {
	return random(seed, func(seed uint64, n int) *side { return newRaft(seed, n, opts) })
}

// random plays the faults that sim draws from a seed for a Paxlog cluster, on three or
// five hosts. What befalls a process there befalls a host here, in turn.
func random(seed uint64, make func(seed uint64, n int) *side) result {
	plan := sim.DrawPlan(seed)
	s := make(seed, 3+2*int(seed%2))
	defer s.close()
	place := map[paxos.NodeID]int{}
	for k, id := range planned(plan.Topology) {
		place[id] = k%s.n + 1
	}
	return s.play(plan, func(f sim.Fault) { s.befall(f, place[f.Node], place[f.Peer]) })
}

// leftOut are faults that nobody does to Raft. It does not promise to live through an old directory
// that is put back (RollBack), and has no votes that one acceptor alone has (Orphan). Nobody is asked to
// hand over, nor to trim or to hold a trim back, nor does a learner begin anew below what was trimmed, and no disk is so small
// that something must be: the Raft here keeps its whole log. All its programs are of one release, its
// members stay and have no copies, and its clients have no sessions that others could take.
var leftOut = []sim.FaultKind{
	sim.RollBack, sim.Orphan, sim.HandOver, sim.DrainNode, sim.TrimLog, sim.LoseLearner, sim.ReplaceProgram, sim.RaiseLevel, sim.ReplaceAcceptor,
	sim.AddAcceptor, sim.RemoveAcceptor, sim.LoseNewcomer, sim.StealSession, sim.MoveProcess, sim.HoldLog, sim.AdjustLog, sim.HearTwin, sim.NarrowDisk,
}

// befall does a fault to all processes of a host, or to all links of two hosts.
func (s *side) befall(f sim.Fault, host, peer int) {
	if slices.Contains(leftOut, f.Kind) {
		return
	}
	switch f.Kind {
	case sim.CrashAll, sim.ReplayOld, sim.LossyNetwork, sim.HealNetwork:
		s.Harm(f, s.processes())
	case sim.Isolate:
		s.Events[f.Kind.String()]++
		s.isolate(host)
	case sim.CutOneWay, sim.CutBothWays, sim.Flap, sim.BreakConnection:
		if host == peer {
			return
		}
		s.each(host, peer, func(a, b paxos.NodeID) {
			f.Node, f.Peer = a, b
			s.Harm(f, nil)
		})
	default:
		for _, id := range s.procs[host-1] {
			f.Node, f.Peer = id, ""
			s.Harm(f, nil)
		}
	}
}

// planned are the servers of a topology.
func planned(t sim.Topology) (all []paxos.NodeID) {
	for _, kind := range []struct {
		letter string
		n      int
	}{{"a", t.Acceptors}, {"p", t.Proposers}, {"l", t.Learners}} {
		for i := range kind.n {
			all = append(all, paxos.NodeID(fmt.Sprintf("%s%d", kind.letter, i+1)))
		}
	}
	return all
}

// liveness is how long after healing every client must be answered.
const liveness = 60 * sim.Second

// play starts a side, lets its callers append while faults happen, heals, and judges.
func (s *side) play(plan sim.Plan, harm func(sim.Fault)) (r result) {
	s.seen.hide = true
	defer func() {
		r.events, r.hash, r.messages = s.Events, s.Hash(), s.Net.Delivered()
		r.err = caught(recover(), r.err)
	}()
	s.startAll()
	for i := range clients {
		c := s.caller(s.all()...)
		c.target, c.every, c.retry, c.patience, c.readEvery = i, 20, 60, userPatience, 70
	}
	for _, f := range plan.Faults {
		s.Run(f.At - s.Now())
		harm(f)
	}
	s.Run(plan.End - s.Now())
	s.heal()
	for _, c := range s.callers {
		c.every, c.patience = 0, 0
		c.Append(string(c.id) + "-last")
	}
	if !s.RunUntil(liveness, s.idle) {
		return s.tally(fmt.Errorf("liveness: %d s after healing, clients still wait", liveness/sim.Second))
	}
	s.Run(sim.Second) // what the others apply is checked, too
	s.Check.End()
	return s.tally(nil)
}

// all are the numbers of the hosts.
func (s *side) all() (hosts []int) {
	for h := 1; h <= s.n; h++ {
		hosts = append(hosts, h)
	}
	return hosts
}

// heal ends every fault.
func (s *side) heal() {
	s.Net.Heal()
	for _, id := range s.processes() {
		k := s.Node(id)
		k.Disk, k.Slow = sim.DiskState{}, 0
		k.Resume()
	}
	s.startAll()
}

// idle: no client waits for anything.
func (s *side) idle() bool {
	for _, c := range s.callers {
		if _, ok := c.dialect.(*inPaxlog); len(c.waiting) > 0 || ok && len(c.unsolved) > 0 {
			return false
		}
	}
	return true
}

func (s *side) tally(err error) result {
	r := result{err: err, resolved: map[outcome]int{}}
	for _, c := range s.callers {
		for _, k := range c.calls {
			r.appends++
			switch {
			case k.unknown != 0:
				r.unknown++
				r.resolved[k.outcome]++
			case k.outcome == chosen:
				r.answered++
			}
		}
	}
	return r
}

// caught makes an error of what a run panicked with, if it is one of those that say
// what is wrong with the run.
func caught(v any, err error) error {
	switch v := v.(type) {
	case nil:
		return err
	case *check.Violation:
		return v
	case *libraryStopped:
		return v
	case *impossible:
		return v
	}
	panic(v)
}

// first is what is found first in these seeds.
func first(from, to uint64, opts options) error {
	for seed := from; seed <= to; seed++ {
		if r := runRaft(seed, opts); r.err != nil {
			return r.err
		}
	}
	return nil
}
