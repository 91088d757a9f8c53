package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
	"github.com/paxlog/paxlog/sim/picture"
)

// ladder collects what a side says, step by step of the story.
type ladder struct {
	rungs []rung
	hide  bool // nothing is shown for now
	all   bool // also what keeps things alive
	// only, if set, says which messages are shown.
	only func(from, to paxos.NodeID, m paxos.Message) bool
	now  func() sim.Micros
}

// rung is a message to one or more receivers, or something that happened.
type rung struct {
	step int
	at   sim.Micros
	from paxos.NodeID
	to   []paxos.NodeID
	text string
}

// watch sees a side's messages and faults. The network has one observer: it also
// tells who is heard as a leader.
func (l *ladder) watch(s *side) {
	l.now = s.Now
	s.Net.Observe = func(from, to paxos.NodeID, m paxos.Message) {
		switch m := m.(type) {
		case *paxos.Heartbeat:
			s.hear(m.Ballot)
		case *paxos.Accept:
			s.hear(m.Ballot)
		}
		if s.count != nil {
			s.count(from, to, m)
		}
		l.observe(from, to, m)
	}
	s.Fault = func(text string) { l.note(text) }
}

func (s *side) hear(b paxos.Ballot) {
	if s.heard.Less(b) {
		s.heard = b
	}
}

func (l *ladder) note(text string) {
	if !l.hide && !dull(text) {
		for _, detail := range details {
			text, _, _ = strings.Cut(text, detail)
		}
		l.rungs = append(l.rungs, rung{at: l.now(), text: text})
	}
}

// details of notes are for operators.
var details = []string{", from_instance", ", in_flight"}

// dull is what everybody can see.
func dull(text string) bool {
	return strings.Contains(text, " starts") || strings.HasPrefix(text, "cut ") || strings.HasPrefix(text, "join ") ||
		strings.Contains(text, "caught up") || strings.Contains(text, "vouch")
}

func (l *ladder) observe(from, to paxos.NodeID, m paxos.Message) {
	if l.hide {
		return
	}
	text, upkeep := picture.Describe(m)
	if text == "" || upkeep && !l.all || !l.shows(from, to, m) {
		return
	}
	for i := len(l.rungs) - 1; i >= 0 && i >= len(l.rungs)-12; i-- {
		r := &l.rungs[i]
		if r.from == "" {
			break
		}
		if r.from == from && r.text == text && !slices.Contains(r.to, to) {
			r.to = append(r.to, to)
			slices.Sort(r.to)
			return
		}
	}
	l.rungs = append(l.rungs, rung{at: l.now(), from: from, to: []paxos.NodeID{to}, text: text})
}

// take returns what was seen since the last call, as part of a step.
func (l *ladder) take(step int) []rung {
	out := l.rungs
	for i := range out {
		out[i].step = step
	}
	l.rungs = nil
	return out
}

// shows: what Paxlog's learners and acceptors copy from each other is shown by stories
// that ask for it.
func (l *ladder) shows(from, to paxos.NodeID, m paxos.Message) bool {
	if l.only != nil {
		return l.only(from, to, m)
	}
	switch m := m.(type) {
	case *paxos.Fetch, *paxos.Page, *paxos.Repair:
		return false
	case *paxos.Prepare:
		return m.To == 0
	}
	return true
}

func (r rung) String() string {
	if r.from == "" {
		return fmt.Sprintf("%5d  * %s", r.at/sim.Millisecond, r.text)
	}
	to := make([]string, len(r.to))
	for i, id := range r.to {
		to[i] = string(id)
	}
	return fmt.Sprintf("%5d  %s > %s  %s", r.at/sim.Millisecond, r.from, strings.Join(to, ","), r.text)
}

// width is that of one of two columns.
const width = 68

// beside sets two columns beside each other.
func beside(left, right []string) string {
	var b strings.Builder
	for i := range max(len(left), len(right)) {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s | %s", width, l, r), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// wrap breaks a line that is wider than a column; what follows is indented.
func wrap(line string, most int) (lines []string) {
	const indent = "          "
	for len([]rune(line)) > most {
		r := []rune(line)
		at := most
		for at > len(indent)+10 && r[at] != ' ' {
			at--
		}
		if r[at] != ' ' {
			at = most
		}
		lines = append(lines, strings.TrimRight(string(r[:at]), " "))
		line = indent + strings.TrimLeft(string(r[at:]), " ")
	}
	return append(lines, line)
}
