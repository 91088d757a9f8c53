package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clients"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/load"
)

// runAppends measures appends and prints the result. Its errors ask for ExitFailed,
// ExitUnavailable or ExitUnknown.
func runAppends(ctx context.Context, env *command.Environment, opts options) error {
	conns, before, err := opts.connect(ctx, opts.Cluster)
	if err != nil {
		return err
	}
	defer closeAll(conns)
	a, err := newAppends(opts, conns)
	if err != nil {
		return err
	}
	total, err := a.measure(ctx, env)
	if err != nil {
		if err = command.UnlessClosed(err); err == nil {
			err = failures(a.Meter) // nobody wants the rest
		}
		return err
	}
	failed, _ := a.Meter.Errors()
	if err := printResult(env, opts, load.NewResult(total, a.Elapsed(), opts.Size, failed)); command.UnlessClosed(err) != nil {
		return err
	}
	if n := a.Meter.Unsent(); n > 0 {
		fmt.Fprintf(env.Stderr, "the rate was not kept up: %d appends that were due were not sent at all\n", n)
	}
	if ctx.Err() != nil {
		if opts.Check {
			fmt.Fprintln(env.Stderr, "not checked: the run was interrupted")
		}
		return context.Cause(ctx)
	}
	if errors.Is(a.Err(), load.ErrCheck) {
		return a.Err()
	}
	if opts.Check {
		if err := a.check(ctx, env, conns[0], before); err != nil {
			return err
		}
	}
	return failures(a.Meter)
}

// failures is nil if nothing failed, else it says what, and asks for the exit code of
// the worst.
func failures(m *load.Meter) error {
	n, first := m.Errors()
	if n == 0 {
		return nil
	}
	code := command.CodeOf(first)
	if m.Unknown() {
		code = command.ExitUnknown
	}
	return command.Exitf(code, "%d of the appends failed; the first: %w", n, first)
}

// connect returns the connections, each of which has found a learner, and the
// index at which the log ends.
func (opts options) connect(ctx context.Context, cluster clusterfile.Found) (conns []*client.Client, end client.Index, err error) {
	perConn := (opts.Clients + opts.Conns - 1) / max(opts.Conns, 1)
	extra := []client.Option{client.WithInflight(perConn * opts.Inflight * (opts.Size + clients.EntryOverhead))}
	if opts.Mode == modeAppend {
		extra = append(extra, clusterfile.AtLearner(opts.Learner)...)
	}
	for range opts.Conns {
		c, err := cluster.Connect(ctx, opts.Timeout, extra...)
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

// appends is the load of a run.
type appends struct {
	*load.Load
	opts    options
	values  *load.Values
	answers load.Answers // nil unless they are checked
}

func newAppends(opts options, conns []*client.Client) (*appends, error) {
	values, err := load.NewValues(opts.Size)
	if err != nil {
		return nil, err
	}
	a := &appends{opts: opts, values: values}
	c := load.Config{
		Clients: opts.Clients, Inflight: opts.Inflight, Warmup: opts.Warmup, Duration: opts.Duration, Total: opts.Total, Rate: opts.Rate,
		Grace: command.SignalGrace, Fill: values.Fill,
		Open: func(client int) load.Session { return load.OwnSession(conns[client%len(conns)]) },
		// It would go on for ever.
		Fatal: func(err error) bool {
			return errors.Is(err, client.ErrRefused) || errors.Is(err, client.ErrNotPermitted) || errors.Is(err, client.ErrTooLarge) || errors.Is(err, client.ErrClosed)
		},
	}
	if opts.Share {
		c.Open = func(client int) load.Session { return load.SharedSession(conns[client%len(conns)]) }
	}
	if opts.Check {
		a.answers = load.NewAnswers(opts.Clients)
		c.Watch = a.answers
	}
	if opts.Mode == modeCatchup {
		c.Duration, c.Total = 0, 0 // until it is stopped
	}
	a.Load = load.New(c)
	return a, nil
}

// measure runs the load, shows each second, and returns all latencies. It ends
// early, with an error, if standard output fails.
func (a *appends) measure(ctx context.Context, env *command.Environment) (*hdrhistogram.Histogram, error) {
	total := load.NewHistogram()
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ended)
		a.Run(ctx)
	})
	shown := newLines(env, a.opts, Header)
	for second := 1; ; second++ {
		a.Clock.Wait(a.opts.Warmup+time.Duration(second)*time.Second, ended, nil)
		part, errors := a.Meter.Take()
		total.Merge(part)
		select {
		case <-ended:
		default:
			shown.result(second, load.NewResult(part, time.Second, a.opts.Size, errors))
			if shown.err != nil {
				a.Stop(nil)
			}
			continue
		}
		wg.Wait()
		rest, more := a.Meter.Take()
		total.Merge(rest)
		part.Merge(rest)
		if errors += more; part.TotalCount() > 0 || errors > 0 {
			length := a.Elapsed() - time.Duration(second-1)*time.Second
			shown.result(second, load.NewResult(part, length, a.opts.Size, errors))
		}
		shown.end()
		return total, shown.err
	}
}

// check tails back what was appended after index before, and verifies it.
func (a *appends) check(ctx context.Context, env *command.Environment, c *client.Client, before client.Index) error {
	found, err := a.answers.Check(a.values, c.Tail(ctx, client.TailOptions{From: client.FromIndex(before + 1)}))
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "checked: all %d answered appends are in the log, each once, at its index, in order\n", found)
	return nil
}

// lines prints a line each second: CSV on standard output, else progress on
// a terminal.
type lines struct {
	csv   io.Writer // nil: none
	term  io.Writer // nil: no terminal
	drawn bool
	err   error // of standard output
}

func newLines(env *command.Environment, opts options, header string) *lines {
	l := &lines{}
	if opts.CSV {
		l.csv = env.Stdout
		l.line("%s", header)
	}
	if command.IsTerminal(env.Stderr) && !(opts.CSV && command.IsTerminal(env.Stdout)) {
		l.term = env.Stderr
	}
	return l
}

// line prints a line of CSV, and notes when that fails.
func (l *lines) line(format string, args ...any) {
	if l.csv != nil && l.err == nil {
		_, l.err = fmt.Fprintf(l.csv, format+"\n", args...)
	}
}

// draw replaces the progress on a terminal.
func (l *lines) draw(format string, args ...any) {
	if l.term != nil {
		l.drawn = true
		fmt.Fprintf(l.term, "\r"+format+"\x1b[K", args...)
	}
}

// result shows what one second brought.
func (l *lines) result(second int, r load.Result) {
	l.line("%d,%s", second, csvLine(r))
	l.draw("%d s: %.0f appends/s, p50 %s ms, p99 %s ms, %d errors", second, r.PerSecond, decimal(r.P50), decimal(r.P99), r.Errors)
}

// end removes the progress.
func (l *lines) end() {
	if l.drawn {
		fmt.Fprint(l.term, "\r\x1b[K")
	}
}
