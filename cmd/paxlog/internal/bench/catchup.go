package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// The phases of a catch-up.
const (
	phaseBefore = iota // the learner is not up, or not behind
	phaseDuring        // it learns what it missed
	phaseAfter         // it has caught up
	phases
)

var phaseNames = [phases]string{"before", "during", "after"}

const (
	// catchupPoll is the time between two looks at the learner.
	catchupPoll = 50 * time.Millisecond
	// catchupShare: a learner that was up all the time is behind if it misses more
	// than one instance in so many; less is the ordinary lag under load.
	catchupShare = 50
	// catchupStall is how long a learner may learn nothing before it counts as stuck.
	catchupStall = 30 * time.Second
)

// CatchupResult is what a catch-up measured, as `bench --mode catchup -o
// json` prints it.
type CatchupResult struct {
	Learner   string   `json:"learner"`
	Entries   *uint64  `json:"entries"`
	Seconds   *float64 `json:"seconds"`
	PerSecond *float64 `json:"entries_per_s"`
	Appends   struct {
		Before *load.Result `json:"before"`
		During *load.Result `json:"during"`
		After  *load.Result `json:"after"`
	} `json:"appends"`
}

// catchup follows one learner, from what the processes say of themselves.
type catchup struct {
	opts   options
	load   *load.Load
	status func(context.Context) (client.Status, error)
	clock  load.Clock
	lines  *lines
	say    func(format string, args ...any)

	phase   int
	began   [phases + 1]time.Duration
	latency [phases]*hdrhistogram.Histogram
	errors  [phases]uint64
	second  int
	chosen  paxos.Instance // as of the last look, by any process
	wasDown bool
	downAt  time.Duration // when it was last seen down
	told    bool
	first   paxos.Index // the learner's last index when it was first seen behind
	until   paxos.Index // and when it had caught up
	last    paxos.Index // and now
	applied paxos.Instance
	moved   time.Duration // when applied last grew
}

// runCatchup measures how fast a learner catches up, and what appends at the
// other learners do before, meanwhile and after.
func runCatchup(ctx context.Context, env *command.Environment, opts options) error {
	conns, _, err := opts.connect(ctx, without(opts.Cluster, opts.Learner))
	if err != nil {
		return err
	}
	defer closeAll(conns)
	watcher, err := watcher(opts.Cluster, ctx)
	if err != nil {
		return err
	}
	defer watcher.Close()
	a, err := newAppends(opts, conns)
	if err != nil {
		return err
	}
	c := &catchup{opts: opts, load: a.Load, status: watcher.Status, clock: a.Clock}
	c.lines = newLines(env, opts, "second,phase,learned,"+Header[len("second,"):])
	c.say = func(format string, args ...any) { fmt.Fprintf(env.Stderr, format+"\n", args...) }
	for i := range c.latency {
		c.latency[i] = load.NewHistogram()
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.Run(ctx) })
	err = c.follow(ctx)
	c.enter(phases)
	a.Stop(nil)
	wg.Wait()
	c.lines.end()
	if printed := command.UnlessClosed(c.result().print(env, opts)); printed != nil {
		return printed
	}
	if err = command.UnlessClosed(err); err != nil {
		return err
	}
	return failures(a.Meter)
}

// without is the cluster without one learner.
func without(c clusterfile.Found, learner paxos.NodeID) clusterfile.Found {
	rest := *c.Cluster
	rest.Learners = slices.DeleteFunc(slices.Clone(c.Learners), func(n config.Node) bool { return n.ID == learner })
	if len(rest.Learners) == 0 {
		rest.Learners = c.Learners // nothing is appended then
	}
	return clusterfile.Found{Cluster: &rest, File: c.File}
}

// watcher is a client that asks proposers and learners only for their status: each
// look costs a connection to each.
func watcher(c clusterfile.Found, ctx context.Context) (*client.Client, error) {
	rest := *c.Cluster
	rest.Acceptors = nil
	return clusterfile.Found{Cluster: &rest, File: c.File}.Connect(ctx, 0)
}

// follow looks at the learner until it has caught up and appends were measured
// for a while after that.
func (c *catchup) follow(ctx context.Context) error {
	for !(c.phase == phaseAfter && c.clock.Now()-c.began[phaseAfter] >= c.opts.Duration) {
		s, err := c.status(ctx)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.load.Over() {
			return c.load.Err()
		}
		if err := c.look(s); err != nil {
			return err
		}
		for c.clock.Now() >= c.opts.Warmup+time.Duration(c.second+1)*time.Second {
			c.second++
			c.show()
		}
		if c.lines.err != nil {
			return c.lines.err
		}
		c.clock.Wait(c.clock.Now()+catchupPoll, ctx.Done(), nil)
	}
	return nil
}

