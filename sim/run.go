package sim

import (
	"errors"
	"fmt"
	"iter"
	"runtime"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim/check"
	"github.com/paxlog/paxlog/sim/picture"
)

// Report is what one run did.
type Report struct {
	Seed      uint64
	Topology  Topology
	Simulated Micros
	Steps     uint64
	Messages  uint64 // delivered
	Chosen    int
	Entries   int
	Answers   int
	Hash      uint64 // over every message delivered and every state recovered; 0 of torn stores
	Events    map[string]int
	Err       error // a *Violation, or a failure of liveness

	plan     Plan
	scenario *Scenario
	history  *check.History
	where    map[string]paxos.Index // entries in the log
}

func (r *Report) fill(c *Cluster) {
	r.Topology, r.Events, r.Hash, r.history = c.Topology, c.Events, c.Hash(), c.Check.History
	r.Simulated, r.Steps, r.Chosen, r.Entries, r.Answers = c.now, c.Steps, c.Check.Chosen(), c.Check.Entries(), c.Check.Answers
	if r.plan.Store == TornStore {
		r.Hash = 0 // it is not the same twice
	}
	if n := c.Check.Complete(); n > 0 {
		c.Events["checkpoint complete"] = n
	}
	if n := c.Check.Trims(); n > 0 {
		c.Events["log trimmed"] = n
	}
	if n := c.Check.HeldBack(); n > 0 {
		c.Events["trim held back by a hold"] = n
	}
	if c.Events["leader elected"] > 1 {
		c.Events["leader change"]++
	}
	r.Messages, r.where = c.Net.delivered, c.Check.Where
}

// errNothingChosen: a run that shows nothing counts as a failure.
var errNothingChosen = errors.New("nothing was chosen")

// liveness is the simulated time after healing within which every client must be
// done.
const liveness = 60 * Second

// RunSeed runs one seed: a phase in which anything may break, then everything is
// healed and every client must get its answers. ladder and trace may be nil.
func RunSeed(seed uint64, ladder *picture.Ladder, trace func(string)) Report {
	return runPlan(DrawPlan(seed), watch{ladder: ladder, trace: trace})
}

// watch is who looks on at a run.
type watch struct {
	ladder *picture.Ladder
	trace  func(string)
	// setUp, if set, changes the cluster before it starts: for tests.
	setUp func(*Cluster)
}

func (o watch) attach(c *Cluster) {
	c.Trace = o.trace
	if o.ladder != nil {
		c.draw(o.ladder)
	}
	if o.setUp != nil {
		o.setUp(c)
	}
}

// runPlan plays a plan.
func runPlan(p Plan, o watch) (rep Report) {
	c := NewCluster(p.Seed, p.Topology)
	o.attach(c)
	rep = Report{Seed: p.Seed, plan: p}
	defer func() {
		rep.fill(c)
		c.closeStores()
		if v := recover(); v != nil {
			violation, ok := v.(*check.Violation)
			if !ok {
				panic(v)
			}
			rep.Err = violation
		}
	}()
	c.prepare(p)
	for _, f := range p.Faults {
		if c.Run(f.At - c.now); c.Done() {
			break
		}
		c.play(f)
	}
	if !c.Done() {
		c.Run(p.End - c.now)
	}
	c.heal(p.Gone)
	if p.Programs != nil && p.Seed%2 == 0 {
		for again := range Micros(10) { // somebody leads by then
			c.after((again+1)*100*Millisecond, func() { c.raiseLevel(c.newest()) })
		}
	}
	for _, k := range c.Clients {
		k.Think = 1
	}
	rep.Err = c.finish()
	return rep
}

// prepare sets up what a plan says, and starts all nodes.
func (c *Cluster) prepare(p Plan) {
	for _, k := range c.Clients {
		k.Think = uint64(c.between(1, 30))
		k.Repeats = p.repeats()
	}
	if p.Store != ModelStore {
		c.Events[p.Store.String()+" store"]++
		for _, id := range c.servers() {
			if n := c.nodes[id]; n.stores() {
				c.usePebble(n, c.Members, p.Store == TornStore)
			}
		}
	}
	for _, id := range p.Old {
		if c.nodes[id] != nil {
			c.old[id] = true
			c.Events["process of an earlier release"]++
		}
	}
	for _, g := range p.Programs {
		if c.nodes[g.ID] != nil {
			c.programs[g.ID] = g.Knows
		}
	}
	c.wakeMost = p.Wake
	c.changes = p.Changes
	for _, id := range c.servers() {
		c.nodes[id].lag = p.Lag
	}
	if p.Drift {
		c.Events["clocks that drift"]++
		r := paxos.Rand{State: p.Seed}
		for _, n := range c.all {
			n.drift = int64(r.Uint64()%101) - 50
		}
	}
	c.StartAll()
}

// finish runs until every client is done, and judges the run as a whole.
func (c *Cluster) finish() error {
	for end := c.now + liveness; c.now < end && !c.Done(); {
		c.Run(10 * Millisecond)
	}
	if !c.Done() {
		return fmt.Errorf("liveness: %v simulated seconds after healing, clients still wait: %s", liveness/Second, c.waiting())
	}
	if c.Check.Chosen() == 0 {
		return errNothingChosen
	}
	c.Check.End()
	return nil
}

func (c *Cluster) waiting() string {
	s := ""
	for _, k := range c.Clients {
		s += fmt.Sprintf(" %s %d/%d done, %d open, %d sessions to resolve, born %v;", k.id, k.done, k.Total, len(k.open), k.resolving, k.session != nil && k.session.ID() != paxos.SessionID{})
	}
	return s
}

// closeStores closes what Pebble holds.
func (c *Cluster) closeStores() {
	for _, n := range c.all {
		if n.store.disk != nil {
			n.store.disk.close()
		}
	}
}

// ahead bounds the reports that wait for that of an earlier seed: a run on real stores
// takes as long as many others.
const ahead = 256

// InOrder runs n seeds from first on, several at a time, and yields their reports in
// the order of the seeds.
func InOrder[R any](first, n uint64, run func(seed uint64) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		begun := make(chan chan R, ahead)
		room := make(chan struct{}, runtime.GOMAXPROCS(0))
		stop := make(chan struct{})
		go func() {
			defer close(begun)
			for seed := first; seed < first+n; seed++ {
				done := make(chan R, 1)
				select {
				case begun <- done:
				case <-stop:
					return
				}
				room <- struct{}{}
				go func() {
					done <- run(seed)
					<-room
				}()
			}
		}()
		for done := range begun {
			if !yield(<-done) {
				close(stop)
				for range begun { // none begins after this
				}
				return
			}
		}
	}
}
