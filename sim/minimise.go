package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/sim/picture"

	"github.com/paxlog/paxlog/sim/check"
)

// mostTries and mostTime bound the runs that making one failure shorter may take,
// and their simulated time together.
const (
	mostTries = 400
	mostTime  = 2000 * Second
)

// shortener looks for a shorter plan that fails in the same way.
type shortener struct {
	best  Plan
	last  Report // of best
	why   string
	most  uint64 // messages that a run may have
	tries int
	spent Micros
	setUp func(*Cluster)
}

// reason is what failed, without the details that differ from run to run.
func reason(err error) string {
	var v *check.Violation
	switch {
	case err == nil:
		return ""
	case errors.As(err, &v):
		return v.Invariant
	}
	word, _, _ := strings.Cut(err.Error(), ":")
	return word
}

// minimise makes the plan of a run that failed shorter: fewer faults, a smaller
// cluster, fewer entries, as long as the same invariant fails. A run ends where it
// fails, so what comes after needs no removing. With fewer faults it may take longer
// to fail; if it has more messages than the first one in the end, all is done again
// without allowing that.
func minimise(p Plan, failed Report, setUp func(*Cluster)) (Plan, Report) {
	short, r := shorten(p, failed, math.MaxUint64, setUp)
	if r.Messages > failed.Messages {
		return shorten(p, failed, failed.Messages, setUp)
	}
	return short, r
}

// shorten is minimise with a bound of the messages of each run.
func shorten(p Plan, failed Report, most uint64, setUp func(*Cluster)) (Plan, Report) {
	s := &shortener{best: p, last: failed, why: reason(failed.Err), most: most, setUp: setUp}
	for before := -1; s.tries != before && s.tries < mostTries; {
		before = s.tries
		size := s.size()
		s.fewerFaults()
		s.smallerCluster()
		if s.size() == size {
			break
		}
	}
	s.soonest()
	return s.best, s.last
}

func (s *shortener) size() int {
	t := s.best.Topology
	return len(s.best.Faults) + t.Acceptors + t.Proposers + t.Learners + t.Clients + t.Entries
}

// fails reports whether q fails as the first plan did, and keeps it if so. What is
// left to chance in a run changes with all else, so it gets eight chances.
func (s *shortener) fails(q Plan) bool {
	for chance := range uint64(8) {
		if s.tries++; s.tries > mostTries || s.spent > mostTime {
			return false
		}
		try := q
		try.Seed += chance << 40
		r := runPlan(try, watch{setUp: s.setUp})
		if s.spent += r.Simulated; reason(r.Err) == s.why && r.Messages <= s.most {
			s.best, s.last = try, r
			return true
		}
	}
	return false
}

// fewerFaults takes out parts of the schedule, first large ones, down to single
// faults (delta debugging; Zeller and Hildebrandt, 2002).
func (s *shortener) fewerFaults() {
	later := slices.IndexFunc(s.best.Faults, func(f Fault) bool { return f.At > s.last.Simulated })
	if later >= 0 {
		s.best.Faults = s.best.Faults[:later]
	}
	if q := s.best; len(q.Faults) > 0 {
		if q.Faults = nil; s.fails(q) {
			return
		}
	}
	for part := max(1, len(s.best.Faults)/2); ; part /= 2 {
		for at := 0; at < len(s.best.Faults); {
			q := s.best
			q.Faults = slices.Delete(slices.Clone(q.Faults), at, min(at+part, len(q.Faults)))
			if !s.fails(q) {
				at += part
			}
		}
		if part <= 1 {
			return
		}
	}
}

// smallerCluster takes away nodes, entries, and what else makes a run large.
func (s *shortener) smallerCluster() {
	for _, smaller := range []func(p *Plan) bool{
		func(p *Plan) bool { p.Gone = nil; return len(s.best.Gone) > 0 },
		func(p *Plan) bool { p.Drift = false; return s.best.Drift },
		func(p *Plan) bool { p.Store = ModelStore; return s.best.Store != ModelStore },
		func(p *Plan) bool { p.Topology.Scrubs = false; return s.best.Topology.Scrubs },
		func(p *Plan) bool { p.Topology.Clients--; return p.Topology.Clients > 0 },
		func(p *Plan) bool { p.Topology.Learners--; return p.Topology.Learners > 0 },
		func(p *Plan) bool { p.Topology.Proposers--; return p.Topology.Proposers > 0 },
		func(p *Plan) bool { return p.Topology.fewerAcceptors() },
		func(p *Plan) bool { p.Topology.Entries = 3; return s.best.Topology.Entries > 3 },
		func(p *Plan) bool { p.Topology.Entries /= 2; return p.Topology.Entries > 0 },
	} {
		for {
			q := s.best
			if !smaller(&q) || !s.fails(q) {
				break
			}
		}
	}
}

// fewerAcceptors takes one acceptor away; the quorums stay such that they
// intersect.
func (t *Topology) fewerAcceptors() bool {
	if t.Acceptors--; t.Phase1 != 0 {
		t.Phase1, t.Phase2 = min(t.Phase1, t.Acceptors), min(t.Phase2, t.Acceptors)
	}
	return t.Acceptors > 0
}

// soonest tries other chances for the run with the fewest messages.
func (s *shortener) soonest() {
	for chance := uint64(1); chance <= 40 && s.spent < 2*mostTime; chance++ {
		try := s.best
		try.Seed += chance << 50
		r := runPlan(try, watch{setUp: s.setUp})
		if s.spent += r.Simulated; reason(r.Err) == s.why && r.Messages < s.last.Messages {
			s.best, s.last = try, r
		}
	}
}

// Explain makes the run of a report that failed shorter and returns what is left
// of it, for people to read: the faults, and the messages as a ladder. A scenario
// is as short as it can be, so the end of it is returned.
func Explain(r Report) string {
	switch {
	case r.Err == nil:
		return ""
	case r.scenario != nil:
		ladder := &picture.Ladder{NoReads: true}
		r.scenario.Play(r.Seed, ladder, nil)
		return ladder.Picture(ladderLines) + "\n" + r.Err.Error() + "\n"
	}
	return explain(r.plan, r, nil)
}

// ladderLines is how much of the end of a ladder is shown.
const ladderLines = 70

func explain(p Plan, failed Report, setUp func(*Cluster)) string {
	p, failed = minimise(p, failed, setUp)
	why := reason(failed.Err)
	ladder := &picture.Ladder{NoReads: why != "linearizable read" && why != "L6" && why != "liveness"}
	failed = runPlan(p, watch{ladder: ladder, setUp: setUp})
	var b strings.Builder
	t := p.Topology
	phase1, phase2 := t.quorums()
	fmt.Fprintf(&b, "The shortest run found that fails so: %s, %s, %s, %s of %s; quorums of %d in Phase 1 and %d in Phase 2; %s.\n",
		count(t.Acceptors, "acceptor"), count(t.Proposers, "proposer"), count(t.Learners, "learner"), count(t.Clients, "client"),
		count(t.Entries, "entry"), phase1, phase2, count(len(p.Faults), "fault"))
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "%9.3f ms  %s\n", float64(f.At)/float64(Millisecond), f)
	}
	b.WriteString("\n" + ladder.Picture(ladderLines))
	fmt.Fprintf(&b, "\n%v\n", failed.Err)
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "entry" {
		return fmt.Sprintf("%d entries", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
