package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
)

// cell is one load on one system in one run.
type cell struct {
	System string `json:"system"`
	Run    int    `json:"run"` // from 1; 0: the median of all
	scenario
	Size int `json:"size"`
	measured
}

// report is all that was measured, as the JSON file has it.
type report struct {
	Go       string            `json:"go"`
	CPUs     int               `json:"cpus"`
	Versions map[string]string `json:"versions"`
	Seconds  float64           `json:"seconds_per_cell"`
	Disk     []disk            `json:"disk"`    // of each run
	Cells    []cell            `json:"cells"`   // of each run
	Medians  []cell            `json:"medians"` // over the runs, each figure by itself

	// What was counted; what could not be, and why; what the processes hold.
	Counts []counted         `json:"counts,omitempty"`
	Why    map[metric]string `json:"not_counted,omitempty"`
	Held   []holding         `json:"held,omitempty"`

	order []string // of systems in the table
}

func newReport(opts options) *report {
	r := &report{Go: runtime.Version(), CPUs: runtime.NumCPU(), Versions: map[string]string{}, Why: map[metric]string{}, Seconds: opts.duration.Seconds()}
	for _, s := range opts.systems {
		r.order = append(r.order, s.name())
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return r
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "go.etcd.io/etcd/server/v3", "github.com/nats-io/nats-server/v2", "github.com/hashicorp/raft", "github.com/hashicorp/raft-wal":
			r.Versions[m.Path] = m.Version
		}
	}
	return r
}

// median is the middle of some figures, 0 of none.
func median[T any](all []T, of func(T) float64) float64 {
	var v []float64
	for _, x := range all {
		v = append(v, of(x))
	}
	slices.Sort(v)
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (v[n/2-1] + v[n/2]) / 2
	default:
		return v[n/2]
	}
}

// sum puts together the runs of each load.
func (r *report) sum() {
	type key struct {
		system string
		scenario
		size int
	}
	runs := map[key][]cell{}
	var keys []key
	for _, c := range r.Cells {
		k := key{c.System, c.scenario, c.Size}
		if len(runs[k]) == 0 {
			keys = append(keys, k)
		}
		runs[k] = append(runs[k], c)
	}
	r.Medians = nil
	for _, k := range keys {
		all := runs[k]
		m := cell{System: k.system, scenario: k.scenario, Size: k.size}
		m.Seconds = median(all, func(c cell) float64 { return c.Seconds })
		m.PerSecond = median(all, func(c cell) float64 { return c.PerSecond })
		m.P50 = median(all, func(c cell) float64 { return c.P50 })
		m.P99 = median(all, func(c cell) float64 { return c.P99 })
		m.P999 = median(all, func(c cell) float64 { return c.P999 })
		m.Max = median(all, func(c cell) float64 { return c.Max })
		m.ServerCPU = median(all, func(c cell) float64 { return c.ServerCPU })
		m.ClientCPU = median(all, func(c cell) float64 { return c.ClientCPU })
		m.PeakMB = median(all, func(c cell) float64 { return c.PeakMB })
		m.Appends = int64(median(all, func(c cell) float64 { return float64(c.Appends) }))
		for _, c := range all {
			m.Errors += c.Errors
			m.Unsent += c.Unsent
		}
		r.Medians = append(r.Medians, m)
	}
}

// find is the median of one load.
func (r *report) find(system, scenario string, size int) (cell, bool) {
	for _, m := range r.Medians {
		if m.System == system && m.Name == scenario && m.Size == size {
			return m, true
		}
	}
	return cell{}, false
}

// print writes the table. Ratios are Paxlog's figure over the other's: more is
// better of appends, less of times. CPU is the processor time of all servers for
// each append, and client that of the load generator.
func (r *report) print(w io.Writer) error {
	ours := (&paxlogSystem{}).name()
	var loads []cell
	for _, m := range r.Medians {
		if !slices.ContainsFunc(loads, func(c cell) bool { return c.scenario == m.scenario && c.Size == m.Size }) {
			loads = append(loads, m)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "load\tbytes\tsystem\tappends/s\tMB/s\tp50 ms\tp99 ms\tp99.9\tCPU us\tclient\terrors\tunsent\t%s/this: appends/s\tp50\tp99\tp99.9\n", ours)
	for _, l := range loads {
		base, have := r.find(ours, l.Name, l.Size)
		for _, name := range r.order {
			m, ok := r.find(name, l.Name, l.Size)
			if !ok {
				continue
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%.0f\t%.1f\t%.2f\t%.1f\t%.1f\t%.0f\t%.0f\t%d\t%d", l.Name, l.Size, name,
				m.PerSecond, m.PerSecond*float64(l.Size)/1e6, m.P50, m.P99, m.P999, m.ServerCPU, m.ClientCPU, m.Errors, m.Unsent)
			if have && name != ours {
				fmt.Fprintf(t, "\t%s\t%s\t%s\t%s", ratio(base.PerSecond, m.PerSecond), ratio(base.P50, m.P50), ratio(base.P99, m.P99), ratio(base.P999, m.P999))
			}
			fmt.Fprintln(t)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	peaks := map[string]float64{}
	for _, m := range r.Medians {
		peaks[m.System] = max(peaks[m.System], m.PeakMB)
	}
	for _, name := range r.order {
		if _, err := fmt.Fprintf(w, "%s: its largest process took at most %.0f MB of memory\n", name, peaks[name]); err != nil {
			return err
		}
	}
	return r.printDisk(w, ours)
}

// ratio is a/b, or - if that says nothing.
func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// printDisk writes what the disk does, and how far Paxlog is from it.
func (r *report) printDisk(w io.Writer, ours string) error {
	if len(r.Disk) == 0 {
		return nil
	}
	p50 := median(r.Disk, func(d disk) float64 { return d.SyncP50 })
	p99 := median(r.Disk, func(d disk) float64 { return d.SyncP99 })
	mb := median(r.Disk, func(d disk) float64 { return d.MBPerS })
	var b strings.Builder
	fmt.Fprintf(&b, "\ndisk: 512-byte write and fdatasync, three writers at once: p50 %.2f ms, p99 %.2f ms; sequential with fdatasync: %.0f MB/s\n", p50, p99, mb)
	if m, ok := r.find(ours, "1 client", 256); ok && p50 > 0 {
		fmt.Fprintf(&b, "%s, 1 client, 256 bytes: p50 is %.2f times that of the bare disk\n", ours, m.P50/p50)
	}
	// The best load of large values. A value is written twice by each acceptor: to the
	// log of its store, and to a table.
	best := cell{}
	for _, m := range r.Medians {
		if m.System == ours && m.Size >= 4096 && m.PerSecond*float64(m.Size) > best.PerSecond*float64(best.Size) {
			best = m
		}
	}
	if written := best.PerSecond * float64(best.Size) * 2 * 3 / 1e6; written > 0 && mb > 0 {
		fmt.Fprintf(&b, "%s, %s, %d bytes: 2 x payload x 3 acceptors = %.0f MB/s, %.0f%% of the sequential bandwidth\n", ours, best.Name, best.Size, written, 100*written/mb)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// save writes the JSON file.
func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
