package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/paxlog/paxlog/sim"
)

// figure is a row of the table: what was measured, of each contender in each seed.
type figure struct {
	name, unit string
	measure    func(c contender, seed uint64) (float64, error)
	never      float64 // what stands for: not within longest
	sparse     uint64  // one of so many seeds is enough: it hardly differs
}

// figures are the rows that have a median and a worst case.
func figures() (rows []figure) {
	for _, h := range harms {
		rows = append(rows, figure{"longest wait for an answer: " + h.name, "ms", func(c contender, seed uint64) (float64, error) {
			return c.with(seed, h.n, func(s *side) float64 { return float64(s.outage(h)) / float64(sim.Millisecond) })
		}, float64(longest / sim.Millisecond), 1})
	}
	rows = append(rows,
		count("messages an append (3 hosts, one append at a time)", false, func(s *side) float64 { return s.effortOf().messages }),
		count("the same, Paxlog with one learner in all", true, func(s *side) float64 { return s.effortOf().messages }),
		count("syncs an append, of all hosts", false, func(s *side) float64 { return s.effortOf().syncs }),
		count("the same, Paxlog with one learner in all", true, func(s *side) float64 { return s.effortOf().syncs }),
		count("bytes to a host that missed 100 of 300 entries of 100 bytes", false, func(s *side) float64 { return float64(s.away(300, 100).to) }),
		count("the same, Paxlog's acceptor alone", true, func(s *side) float64 { return float64(s.away(300, 100).to) }),
	)
	return rows
}

// count is a row of what is counted on three hosts.
func count(name string, small bool, measure func(s *side) float64) figure {
	return figure{name: name, sparse: 10, measure: func(c contender, seed uint64) (float64, error) {
		if small {
			c.make = c.small
		}
		return c.with(seed, 3, measure)
	}}
}

// with measures something of a new cluster. What goes wrong is an error.
func (c contender) with(seed uint64, n int, measure func(s *side) float64) (x float64, err error) {
	s := c.make(seed, n)
	defer s.close()
	s.seen.hide = true
	defer func() { err = caught(recover(), err) }()
	return measure(s), nil
}

// column is what one contender comes to.
type column struct {
	Name   string  `json:"name"`
	Rows   []row   `json:"rows"`
	Faults unknown `json:"unknown_outcomes"`
	err    error
}

type row struct {
	What   string  `json:"what"`
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
	Never  int     `json:"never"` // seeds
	// Values are those of each seed, in order; of what is counted, of every tenth.
	Values []float64 `json:"values"`
	unit   string
}

// unknown is what users were told under random faults.
type unknown struct {
	Appends int `json:"appends"`
	Unknown int `json:"unknown"`
	Chosen  int `json:"then_in_the_log"`
	Never   int `json:"then_never"`
	Nothing int `json:"then_nothing"`
}

// compare measures all contenders with the same seeds. Those of Raft take turns.
// say is told of each row that is done.
func compare(first, runs uint64, say func(contender, row string)) ([]column, error) {
	columns := make([]column, len(contenders))
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for k, c := range contenders {
			if !c.raft {
				columns[k] = c.column(first, runs, say)
			}
		}
	}()
	for k, c := range contenders {
		if c.raft {
			columns[k] = c.column(first, runs, say)
		}
	}
	all.Wait()
	for _, c := range columns {
		if c.err != nil {
			return nil, c.err
		}
	}
	return columns, nil
}

func (c contender) column(first, runs uint64, say func(contender, row string)) column {
	out := column{Name: c.name}
	for _, f := range figures() {
		r := row{What: f.name, unit: f.unit}
		values := make([]float64, 0, runs)
		for seed := first; seed < first+runs; seed += f.sparse {
			x, err := f.measure(c, seed)
			if err != nil {
				out.err = fmt.Errorf("%s, %s, seed %d: %w", c.name, f.name, seed, err)
				return out
			}
			if f.never > 0 && x >= f.never {
				r.Never++
			}
			values = append(values, x)
		}
		r.Values = slices.Clone(values)
		slices.Sort(values)
		r.Median, r.Worst = values[len(values)/2], values[len(values)-1]
		out.Rows = append(out.Rows, r)
		say(c.name, f.name)
	}
	for seed := first; seed < first+runs; seed++ {
		res := random(seed, c.make)
		if res.err != nil {
			out.err = fmt.Errorf("%s under random faults, seed %d: %w", c.name, seed, res.err)
			return out
		}
		out.Faults.Appends += res.appends
		out.Faults.Unknown += res.unknown
		out.Faults.Chosen += res.resolved[chosen]
		out.Faults.Never += res.resolved[never]
		out.Faults.Nothing += res.resolved[pending]
	}
	say(c.name, "random faults")
	return out
}

// printTable prints the comparison, as a table for the docs.
func printTable(out io.Writer, columns []column, first, runs uint64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Seeds %d to %d; median / worst.\n\n|", first, first+runs-1)
	for _, c := range columns {
		fmt.Fprintf(&b, " | %s", c.Name)
	}
	b.WriteString(" |\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for k, r := range columns[0].Rows {
		fmt.Fprintf(&b, "| %s", r.What)
		for _, c := range columns {
			fmt.Fprintf(&b, " | %s", c.Rows[k].text(runs))
		}
		b.WriteString(" |\n")
	}
	for _, line := range []struct {
		name string
		text func(u unknown) string
	}{
		{"random faults: appends", func(u unknown) string { return fmt.Sprint(u.Appends) }},
		{"told *unknown* after 1 s, of 10,000", func(u unknown) string { return fmt.Sprintf("%.1f", 1e4*float64(u.Unknown)/float64(u.Appends)) }},
		{"of these, told later: in the log / never / nothing", func(u unknown) string { return fmt.Sprintf("%d / %d / %d", u.Chosen, u.Never, u.Nothing) }},
	} {
		fmt.Fprintf(&b, "| %s", line.name)
		for _, c := range columns {
			fmt.Fprintf(&b, " | %s", line.text(c.Faults))
		}
		b.WriteString(" |\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r row) text(runs uint64) string {
	number := func(x float64) string {
		switch {
		case r.Never > 0 && x >= float64(longest/sim.Millisecond):
			return "none within 10 s"
		case r.unit != "":
			return fmt.Sprintf("%.0f %s", x, r.unit)
		case x < 1000:
			return fmt.Sprintf("%.1f", x)
		}
		return fmt.Sprintf("%.0f", x)
	}
	if r.Never == int(runs) {
		return "none within 10 s"
	}
	s := number(r.Median) + " / " + number(r.Worst)
	if r.Never > 0 {
		s += fmt.Sprintf(" in %d seeds", r.Never)
	}
	return s
}
