package main

import (
	"fmt"
	"maps"
	"slices"
)

// metric is something that is counted, in the order of the table's columns.
type metric int

const (
	messages metric = iota
	socketBytes
	switches
	syscalls
	reads
	nothing
	writes
	futexes
	syncs
	timers
	fileBytes
	requests
	flushes
	cpu
	metricCount
)

// metricNames are the columns' headings.
var metricNames = [metricCount]string{
	messages: "messages", socketBytes: "sock B", switches: "switches", syscalls: "syscalls", reads: "reads", nothing: "nothing",
	writes: "writes", futexes: "futex", syncs: "syncs", timers: "timers", fileBytes: "file B", requests: "disk req", flushes: "flushes",
	cpu: "CPU us",
}

// MarshalText makes it a key of JSON.
func (m metric) MarshalText() ([]byte, error) { return []byte(metricNames[m]), nil }

// figures are what was counted. What is missing was not.
type figures map[metric]float64

// add adds what both have.
func (f figures) add(g figures) {
	for m, n := range g {
		f[m] += n
	}
}

// over is each figure divided by so many appends or seconds.
func (f figures) over(n float64) figures {
	out := figures{}
	for m, v := range f {
		if n > 0 {
			out[m] = v / n
		}
	}
	return out
}

// member is a process that is counted.
type member struct {
	name string
	pid  int
}

// counter counts what processes do between start and stop. Counting with tracepoints
// makes a process a little slower, so that is done in a run of its own, and the rest
// in another.
type counter struct {
	members []member
	traces  bool
	why     map[metric]string // what cannot be counted here, and why

	perf   []perfProcess
	before []reading
	done   []figures // of each member
}

// reading is what a process has done since it began.
type reading struct {
	figures
	sockets map[string]sent
}

func newCounter(members []member, traces bool, why map[metric]string) *counter {
	return &counter{members: members, traces: traces, why: why}
}

// start begins to count.
func (c *counter) start() (err error) {
	if c.traces {
		for _, m := range c.members {
			p, err := openProcess(m.pid, c.why)
			if err != nil {
				c.close()
				return fmt.Errorf("counting %s: %w", m.name, err)
			}
			c.perf = append(c.perf, p)
		}
	}
	c.before, err = c.read()
	return err
}

// stop ends it: done has what was counted.
func (c *counter) stop() error {
	defer c.close()
	after, err := c.read()
	if err != nil {
		return err
	}
	c.done = nil
	for i := range c.members {
		c.done = append(c.done, after[i].since(c.before[i]))
	}
	return nil
}

func (c *counter) close() {
	for _, p := range c.perf {
		p.close()
	}
	c.perf = nil
}

// read reads each process.
func (c *counter) read() (all []reading, err error) {
	for i, m := range c.members {
		r := reading{figures: figures{}}
		if c.traces {
			for f := range traced {
				if c.why[f] != "" {
					continue
				}
				n, err := c.perf[i].read(f)
				if err != nil {
					return nil, fmt.Errorf("counting %s: %w", m.name, err)
				}
				r.figures[f] = float64(n)
			}
		} else if err := r.plain(m.pid, c.why); err != nil {
			return nil, fmt.Errorf("counting %s: %w", m.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// plain reads what needs no tracepoints.
func (r *reading) plain(pid int, why map[metric]string) error {
	took, err := cpuOf(pid)
	if err != nil {
		return err
	}
	r.figures[cpu] = float64(took.Nanoseconds()) / 1e3
	n, err := switchesOf(pid)
	if err != nil {
		return err
	}
	r.figures[switches] = float64(n)
	if n, err = writtenBy(pid); err != nil {
		why[fileBytes] = err.Error()
	} else {
		r.figures[fileBytes] = float64(n)
	}
	if r.sockets, err = socketsOf(pid); err != nil {
		for _, m := range []metric{messages, socketBytes, fileBytes} {
			why[m] = err.Error()
		}
	}
	return nil
}

// since is what was done from before to r. A socket that is gone since counts for
// nothing.
func (r reading) since(before reading) figures {
	f := figures{}
	for m, n := range r.figures {
		if was, ok := before.figures[m]; ok {
			f[m] = n - was
		}
	}
	if r.sockets == nil || before.sockets == nil {
		delete(f, fileBytes) // it has the sockets' bytes, too
		return f
	}
	f[messages], f[socketBytes] = 0, 0
	for name, s := range r.sockets {
		was := before.sockets[name] // nothing, if it is new
		f[messages] += float64(s.segments - was.segments)
		f[socketBytes] += float64(s.bytes - was.bytes)
	}
	if n, ok := f[fileBytes]; ok {
		f[fileBytes] = max(0, n-f[socketBytes])
	}
	return f
}

// row is what one process did for each append, or each second.
type row struct {
	Process string  `json:"process"`
	Figures figures `json:"figures"`
}

// loadProcess names the load generator among the processes.
const loadProcess = "client"

// serversRow names the sum of all processes of a system.
const serversRow = "servers"

// rowsOf puts together what counters of the same members counted, each over its own
// number of appends or seconds, with the servers' sum first.
func rowsOf(counters []*counter, over []float64) []row {
	members := counters[0].members
	rows := []row{{serversRow, figures{}}}
	for i, m := range members {
		f := figures{}
		for j, c := range counters {
			f.add(c.done[i].over(over[j]))
		}
		if m.name != loadProcess {
			rows[0].Figures.add(f)
		}
		rows = append(rows, row{m.name, f})
	}
	return rows
}

// reasons are the lines that say why columns are empty.
func reasons(why map[metric]string) (lines []string) {
	columns := map[string][]string{}
	for m := range metricCount {
		if text := why[m]; text != "" {
			columns[text] = append(columns[text], metricNames[m])
		}
	}
	for _, text := range slices.Sorted(maps.Keys(columns)) {
		lines = append(lines, fmt.Sprintf("not counted: %q: %s", columns[text], text))
	}
	return lines
}
