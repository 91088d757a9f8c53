package picture

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

var columns = [...]string{"Client", "Proposers", "Acceptors", "Learners"}

// Picture draws the ladder with one column for each role, at most its last lines.
// Each line is a message, from its sender to all its receivers, or a fault.
func (l *Ladder) Picture(most int) string {
	var b strings.Builder
	rungs := l.rungs
	if most > 0 && len(rungs) > most {
		fmt.Fprintf(&b, "(%d lines before are left out)\n", len(rungs)-most)
		rungs = rungs[len(rungs)-most:]
	}
	p := layout(rungs)
	b.WriteString(p.header())
	for _, r := range rungs {
		b.WriteString(p.line(r))
	}
	return b.String()
}

// page is where the columns of a picture begin.
type page struct {
	x   [len(columns)]int
	end int
}

const (
	stampWidth = 12
	gap        = 4 // an arrow at least
)

// layout makes each column as wide as the most nodes named in it.
func layout(rungs []rung) page {
	var width [len(columns)]int
	for c, name := range columns {
		width[c] = len(name)
	}
	for _, r := range rungs {
		for c, label := range r.labels() {
			width[c] = max(width[c], len(label))
		}
	}
	p := page{end: stampWidth}
	for c := range columns {
		p.x[c] = p.end
		p.end += width[c] + gap
	}
	return p
}

func (p page) header() string {
	row := p.blank()
	for c, name := range columns {
		copy(row[p.x[c]:], name)
	}
	copy(row[6:], "ms")
	return strings.TrimRight(string(row), " ") + "\n"
}

func (p page) blank() []byte { return []byte(strings.Repeat(" ", p.end)) }

// labels is what a line says in each column: the sender, and the receivers.
func (r rung) labels() (labels [len(columns)]string) {
	if r.fault {
		return labels
	}
	for _, id := range r.to {
		c := column(id)
		if labels[c] != "" {
			labels[c] += ","
		}
		labels[c] += string(id)
	}
	if c := column(r.from); labels[c] != "" {
		labels[c] = string(r.from) + "->" + labels[c] // within the column
	} else {
		labels[c] = string(r.from)
	}
	return labels
}

func (p page) line(r rung) string {
	stamp := fmt.Sprintf("%9.3f", float64(r.at)/1000)
	if r.fault {
		return fmt.Sprintf("%s   *** %s\n", stamp, r.text)
	}
	row := p.blank()
	copy(row, stamp)
	labels, from := r.labels(), column(r.from)
	for c, label := range labels {
		if label == "" {
			row[p.x[c]] = '|'
		}
		copy(row[p.x[c]:], label)
	}
	for c := range columns {
		switch {
		case labels[c] == "" || c == from:
		case c > from:
			p.dash(row, p.x[from]+len(labels[from]), p.x[c])
			row[p.x[c]-1] = '>'
		default:
			end := p.x[c] + len(labels[c])
			p.dash(row, end, p.x[from])
			row[end] = '<'
		}
	}
	return string(row) + r.text + "\n"
}

// dash draws from one place to another, through columns that take no part.
func (p page) dash(row []byte, from, to int) {
	for i := from; i < to; i++ {
		if row[i] == ' ' || row[i] == '|' {
			row[i] = '-'
		}
	}
}

// column is where a node stands in a ladder.
func column(id paxos.NodeID) int {
	switch {
	case id.IsClient():
		return 0
	case strings.HasPrefix(string(id), "p"):
		return 1
	case strings.HasPrefix(string(id), "a"):
		return 2
	}
	return 3
}
