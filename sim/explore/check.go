package explore

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/paxos/control"
	"github.com/paxlog/paxlog/sim/model"
	"github.com/paxlog/paxlog/sim/picture"
)

// checkNode checks what one step did to an acceptor's disk.
func checkNode(id paxos.NodeID, before, after *process, in input) error {
	if after.Role != paxos.RoleAcceptor {
		return nil
	}
	forgets := in.kind == rollBack || in.kind == taken
	if !forgets && after.Disk.Promised.Less(before.Disk.Promised) {
		return fmt.Errorf("P1 violated: %s lowers promised from %v to %v", id, before.Disk.Promised, after.Disk.Promised)
	}
	for i := paxos.Instance(1); i <= after.Disk.Top; i++ {
		v, old := after.Disk.Votes.At(i), before.Disk.Votes.At(i)
		if i > after.Disk.Held && after.Disk.Promised.Less(v.Ballot) {
			return fmt.Errorf("P1 violated: %s has a vote at %v above its promise of %v", id, v.Ballot, after.Disk.Promised)
		}
		if i <= before.Disk.Held && !forgets && !old.Value.Equal(v.Value) {
			return fmt.Errorf("P6 violated: %s overwrites instance %d, which it holds", id, i)
		}
	}
	return nil
}

// check checks what the messages of a state tell: one value for a ballot and
// instance (P2), one value chosen at an instance (agreement), and that what acceptors
// hold was chosen (P6). Votes count as they are told, which is when learners and
// leaders count them.
func (e *explorer) check(s []uint32) {
	t := e.toldIn(s)
	chosen := e.chosenBy(t)
	if e.cfg.Alpha > 0 {
		e.checkChange(t, chosen)
	}
	for proc := range e.cfg.acceptors() {
		disk := e.tables[proc].nodes[s[proc]].node.Disk
		for i := paxos.Instance(1); i <= disk.Held; i++ {
			v, ok := chosen[i]
			if !ok || !v.Equal(disk.Votes.At(i).Value) {
				e.violation("P6 violated: %s holds at instance %d what was not chosen there", e.procs[proc], i)
			}
		}
		e.checkState(e.procs[proc], disk, chosen)
	}
	if e.cfg.Learners > 0 {
		e.checkLearners(s, chosen)
	}
	if len(chosen) > len(e.chosen) {
		e.out.Chosen++
	}
	if t.twice {
		e.out.Twice++
	}
}

// at is a ballot at an instance.
type at struct {
	ballot   paxos.Ballot
	instance paxos.Instance
}

// ballots is what the messages of a state tell of what was proposed and voted for.
type ballots struct {
	proposed map[at]paxos.Value
	votes    map[at]paxos.Set // by place among all acceptors
	twice    bool             // one value is chosen at two ballots
}

func (e *explorer) toldIn(s []uint32) *ballots {
	t := &ballots{proposed: map[at]paxos.Value{}, votes: map[at]paxos.Set{}}
	for _, id := range s[len(e.procs)+1:] {
		switch m := e.msgs.list[id].msg.(type) {
		case *paxos.Accept:
			k := at{m.Ballot, m.Instance}
			if old, ok := t.proposed[k]; ok && !old.Equal(m.Value) {
				e.violation("P2 violated: two values proposed at %v", k)
			}
			t.proposed[k] = m.Value
		case *paxos.Accepted:
			for _, r := range m.Runs {
				for i := r.First; i <= r.Last; i++ {
					k := at{r.Ballot, i}
					t.votes[k] = t.votes[k].With(e.placeOf(e.msgs.list[id].from))
				}
			}
		}
	}
	return t
}

// chosenBy is what is chosen by what was told, with what was chosen at the beginning. Which
// acceptors count at an instance follows from what is chosen below it.
func (e *explorer) chosenBy(t *ballots) map[paxos.Instance]paxos.Value {
	chosen, r := maps.Clone(e.chosen), e.firstReign()
	for i := e.base() + 1; i <= paxos.Instance(e.cfg.Instances); i++ {
		in := r.at(i)
		for k, set := range t.votes {
			if k.instance != i || e.among(set, in) < int(in.Phase2) {
				continue
			}
			v := t.proposed[k]
			old, ok := chosen[i]
			if ok && !old.Equal(v) {
				e.violation("agreement violated: two values chosen at instance %d", i)
			}
			t.twice = t.twice || ok
			chosen[i] = v
		}
		if v, ok := chosen[i]; ok {
			r = r.take(i, e.cfg.Alpha, v)
		}
	}
	return chosen
}

// checkState checks that an acceptor knows what the log has decided about itself up to held.
func (e *explorer) checkState(id paxos.NodeID, disk *model.Contents, chosen map[paxos.Instance]paxos.Value) {
	want := e.state
	for i := e.base() + 1; i <= disk.Held; i++ {
		if batch := chosen[i].Batch; paxos.IsControl(batch) {
			var err error
			if want, err = want.Apply(i, batch, control.Level); err != nil {
				e.violation("R10 violated: at instance %d a command is chosen that is not known: %v", i, err)
			}
		}
	}
	if want.Encode() != disk.Control {
		e.violation("control violated: %s holds %d instances, and has not the state of the log there", id, disk.Held)
	}
}

// ladder tells how a state was reached, and what came after it.
func (e *explorer) ladder(state uint32, last ...cause) string {
	var steps []cause
	for p := e.parents[state]; p.state != math.MaxUint32; p = e.parents[p.state] {
		steps = append(steps, p)
	}
	var b strings.Builder
	for _, p := range slices.Concat(e.played, reversed(steps), last) {
		in := e.input(p.input)
		if in.kind != deliver {
			fmt.Fprintf(&b, "%-4s%s\n", e.procs[p.proc], in)
			continue
		}
		fmt.Fprintf(&b, "%-4s-> %-12s %s\n", in.from, e.procs[p.proc], e.describe(in.msg))
	}
	return b.String()
}

func reversed(steps []cause) []cause {
	slices.Reverse(steps)
	return steps
}

// describe says every message, also those that ladders usually leave out.
func (e *explorer) describe(m paxos.Message) string {
	text, _ := picture.Describe(m)
	return text
}

func messageName(m paxos.Message) string { return paxos.Messages.Row(m).Name }
