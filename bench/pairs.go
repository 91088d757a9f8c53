package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// slower is the ratio, after to before, above which the whole interval has to lie for
// a load to count as slower.
const slower = 1.03

// sample is what one of two binaries did under one load in one pair.
type sample struct {
	rows []row
	measured
}

// quantity is a figure that is compared.
type quantity struct {
	name string
	more bool // more of it is better
	of   func(s sample) (float64, bool)
}

// quantities are all figures that are compared: of the load, of the load generator,
// and of all servers together.
func quantities() []quantity {
	positive := func(of func(s sample) float64) func(s sample) (float64, bool) {
		return func(s sample) (float64, bool) { return of(s), of(s) > 0 }
	}
	all := []quantity{
		{"appends/s", true, positive(func(s sample) float64 { return s.PerSecond })},
		{"p50 ms", false, positive(func(s sample) float64 { return s.P50 })},
		{"p99 ms", false, positive(func(s sample) float64 { return s.P99 })},
		{"client " + metricNames[cpu], false, func(s sample) (float64, bool) { return figureOf(s.rows, loadProcess, cpu) }},
		{"client " + metricNames[switches], false, func(s sample) (float64, bool) { return figureOf(s.rows, loadProcess, switches) }},
		{"client " + metricNames[syscalls], false, func(s sample) (float64, bool) { return figureOf(s.rows, loadProcess, syscalls) }},
	}
	for m := range metricCount {
		all = append(all, quantity{metricNames[m], false, func(s sample) (float64, bool) { return figureOf(s.rows, serversRow, m) }})
	}
	return all
}

// figureOf is a figure above 0 of a process.
func figureOf(rows []row, process string, m metric) (float64, bool) {
	for _, r := range rows {
		if r.Process == process {
			return r.Figures[m], r.Figures[m] > 0
		}
	}
	return 0, false
}

// pair is the samples of both binaries: before, and after.
type pair [2]sample

// compare runs two Paxlog binaries in turn, each pair with new clusters, and prints
// the ratios of what they do.
func compare(ctx context.Context, opts options, dir string, r *report, w io.Writer) error {
	both := [2]*paxlogSystem{{binary: opts.beside, label: "before"}, {binary: opts.binary, label: "after"}}
	all := make([][]pair, len(opts.scenarios))
	for n := range opts.pairs {
		fmt.Fprintf(os.Stderr, "pair %d of %d\n", n+1, opts.pairs)
		now := make([]pair, len(opts.scenarios))
		for turn := range both {
			which := (n + turn) % 2 // they take turns in being first
			s := both[which]
			err := started(ctx, opts, s, filepath.Join(dir, s.name()), func(p *processes) error {
				for i, sc := range opts.scenarios {
					rows, m, err := countLoad(ctx, p, s, sc, opts.sizes[0], opts, r.Why)
					if err != nil {
						return err
					}
					now[i][which] = sample{rows, m}
					took, _ := figureOf(rows, serversRow, cpu)
					fmt.Fprintf(os.Stderr, "  %s, %s: %.0f appends/s, CPU %.1f us\n", s.name(), sc.Name, m.PerSecond, took)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for i := range all {
			all[i] = append(all[i], now[i])
		}
	}
	return printPairs(w, opts.scenarios, all, r.Why)
}

// printPairs writes the medians of both, and the ratio after to before.
func printPairs(w io.Writer, scenarios []scenario, all [][]pair, why map[metric]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "load\tfigure\tbefore\tafter\tratio\t95%% interval\tof %d pairs\n", len(all[0]))
	for i, sc := range scenarios {
		for _, q := range quantities() {
			var before, after []float64
			for _, p := range all[i] {
				b, okB := q.of(p[0])
				a, okA := q.of(p[1])
				if okA && okB {
					before, after = append(before, b), append(after, a)
				}
			}
			if len(before) == 0 {
				continue
			}
			self := func(v float64) float64 { return v }
			r := ratioOf(before, after)
			fmt.Fprintf(t, "%s\t%s\t%.4g\t%.4g\t%.3f\t[%.3f, %.3f]\t%s\n", sc.Name, q.name, median(before, self), median(after, self), r.middle, r.low, r.high, r.verdict(q.more))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range reasons(why) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// interval is a ratio, and between what it lies in 95 of 100 cases or more.
type interval struct{ middle, low, high float64 }

// ratioOf is the median of the pairs' ratios, with the interval that the ranks give: one
// pair in which the machine did something else moves neither. Fewer than six pairs
// prove nothing.
func ratioOf(before, after []float64) interval {
	var ratios []float64
	for i := range before {
		ratios = append(ratios, after[i]/before[i])
	}
	slices.Sort(ratios)
	r := interval{median(ratios, func(v float64) float64 { return v }), 0, math.Inf(1)}
	if k := outside(len(ratios)); k > 0 {
		r.low, r.high = ratios[k-1], ratios[len(ratios)-k]
	}
	return r
}

// outside is which of n values in order, from below as from above, is the interval's
// end: the largest k for which fewer than k of n throws of a coin are heads in at most
// 2.5 of 100 cases. 0 says that there is none.
func outside(n int) (k int) {
	chance := math.Pow(0.5, float64(n)) // of exactly k heads
	sum := chance
	for sum <= 0.025 {
		k++
		chance *= float64(n-k+1) / float64(k)
		sum += chance
	}
	return k
}

// verdict says whether the figure got worse or better by more than what is let pass.
func (r interval) verdict(more bool) string {
	if more {
		r.low, r.high = 1/r.high, 1/r.low
	}
	switch {
	case r.low > slower:
		return "worse"
	case r.high < 1/slower:
		return "better"
	default:
		return ""
	}
}
