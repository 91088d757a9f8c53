package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/internal/load"
)

// What is counted beside loads; a scenario without clients.
var (
	idle   = scenario{Name: "idle"}
	filled = scenario{Name: "20 MiB"}
)

const (
	fillBytes = 20 << 20
	fillSize  = 256
	settle    = time.Second // from the last append to the idle count: what it left to do is done
)

// counted is the counts of one load on one system.
type counted struct {
	System string `json:"system"`
	scenario
	Size int   `json:"size,omitempty"`
	Rows []row `json:"rows"`
}

// holding is what the processes of a system hold.
type holding struct {
	System string          `json:"system"`
	When   string          `json:"when"`
	Held   map[string]held `json:"held"`
	order  []string
}

// count counts what each system does, and prints it.
func count(ctx context.Context, opts options, dir string, r *report, w io.Writer) error {
	for _, s := range opts.systems {
		if err := countSystem(ctx, opts, r, s, filepath.Join(dir, s.name())); err != nil {
			return err
		}
	}
	return r.printCounts(w)
}

// countSystem counts one system, in a new directory; what it holds after many appends
// in another.
func countSystem(ctx context.Context, opts options, r *report, s system, dir string) error {
	err := started(ctx, opts, s, dir, func(p *processes) error {
		for _, sc := range opts.scenarios {
			if sc == filled {
				continue
			}
			sizes := opts.sizes
			if sc == idle {
				sizes = []int{0}
			}
			for _, size := range sizes {
				fmt.Fprintf(os.Stderr, "counting %s, %s\n", s.name(), sc.Name)
				rows, _, err := countLoad(ctx, p, s, sc, size, opts, r.Why)
				if err != nil {
					return err
				}
				r.Counts = append(r.Counts, counted{s.name(), sc, size, rows})
			}
		}
		return nil
	})
	if err != nil || !slices.Contains(opts.scenarios, filled) {
		return err
	}
	return started(ctx, opts, s, dir, func(p *processes) error { return countHeld(ctx, p, s, r) })
}

// countLoad counts one load: what needs no tracepoints in one run, the rest in another.
func countLoad(ctx context.Context, p *processes, s system, sc scenario, size int, opts options, why map[metric]string) ([]row, measured, error) {
	members := p.members()
	if sc != idle {
		members = append(members, member{loadProcess, os.Getpid()})
	}
	var counters []*counter
	var over []float64
	var timed measured
	for _, traces := range []bool{false, true} {
		c := newCounter(members, traces, why)
		m, n, err := c.during(ctx, s, sc, size, opts)
		if failed := p.failed(); failed != nil {
			return nil, m, failed
		}
		if err != nil {
			return nil, m, err
		}
		if !traces {
			timed = m
		}
		counters, over = append(counters, c), append(over, n)
	}
	return rowsOf(counters, over), timed, nil
}

// during counts while a load runs, or nothing does; n is how many appends or seconds
// that was.
func (c *counter) during(ctx context.Context, s system, sc scenario, size int, opts options) (m measured, n float64, err error) {
	if sc != idle {
		m, err = sc.run(ctx, s, size, opts.warmup, opts.duration, c)
		return m, float64(m.sent), err
	}
	if err = wait(ctx, settle); err != nil {
		return m, 0, err
	}
	if err = c.start(); err != nil {
		return m, 0, err
	}
	began := time.Now()
	if err = wait(ctx, opts.duration); err == nil {
		err = c.stop()
	}
	return m, time.Since(began).Seconds(), err
}

// wait waits, unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// countHeld notes what a new cluster holds, and what it does after fillBytes.
func countHeld(ctx context.Context, p *processes, s system, r *report) error {
	fmt.Fprintf(os.Stderr, "counting %s, %s\n", s.name(), filled.Name)
	before, err := p.held(s.name(), "empty")
	if err != nil {
		return err
	}
	sc := scenario{Name: filled.Name, Clients: 64, Conns: 8, Inflight: 16}
	if _, err := sc.runWith(ctx, s, fillSize, load.Config{Total: fillBytes / fillSize, Duration: 10 * patience}, nil); err != nil {
		return err
	}
	after, err := p.held(s.name(), filled.Name)
	r.Held = append(r.Held, before, after)
	return err
}

// held is what each process holds now.
func (p *processes) held(system, when string) (h holding, err error) {
	h = holding{System: system, When: when, Held: map[string]held{}}
	for _, m := range p.members() {
		one, err := heldBy(m.pid)
		if err != nil {
			return h, err
		}
		dir := filepath.Join(p.dir, m.name)
		if _, err := os.Stat(dir); err == nil {
			if one.Disk, err = blocksOf(dir); err != nil {
				return h, err
			}
		}
		h.Held[m.name] = one
		h.order = append(h.order, m.name)
	}
	return h, nil
}

// printCounts writes what was counted.
func (r *report) printCounts(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "load\tbytes\tsystem\tprocess")
	for m := range metricCount {
		fmt.Fprintf(t, "\t%s", metricNames[m])
	}
	fmt.Fprintln(t)
	for _, c := range r.Counts {
		for _, row := range c.Rows {
			name := c.Name + ", each append"
			if c.scenario == idle {
				name = c.Name + ", each second"
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%s", name, c.Size, c.System, row.Process)
			for m := range metricCount {
				fmt.Fprintf(t, "\t%s", row.Figures.text(m))
			}
			fmt.Fprintln(t)
		}
	}
	if len(r.Held) > 0 {
		fmt.Fprint(t, "\nheld\tsystem\tprocess\tRSS MB\tanonymous\tthreads\tdisk MB\n")
	}
	for _, h := range r.Held {
		var sum held
		for _, name := range h.order {
			one := h.Held[name]
			sum.RSS, sum.Anon = sum.RSS+one.RSS, sum.Anon+one.Anon
			sum.Threads, sum.Disk = sum.Threads+one.Threads, sum.Disk+one.Disk
			fmt.Fprint(t, h.line(name, one))
		}
		fmt.Fprint(t, h.line(serversRow, sum))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range reasons(r.Why) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (h holding) line(process string, one held) string {
	return fmt.Sprintf("%s\t%s\t%s\t%.0f\t%.0f\t%d\t%.1f\n", h.When, h.System, process, float64(one.RSS)/1e6, float64(one.Anon)/1e6, one.Threads, float64(one.Disk)/1e6)
}

// text is one figure with three digits that mean something, or nothing if it was not
// counted.
func (f figures) text(m metric) string {
	v, ok := f[m]
	switch {
	case !ok:
		return ""
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
