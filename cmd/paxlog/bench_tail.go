package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
)

// benchTailResult is what reading the log measured, as `bench --mode tail -o
// json` prints it.
type benchTailResult struct {
	Entries   uint64  `json:"entries"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"entries_per_s"`
	MBPerS    float64 `json:"mb_per_s"`
}

func newBenchTailResult(entries, bytes uint64, elapsed time.Duration) benchTailResult {
	r := benchTailResult{Entries: entries, Seconds: rounded(elapsed.Seconds(), 3)}
	if elapsed > 0 {
		r.PerSecond = rounded(float64(entries)/elapsed.Seconds(), 1)
		r.MBPerS = rounded(float64(bytes)/1e6/elapsed.Seconds(), 3)
	}
	return r
}

// tailCount is what was read so far.
type tailCount struct {
	entries, bytes atomic.Uint64
	err            error // why reading ended early
}

// runBenchTail measures how fast one learner serves the log from its start.
func runBenchTail(ctx context.Context, env *environment, opts benchOptions) error {
	c, err := opts.Cluster.connect(ctx, opts.Timeout, atLearner(opts.Learner)...)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, _, err := c.End(ctx); err != nil { // finding the learner is not measured
		return err
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	clock := wallClock{time.Now()}
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
	lines := newBenchLines(env, opts, "second,entries,entries_per_s,mb_per_s")
	elapsed := count.watch(clock, ended, lines)
	lines.end()
	if lines.err != nil {
		return lines.err
	}
	r := newBenchTailResult(count.entries.Load(), count.bytes.Load(), elapsed)
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
func (t *tailCount) watch(clock benchClock, ended <-chan struct{}, lines *benchLines) time.Duration {
	var entries, bytes uint64
	var at time.Duration
	for second := 1; ; second++ {
		clock.wait(time.Duration(second)*time.Second, ended, nil)
		now, e, b := clock.now(), t.entries.Load(), t.bytes.Load()
		r := newBenchTailResult(e-entries, b-bytes, now-at)
		lines.line("%d,%d,%s,%s", second, r.Entries, number(&r.PerSecond), number(&r.MBPerS))
		lines.draw("%d s: %.0f entries/s, %.1f MB/s", second, r.PerSecond, r.MBPerS)
		entries, bytes, at = e, b, now
		select {
		case <-ended:
			return now
		default:
		}
		if lines.err != nil {
			return now
		}
	}
}

// print prints r in the form that opts ask for.
func (r benchTailResult) print(env *environment, opts benchOptions) error {
	if opts.JSON {
		return newJSON(env.stdout).Encode(r)
	}
	t := tabwriter.NewWriter(opts.summary(env), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "entries\t%d\nseconds\t%s\nentries/s\t%s\nMB/s\t%s\n", r.Entries, number(&r.Seconds), number(&r.PerSecond), number(&r.MBPerS))
	return t.Flush()
}
