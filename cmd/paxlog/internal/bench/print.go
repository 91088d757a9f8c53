package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/load"
	"github.com/paxlog/paxlog/internal/shapes"
)

// Header names the columns of CSV.
const Header = "second,appends,appends_per_s,mb_per_s,p50_ms,p90_ms,p99_ms,p999_ms,max_ms,errors"

// csvLine is r as a line of CSV; what is unknown is empty.
func csvLine(r load.Result) string {
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

// printResult prints r in the form that opts ask for.
func printResult(env *command.Environment, opts options, r load.Result) error {
	if opts.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(r)
	}
	return printTable(opts.summary(env), []string{""}, []load.Result{r})
}

// summary is where the summary goes: CSV has standard output for itself.
func (opts options) summary(env *command.Environment) io.Writer {
	if opts.CSV {
		return env.Stderr
	}
	return env.Stdout
}

// printTable prints results, a column each.
func printTable(w io.Writer, titles []string, results []load.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, cell func(r load.Result) string) {
		cells := make([]string, 0, len(results))
		for _, r := range results {
			cells = append(cells, cell(r))
		}
		fmt.Fprintf(t, "%s\t%s\n", name, strings.Join(cells, "\t"))
	}
	if titles[0] != "" {
		fmt.Fprintf(t, "\t%s\n", strings.Join(titles, "\t"))
	}
	row("appends", func(r load.Result) string { return strconv.FormatInt(r.Appends, 10) })
	row("seconds", func(r load.Result) string { return number(&r.Seconds) })
	row("appends/s", func(r load.Result) string { return number(&r.PerSecond) })
	row("MB/s", func(r load.Result) string { return number(&r.MBPerS) })
	for _, p := range []struct {
		name string
		of   func(r load.Result) *float64
	}{
		{"p50 ms", func(r load.Result) *float64 { return r.P50 }},
		{"p90 ms", func(r load.Result) *float64 { return r.P90 }},
		{"p99 ms", func(r load.Result) *float64 { return r.P99 }},
		{"p99.9 ms", func(r load.Result) *float64 { return r.P999 }},
		{"max ms", func(r load.Result) *float64 { return r.Max }},
	} {
		row(p.name, func(r load.Result) string { return decimal(p.of(r)) })
	}
	row("errors", func(r load.Result) string { return strconv.FormatUint(r.Errors, 10) })
	return t.Flush()
}
