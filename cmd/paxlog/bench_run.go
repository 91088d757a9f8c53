package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/paxlog/paxlog/client"
)

// runBench measures appends and prints the result. Its errors ask for ExitFailed,
// ExitUnavailable or ExitUnknown.
func runBench(ctx context.Context, env *environment, opts benchOptions) error {
	conns, before, err := opts.connect(ctx, opts.Cluster)
	if err != nil {
		return err
	}
	defer closeAll(conns)
	load, err := newBenchLoad(opts, conns)
	if err != nil {
		return err
	}
	total, err := load.measure(ctx, env)
	if err != nil {
		return err // standard output is closed: nobody wants the rest
	}
	result := newBenchResult(total, load.elapsed(), opts.Size, load.meter.errors.Load())
	if err := result.print(env, opts); err != nil {
		return err
	}
	if n := load.meter.unsent.Load(); n > 0 {
		fmt.Fprintf(env.stderr, "the rate was not kept up: %d appends that were due were not sent at all\n", n)
	}
	if ctx.Err() != nil {
		if opts.Check {
			fmt.Fprintln(env.stderr, "not checked: the run was interrupted")
		}
		return context.Cause(ctx)
	}
	if opts.Check && (load.fatal == nil || !errors.Is(load.fatal, errBenchCheck)) {
		if err := load.check(ctx, env, conns[0], before); err != nil {
			return err
		}
	}
	if errors.Is(load.fatal, errBenchCheck) {
		return load.fatal
	}
	return load.meter.err()
}

// connect returns the connections, each of which has found a learner, and the
// index at which the log ends.
func (opts benchOptions) connect(ctx context.Context, cluster clientCluster) (conns []*client.Client, end uint64, err error) {
	perConn := (opts.Clients + opts.Conns - 1) / max(opts.Conns, 1)
	extra := []client.Option{client.WithInflight(perConn * opts.Inflight * (opts.Size + entryOverhead))}
	if opts.Mode == benchAppend {
		extra = append(extra, atLearner(opts.Learner)...)
	}
	for range opts.Conns {
		c, err := cluster.connect(ctx, opts.Timeout, extra...)
		if err != nil {
			closeAll(conns)
			return nil, 0, err
		}
		conns = append(conns, c)
		cluster.File = "given" // whether anybody listens was asked once
	}
	for _, c := range conns {
		if _, end, err = c.End(ctx); err != nil {
			closeAll(conns)
			return nil, 0, err
		}
	}
	return conns, end, nil
}

// closeAll closes clients that have nothing to say any more.
func closeAll(conns []*client.Client) {
	for _, c := range conns {
		_ = c.Close()
	}
}

func newBenchLoad(opts benchOptions, conns []*client.Client) (*benchLoad, error) {
	values, err := newBenchValues(opts.Size)
	if err != nil {
		return nil, err
	}
	l := &benchLoad{opts: opts, values: values, meter: newMeter(), halt: make(chan struct{})}
	l.open = func(client int) benchSession { return realSession{conns[client%len(conns)].NewSession()} }
	if opts.Share {
		l.open = func(client int) benchSession { return sharedSession{conns[client%len(conns)]} }
	}
	if opts.Check {
		l.answers = make([]*benchAnswers, opts.Clients)
		for i := range l.answers {
			l.answers[i] = &benchAnswers{}
		}
	}
	l.clock = wallClock{time.Now()}
	return l, nil
}

// measure runs the load, shows each second, and returns all latencies. It ends
// early, with an error, if standard output fails.
func (l *benchLoad) measure(ctx context.Context, env *environment) (*hdrhistogram.Histogram, error) {
	total := newHistogram()
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ended)
		l.run(ctx)
	})
	lines := newBenchLines(env, l.opts, benchHeader)
	for second := 1; ; second++ {
		l.clock.wait(l.opts.Warmup+time.Duration(second)*time.Second, ended, nil)
		part, errors := l.meter.take()
		total.Merge(part)
		select {
		case <-ended:
		default:
			lines.result(second, newBenchResult(part, time.Second, l.opts.Size, errors))
			if lines.err != nil {
				l.stop(nil)
			}
			continue
		}
		wg.Wait()
		rest, more := l.meter.take()
		total.Merge(rest)
		part.Merge(rest)
		if errors += more; part.TotalCount() > 0 || errors > 0 {
			length := l.elapsed() - time.Duration(second-1)*time.Second
			lines.result(second, newBenchResult(part, length, l.opts.Size, errors))
		}
		lines.end()
		return total, lines.err
	}
}

// check tails back what was appended after index before, and verifies it.
func (l *benchLoad) check(ctx context.Context, env *environment, c *client.Client, before uint64) error {
	checker := newBenchChecker(l.values, l.answers)
	found, err := checker.check(c.Tail(ctx, client.TailOptions{From: client.FromIndex(before + 1)}))
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stderr, "checked: all %d answered appends are in the log, each once, at its index, in order\n", found)
	return nil
}

// benchLines prints a line each second: CSV on standard output, else progress on
// a terminal.
type benchLines struct {
	csv   io.Writer // nil: none
	term  io.Writer // nil: no terminal
	drawn bool
	err   error // of standard output
}

func newBenchLines(env *environment, opts benchOptions, header string) *benchLines {
	l := &benchLines{}
	if opts.CSV {
		l.csv = env.stdout
		l.line("%s", header)
	}
	if isTerminal(env.stderr) && !(opts.CSV && isTerminal(env.stdout)) {
		l.term = env.stderr
	}
	return l
}

// line prints a line of CSV, and notes when that fails.
func (l *benchLines) line(format string, args ...any) {
	if l.csv != nil && l.err == nil {
		_, l.err = fmt.Fprintf(l.csv, format+"\n", args...)
	}
}

// draw replaces the progress on a terminal.
func (l *benchLines) draw(format string, args ...any) {
	if l.term != nil {
		l.drawn = true
		fmt.Fprintf(l.term, "\r"+format+"\x1b[K", args...)
	}
}

// result shows what one second brought.
func (l *benchLines) result(second int, r benchResult) {
	l.line("%d,%s", second, r.csv())
	l.draw("%d s: %.0f appends/s, p50 %s ms, p99 %s ms, %d errors", second, r.PerSecond, decimal(r.P50), decimal(r.P99), r.Errors)
}

// end removes the progress.
func (l *benchLines) end() {
	if l.drawn {
		fmt.Fprint(l.term, "\r\x1b[K")
	}
}
