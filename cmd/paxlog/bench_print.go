package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// benchResult is what a run measured, as `bench -o json` prints it.
type benchResult struct {
	Appends   int64    `json:"appends"`
	Seconds   float64  `json:"seconds"`
	PerSecond float64  `json:"appends_per_s"`
	MBPerS    float64  `json:"mb_per_s"`
	P50       *float64 `json:"p50_ms"`
	P90       *float64 `json:"p90_ms"`
	P99       *float64 `json:"p99_ms"`
	P999      *float64 `json:"p999_ms"`
	Max       *float64 `json:"max_ms"`
	Errors    uint64   `json:"errors"`
}

// benchHeader names the columns of CSV.
const benchHeader = "second,appends,appends_per_s,mb_per_s,p50_ms,p90_ms,p99_ms,p999_ms,max_ms,errors"

// newBenchResult sums up latencies measured in elapsed.
func newBenchResult(h *hdrhistogram.Histogram, elapsed time.Duration, size int, errors uint64) benchResult {
	r := benchResult{Appends: h.TotalCount(), Seconds: rounded(elapsed.Seconds(), 3), Errors: errors}
	if elapsed > 0 {
		r.PerSecond = rounded(float64(r.Appends)/elapsed.Seconds(), 1)
		r.MBPerS = rounded(float64(r.Appends)*float64(size)/1e6/elapsed.Seconds(), 3)
	}
	if r.Appends > 0 {
		ms := func(percentile float64) *float64 {
			return known(rounded(float64(h.ValueAtPercentile(percentile))/1e6, 3), true)
		}
		r.P50, r.P90, r.P99, r.P999, r.Max = ms(50), ms(90), ms(99), ms(99.9), ms(100)
	}
	return r
}

// rounded cuts off the digits that mean nothing.
func rounded(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// csv is r as a line of CSV; what is unknown is empty.
func (r benchResult) csv() string {
	cells := []string{strconv.FormatInt(r.Appends, 10), number(&r.PerSecond), number(&r.MBPerS)}
	for _, v := range []*float64{r.P50, r.P90, r.P99, r.P999, r.Max} {
		cells = append(cells, number(v))
	}
	return strings.Join(append(cells, strconv.FormatUint(r.Errors, 10)), ",")
}

// number writes v without exponent, or nothing if it is unknown.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// decimal is number, with - for what is unknown.
func decimal(v *float64) string {
	if v == nil {
		return "-"
	}
	return number(v)
}

// print prints r in the form that opts ask for.
func (r benchResult) print(env *environment, opts benchOptions) error {
	if opts.JSON {
		return newJSON(env.stdout).Encode(r)
	}
	return printBenchTable(opts.summary(env), []string{""}, []benchResult{r})
}

// summary is where the summary goes: CSV has standard output for itself.
func (opts benchOptions) summary(env *environment) io.Writer {
	if opts.CSV {
		return env.stderr
	}
	return env.stdout
}

// printBenchTable prints results, a column each.
func printBenchTable(w io.Writer, titles []string, results []benchResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, cell func(r benchResult) string) {
		cells := make([]string, 0, len(results))
		for _, r := range results {
			cells = append(cells, cell(r))
		}
		fmt.Fprintf(t, "%s\t%s\n", name, strings.Join(cells, "\t"))
	}
	if titles[0] != "" {
		fmt.Fprintf(t, "\t%s\n", strings.Join(titles, "\t"))
	}
	row("appends", func(r benchResult) string { return strconv.FormatInt(r.Appends, 10) })
	row("seconds", func(r benchResult) string { return number(&r.Seconds) })
	row("appends/s", func(r benchResult) string { return number(&r.PerSecond) })
	row("MB/s", func(r benchResult) string { return number(&r.MBPerS) })
	for _, p := range []struct {
		name string
		of   func(r benchResult) *float64
	}{
		{"p50 ms", func(r benchResult) *float64 { return r.P50 }},
		{"p90 ms", func(r benchResult) *float64 { return r.P90 }},
		{"p99 ms", func(r benchResult) *float64 { return r.P99 }},
		{"p99.9 ms", func(r benchResult) *float64 { return r.P999 }},
		{"max ms", func(r benchResult) *float64 { return r.Max }},
	} {
		row(p.name, func(r benchResult) string { return decimal(p.of(r)) })
	}
	row("errors", func(r benchResult) string { return strconv.FormatUint(r.Errors, 10) })
	return t.Flush()
}