// look takes in what one look showed. A learner has caught up when it has learned
// all that was chosen one look ago: under load there is always something newer.
func (c *catchup) look(s client.Status) error {
	now, chosen := c.clock.Now(), c.chosen
	c.chosen = max(c.chosen, shapes.HighestChosen(s))
	var l client.ProcessStatus
	for _, p := range s.Processes {
		if p.Role == paxos.RoleLearner && p.ID == string(c.opts.Learner) {
			l = p
		}
	}
	if l.Err == nil {
		if l.Applied != c.applied {
			c.moved = now
		}
		c.applied, c.last = l.Applied, l.Last
	}
	switch {
	case c.phase == phaseBefore && l.Err != nil:
		c.wasDown, c.downAt = true, now
		c.tell("%s is down: start it now, with an empty data directory", c.opts.Learner)
	case c.phase == phaseBefore && now < c.opts.Warmup:
	case c.phase == phaseBefore && c.wasDown && c.applied >= chosen:
		c.enter(phaseDuring)
		c.began[phaseDuring] = c.downAt
		c.say("%s caught up within a moment: the figures take it to have been empty when it was last seen down", c.opts.Learner)
	case c.phase == phaseBefore && (c.wasDown || uint64(chosen-min(chosen, c.applied))*catchupShare > uint64(chosen)):
		c.first, c.moved = c.last, now
		c.enter(phaseDuring)
	case c.phase == phaseBefore && !c.wasDown && chosen > 0:
		c.tell("%s is not behind: stop it, and start it again with an empty data directory", c.opts.Learner)
	case c.phase == phaseDuring && l.Err == nil && c.applied >= chosen:
		c.enter(phaseAfter)
	}
	return c.patience(now, l.Err)
}

// tell says once what the operator must do.
func (c *catchup) tell(format string, args ...any) {
	if !c.told {
		c.told = true
		c.say(format, args...)
	}
}

// patience ends a wait that makes no sense any more.
func (c *catchup) patience(now time.Duration, down error) error {
	if c.opts.Timeout == 0 {
		return nil
	}
	switch {
	case c.phase == phaseBefore && now >= c.opts.Warmup+c.opts.Timeout:
		return command.Exitf(command.ExitUnavailable, "%s was not behind within %v: say --timeout for longer, and start it with an empty data directory meanwhile", c.opts.Learner, c.opts.Timeout)
	case c.phase == phaseDuring && now-c.moved > catchupStall:
		return command.Exitf(command.ExitUnavailable, "%s has learned nothing for %v, at instance %d of %d: %v", c.opts.Learner, catchupStall, c.applied, c.chosen, down)
	}
	return nil
}

// enter begins a phase, or with phases ends the last one.
func (c *catchup) enter(next int) {
	c.collect()
	now := c.clock.Now()
	for p := c.phase + 1; p <= next; p++ {
		c.began[p] = now
	}
	if c.phase == phaseDuring {
		c.until = c.last
	}
	if c.phase == phaseBefore {
		c.began[phaseBefore] = min(now, c.opts.Warmup)
	}
	c.phase = next
}

// collect adds what was measured since the last time to the phase.
func (c *catchup) collect() (part *hdrhistogram.Histogram, errors uint64) {
	part, errors = c.load.Meter.Take()
	c.latency[c.phase].Merge(part)
	c.errors[c.phase] += errors
	return part, errors
}

// show prints what the last second brought. A phase that began within it has the
// rest of the second.
func (c *catchup) show() {
	part, errors := c.collect()
	r := load.NewResult(part, time.Second, c.opts.Size, errors)
	c.lines.line("%d,%s,%d,%s", c.second, phaseNames[c.phase], c.last, csvLine(r))
	c.lines.draw("%d s, %s: index %d, %d instances behind, %.0f appends/s, p99 %s ms, %d errors",
		c.second, phaseNames[c.phase], c.last, c.chosen-min(c.chosen, c.applied), r.PerSecond, decimal(r.P99), r.Errors)
}

// result sums it up.
func (c *catchup) result() CatchupResult {
	r := CatchupResult{Learner: string(c.opts.Learner)}
	if c.began[phaseDuring] < c.began[phaseAfter] {
		took := c.began[phaseAfter] - c.began[phaseDuring]
		learned := uint64(c.until - min(c.until, c.first))
		r.Entries, r.Seconds = shapes.Known(learned, true), shapes.Known(load.Rounded(took.Seconds(), 3), true)
		r.PerSecond = shapes.Known(load.Rounded(float64(learned)/took.Seconds(), 1), true)
	}
	for i, to := range []**load.Result{&r.Appends.Before, &r.Appends.During, &r.Appends.After} {
		if took := c.began[i+1] - c.began[i]; took > 0 && c.opts.Clients > 0 {
			*to = shapes.Known(load.NewResult(c.latency[i], took, c.opts.Size, c.errors[i]), true)
		}
	}
	return r
}

// print prints r in the form that opts ask for.
func (r CatchupResult) print(env *command.Environment, opts options) error {
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(r)
	}
	w := opts.summary(env)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "learner\t%s\nentries\t%s\nseconds\t%s\nentries/s\t%s\n", r.Learner, shapes.OrDash(r.Entries), decimal(r.Seconds), decimal(r.PerSecond))
	if err := t.Flush(); err != nil {
		return err
	}
	var titles []string
	var results []load.Result
	for i, p := range []*load.Result{r.Appends.Before, r.Appends.During, r.Appends.After} {
		if p != nil {
			titles, results = append(titles, phaseNames[i]), append(results, *p)
		}
	}
	if len(results) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nappends at the other learners:")
	return printTable(w, titles, results)
}
