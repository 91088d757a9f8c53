package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/internal/shapes"
)

// TailResult is what reading the log measured, as `bench --mode tail -o
// json` prints it.
type TailResult struct {
	Entries   uint64  `json:"entries"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"entries_per_s"`
	MBPerS    float64 `json:"mb_per_s"`
}

func newTailResult(entries, bytes uint64, elapsed time.Duration) TailResult {
	r := TailResult{Entries: entries, Seconds: load.Rounded(elapsed.Seconds(), 3)}
	if elapsed > 0 {
		r.PerSecond = load.Rounded(float64(entries)/elapsed.Seconds(), 1)
		r.MBPerS = load.Rounded(float64(bytes)/1e6/elapsed.Seconds(), 3)
	}
	return r
}

// tailCount is what was read so far.
type tailCount struct {
	entries, bytes atomic.Uint64
	err            error // why reading ended early
}

// runTail measures how fast one learner serves the log from its start.
func runTail(ctx context.Context, env *command.Environment, opts options) error {
	c, err := opts.Cluster.Connect(ctx, opts.Timeout, clusterfile.AtLearner(opts.Learner)...)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, _, err := c.End(ctx); err != nil { // finding the learner is not measured
		return err
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	clock := load.WallClock()
	if opts.Duration > 0 {
		stop := time.AfterFunc(opts.Duration, cancel)
		defer stop.Stop()
	}
	count, ended := &tailCount{}, make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range c.Tail(reading, client.TailOptions{Count: opts.Total}) {
			if err != nil {
				count.err = err
				return
			}
			count.entries.Add(1)
			count.bytes.Add(uint64(len(e.Value)))
		}
	}()
	shown := newLines(env, opts, "second,entries,entries_per_s,mb_per_s")
	elapsed := count.watch(clock, ended, shown)
	shown.end()
	if shown.err != nil {
		return shown.err
	}
	r := newTailResult(count.entries.Load(), count.bytes.Load(), elapsed)
	if err := r.print(env, opts); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(count.err, context.Canceled) {
		return nil // the time was up
	}
	return count.err
}

// watch shows each second until reading has ended, or standard output fails, and
// returns how long it took.
func (t *tailCount) watch(clock load.Clock, ended <-chan struct{}, shown *lines) time.Duration {
	var entries, bytes uint64
	var at time.Duration
	for second := 1; ; second++ {
		clock.Wait(time.Duration(second)*time.Second, ended, nil)
		now, e, b := clock.Now(), t.entries.Load(), t.bytes.Load()
		r := newTailResult(e-entries, b-bytes, now-at)
		shown.line("%d,%d,%s,%s", second, r.Entries, number(&r.PerSecond), number(&r.MBPerS))
		shown.draw("%d s: %.0f entries/s, %.1f MB/s", second, r.PerSecond, r.MBPerS)
		entries, bytes, at = e, b, now
		select {
		case <-ended:
			return now
		default:
		}
		if shown.err != nil {
			return now
		}
	}
}

// print prints r in the form that opts ask for.
func (r TailResult) print(env *command.Environment, opts options) error {
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(r)
	}
	t := tabwriter.NewWriter(opts.summary(env), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "entries\t%d\nseconds\t%s\nentries/s\t%s\nMB/s\t%s\n", r.Entries, number(&r.Seconds), number(&r.PerSecond), number(&r.MBPerS))
	return t.Flush()
}
