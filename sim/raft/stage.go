package main

import (
	"fmt"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/sim"
)

// story is a scenario that is played on both protocols.
type story struct {
	name    string
	summary string
	play    func(st *stage)
}

// stage is a story that is played. Its sides take the same steps, each in a world of
// its own.
type stage struct {
	seed  uint64
	sides []*side
	steps []step
	facts []fact
}

// step is a part of a story; the rungs are those of each side.
type step struct {
	title string
	rungs [][]rung
}

// fact is one line of what came of it.
type fact struct {
	side string
	text string
}

// playStory plays a story to its end.
func playStory(sc story, seed uint64) (st *stage, err error) {
	st = &stage{seed: seed}
	defer func() {
		st.close()
		err = caught(recover(), nil)
	}()
	sc.play(st)
	for _, s := range st.sides {
		s.Check.End()
	}
	return st, nil
}

// set makes the two sides: n hosts each, and for Paxlog one learner.
func (st *stage) set(n int, opts options) {
	st.sides = []*side{newPaxlog(st.seed, n, 1), newRaft(st.seed, n, opts)}
}

func (st *stage) close() {
	for _, s := range st.sides {
		s.close()
		s.close = func() {}
	}
}

// do plays a step on each side.
func (st *stage) do(title string, play func(s *side)) {
	k := len(st.steps)
	step := step{title: title}
	for _, s := range st.sides {
		play(s)
		step.rungs = append(step.rungs, s.seen.take(k))
		for _, text := range s.facts {
			st.facts = append(st.facts, fact{s.name, text})
		}
		s.facts = nil
	}
	st.steps = append(st.steps, step)
}

// alone plays a part on a side of its own, of which only the facts are kept.
func (st *stage) alone(make func() *side, play func(s *side)) {
	st.close()
	s := make()
	defer s.close()
	s.seen.hide = true
	play(s)
	s.Check.End()
	for _, text := range s.facts {
		st.facts = append(st.facts, fact{s.name, text})
	}
}

// fact says what came of something.
func (s *side) fact(format string, args ...any) {
	s.facts = append(s.facts, fmt.Sprintf(format, args...))
}

// told prints the facts: what a story comes to.
func (st *stage) told(only string) string {
	var b strings.Builder
	last := ""
	for _, name := range st.names() {
		if !matches(name, only) {
			continue
		}
		for _, f := range st.facts {
			if f.side != name {
				continue
			}
			if name != last {
				fmt.Fprintf(&b, "%s\n", name)
				last = name
			}
			for i, line := range wrap("  "+f.text, factWidth) {
				if i > 0 {
					line = "    " + strings.TrimLeft(line, " ")
				}
				b.WriteString(line + "\n")
			}
		}
	}
	return b.String()
}

const factWidth = 116

// names are those of the sides that have facts, in the order of their first ones.
func (st *stage) names() (names []string) {
	seen := map[string]bool{}
	for _, f := range st.facts {
		if !seen[f.side] {
			seen[f.side] = true
			names = append(names, f.side)
		}
	}
	return names
}

func matches(name, only string) bool {
	return only == "" || strings.HasPrefix(strings.ToLower(name), only)
}

// picture prints the ladders: of both sides in two columns, or of one.
func (st *stage) picture(only string) string {
	var b strings.Builder
	if only == "" && len(st.sides) > 0 {
		b.WriteString(beside([]string{"   ms  " + st.sides[0].name}, []string{"   ms  " + st.sides[1].name}))
	}
	for _, step := range st.steps {
		fmt.Fprintf(&b, "== %s\n", step.title)
		var columns [][]string
		for i, rungs := range step.rungs {
			if !matches(st.sides[i].name, only) {
				continue
			}
			most := width
			if only != "" {
				most = factWidth
			}
			var lines []string
			for _, r := range rungs {
				lines = append(lines, wrap(r.String(), most)...)
			}
			columns = append(columns, lines)
		}
		if len(columns) == 2 {
			b.WriteString(beside(columns[0], columns[1]))
			continue
		}
		for _, line := range columns[0] {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// report is a story in JSON.
type report struct {
	Scenario string       `json:"scenario"`
	Seed     uint64       `json:"seed"`
	Facts    []reportFact `json:"facts"`
	Steps    []reportStep `json:"steps"`
}

type reportFact struct {
	Side string `json:"side"`
	Text string `json:"text"`
}

type reportStep struct {
	Title string       `json:"title"`
	Sides []reportSide `json:"sides"`
}

type reportSide struct {
	Side  string       `json:"side"`
	Lines []reportLine `json:"lines"`
}

// reportLine is a message, or, without a sender, something that happened.
type reportLine struct {
	Ms   float64        `json:"ms"`
	From paxos.NodeID   `json:"from,omitempty"`
	To   []paxos.NodeID `json:"to,omitempty"`
	Text string         `json:"text"`
}

func (st *stage) report(name, only string) report {
	out := report{Scenario: name, Seed: st.seed, Facts: []reportFact{}, Steps: []reportStep{}}
	for _, f := range st.facts {
		if matches(f.side, only) {
			out.Facts = append(out.Facts, reportFact{f.side, f.text})
		}
	}
	for _, step := range st.steps {
		rs := reportStep{Title: step.title}
		for i, rungs := range step.rungs {
			if !matches(st.sides[i].name, only) {
				continue
			}
			side := reportSide{Side: st.sides[i].name, Lines: []reportLine{}}
			for _, r := range rungs {
				side.Lines = append(side.Lines, reportLine{float64(r.at) / float64(sim.Millisecond), r.from, r.to, r.text})
			}
			rs.Sides = append(rs.Sides, side)
		}
		out.Steps = append(out.Steps, rs)
	}
	return out
}
